"""Which number format is fastest on this machine: measured once in under a second or two, then remembered."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast, get_args

import platformdirs
import torch

from albumgen_core.engines.neural.musicgen import native
from albumgen_core.engines.neural.musicgen.linear import Format, pack
from albumgen_core.files import write_durably

log = logging.getLogger(__name__)

CANDIDATES: tuple[Format, ...] = ("int8", "float16", "bfloat16", "float32")
"""What may be chosen by itself: each agrees with float32 on more than 99 % of top-1 tokens."""
WORTHWHILE_WEIGHTS = 20_000_000
"""Decoders smaller than this stay in float32: they never wait for memory."""
COLD_BYTES = 96 * 2**20
"""Weights read in one round, well beyond the last-level cache, as those of a real step are."""
ROUNDS = 3

Measure = Callable[[Format, int], float]


def default_cache() -> Path:
    """Where the choice is remembered."""
    return Path(platformdirs.user_cache_dir("albumgen")) / "musicgen-probe.json"


def fastest_format(
    width: int, *, cache: Path | None = None, candidates: Sequence[Format] = CANDIDATES
) -> Format:
    """The format whose products at the decoder's `width` take least time on this CPU.

    The choice is kept in `cache` (None: the user's cache folder) under the CPU, thread count, torch
    version and kernel it was measured with. A cache that cannot be read or written costs a new
    measurement, no more.
    """
    path = cache or default_cache()
    kernel = "torch" if native.library() is None else "native"
    machine = (_cpu_name(), f"{torch.get_num_threads()} threads", f"torch {torch.__version__}", kernel)
    key = "|".join((*machine, str(width)))
    known = _read(path)
    if known.get(key) in candidates and known[key] in get_args(Format):
        return cast(Format, known[key])
    took = _race(width, candidates)
    best = min(candidates, key=lambda dtype: took[dtype])
    log.info(
        "Milliseconds a product: %s; choosing %s", {n: round(took[n] * 1e3, 3) for n in candidates}, best
    )
    _write(path, known | {key: best})
    return best


def _race(width: int, candidates: Sequence[Format]) -> dict[Format, float]:
    """Seconds a product of (2, width) with (4 * width, width) takes in each format: best of some rounds."""
    cpu = torch.device("cpu")
    weight = torch.randn(4 * width, width, generator=torch.Generator().manual_seed(0)) / width**0.5
    x = torch.randn(2, width, generator=torch.Generator().manual_seed(1))
    packed = {}
    for dtype in candidates:
        one = pack(weight, dtype, cpu)
        copies = max(2, COLD_BYTES // max(1, one.nbytes) // 4)
        packed[dtype] = [one, *(pack(weight, dtype, cpu) for _ in range(copies - 1))]
    took = dict.fromkeys(candidates, float("inf"))
    with torch.inference_mode():
        for _ in range(ROUNDS + 1):  # the first warms up; interleaved, as other load varies
            for dtype, linears in packed.items():
                start = time.perf_counter()
                for linear in linears:
                    linear(x)
                took[dtype] = min(took[dtype], (time.perf_counter() - start) / len(linears))
    return took


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _read(path: Path) -> dict[str, str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _write(path: Path, values: dict[str, str]) -> None:
    try:
        write_durably(path, json.dumps(values, indent=1).encode(), private=False)
    except OSError as error:
        log.info("The choice of number format cannot be remembered: %s", error)
