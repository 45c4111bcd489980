"""Which SoundFont plays, where it lies, and under which licence."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from albumgen_core.engines.sketch.bank import Bank
from albumgen_core.errors import EngineUnavailableError

BUNDLED = "TimGM6mb.sf2"
"""Comes with the pretty_midi package."""

INSTALLED = (
    Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"),
    Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
)
"""Where Debian's packages musescore-general-soundfont-small and musescore-general-soundfont put theirs."""

LICENCES = {
    "timgm6mb": "GPL-2 (Tim Brechbill)",
    "musescore_general": "MIT, parts public domain or CC0 (S. Christian Collins, Frank Wen, Michael Cowgill)",
    "fluidr3": "MIT (Frank Wen)",
}
"""Licences as Debian's copyright files of these packages state them, by the beginning of the file's name."""


@dataclass(frozen=True, slots=True)
class SoundFont:
    """A SoundFont file and what is known about its licence."""

    path: Path
    licence: str


def find_soundfont(chosen: Path | None = None) -> SoundFont:
    """The file chosen, else MuseScore_General where it is installed, else the SoundFont of pretty_midi.

    Raises EngineUnavailableError where the chosen file does not exist, or no SoundFont does.
    """
    if chosen is not None:
        if not chosen.is_file():
            raise EngineUnavailableError(f"engine.sketch.soundfont: there is no file {chosen}")
        return _described(chosen)
    for path in (*INSTALLED, _bundled()):
        if path is not None and path.is_file():
            return _described(path)
    raise EngineUnavailableError(
        f"The sketch engine's SoundFont {BUNDLED} is missing; install it with: pip install pretty_midi"
    )


def _described(path: Path) -> SoundFont:
    name = path.name.lower()
    licence = next(
        (text for start, text in LICENCES.items() if name.startswith(start)), "unknown to AlbumGen"
    )
    return SoundFont(path, licence)


@lru_cache(maxsize=1)
def _bundled() -> Path | None:
    # Found without importing pretty_midi, which takes longer than a clip.
    spec = importlib.util.find_spec("pretty_midi")
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((Path(folder) / BUNDLED for folder in folders), None)


@lru_cache(maxsize=2)
def load_bank(path: Path) -> Bank:
    """The file, read. Raises EngineUnavailableError for a file that is no General MIDI SoundFont."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EngineUnavailableError(f"{path} cannot be read: {error.strerror}") from error
    return Bank(data, path.name)
