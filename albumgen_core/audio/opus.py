"""Ogg-Opus in packets of 20 ms, as voice channels want them: written, read, made quieter, and joined.

Encoded by the libopus in ffmpeg, decoded by the one in libsndfile. Needs little else, so that a process that
does no more than this starts in a moment.

Packet n of a file ends with sample 960 (n + 1) − 312 of its sound, for the encoder looks ahead. Two files of
the same length therefore agree packet by packet, and one can be played on with the other's.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from albumgen_core.audio.ffmpeg import Conversion
from albumgen_core.errors import OpusError

RATE = 48_000
PACKET = 960
"""Samples of a packet."""

LOOKAHEAD = 312
"""Samples by which libopus delays."""

_KBPS = 96
"""Of libopus's constrained VBR: packets differ in length, a second hardly does. Left free it would spend
145 kbit/s on long tones, and a voice channel may carry no more than 96.
"""

Sound = NDArray[np.float32]


def encode_opus(sound: Sound, fields: Mapping[str, str] | None = None) -> bytes:
    """An Ogg-Opus file, the same bytes for the same sound.

    Args:
        sound: float32 (samples, 2) at 48 kHz in [-1, 1]. Silence is added until its packets are whole.
        fields: Vorbis comments ("title" …), none of them empty.

    Raises FfmpegError.
    """
    return begin_opus(sound, fields).result()


def begin_opus(sound: Sound, fields: Mapping[str, str] | None = None) -> Conversion:
    """Set the encoder to work, as `encode_opus` does, and leave waiting for it to the caller."""
    # The last packet's sound would end before the packet does when less is left; silence fills it up.
    missing = -(len(sound) + LOOKAHEAD) % PACKET
    whole = np.pad(np.asarray(sound, "<f4"), ((0, missing), (0, 0)))
    # Bytes, so that no locale has a say in how the text is written.
    tags = [each for field in (fields or {}).items() for each in ("-metadata:s:a", "=".join(field).encode())]
    how = ["-c:a", "libopus", "-b:a", f"{_KBPS}k", "-vbr", "constrained", "-frame_duration", "20"]
    return Conversion(whole, ["-f", "f32le", "-ar", str(RATE), "-ac", "2"], [*how, *tags, "-f", "ogg"])


def decode_opus(path: Path) -> Sound:
    """The sound of an Ogg-Opus file, float32 (samples, 2) at 48 kHz. Raises OpusError, OSError."""
    data = path.read_bytes()
    try:
        sound, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise OpusError(f"The clip {path.name} holds no Opus sound.") from error
    if rate != RATE or sound.shape[1] != 2 or not len(sound):
        raise OpusError(f"The clip {path.name} is not stereo at 48 kHz.")
    return np.asarray(sound, np.float32)


def quieter(sound: Sound, share: float) -> Sound:
    """The sound at `share` of its loudness as it is perceived, 0 to 1.

    Loudness doubles with each 10 dB (Stevens; ISO 532), so a share s is a gain of 10·log2(s) dB: half as loud
    is −10 dB.
    """
    if share <= 0:
        return np.zeros_like(sound)
    return sound * np.float32(10 ** (10 * np.log2(share) / 20))


def joint(ending: Sound, beginning: Sound, packets: int) -> Sound:
    """An overlap to be encoded: the end of one sound falls while the beginning of the next rises.

    Args:
        ending, beginning: (samples, 2), both at least 2 · `packets` packets long.
        packets: length of the overlap.

    Returns (samples, 2) that begin `packets` packets before the overlap, so that the encoder knows what came
    before, and end `packets` behind it. In between the gains are a quarter of a cosine's and of a sine's
    period: their squares sum to 1, so the power of sounds that do not resemble each other stays.
    """
    overlap = packets * PACKET
    # In packets, the way the files are cut: the ending's last packet may hold silence that was added.
    length = (len(ending) + LOOKAHEAD) // PACKET * PACKET
    start = length - overlap
    padded = np.pad(ending, ((0, max(0, length - len(ending))), (0, 0)))[:length]
    falling = np.cos(np.linspace(0, np.pi / 2, overlap, dtype=np.float32))[:, None]
    mixed = padded[start:] * falling + beginning[:overlap] * falling[::-1]
    made = np.concatenate([padded[start - overlap : start], mixed, beginning[overlap : 2 * overlap]])
    return np.asarray(np.clip(made, -1.0, 1.0), np.float32)
