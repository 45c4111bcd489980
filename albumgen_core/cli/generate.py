"""`albumgen generate`, `describe` and `compare`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.card import render_comparison
from albumgen_core.cli.console import (
    EXIT_ERROR,
    ConfigOption,
    EngineOption,
    err,
    errors_as_sentences,
    out,
    progress_bar,
    settings_for,
)
from albumgen_core.cli.read import read_cover_file, unique_names
from albumgen_core.errors import AlbumGenError
from albumgen_core.jobs.spec import ClipOptions
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.pipeline.stages import ClipRequest, Pipeline
from albumgen_core.prompt.template import key_words
from albumgen_core.result import CARD, CLIP_MP3, MIDI, STEMS, Take, write_take
from albumgen_core.settings import Settings
from albumgen_core.vocabulary import STAGES, Stage

Covers = Annotated[
    list[Path], typer.Argument(help="Pictures: PNG, JPEG, WebP or GIF.", metavar="COVER…", show_default=False)
]
OneCover = Annotated[
    Path, typer.Argument(help="A picture: PNG, JPEG, WebP or GIF.", metavar="COVER", show_default=False)
]
Rag = Annotated[bool, typer.Option("--rag/--no-rag", help="Reason from the nearest albums of the index too.")]
Seconds = Annotated[
    float | None,
    typer.Option(min=1.0, max=300.0, help="Length of the clip.  [default: clip.seconds]", show_default=False),
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0, max=2**31 - 1, help="The same seed gives the same clip.  [default: random]", show_default=False
    ),
]
Style = Annotated[
    str | None, typer.Option("--prompt-style", help="concise or slides.  [default: prompt.style]")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; one subfolder a cover.")]

STAGE_WORDS: dict[Stage, str] = {
    "embed": "listening to the cover",
    "retrieve": "finding kindred albums",
    "describe": "reading the music in it",
    "prompt": "writing the prompt",
    "compose": "composing",
    "encode": "mixing",
}
STAGE_WEIGHTS: dict[Stage, float] = {
    "embed": 5,
    "retrieve": 2,
    "describe": 15,
    "prompt": 1,
    "compose": 70,
    "encode": 7,
}


def generate(
    covers: Covers,
    rag: Rag = True,
    engine: EngineOption = None,
    seconds: Seconds = None,
    seed: Seed = None,
    prompt_style: Style = None,
    out_dir: Out = Path("out"),
    midi: Annotated[
        bool, typer.Option("--midi", help="Name the MIDI file of the performance too (sketch engine).")
    ] = False,
    stems: Annotated[
        bool,
        typer.Option("--stems", help="Write drums, bass, chords and lead as FLAC files too (sketch engine)."),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Hear covers: write an MP3, a card (PNG) and the attributes (JSON) for each.

    Several covers are composed together, which costs little more than one.
    """
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        pipeline = open_pipeline(settings)
        requests = [
            replace(
                _request(settings, path, rag=rag, seconds=seconds, seed=seed, style=prompt_style), stems=stems
            )
            for path in covers
        ]
        takes = run_with_progress(pipeline, requests, [path.name for path in covers])
        failed = 0
        for path, name, take in zip(covers, unique_names(covers), takes, strict=True):
            if isinstance(take, Take):
                folder = write_take(take, out_dir / name)
                print_take(path, take, folder)
                _print_scores(folder, midi=midi, stems=stems)
            else:
                failed += 1
                err.print(f"[bold red]Error:[/] {path}: {take}", soft_wrap=True, highlight=False)
        if failed:
            raise typer.Exit(EXIT_ERROR)


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
        pipeline = open_pipeline(settings, composing=False)
        documents: list[dict[str, Any]] = []
        for path in covers:
            request = _request(settings, path, rag=rag, seconds=None, seed=seed, style=prompt_style)
            attributes, neighbours, prompt, notices = pipeline.read(request)
            if as_json:
                documents.append(
                    {
                        "cover": str(path),
                        "attributes": attributes.to_dict(),
                        "neighbours": [_neighbour_line(neighbour) for neighbour in neighbours],
                        "prompt": prompt,
                        "notices": list(notices),
                    }
                )
            else:
                _print_name(path)
                out.print(_attributes_table({"read": attributes}))
                _print_context(neighbours, prompt, notices)
        if as_json:
            out.print_json(json.dumps(documents, ensure_ascii=False))


def compare(
    cover: OneCover,
    engine: EngineOption = None,
    seconds: Seconds = None,
    seed: Seed = None,
    prompt_style: Style = None,
    out_dir: Out = Path("out"),
    config: ConfigOption = None,
) -> None:
    """Hear one cover with and without RAG: two clips and one chart with both."""
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        pipeline = open_pipeline(settings)
        chosen = seed if seed is not None else secrets.randbelow(2**31)
        requests = [
            _request(settings, cover, rag=rag, seconds=seconds, seed=chosen, style=prompt_style)
            for rag in (True, False)
        ]
        with_rag, without = run_with_progress(pipeline, requests, ["with RAG", "without RAG"])
        if not isinstance(with_rag, Take) or not isinstance(without, Take):
            raise AlbumGenError(f"{cover}: {without if isinstance(with_rag, Take) else with_rag}")
        folder = out_dir / f"{cover.stem}-compared"
        write_take(with_rag, folder / "rag")
        write_take(without, folder / "no-rag")
        card = folder / "comparison.png"
        left = pipeline.card_content(with_rag, requests[0])
        right = pipeline.card_content(without, requests[1])
        card.write_bytes(render_comparison(left, right))
        _print_name(cover)
        out.print(_attributes_table({"with RAG": with_rag.attributes, "without": without.attributes}))
        _print_context(with_rag.neighbours, None, with_rag.notices)
        out.print(f"[dim]with RAG:[/]    {with_rag.prompt}", soft_wrap=True, highlight=False)
        out.print(f"[dim]without RAG:[/] {without.prompt}", soft_wrap=True, highlight=False)
        for path in (card, folder / "rag" / CLIP_MP3, folder / "no-rag" / CLIP_MP3):
            out.print(f"  {path}", soft_wrap=True, highlight=False)


def run_with_progress(
    pipeline: Pipeline, requests: Sequence[ClipRequest], labels: Sequence[str]
) -> list[Take | Exception | None]:
    """Run a batch with one bar a cover."""
    with progress_bar() as progress:
        tasks = [progress.add_task(label, total=sum(STAGE_WEIGHTS.values())) for label in labels]

        def tell(position: int, stage: Stage, fraction: float) -> None:
            before = sum(STAGE_WEIGHTS[earlier] for earlier in STAGES[: STAGES.index(stage)])
            progress.update(
                tasks[position],
                completed=before + STAGE_WEIGHTS[stage] * fraction,
                description=f"{labels[position]} [dim]{STAGE_WORDS[stage]}[/]",
            )

        takes = pipeline.run(requests, on_progress=tell)
        for task, label, take in zip(tasks, labels, takes, strict=True):
            if isinstance(take, Take):
                progress.update(
                    task, completed=sum(STAGE_WEIGHTS.values()), description=f"{label} [green]done[/]"
                )
    return takes


def print_take(path: Path, take: Take, folder: Path) -> None:
    """Say what was heard in a cover and where the files are."""
    attributes = take.attributes
    label = "sketch" if take.family == "sketch" else take.composer
    out.print(
        f"[bold]{path.name}[/] → {attributes.album_genre}, {key_words(attributes)}, "
        f"{attributes.tempo:.0f} BPM, {attributes.time_signature}/4, {take.seconds:.1f} s "
        f"[dim]({label}, seed {take.seed})[/]",
        soft_wrap=True,
        highlight=False,
    )
    _print_context(take.neighbours, take.prompt, take.notices)
    out.print(f"  {folder / CLIP_MP3}\n  {folder / CARD}", soft_wrap=True, highlight=False)


def _print_scores(folder: Path, *, midi: bool, stems: bool) -> None:
    wanted = [folder / MIDI] if midi else []
    wanted += sorted((folder / STEMS).glob("*.flac")) or [folder / STEMS] if stems else []
    for path in wanted:
        if path.exists():
            out.print(f"  {path}", soft_wrap=True, highlight=False)
        else:
            err.print(f"{path.name}: this engine composes no notes, so there is none.", soft_wrap=True)


def _request(
    settings: Settings, path: Path, *, rag: bool, seconds: float | None, seed: int | None, style: str | None
) -> ClipRequest:
    chosen_style = style if style is not None else settings.prompt.style
    if chosen_style not in ("concise", "slides"):
        raise typer.BadParameter("choose concise or slides", param_hint="--prompt-style")
    return ClipRequest(
        read_cover_file(path),
        ClipOptions(
            rag=rag,
            seconds=seconds if seconds is not None else settings.clip.seconds,
            seed=seed if seed is not None else secrets.randbelow(2**31),
            prompt_style="slides" if chosen_style == "slides" else "concise",
            name_artist=settings.prompt.name_artist,
        ),
    )


def _print_name(path: Path) -> None:
    out.print(path.name, style="bold", soft_wrap=True, highlight=False, markup=False)


def _attributes_table(columns: dict[str, MusicalAttributes]) -> Table:
    table = Table()
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right")
    read = list(columns.values())
    table.add_row("artist", *(attributes.artist_name for attributes in read))
    table.add_row("genre", *(attributes.album_genre for attributes in read))
    table.add_row("key", *map(key_words, read))
    table.add_row("tempo", *(f"{attributes.tempo:.0f} BPM" for attributes in read))
    table.add_row("metre", *(f"{attributes.time_signature}/4" for attributes in read))
    for feature in AUDIO_FEATURES:
        values = [float(getattr(attributes, feature)) for attributes in read]
        table.add_row(feature, *(f"{'█' * round(value * 10):<10} {value:.2f}" for value in values))
    return table


def _neighbour_line(neighbour: Neighbour) -> dict[str, Any]:
    return {
        "title": neighbour.album.title,
        "artist": neighbour.album.artist,
        "distance": round(float(neighbour.distance), 4),
    }


def _print_context(neighbours: Sequence[Neighbour], prompt: str | None, notices: Sequence[str]) -> None:
    for neighbour in neighbours:
        out.print(
            f"  [dim]near {neighbour.distance:.2f}[/]  {neighbour.album.title} — {neighbour.album.artist}",
            highlight=False,
        )
    if prompt:
        out.print(f"  [dim]prompt[/]  {prompt}", soft_wrap=True, highlight=False)
    for notice in notices:
        out.print(f"  [yellow]{notice}[/]", soft_wrap=True, highlight=False)
