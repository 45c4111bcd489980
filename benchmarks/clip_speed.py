"""How long a composed clip takes to become an MP3 and an Ogg-Opus file.

    python benchmarks/clip_speed.py [rounds]

Pieces alone, and all of them as they are done: the two encoders side by side behind the mastering. Beside
them the alternative for Opus, libsndfile's own libopus at the same bit rate. Rounds are interleaved; the
ratios at the end of each line are libsndfile's time over ours, and the pieces' sum over the whole.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import soundfile
from numpy.typing import NDArray

from albumgen_core.audio import encode
from albumgen_core.audio.encode import ClipTags, encode_clip
from albumgen_core.audio.mastering import master
from albumgen_core.audio.opus import encode_opus
from albumgen_core.audio.types import Audio

TAGS = ClipTags("Benchmark", "sketch", "rock", 120.0, "A", "minor", None, "A benchmark.", 0)
# libsndfile turns a compression level c into (256 − 250 c) kbit/s a channel: 96 kbit/s in stereo.
LEVEL = (256 - 48) / 250


def music(seconds: float, rate: int, channels: int) -> Audio:
    """A chord that is struck twice a second, over a bass."""
    at = np.arange(round(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * pitch * at) for pitch in (220.0, 277.2, 329.6, 440.0))
    sound = chord * np.exp(-4 * (at % 0.5)) + np.sin(2 * np.pi * 55 * at)
    return Audio(np.stack([0.1 * sound, 0.08 * np.roll(sound, 200)][:channels]).astype(np.float32), rate)


def libsndfile_opus(sound: NDArray[np.float32]) -> bytes:
    """The alternative to `encode_opus`."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", samplerate=48_000, channels=2, format="OGG", subtype="OPUS", compression_level=LEVEL
    ) as file:
        for start in range(0, len(sound), 48_000):
            file.write(sound[start : start + 48_000])
    return buffer.getvalue()


def milliseconds(pieces: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Medians, each round taking every piece once."""
    times: dict[str, list[float]] = {name: [] for name in pieces}
    for _ in range(rounds):
        for name, work in pieces.items():
            begun = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - begun)
    return {name: median(each) * 1000 for name, each in times.items()}


def pieces_of(audio: Audio) -> dict[str, Callable[[], object]]:
    """What is measured."""
    finished = master(audio, encode.LOUDNESS_LUFS).audio
    resampled = encode._at_opus_rate(finished).T
    stereo = np.ascontiguousarray(np.broadcast_to(resampled, (len(resampled), 2)))
    return {
        "mastering": lambda: master(audio, encode.LOUDNESS_LUFS),
        "MP3": lambda: encode._encode_mp3(encode._segment(finished), [192], 2**30),
        "resampling": lambda: encode._at_opus_rate(finished),
        "Opus": lambda: encode_opus(stereo),
        "libsndfile": lambda: libsndfile_opus(stereo),
        "all": lambda: encode_clip(audio, TAGS),
    }


def main(rounds: int) -> None:
    """Print a line for each kind of encode."""
    encode_clip(music(0.5, 44100, 2), TAGS)  # finds ffmpeg
    names = list(pieces_of(music(0.5, 44100, 2)))
    print(f"{'ms':24}" + "".join(f"{name:>12}" for name in names))
    for seconds, rate, channels in ((10, 44100, 2), (30, 44100, 2), (10, 32000, 1), (30, 32000, 1)):
        took = milliseconds(pieces_of(music(seconds, rate, channels)), rounds)
        one_by_one = sum(took[name] for name in ("mastering", "MP3", "resampling", "Opus"))
        name = f"{seconds} s, {rate / 1000:g} kHz, {'stereo' if channels == 2 else 'mono'}"
        print(
            f"{name:24}" + "".join(f"{each:12.0f}" for each in took.values()) + f"   Opus "
            f"{took['libsndfile'] / took['Opus']:.1f} × libsndfile's speed, all "
            f"{one_by_one / took['all']:.2f} × one by one"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
