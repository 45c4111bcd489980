"""From composed sound to a clip: MP3 for hearing and keeping, Ogg-Opus for voice channels.

MP3 is encoded by LAME through pydub, Opus by libopus in packets of 20 ms as Discord's voice expects them, so
that a player only has to pass them on. Both are child processes of the ffmpeg that comes with the
`imageio-ffmpeg` wheel: they work side by side, and `begin_clip` leaves its caller free meanwhile.
"""

from __future__ import annotations

import io
import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from albumgen_core.audio.ffmpeg import Conversion, program
from albumgen_core.audio.mastering import CEILING_DB, master, true_peak_db
from albumgen_core.audio.opus import RATE as OPUS_RATE
from albumgen_core.audio.opus import begin_opus
from albumgen_core.audio.tags import ClipTags
from albumgen_core.audio.types import Audio
from albumgen_core.errors import ClipError, FfmpegError
from albumgen_core.files import write_durably

with warnings.catch_warnings():
    # On import pydub looks for a system ffmpeg, and warns; it is given ours below.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment
    from pydub.exceptions import CouldntEncodeError

__all__ = [
    "LOUDNESS_LUFS",
    "MAX_CLIP_BYTES",
    "ClipError",
    "ClipTags",
    "EncodedClip",
    "PendingClip",
    "begin_clip",
    "decode_mp3",
    "encode_clip",
    "write_clip",
]

LOUDNESS_LUFS = -14.0
"""Integrated loudness of every clip: that of the large streaming services."""

MAX_CLIP_BYTES = 8 * 2**20

_STEREO_KBPS = (192, 160, 128, 112, 96, 80, 64)
_MONO_KBPS = (128, 112, 96, 80, 64, 56, 48)
_MP3_RATES = (32000, 44100, 48000)
_HEADROOM_DB, _MARGIN_DB, _MOST_REPEATS = 1.5, 0.1, 4
"""How far below the ceiling peaks are held at first, for what the codecs add, and further below each time
that was not enough.
"""


_FAILED = "The clip could not be encoded; please try again."


@dataclass(frozen=True, slots=True, eq=False)
class EncodedClip:
    """A finished clip.

    Attributes:
        mp3: MP3 file with ID3v2.3 tags, within the byte budget.
        ogg: Ogg-Opus file, 48 kHz stereo, packets of 20 ms.
        seconds: length of the sound.
        kbps: bit rate of the MP3 in kbit/s.
        loudness_lufs: integrated loudness reached; None for silence.
        has_cover: whether the cover is in the tags (a small budget is spent on sound first).
    """

    mp3: bytes
    ogg: bytes
    seconds: float
    kbps: int
    loudness_lufs: float | None
    has_cover: bool


class PendingClip:
    """A clip whose encoders are at work; a context manager that stops them.

    What they make is decoded again. Where its true peaks lie above the ceiling, for a lossy codec moves
    them, the sound is limited by as much more, at the same loudness, and encoded once again.

    Raises ClipError for a clip that cannot fit.
    """

    def __init__(self, audio: Audio, tags: ClipTags, max_bytes: int, loudness_lufs: float) -> None:
        self._audio, self._tags, self._target = audio, tags, loudness_lufs
        self._tag, self._has_cover = _fitting_tag(tags, max_bytes)
        # Before the work: what can never fit need not be encoded to be found out.
        self._rates = _fitting_rates(audio, len(self._tag), max_bytes)
        self._room = max_bytes - len(self._tag)
        self._ceiling_db = CEILING_DB - _HEADROOM_DB
        self._begin()

    def finish(self) -> EncodedClip:
        """Wait for the encoders. Raises ClipError."""
        mp3, kbps, ogg = self._wait()
        for _ in range(_MOST_REPEATS):
            excess = max(_decoded_peak_db(mp3), _decoded_peak_db(ogg)) - CEILING_DB
            if excess <= 0:
                break
            self._ceiling_db -= excess + _MARGIN_DB
            self._begin()
            mp3, kbps, ogg = self._wait()
        return EncodedClip(
            self._tag + mp3, ogg, self._audio.seconds, kbps, self._mastered.loudness_lufs, self._has_cover
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ogg.close()

    def _begin(self) -> None:
        self._mastered = master(self._audio, self._target, self._ceiling_db)
        segment = _segment(self._mastered.audio)
        # Both children are to have begun when this returns: pydub's on a thread, for it waits for its own.
        pool = ThreadPoolExecutor(1, thread_name_prefix="mp3")
        self._mp3 = pool.submit(_encode_mp3, segment, self._rates, self._room)
        pool.shutdown(wait=False)
        try:
            self._ogg = _begin_opus(self._mastered.audio, self._tags)
        except FfmpegError as error:
            raise ClipError(_FAILED, "core.not_encoded") from error

    def _wait(self) -> tuple[bytes, int, bytes]:
        """MP3 without tags, its bit rate in kbit/s, and Ogg-Opus. Raises ClipError."""
        try:
            ogg = self._ogg.result()
        except FfmpegError as error:
            raise ClipError(_FAILED, "core.not_encoded") from error
        mp3, kbps = self._mp3.result()
        return mp3, kbps, ogg


def encode_clip(
    audio: Audio,
    tags: ClipTags,
    *,
    max_bytes: int = MAX_CLIP_BYTES,
    loudness_lufs: float = LOUDNESS_LUFS,
) -> EncodedClip:
    """Bring sound to the common loudness, fade its ends and encode it twice: `begin_clip`, and wait."""
    with begin_clip(audio, tags, max_bytes=max_bytes, loudness_lufs=loudness_lufs) as pending:
        return pending.finish()


def begin_clip(
    audio: Audio,
    tags: ClipTags,
    *,
    max_bytes: int = MAX_CLIP_BYTES,
    loudness_lufs: float = LOUDNESS_LUFS,
) -> PendingClip:
    """Bring sound to the common loudness, fade its ends and set two encoders to work. It is never cut.

    Args:
        audio: mono or stereo, at any sample rate; MP3 keeps 32, 44.1 and 48 kHz and resamples the rest.
        tags: what the clip says about itself. The cover is left out where it would take more than a
            quarter of the budget.
        max_bytes: most bytes of the MP3, tags included. The bit rate falls in steps from 192 kbit/s
            (mono 128) to no less than 64 (mono 48) until the clip fits.
        loudness_lufs: see `mastering.master`.

    Raises ClipError for sound that is empty or not finite, and for a clip that cannot fit.
    """
    _check(audio)
    return PendingClip(audio, tags, max_bytes, loudness_lufs)


def write_clip(clip: EncodedClip, mp3: Path, ogg: Path | None = None) -> None:
    """Write a clip's MP3, and its Ogg-Opus where a path is given: each whole or not at all.

    Written under another name, synced, then renamed over what was there. Raises OSError.
    """
    write_durably(mp3, clip.mp3)
    if ogg is not None:
        write_durably(ogg, clip.ogg)


def decode_mp3(source: Path | bytes) -> Audio:
    """Decode an MP3 to play on from it: float32 (channels, samples) at its own sample rate.

    The encoder's delay and padding are taken off. Raises OSError where the file cannot be read and
    ClipError where it is no MP3 of one or two channels.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        samples, sample_rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise ClipError(
            "The earlier clip is damaged, so it cannot be read.", "core.earlier_damaged"
        ) from error
    if not samples.shape[0] or samples.shape[1] not in (1, 2):
        raise ClipError("The earlier clip holds no sound that can be read.", "core.earlier_silent")
    return Audio(np.ascontiguousarray(samples.T), int(sample_rate))


def _decoded_peak_db(encoded: bytes) -> float:
    """Highest true peak of an encoded file's sound, in dBFS."""
    samples, _ = soundfile.read(io.BytesIO(encoded), dtype="float32", always_2d=True)
    return true_peak_db(samples.T)


def _check(audio: Audio) -> None:
    if audio.channels not in (1, 2):
        raise ClipError(
            f"A clip has one or two channels, not {audio.channels}.", "core.channels", count=audio.channels
        )
    if not audio.samples.shape[1]:
        raise ClipError("The composer returned no sound; please try again.", "core.no_sound")
    if not np.isfinite(audio.samples).all():
        raise ClipError(
            "The composer returned broken sound; please try again with another seed.", "core.broken_sound"
        )


def _fitting_tag(tags: ClipTags, max_bytes: int) -> tuple[bytes, bool]:
    """The tag, and whether it holds the cover."""
    if tags.cover_jpeg:
        tag = tags.to_id3()
        if len(tag) <= max_bytes / 4:
            return tag, True
    return tags.to_id3(with_cover=False), False


def _fitting_rates(audio: Audio, tag_bytes: int, max_bytes: int) -> list[int]:
    """Bit rates in kbit/s that can fit, best first. Raises ClipError where none can."""
    ladder = _STEREO_KBPS if audio.channels == 2 else _MONO_KBPS
    room = max_bytes - tag_bytes
    fitting = [kbps for kbps in ladder if kbps * 125 * audio.seconds <= room]
    if not fitting:
        raise _too_long(audio.seconds, max_bytes)
    return fitting


def _too_long(seconds: float, max_bytes: int) -> ClipError:
    length, limit = f"{seconds:.0f}", f"{max_bytes / 2**20:.2g}"
    return ClipError(
        f"A clip of {length} seconds does not fit into {limit} MB; please ask for a shorter one.",
        "core.does_not_fit",
        seconds=length,
        limit=limit,
    )


def _encode_mp3(segment: AudioSegment, rates: list[int], room: int) -> tuple[bytes, int]:
    """MP3 without tags in at most `room` bytes, at the best of `rates` that fits, and that rate."""
    rate = segment.frame_rate if segment.frame_rate in _MP3_RATES else 44100
    for kbps in rates:
        buffer = io.BytesIO()
        try:
            segment.export(
                buffer,
                format="mp3",
                bitrate=f"{kbps}k",
                # No tags of ffmpeg's own: ours go in front. "bitexact" keeps its version out.
                parameters=["-ar", str(rate), "-id3v2_version", "0", "-fflags", "+bitexact"],
            )
        except (CouldntEncodeError, OSError) as error:
            raise ClipError(_FAILED, "core.not_encoded") from error
        encoded = buffer.getvalue()
        if len(encoded) <= room:
            return encoded, kbps
    raise _too_long(segment.duration_seconds, room)


def _segment(audio: Audio) -> AudioSegment:
    try:
        AudioSegment.converter = program()
    except FfmpegError as error:
        raise ClipError(str(error), "core.no_ffmpeg") from error
    # Of 32 bits: LAME takes a fifth less time for them than for 16, and nothing is rounded.
    whole = (audio.samples.T.clip(-1, 1) * np.float64(2**31 - 1)).astype("<i4")
    return AudioSegment(
        data=whole.tobytes(), sample_width=4, frame_rate=audio.sample_rate, channels=audio.channels
    )


def _begin_opus(audio: Audio, tags: ClipTags) -> Conversion:
    """Ogg-Opus at 48 kHz in stereo."""
    sound = _at_opus_rate(audio)
    if audio.channels == 1:
        sound = np.repeat(sound, 2, axis=0)
    return begin_opus(sound.T, tags.to_vorbis())


def _at_opus_rate(audio: Audio) -> NDArray[np.float32]:
    if audio.sample_rate == OPUS_RATE:
        return audio.samples
    common = math.gcd(OPUS_RATE, audio.sample_rate)
    sound = resample_poly(audio.samples, OPUS_RATE // common, audio.sample_rate // common, axis=1)
    return np.asarray(sound.clip(-1.0, 1.0), np.float32)
