"""How long a composed clip takes to become an MP3 and an Ogg-Opus file.

    python benchmarks/clip_speed.py [repetitions]

MP3 and Opus are encoded side by side; the ratio at the end of each line is what that saves against one
after the other, measured in the same run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from albumgen_core import clip
from albumgen_core.audio import Audio
from albumgen_core.clip import ClipTags, encode_clip
from albumgen_core.mastering import master

TAGS = ClipTags("Benchmark", "sketch", "rock", 120.0, "A", "minor", None, "A benchmark.", 0)


def music(seconds: float, rate: int, channels: int) -> Audio:
    """A chord that is struck twice a second, over a bass."""
    at = np.arange(round(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * pitch * at) for pitch in (220.0, 277.2, 329.6, 440.0))
    sound = chord * np.exp(-4 * (at % 0.5)) + np.sin(2 * np.pi * 55 * at)
    return Audio(np.stack([0.1 * sound, 0.08 * np.roll(sound, 200)][:channels]).astype(np.float32), rate)


def milliseconds(work: Callable[[], object], repetitions: int) -> float:
    """Median of several runs."""
    times = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return median(times) * 1000


def main(repetitions: int) -> None:
    """Print a line for each kind of clip."""
    encode_clip(music(0.5, 44100, 2), TAGS)  # finds ffmpeg
    print(f"{'clip':24}{'mastering':>11}{'MP3':>8}{'Opus':>8}{'all':>8}")
    for seconds, rate, channels in ((10, 44100, 2), (30, 44100, 2), (10, 32000, 1), (30, 32000, 1)):
        audio = music(seconds, rate, channels)
        finished = master(audio, -14.0).audio
        mastering = milliseconds(lambda audio=audio: master(audio, -14.0), repetitions)
        mp3 = milliseconds(lambda sound=finished: clip._encode_mp3(sound, [192], 2**30), repetitions)
        opus = milliseconds(lambda sound=finished: clip._encode_opus(sound, TAGS), repetitions)
        whole = milliseconds(lambda audio=audio: encode_clip(audio, TAGS), repetitions)
        name = f"{seconds} s, {rate / 1000:g} kHz, {'stereo' if channels == 2 else 'mono'}"
        print(
            f"{name:24}{mastering:8.0f} ms{mp3:5.0f} ms{opus:5.0f} ms{whole:5.0f} ms  "
            f"{(mastering + mp3 + opus) / whole:.2f} × as fast as one after the other"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
