"""One continuous MP3 of an evening, with a chapter for each take.

Clips are decoded one at a time, brought to one loudness, joined by equal-power crossfades and streamed into
ffmpeg and from there to the disk, so that an evening of hours needs no more memory than three clips. The best
bit rate that fits is chosen beforehand: at a constant bit rate the size is known. Chapters follow the ID3v2
Chapter Frame Addendum (CHAP and CTOC), which podcast players and VLC show.

This blocks for seconds and loads scipy; an event loop awaits `task.make_mixtape_in_child`.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from albumgen_core.audio.encode import LOUDNESS_LUFS, decode_mp3
from albumgen_core.audio.mastering import CEILING_DB, integrated_loudness
from albumgen_core.card.text_layout import clean
from albumgen_core.errors import ClipError, MixtapeError, MixtapeTooLongError
from albumgen_core.files import sync_directory
from albumgen_core.mixtape.tags import small_picture, tape_tag
from albumgen_core.mixtape.values import CROSSFADE_SECONDS, UPLOAD_BYTES, Chapter, Mixtape, Track

STEREO_KBPS = (192, 160, 128, 112, 96, 80, 64)
MONO_KBPS = (128, 112, 96, 80, 64, 56, 48, 40)
"""Bit rates that MP3 has, best first; below 40 kbit/s music is no pleasure."""

_SPARE = 4096  # the encoder's padding: its first and last frames, and one that holds no sound
_MAX_CORRECTION_DB = 12.0
_SAMPLE_RATES = (32000, 44100, 48000)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Tracks that can be read, their lengths, and how they are joined (all in samples at `rate`)."""

    tracks: Sequence[Track]
    lengths: Sequence[int]
    fades: Sequence[int]  # between track i and i + 1
    rate: int
    stereo: bool

    @property
    def seconds(self) -> float:
        return (sum(self.lengths) - sum(self.fades)) / self.rate


def make_mixtape(
    tracks: Sequence[Track],
    out: Path,
    *,
    title: str,
    max_bytes: int = UPLOAD_BYTES,
    crossfade: float = CROSSFADE_SECONDS,
) -> Mixtape:
    """Join clips into one MP3 (blocking, about a second for a minute of music).

    Args:
        tracks: in playing order. A clip that is gone or damaged is left out.
        out: where it goes, whole or not at all.
        title: of the whole; any text.
        max_bytes: most bytes, tags and chapter pictures included; pictures give way to sound.
        crossfade: seconds by which neighbours overlap, 0 for gapless joins; never more than a third of the
            shorter one.

    Raises MixtapeTooLongError, MixtapeError (code "empty" when there is nothing to join, "encoder" when
    ffmpeg fails), OSError where `out` cannot be written.
    """
    plan, left_out = _planned(tracks, crossfade)
    chapters = _chapters(plan)
    bare = tape_tag(title, chapters, [])
    pictures = tape_tag(title, chapters, [small_picture(track.cover) for track in plan.tracks])
    kbps, channels = _fitting(plan, max_bytes - len(bare), max_bytes)
    sound_bytes = kbps * 125 * plan.seconds + _SPARE
    tag = pictures if len(pictures) + sound_bytes <= max_bytes else bare
    with tempfile.TemporaryDirectory(prefix=".mixtape-", dir=out.parent) as scratch:
        sound = Path(scratch) / "sound.mp3"
        _encode(plan, kbps, channels, sound)
        size = len(tag) + sound.stat().st_size
        if size > max_bytes:
            raise MixtapeTooLongError.of(plan.seconds, max_bytes)
        _write(tag, sound, Path(scratch) / "tape.mp3", out)
    return Mixtape(out, size, plan.seconds, kbps, channels, tuple(chapters), tuple(left_out))


def _write(tag: bytes, sound: Path, scratch: Path, out: Path) -> None:
    """The tag and the sound behind it, at `out` whole or not at all."""
    with scratch.open("wb") as file:
        file.write(tag)
        with sound.open("rb") as encoded:
            shutil.copyfileobj(encoded, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(out)
    sync_directory(out.parent)


def _planned(tracks: Sequence[Track], crossfade: float) -> tuple[_Plan, list[str]]:
    usable: list[tuple[Track, int, int, int]] = []
    left_out: list[str] = []
    for track in tracks:
        try:
            sound = decode_mp3(track.mp3)
        except (OSError, ClipError):
            left_out.append(track.title)
            continue
        usable.append((track, sound.samples.shape[1], sound.sample_rate, sound.channels))
    if not usable:
        raise MixtapeError("There is no clip left for a mixtape.", "empty")
    highest = max(rate for _, _, rate, _ in usable)
    rate = next((known for known in _SAMPLE_RATES if known >= highest), _SAMPLE_RATES[-1])
    lengths = [_resampled_length(samples, own, rate) for _, samples, own, _ in usable]
    fades = [
        min(round(crossfade * rate), lengths[i] // 3, lengths[i + 1] // 3) for i in range(len(lengths) - 1)
    ]
    stereo = any(channels == 2 for _, _, _, channels in usable)
    return _Plan([track for track, _, _, _ in usable], lengths, fades, rate, stereo), left_out


def _fitting(plan: _Plan, room: int, max_bytes: int) -> tuple[int, int]:
    """The best (kbit/s, channels) whose sound takes at most `room` bytes."""
    stereo = [(kbps, 2) for kbps in STEREO_KBPS] if plan.stereo else []
    # Stereo clips become mono rather than worse than the lowest rate for stereo.
    mono = [(kbps, 1) for kbps in MONO_KBPS if not plan.stereo or kbps < STEREO_KBPS[-1]]
    for kbps, channels in stereo + mono:
        if kbps * 125 * plan.seconds + _SPARE <= room:
            return kbps, channels
    raise MixtapeTooLongError.of(plan.seconds, max_bytes)


def _chapters(plan: _Plan) -> list[Chapter]:
    chapters: list[Chapter] = []
    start, at = 0, 0
    for i, (track, length) in enumerate(zip(plan.tracks, plan.lengths, strict=True)):
        fade = plan.fades[i] if i < len(plan.fades) else 0
        end = at + length - fade // 2
        title = clean(track.title)[:100] or "–"
        chapters.append(Chapter(title, start * 1000 // plan.rate, end * 1000 // plan.rate))
        at += length - fade
        start = end
    return chapters


def _encode(plan: _Plan, kbps: int, channels: int, path: Path) -> None:
    """The joined sound as MP3 without tags; ffmpeg writes to a file, for the length goes into its head."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    command += ["-f", "s16le", "-ar", str(plan.rate), "-ac", str(channels), "-i", "pipe:0"]
    command += ["-codec:a", "libmp3lame", "-b:a", f"{kbps}k", "-id3v2_version", "0"]
    command += ["-fflags", "+bitexact", "-f", "mp3", str(path)]
    ffmpeg = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert ffmpeg.stdin is not None
    try:
        for block in _joined(plan, channels):
            ffmpeg.stdin.write(np.rint(block.T * np.float32(32767)).astype("<i2").tobytes())
        ffmpeg.stdin.close()
        failed = ffmpeg.wait() != 0
    except BrokenPipeError:
        failed = True
    finally:
        if ffmpeg.poll() is None:
            ffmpeg.kill()
            ffmpeg.wait()
    if failed:
        raise MixtapeError("The mixtape could not be encoded; please try again.", "encoder")


def _joined(plan: _Plan, channels: int) -> Iterator[NDArray[np.float32]]:
    """The tape in pieces, float32 (channels, samples) in [-1, 1]: each clip's own part, then each overlap."""
    tail = np.zeros((channels, 0), np.float32)
    for i, track in enumerate(plan.tracks):
        sound = _prepared(track, plan.lengths[i], plan.rate, channels)
        before = tail.shape[1]
        if before:
            yield _within(tail * _falling(before) + sound[:, :before] * _falling(before)[::-1])
        after = plan.fades[i] if i < len(plan.fades) else 0
        yield _within(sound[:, before : sound.shape[1] - after])
        tail = sound[:, sound.shape[1] - after :]


def _prepared(track: Track, length: int, rate: int, channels: int) -> NDArray[np.float32]:
    """A clip at the tape's sample rate, channels and loudness, float32 (channels, length)."""
    clip = decode_mp3(track.mp3)
    sound = clip.samples
    if channels == 1:
        sound = sound.mean(axis=0, keepdims=True, dtype=np.float32)
    elif sound.shape[0] == 1:
        sound = np.repeat(sound, 2, axis=0)
    # Measured in the channels it will be heard in: a mono clip on both sides is 3 LU louder.
    sound = _levelled(sound, clip.sample_rate)
    if clip.sample_rate != rate:
        common = math.gcd(clip.sample_rate, rate)
        resampled = resample_poly(sound, rate // common, clip.sample_rate // common, axis=1)
        sound = np.asarray(resampled, np.float32)
    if sound.shape[1] < length:
        sound = np.pad(sound, ((0, 0), (0, length - sound.shape[1])))
    return sound[:, :length]


def _levelled(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """At the loudness of all clips. They come mastered, so no limiter: the gain stops at the ceiling."""
    loudness = integrated_loudness(sound, rate)
    peak = float(np.abs(sound).max())
    if loudness is None or not peak:
        return sound
    room = max(0.0, CEILING_DB - 20 * math.log10(peak))
    gain = min(LOUDNESS_LUFS - loudness, _MAX_CORRECTION_DB, room)
    return sound * np.float32(10 ** (gain / 20))


def _resampled_length(samples: int, own: int, rate: int) -> int:
    common = math.gcd(own, rate)
    return -(-samples * (rate // common) // (own // common))


def _falling(samples: int) -> NDArray[np.float32]:
    """Cosine from 1 to 0; with its mirror image the squares sum to 1, so the power stays."""
    return np.asarray(np.cos(np.linspace(0, np.pi / 2, samples)), np.float32)


def _within(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(sound, -1.0, 1.0)
