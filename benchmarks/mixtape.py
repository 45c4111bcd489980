"""How long a mixtape takes, and how much memory, for a short evening and for one ten times as long.

    python -m benchmarks.mixtape [clips]

Each run is a process of its own. The last line compares the peaks: a long evening is to need no more memory
than a short one.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from albumgen_core.audio.encode import ClipTags, encode_clip
from albumgen_core.audio.types import Audio
from albumgen_core.mixtape.tape import make_mixtape
from albumgen_core.mixtape.values import Track

RATE, SECONDS = 44_100, 30


def one(clips: int) -> dict[str, float]:
    """Make a tape of so many clips of 30 s."""
    tags = ClipTags("Benchmark", "sketch", "rock", 120.0, "A", "minor", None, "A benchmark.", 0)
    noise = np.random.default_rng(0).standard_normal((2, RATE * SECONDS)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp3"
        clip.write_bytes(encode_clip(Audio(0.1 * noise, RATE), tags).mp3)
        start = time.perf_counter()
        tracks = [Track(clip, str(number)) for number in range(clips)]
        tape = make_mixtape(tracks, Path(folder) / "tape.mp3", title="Benchmark", max_bytes=2**30)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"music": tape.seconds, "seconds": seconds, "peak": peak, "megabytes": tape.size / 2**20}


def main() -> None:
    """Both runs."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(int(sys.argv[2]))))
        return
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    peaks = []
    for count in (clips, 10 * clips):
        command = [sys.executable, "-m", "benchmarks.mixtape", "--one", str(count)]
        made = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        peaks.append(made["peak"])
        print(
            f"{count} clips, {made['music'] / 60:.1f} min, {made['megabytes']:.1f} MiB: "
            f"{made['seconds']:.1f} s, {made['music'] / made['seconds']:.0f} times as fast as it plays; "
            f"peak {made['peak']:.0f} MiB"
        )
    print(f"peak of the long one / of the short one: {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
