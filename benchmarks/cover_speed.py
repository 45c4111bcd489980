"""What the safety of a process of its own costs for each cover.

    python benchmarks/cover_speed.py [repetitions]

The ratio is against decoding and scaling the same bytes in this process, without any protection.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from statistics import median

from PIL import Image

from albumgen_core.cover.read import CoverLimits, read_cover

LIMITS = CoverLimits(max_bytes=2**26)


def milliseconds(work: Callable[[], object], repetitions: int) -> float:
    """Median of several runs."""
    times = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return median(times) * 1000


def unprotected(data: bytes) -> Image.Image:
    """The same work in this process."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.thumbnail((640, 640), Image.Resampling.LANCZOS)
    return picture


def main(repetitions: int) -> None:
    """Print a line for each format and size."""
    for side in (640, 1500, 3000):
        noise = Image.effect_noise((side // 4, side // 4), 60).resize((side, side)).convert("RGB")
        for kind in ("JPEG", "PNG", "WEBP", "GIF"):
            buffer = io.BytesIO()
            noise.save(buffer, kind)
            data = buffer.getvalue()
            safe = milliseconds(lambda data=data: read_cover(data, LIMITS), repetitions)
            bare = milliseconds(lambda data=data: unprotected(data), repetitions)
            print(
                f"{side:5} × {side:<5}{kind:5}{len(data) / 1e6:6.2f} MB  {safe:5.0f} ms  "
                f"{safe / bare:4.1f} × the unprotected {bare:.0f} ms"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
