"""`albumgen doctor`: is everything here that the configuration needs?"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from albumgen_core.cli.console import (
    EXIT_ERROR,
    ConfigOption,
    EngineOption,
    errors_as_sentences,
    say,
    settings_for,
)
from albumgen_core.cli.weights import source_of
from albumgen_core.errors import AlbumGenError, EngineUnavailableError
from albumgen_core.settings import Settings
from albumgen_core.version import __version__

Verdict = Literal["ok", "note", "problem"]
MARKS: dict[Verdict, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("·", "yellow"),
    "problem": ("✗", "red"),
}

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "chromadb",
    "discord.py",
    "midirenderer",
    "pydub",
    "soundfile",
    "Pillow",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    verdict: Verdict
    subject: str
    message: str


def doctor(engine: EngineOption = None, config: ConfigOption = None) -> None:
    """Check the installation, the settings, the weights and the album index; say what to do about each.

    Exit code 2 when something that the configuration needs is missing.
    """
    with errors_as_sentences():
        settings = settings_for(config, engine=engine)
        problems = 0
        for check in _checks(settings):
            say(MARKS[check.verdict], " ", (check.subject, "bold"), f"  {check.message}")
            problems += check.verdict == "problem"
        if problems:
            raise typer.Exit(EXIT_ERROR)


def _checks(settings: Settings) -> Iterator[Check]:
    yield Check("ok", "AlbumGen", f"{__version__} on Python {platform.python_version()}, {platform.system()}")
    yield from _packages()
    yield from _disk(settings)
    yield from _encoders()
    yield from _engine(settings)
    yield from _index(settings)


def _packages() -> Iterator[Check]:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield Check("ok", "packages", ", ".join(found))
    for name in missing:
        yield Check("problem", name, f"is not installed; run `pip install {name}`")


def _disk(settings: Settings) -> Iterator[Check]:
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**20
    enough = free >= settings.inference.min_free_megabytes
    yield Check("ok" if enough else "problem", "disk", f"{free / 1024:.1f} GiB free for {settings.data_dir}")


def _encoders() -> Iterator[Check]:
    import imageio_ffmpeg
    import soundfile

    try:
        ffmpeg = f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()} from imageio-ffmpeg"
        yield Check("ok", "encoding", f"MP3 and Opus by {ffmpeg}")
    except RuntimeError as error:
        yield Check(
            "problem", "encoding", f"no ffmpeg ({error}); run `pip install --force-reinstall imageio-ffmpeg`"
        )
    opus = "OPUS" in soundfile.available_subtypes("OGG")
    what = "MP3 and Opus" if opus else "MP3, but not Opus,"
    yield Check(
        "ok" if opus else "problem", "decoding", f"{what} by libsndfile {soundfile.__libsndfile_version__}"
    )


def _engine(settings: Settings) -> Iterator[Check]:
    family = settings.engine.family
    yield Check(
        "ok",
        "engine",
        f"{family}" + (", the sketch may stand in" if settings.engine.fallback == "sketch" else ""),
    )
    if family == "sketch" or settings.engine.fallback == "sketch":
        yield _soundfont(settings.engine.sketch.soundfont)
    if family == "neural":
        from albumgen_core.engines.neural.checkpoints.inspection import check
        from albumgen_core.engines.neural.checkpoints.specs import SPECS

        for role, spec in SPECS.items():
            for finding in check(spec, *source_of(settings.engine, role)):
                size = f" ({finding.size / 2**20:,.0f} MiB)" if finding.size is not None else ""
                # A missing model names itself; a file does not.
                subject = "" if finding.subject in finding.message else f"{finding.subject}: "
                yield Check(
                    "ok" if finding.ok else "problem", spec.title, f"{subject}{finding.message}{size}"
                )
            yield Check("note", spec.title, f"licence of {spec.default}: {spec.licence}")


def _soundfont(chosen: Path | None) -> Check:
    from albumgen_core.engines.sketch.soundfont import find_soundfont, load_bank

    try:
        found = find_soundfont(chosen)
        load_bank(found.path)
    except EngineUnavailableError as error:
        return Check("problem", "SoundFont", str(error))
    return Check("ok", "SoundFont", f"{found.path}; licence: {found.licence}")


def _index(settings: Settings) -> Iterator[Check]:
    from albumgen_core.engines.load import load_embedder
    from albumgen_core.retrieval import AlbumIndex

    try:
        name = load_embedder(settings.engine)[0].name
    except EngineUnavailableError:
        yield Check("note", "album index", "cannot be looked into before the engine has its weights")
        return
    try:
        with AlbumIndex.open(settings.index_dir, embedder_name=name) as index:
            yield Check(
                "ok", "album index", f"{len(index):,} albums at {settings.index_dir}, embedded by {name}"
            )
        yield from _calibration(settings, name)
    except AlbumGenError as error:
        verdict: Verdict = "problem" if settings.index.on_failure == "refuse" else "note"
        yield Check(verdict, "album index", f"{error} Without it, covers are read alone.")


def _calibration(settings: Settings, embedder: str) -> Iterator[Check]:
    from albumgen_core.errors import CalibrationError
    from albumgen_core.retrieval.predictor import NO_SIGNAL, NeighbourPredictor

    if not settings.index.calibration:
        return
    try:
        predictor = NeighbourPredictor.load(Path(settings.index.calibration), embedder=embedder)
    except CalibrationError as error:
        yield Check("problem", "calibration", str(error))
        return
    believed = [name for name, blend in predictor.blends.items() if blend.signal]
    words = f"covers are believed on {', '.join(believed)}" if believed else NO_SIGNAL
    yield Check("ok" if believed else "note", "calibration", words)
