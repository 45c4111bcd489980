"""What queue, journal and worker add to a job whose stages cost nothing.

    python -m benchmarks.overhead [--jobs 300]

One job at a time, from `submit` to the end of `result()` and committed on disk; beside it, in the same run, a
plain SQLite commit (WAL, synchronous=FULL), the same runner called directly, and all jobs at once.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.queue import QueueLimits
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.jobs.spec import JobSpec, new_job_id
from tests.albumgen_core.inference.runners import FreeRunner

COVER = bytes(100_000)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def spec() -> JobSpec:
    """A fresh job."""
    return JobSpec(new_job_id(), cover_path="")


def direct(home: Path, jobs: int) -> list[float]:
    """Seconds a job, the runner called in this process."""
    runner, took = FreeRunner(home), []
    for _ in range(jobs):
        started = time.perf_counter()
        runner.run([spec()], on_progress=lambda *_: None, is_cancelled=lambda _: False)
        took.append(time.perf_counter() - started)
    return took


def commits(home: Path, count: int) -> list[float]:
    """Seconds a durable commit of one row."""
    connection = sqlite3.connect(home / "plain.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE t (a TEXT)")
    took = []
    for _ in range(count):
        started = time.perf_counter()
        connection.execute("INSERT INTO t VALUES (?)", ("x" * 800,))
        took.append(time.perf_counter() - started)
    connection.close()
    return took


async def through_client(home: Path, jobs: int, cover: bytes | None) -> tuple[list[float], float]:
    """Seconds a job one by one, and seconds a job when all are submitted together."""
    (home / "config.toml").touch()
    settings = ClientSettings(
        data_dir=home / "data",
        runner="tests.albumgen_core.inference.runners:free",
        config=home / "config.toml",
        limits=QueueLimits(per_member=10**6, per_group=10**6, total=10**6),
    )
    client = InferenceClient(settings)
    await client.start()
    await (await client.submit(spec())).result()
    took = []
    for _ in range(jobs):
        started = time.perf_counter()
        await (await client.submit(spec(), cover)).result()
        took.append(time.perf_counter() - started)
    started = time.perf_counter()
    handles = await asyncio.gather(*(client.submit(spec(), cover) for _ in range(jobs)))
    for handle in handles:
        await handle.result()
    burst = (time.perf_counter() - started) / jobs
    await client.close()
    return took, burst


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=300)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        called = direct(Path(one), jobs)
        plain = commits(Path(one), jobs)
        bare, bare_burst = asyncio.run(through_client(Path(one), jobs, None))
        full, full_burst = asyncio.run(through_client(Path(two), jobs, COVER))
    base = percentile(plain, 0.5)
    print(f"{jobs} jobs{'':24}{'p50':>10}{'p99':>10}   times a plain commit")
    for name, values in {
        "runner called directly": called,
        "plain SQLite commit": plain,
        "client, cover stored before": bare,
        "client, with 100 kB of cover": full,
    }.items():
        middle, tail = percentile(values, 0.5), percentile(values, 0.99)
        print(f"{name:30}{middle * 1e3:8.2f}ms{tail * 1e3:8.2f}ms{middle / base:10.2f}x")
    for name, each in {"all at once": bare_burst, "all at once, with covers": full_burst}.items():
        print(f"{name:30}{each * 1e3:8.2f}ms a job{each / base:12.2f}x")
    print(f"median under 10 ms: {'yes' if percentile(full, 0.5) < 0.010 else 'NO'}")


if __name__ == "__main__":
    main()
