"""What a mixtape is made of, and what comes out. Plain values, for both sides of the process boundary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CROSSFADE_SECONDS = 1.0
UPLOAD_BYTES = 8 * 2**20
"""Within Discord's smallest upload limit of 10 MiB, with room for a page beside it."""


@dataclass(frozen=True, slots=True)
class Track:
    """One take on the tape.

    Attributes:
        mp3: the clip.
        title: of its chapter; any text.
        cover: JPEG shown while it plays, or None.
    """

    mp3: Path
    title: str
    cover: Path | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """Where a take is on the tape, in milliseconds; chapters meet in the middle of a crossfade."""

    title: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Mixtape:
    """A finished tape.

    Attributes:
        path, size: the MP3, and its bytes.
        seconds, kbps, channels: of its sound.
        chapters: one for each take that could be read.
        left_out: titles of those that could not.
    """

    path: Path
    size: int
    seconds: float
    kbps: int
    channels: int
    chapters: tuple[Chapter, ...]
    left_out: tuple[str, ...] = ()
