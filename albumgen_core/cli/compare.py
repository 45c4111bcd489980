"""`albumgen compare`: one cover with and without RAG."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from albumgen_core.card import render_comparison
from albumgen_core.cli.clip_options import OneCover, Out, Seconds, Seed, Style, options_for
from albumgen_core.cli.clips import Clip, make_clips
from albumgen_core.cli.console import ConfigOption, EngineOption, errors_as_sentences, out, say, settings_for
from albumgen_core.cli.generate import (
    MEGABYTES_A_CLIP,
    MEGABYTES_A_SECOND,
    check_room,
    silence_what_notices_say,
)
from albumgen_core.cli.read import read_cover_file, unique_names
from albumgen_core.cli.show import Notices, attributes_table, show_context
from albumgen_core.errors import AlbumGenError
from albumgen_core.pipeline.request import ClipRequest
from albumgen_core.result import CLIP_MP3, refuse_foreign_folder


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
        chosen = seed if seed is not None else secrets.randbelow(2**31)
        options = options_for(settings, seconds=seconds, seed=chosen, style=prompt_style)()
        folder = out_dir / f"{unique_names([cover])[0]}-compared"
        check_room(folder, 2 * (MEGABYTES_A_CLIP + MEGABYTES_A_SECOND * options.seconds))
        for name in ("rag", "no-rag"):
            refuse_foreign_folder(folder / name)
        picture = read_cover_file(cover)
        alone = msgspec.structs.replace(options, rag=False)
        clips = [
            Clip("with RAG", picture, options, folder / "rag"),
            Clip("without RAG", picture, alone, folder / "no-rag"),
        ]
        silence_what_notices_say()
        pipeline = make_clips(settings, clips, lambda _batch: None)
        with_rag, without = (clip.take for clip in clips)
        if with_rag is None or without is None:
            raise AlbumGenError(f"{cover}: {clips[0].problem or clips[1].problem}")
        chart = folder / "comparison.png"
        left = pipeline.card_content(with_rag, ClipRequest(picture, options))
        right = pipeline.card_content(without, ClipRequest(picture, alone))
        chart.write_bytes(render_comparison(left, right))
        say((cover.name, "bold"))
        out.print(attributes_table({"with RAG": with_rag.attributes, "without": without.attributes}))
        show_context(with_rag.neighbours, None)
        Notices().show(with_rag.notices)
        say(("with RAG:", "dim"), f"    {with_rag.prompt}")
        say(("without RAG:", "dim"), f" {without.prompt}")
        for path in (chart, folder / "rag" / CLIP_MP3, folder / "no-rag" / CLIP_MP3):
            say(f"  {path}")
