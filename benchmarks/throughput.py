"""Clips a minute in a burst: composing while the files of the batch before are made, and one after the other.

    python -m benchmarks.throughput [--jobs 16] [--batch 4] [--seconds 10] [--rounds 3] [--config config.toml]

A real client and its real worker process, with the configured engine (the sketch by default); both ways in
interleaved rounds of one run, each round with covers and seeds of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.queue import QueueLimits
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.jobs.spec import BatchRunner, JobCancelCheck, JobOutcome, JobProgress, JobSpec, new_job_id
from albumgen_core.worker.main import DEFAULT_RUNNER
from albumgen_core.worker.runner import build_runner

COVERS = 6


class OneAfterTheOther:
    """The pipeline's runner without its second phase."""

    def __init__(self, runner: BatchRunner) -> None:
        self._runner = runner

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        """A batch, from its covers to its files."""
        return self._runner.run(jobs, on_progress=on_progress, is_cancelled=is_cancelled)


def plain(config: Path | None) -> OneAfterTheOther:
    """A RunnerFactory."""
    return OneAfterTheOther(build_runner(config))


def drawn_covers() -> list[bytes]:
    """PNG files."""
    from benchmarks.sketch_fidelity import drawn_cover

    pictures = []
    for number in range(COVERS):
        buffer = io.BytesIO()
        drawn_cover(number).image.save(buffer, "PNG")
        pictures.append(buffer.getvalue())
    return pictures


async def burst(client: InferenceClient, covers: list[bytes], jobs: int, seconds: float, first: int) -> float:
    """Seconds until all of a burst are done."""
    begun = time.perf_counter()
    handles = [
        await client.submit(
            JobSpec(new_job_id(), cover_path="", rag=False, seconds=seconds, seed=first + number),
            covers[number % len(covers)],
        )
        for number in range(jobs)
    ]
    for handle in handles:
        await handle.result()
    return time.perf_counter() - begun


async def measure(options: argparse.Namespace, home: Path) -> dict[str, float]:
    """Clips a minute, medians over the rounds."""
    covers = drawn_covers()
    clients = {}
    limits = QueueLimits(batch=options.batch, per_member=10**6, per_group=10**6, total=10**6)
    ways = {"one after the other": f"{__spec__.name}:plain", "side by side": DEFAULT_RUNNER}
    for name, runner in ways.items():
        settings = ClientSettings(
            home / name, runner=runner, config=options.config, limits=limits, when_not_ready="refuse"
        )
        clients[name] = InferenceClient(settings)
        await clients[name].start()
        await burst(clients[name], covers, 1, options.seconds, 0)  # whatever is built only once
    took: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(options.rounds):
        for name, client in clients.items():
            first = (round_number + 1) * options.jobs
            took[name].append(await burst(client, covers, options.jobs, options.seconds, first))
    for client in clients.values():
        await client.close()
    return {name: 60 * options.jobs / median(times) for name, times in took.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--config", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        clips = asyncio.run(measure(options, Path(home)))
    before = clips["one after the other"]
    for name, rate in clips.items():
        print(f"{name:22}{rate:8.1f} clips a minute{rate / before:8.2f}x")


if __name__ == "__main__":
    main()
