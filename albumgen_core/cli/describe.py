"""`albumgen describe`: the attributes of covers, without music."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from albumgen_core.albums import Neighbour
from albumgen_core.cli.clip_options import Covers, Rag, Style, options_for
from albumgen_core.cli.console import (
    EXIT_ERROR,
    ConfigOption,
    EngineOption,
    complain,
    errors_as_sentences,
    out,
    say,
    settings_for,
)
from albumgen_core.cli.generate import silence_what_notices_say
from albumgen_core.cli.read import read_cover_file
from albumgen_core.cli.show import Notices, attributes_table, show_album, show_context
from albumgen_core.errors import AlbumGenError
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.pipeline.request import ClipRequest
from albumgen_core.pipeline.stages import Pipeline


def describe(
    covers: Covers,
    rag: Rag = True,
    engine: EngineOption = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="The seed that `generate` would be given.")
    ] = 0,
    prompt_style: Style = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    config: ConfigOption = None,
) -> None:
    """Read the music in covers without composing it."""
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        options = options_for(settings, rag=rag, seed=seed, style=prompt_style)
        readable: list[tuple[Path, ClipRequest]] = []
        for path in covers:
            try:
                readable.append((path, ClipRequest(read_cover_file(path), options())))
            except AlbumGenError as error:
                complain(error)
        documents: list[dict[str, Any]] = []
        if readable:
            silence_what_notices_say()
            pipeline = open_pipeline(settings, composing=False)
            notices = Notices()
            for path, wanted in readable:
                try:
                    documents.append(_describe(pipeline, path, wanted, notices, quiet=as_json))
                except AlbumGenError as error:
                    complain(f"{path}: {error}")
            if as_json:
                out.print_json(json.dumps(documents, ensure_ascii=False))
        if len(documents) < len(covers):
            raise typer.Exit(EXIT_ERROR)


def _describe(
    pipeline: Pipeline, path: Path, request: ClipRequest, notices: Notices, *, quiet: bool
) -> dict[str, Any]:
    """Read a cover, print what was read unless `quiet`, and return it JSON-ready."""
    attributes, neighbours, prompt, said, itself = pipeline.read(request)
    if not quiet:
        say((path.name, "bold"))
        out.print(attributes_table({"read": attributes}))
        show_album(itself)
        show_context(neighbours, prompt)
        notices.show(said)
    return {
        "cover": str(path),
        "attributes": attributes.to_dict(),
        "album": None if itself is None else _brief(itself),
        "neighbours": [_brief(neighbour) for neighbour in neighbours],
        "prompt": prompt,
        "notices": list(said),
    }


def _brief(neighbour: Neighbour) -> dict[str, Any]:
    return {
        "album_id": neighbour.album.album_id,
        "title": neighbour.album.title,
        "artist": neighbour.album.artist,
        "distance": None if neighbour.distance is None else round(float(neighbour.distance), 4),
        "reason": neighbour.reason,
    }
