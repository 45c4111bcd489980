"""Sound inside a page: as many takes as a budget of bytes holds, in the best quality that lets all in."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

RATES_KBPS = ((128, 2), (96, 2), (64, 1), (48, 1))
"""(bit rate, channels) to which takes are made smaller, best first, when they do not fit as they are."""

_SPARE = 4096
_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Mp3File:
    """A clip's MP3 and its length in seconds."""

    mp3: Path
    seconds: float


def fitted(takes: Sequence[Mp3File], budget: int) -> list[bytes | None]:
    """MP3 bytes, without tags, for takes that come most important first (blocking: ffmpeg).

    All as they are where that fits into `budget` bytes; else all at the best bit rate that lets all in; else
    at the lowest one as many as fit, from the first on. None for a take that is gone, damaged or has no room.
    """
    originals = [_untagged(take.mp3) for take in takes]
    if sum(len(sound) for sound in originals if sound) <= budget:
        return list(originals)
    there = [take.seconds for take, sound in zip(takes, originals, strict=True) if sound]
    kbps, channels = next(
        (rate for rate in RATES_KBPS if sum(_estimate(rate[0], s) for s in there) <= budget), RATES_KBPS[-1]
    )
    made: list[bytes | None] = []
    room = budget
    for take, sound in zip(takes, originals, strict=True):
        smaller = None
        if sound is not None and min(len(sound), _estimate(kbps, take.seconds)) <= room:
            smaller = _smaller(sound, kbps, channels)
            # What was encoded at less already stays as it is.
            if smaller is None or len(sound) <= len(smaller):
                smaller = sound
            if len(smaller) > room:
                smaller = None
        room -= len(smaller or b"")
        made.append(smaller)
    return made


def _estimate(kbps: int, seconds: float) -> int:
    return round(kbps * 125 * seconds) + _SPARE


def _untagged(path: Path) -> bytes | None:
    """The file without the ID3v2 tag in front (its cover would be in the page twice); None if it is gone."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if data[:3] == b"ID3" and len(data) > 10:
        # Four bytes of seven bits each (ID3v2.3, section 3.1).
        size = sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        data = data[10 + size :]
    return data or None


def _smaller(sound: bytes, kbps: int, channels: int) -> bytes | None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-f", "mp3"]
    command += ["-i", "pipe:0", "-ac", str(channels), "-codec:a", "libmp3lame", "-b:a", f"{kbps}k"]
    command += ["-id3v2_version", "0", "-fflags", "+bitexact", "-f", "mp3", "pipe:1"]
    try:
        done = subprocess.run(
            command, input=sound, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 and done.stdout else None
