"""MusicGen's decoder beside stock transformers: one command, a table, and a plot.

    python benchmarks/musicgen.py [--quick] [--folder FOLDER] [--plot musicgen.png]

Full-size musicgen-small with random weights, written once to FOLDER as a checkpoint (2.4 GB) and loaded
by the code that loads the real one: speed does not depend on what the weights say. Steps of all engines
are measured in interleaved rounds, at the middle of a 10 s and of a 30 s clip; whole clips are composed in
a process each, for time to first sound and peak memory. The floor is what reading the decoder's weights
once takes at the best memory bandwidth that was measured between the same rounds: on shared machines it
comes and goes.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, cast

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from albumgen_core.engines.neural.musicgen import load_composer, memory, native
from albumgen_core.engines.neural.musicgen.decoder import FastDecoder
from albumgen_core.engines.neural.musicgen.hf_decoder import HFDecoder, build_causal_lm
from albumgen_core.engines.neural.musicgen.linear import Format
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from albumgen_core.engines.neural.musicgen.threads import set_threads
from benchmarks import musicgen_audiocraft, musicgen_onnx
from benchmarks.bandwidth import MemoryReads
from benchmarks.musicgen_checkpoint import build_small

FRAME_RATE = 50
GUIDANCE = 3.0
TOGETHER = 4
"""Whole clips that are composed at once, beside one alone."""
GUESTS = {
    musicgen_audiocraft.NAME: (musicgen_audiocraft.installed, musicgen_audiocraft.AudiocraftDecoder),
    musicgen_onnx.NAME: (musicgen_onnx.installed, musicgen_onnx.open_onnx),
}
"""Other people's engines, in the steps alone: whether they are installed, and what opens a checkpoint."""
OURS = ("float32", "bfloat16", "float16", "int8 torch", "int8")
"""`int8 torch` is int8 with pip-installable parts alone; `int8` uses the native kernel where it is built."""
ENGINES = ("stock", *GUESTS, *OURS)
WIDTH = 1024
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Measured:
    """One engine's steps at one batch size and clip length.

    Attributes:
        seconds: of the clip. step: seconds a step. nbytes: of the decoder's weights; 0 where unknown.
        bandwidth: the most bytes a second that memory gave between the rounds.
    """

    engine: str
    batch: int
    seconds: int
    step: float
    nbytes: int
    bandwidth: float


def main() -> None:
    """Measure what the command line asks for and print it."""
    options = parse()
    set_threads(None)
    if options.child:
        print(json.dumps(whole_clip(options.folder, options.child, options.whole)))
        return
    leave_out_guests(options)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "musicgen-small-random"
        if not (folder / "model.safetensors").exists():
            build_small(folder)
        reads = MemoryReads()
        kernel = "built" if native.library() else "not built"
        threads = torch.get_num_threads()
        print(f"{threads} threads, memory reads at {reads.read(5) / 1e9:.1f} GB/s, native kernel {kernel}")
        rows = measure_steps(folder, options, reads)
        print(f"the most that memory gave: {reads.best / 1e9:.1f} GB/s")
        clips = [] if options.whole == 0 else measure_clips(folder, options)
        print_clips(clips, options.whole)
        if options.plot:
            from benchmarks.musicgen_plot import plot

            plot(rows, options.plot)
            print(f"plot: {options.plot}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer engines, batches and rounds")
    parser.add_argument("--folder", type=Path, help="where the random checkpoint is kept between runs")
    parser.add_argument("--plot", type=Path, help="write a plot to this PNG")
    parser.add_argument("--engines", nargs="*", default=None, help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--batches", nargs="*", type=int, default=None)
    parser.add_argument("--lengths", nargs="*", type=int, default=None, help="clip lengths in seconds")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument(
        "--whole", type=float, default=None, help="seconds of the whole clips; 0 leaves them out"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    quick = options.quick
    options.engines = options.engines or (
        ["stock", "float16", "int8 torch", "int8"] if quick else list(ENGINES)
    )
    options.batches = options.batches or ([1, 4] if quick else [1, 4, 8])
    options.lengths = options.lengths or ([10] if quick else [10, 30])
    options.rounds = options.rounds or (4 if quick else 6)
    options.whole = options.whole if options.whole is not None else (3.0 if quick else 10.0)
    return options


def leave_out_guests(options: argparse.Namespace) -> None:
    """Take the engines that are not installed off the list, and say so."""
    for guest, (installed, _) in GUESTS.items():
        if guest in options.engines and not installed():
            print(f"{guest} is left out: what it needs is not installed")
            options.engines.remove(guest)


def load_decoder(folder: Path, engine: str) -> Any:
    """An engine's decoder."""
    checkpoint = open_checkpoint(folder)
    if engine == "stock":
        return HFDecoder(build_causal_lm(checkpoint, CPU, torch.float32), GUIDANCE)
    if engine in GUESTS:
        guest = GUESTS[engine][1](folder, GUIDANCE)
        share = agreement(FastDecoder(checkpoint, CPU, "float32", GUIDANCE), guest)
        print(f"{engine}: {share:.0%} of greedy tokens as in float32 (random weights, whose logits are flat)")
        return guest
    number, _, plain = engine.partition(" ")

    def build() -> FastDecoder:
        return FastDecoder(checkpoint, CPU, cast(Format, number), GUIDANCE)

    return without_kernel(build) if plain else build()


def agreement(own: FastDecoder, guest: Any, columns: int = 12) -> float:
    """Share of tokens that greedily come out the same, over some columns from the beginning."""
    prompts = [torch.randn(24, own.width)]
    ours, theirs = own.open(prompts, columns + 1), guest.open(prompts, columns + 1)
    for session in (ours, theirs):
        session.begin([0], [torch.zeros(4, 0, dtype=torch.int64)])
    equal = []
    for _ in range(columns):
        now = torch.randint(0, own.vocabulary, (1, own.codebooks))
        equal.append((ours.step(now).argmax(-1) == theirs.step(now).argmax(-1)).float().mean())
    return float(torch.stack(equal).mean())


def without_kernel(build: Any) -> Any:
    """What `build` builds when the native kernel is not there."""
    before = os.environ.get(native.ENVIRONMENT)
    os.environ[native.ENVIRONMENT] = "0"
    native.library.cache_clear()
    try:
        return build()
    finally:
        os.environ.pop(native.ENVIRONMENT) if before is None else os.environ.update(
            {native.ENVIRONMENT: before}
        )
        native.library.cache_clear()


def measure_steps(folder: Path, options: argparse.Namespace, reads: MemoryReads) -> list[Measured]:
    """Every engine at every batch size and clip length."""
    decoders = {engine: load_decoder(folder, engine) for engine in options.engines}
    print_heads()
    rows = []
    for batch in options.batches:
        for seconds in options.lengths:
            if batch * seconds > 80:
                continue  # the stock caches of all engines together would not fit into memory
            took, bandwidth = race(decoders, batch, seconds, options.rounds, reads)
            for engine, step in took.items():
                nbytes = getattr(decoders[engine], "nbytes", 0)
                rows.append(Measured(engine, batch, seconds, step, nbytes, bandwidth))
                print_step(rows[-1], took.get("stock", float("nan")))
    return rows


def race(
    decoders: dict[str, Any], batch: int, seconds: int, rounds: int, reads: MemoryReads
) -> tuple[dict[str, float], float]:
    """Median seconds a step at mid-clip, in interleaved rounds; the best bandwidth between them."""
    middle, each = seconds * FRAME_RATE // 2, 4
    prompts = [torch.randn(24, WIDTH) for _ in range(batch)]
    heard = torch.randint(0, 2048, (4, middle))
    sessions = {}
    for engine, decoder in decoders.items():
        sessions[engine] = decoder.open(prompts, middle + rounds * (each + 1) + 1)
        sessions[engine].begin(range(batch), [heard] * batch)
    now = torch.randint(0, 2048, (batch, 4))
    times: dict[str, list[float]] = {engine: [] for engine in decoders}
    bandwidth = 0.0
    for _ in range(rounds):
        bandwidth = max(bandwidth, reads.read(2))
        for engine, session in sessions.items():
            session.step(now)  # warms the caches that the engine before it cooled
            for _ in range(2 if engine == "stock" else each):
                start = time.perf_counter()
                session.step(now)
                times[engine].append(time.perf_counter() - start)
    del session, sessions
    gc.collect()
    memory.release()
    return {engine: median(took) for engine, took in times.items()}, bandwidth


def whole_clip(folder: Path, engine: str, seconds: float) -> dict[str, float]:
    """Load an engine and compose one clip, in a process of its own."""
    from albumgen_core.engines.base import ComposeRequest

    number, _, plain = engine.partition(" ")
    if plain:
        os.environ[native.ENVIRONMENT] = "0"
    watch = PeakMemory()
    start = time.perf_counter()
    if engine == "stock":
        composer: Any = load_composer(folder, backend="transformers", dtype="float32")
    else:
        composer = load_composer(folder, dtype=number)
    loaded = time.perf_counter()
    first: list[float] = []
    wanted = ComposeRequest("an upbeat hip hop track with a heavy bass line", None, seconds, 1)  # type: ignore[arg-type]
    composer.compose([wanted], on_sound=lambda *_: first.append(time.perf_counter() - loaded))
    took = {
        "load": loaded - start,
        "first": first[0],
        "whole": time.perf_counter() - loaded,
        "memory": memory_of("VmHWM"),
        "private": watch.stop(),
    }
    if engine != "stock":  # a quarter of an hour
        start = time.perf_counter()
        composer.compose([replace(wanted, seed=seed) for seed in range(2, 2 + TOGETHER)])
        took["together"] = time.perf_counter() - start
    return took


def memory_of(kind: str) -> float:
    """A line of /proc/self/status, in bytes; nan where there is no such thing."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{kind}:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    return float("nan")


class PeakMemory:
    """Watches the bytes that belong to this process alone: pages of mapped files can be dropped at will."""

    def __init__(self) -> None:
        self._peak, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._peak = max(self._peak, memory_of("RssAnon"))

    def stop(self) -> float:
        """The most bytes that were seen."""
        self._stop.set()
        self._thread.join()
        return self._peak


def measure_clips(folder: Path, options: argparse.Namespace) -> list[tuple[str, dict[str, float]]]:
    """Whole clips of every engine, one process after another."""
    clips = []
    for engine in options.engines:
        if engine in GUESTS:
            continue
        command = [
            sys.executable,
            __file__,
            "--folder",
            str(folder),
            "--child",
            engine,
            "--whole",
            str(options.whole),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{engine}: {done.stderr.strip().splitlines()[-1]}")
            continue
        clips.append((engine, json.loads(done.stdout.strip().splitlines()[-1])))
    return clips


def print_heads() -> None:
    """The head of the table of steps."""
    heads = ("batch", 6), ("clip", 6), ("ms/step", 9), ("steps/s", 9), ("x stock", 9)
    heads += ("x real time", 13), ("% of floor", 12)
    print("\nengine      " + "".join(f"{head:>{width}}" for head, width in heads))


def print_step(row: Measured, stock: float) -> None:
    """A line of the table of steps, as soon as it is known."""
    floor = f"{100 * row.nbytes / row.bandwidth / row.step:.0f}" if row.nbytes else ""
    print(
        f"{row.engine:<12}{row.batch:>6}{row.seconds:>5}s{row.step * 1e3:>9.1f}{1 / row.step:>9.1f}"
        f"{stock / row.step:>9.1f}{row.batch / row.step / FRAME_RATE:>13.2f}{floor:>12}",
        flush=True,
    )


def print_clips(clips: list[tuple[str, dict[str, float]]], seconds: float) -> None:
    """The table of whole clips."""
    if not clips:
        return
    heads = ("load", 8), ("first sound", 13), ("whole clip", 12), ("peak memory", 13), ("private", 10)
    heads += ("one a min", 11), (f"{TOGETHER} at once a min", 17)
    print(f"\n{f'{seconds:g} s clip':<12}" + "".join(f"{head:>{width}}" for head, width in heads))
    for engine, took in clips:
        print(
            f"{engine:<12}{took['load']:>7.1f}s{took['first']:>12.1f}s{took['whole']:>11.1f}s"
            f"{took['memory'] / 2**30:>9.2f} GiB{took['private'] / 2**30:>6.2f} GiB"
            f"{60 / took['whole']:>11.1f}"
            + (f"{60 * TOGETHER / took['together']:>17.1f}" if "together" in took else "")
        )


if __name__ == "__main__":
    main()
