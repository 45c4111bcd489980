"""`albumgen generate`: covers in, a folder with clip, card and attributes out for each."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from albumgen_core.cli.clip_options import (
    Covers,
    Genre,
    Key,
    Metre,
    Out,
    Rag,
    Seconds,
    Seed,
    Set,
    Style,
    Tempo,
    options_for,
    overrides_of,
)
from albumgen_core.cli.clips import Clip, make_clips
from albumgen_core.cli.console import (
    EXIT_ERROR,
    ConfigOption,
    EngineOption,
    complain,
    errors_as_sentences,
    note,
    say,
    settings_for,
)
from albumgen_core.cli.read import read_cover_file, unique_names
from albumgen_core.cli.show import Notices, show_take
from albumgen_core.errors import AlbumGenError
from albumgen_core.result import MIDI, STEMS, refuse_foreign_folder

MEGABYTES_A_CLIP = 3.0
"""Room for a card, a cover and an attribute file, generously."""
MEGABYTES_A_SECOND = 0.1
"""Of MP3 at 320 kbit/s, Opus and tokens together, generously."""


def generate(
    covers: Covers,
    rag: Rag = True,
    engine: EngineOption = None,
    seconds: Seconds = None,
    seed: Seed = None,
    genre: Genre = None,
    key: Key = None,
    tempo: Tempo = None,
    metre: Metre = None,
    attributes: Set = None,
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

    Several covers are composed together, which costs little more than one. A cover that fails does not stop
    the others; the exit code is then 2.
    """
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        overrides = overrides_of(genre=genre, key=key, tempo=tempo, metre=metre, pairs=attributes)
        options = options_for(
            settings, rag=rag, seconds=seconds, seed=seed, style=prompt_style, overrides=overrides
        )
        length = seconds if seconds is not None else settings.clip.seconds
        check_room(out_dir, len(covers) * (MEGABYTES_A_CLIP + MEGABYTES_A_SECOND * length))
        clips: list[Clip] = []
        for path, name in zip(covers, unique_names(covers), strict=True):
            try:
                refuse_foreign_folder(out_dir / name)
                # Only a seed that is given again can go on with what an interrupted run had composed.
                kept = out_dir / f".{name}.tokens.npz" if seed is not None else None
                clips.append(Clip(path.name, read_cover_file(path), options(), out_dir / name, kept))
            except AlbumGenError as error:
                complain(error)
        if clips:
            silence_what_notices_say()
            notices = Notices()

            def show(batch: Sequence[Clip]) -> None:
                show_clips(batch, notices)
                for clip in batch:
                    if clip.take is not None:
                        show_scores(clip.folder, midi=midi, stems=stems)

            make_clips(settings, clips, show, stems=stems)
        if sum(clip.take is not None for clip in clips) < len(covers):
            raise typer.Exit(EXIT_ERROR)


def show_clips(clips: Sequence[Clip], notices: Notices) -> None:
    """Print what was made, and what went wrong."""
    for clip in clips:
        if clip.take is None:
            complain(clip.problem)
        else:
            show_take(clip.label, clip.take, clip.folder, notices)


def show_scores(folder: Path, *, midi: bool, stems: bool) -> None:
    """Print where the MIDI file and the stems are, or that this engine makes none."""
    wanted = [folder / MIDI] if midi else []
    wanted += sorted((folder / STEMS).glob("*.flac")) or [folder / STEMS] if stems else []
    for path in wanted:
        if path.exists():
            say(f"  {path}")
        else:
            note(f"{path.name}: this engine composes no notes, so there is none.")


def check_room(folder: Path, megabytes: float) -> None:
    """Raise AlbumGenError unless `folder` is, or can become, one that takes so many megabytes."""
    place = folder.absolute()
    while not (place.exists() or place.is_symlink()):
        place = place.parent
    if not place.is_dir():
        raise AlbumGenError(f"--out {folder}: {place} is a file; name a folder.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise AlbumGenError(f"--out {folder}: {place} cannot be written to.")
    free = shutil.disk_usage(place).free / 2**20
    if free < megabytes:
        raise AlbumGenError(
            f"--out {folder}: {free:,.0f} MB are free there, and these clips may need {megabytes:,.0f} MB."
        )


def silence_what_notices_say() -> None:
    """Keep from the log what every take's notices say anyway."""
    for name in ("albumgen_core.pipeline.build", "albumgen_core.engines.load"):
        logging.getLogger(name).setLevel(logging.ERROR)
