"""Jobs on a backend in this process: batches, memory, failures and cancellation, with real runners."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from albumgen_core.cover.read import read_cover
from albumgen_core.engines.sketch import load_engine
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.inference.in_process_backend import InProcessBackend
from albumgen_core.inference.run_jobs import run_jobs
from albumgen_core.jobs.artifacts import FolderArtifacts
from albumgen_core.jobs.spec import JobOutcome, JobSpec
from albumgen_core.pipeline.stages import Pipeline
from albumgen_core.result import is_whole
from albumgen_core.worker.runner import PipelineRunner
from tests.albumgen_core.inference.conftest import StartClient, make_spec
from tests.albumgen_core.inference.runners import ObedientRunner, unavailable
from tests.paths import EXAMPLES


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[InProcessBackend]:
    made = InProcessBackend(lambda: ObedientRunner(tmp_path))
    assert await made.start() == {"family": "obedient"}
    yield made
    await made.stop(grace=5.0)


def sizes(home: Path) -> list[int]:
    return [len(json.loads(line)) for line in (home / "batches.jsonl").read_text().splitlines()]


async def test_jobs_run_in_batches_of_those_that_fit(backend: InProcessBackend, tmp_path: Path) -> None:
    jobs = [make_spec(seconds=10.0) for _ in range(5)] + [make_spec(seconds=20.0)]
    jobs.insert(2, make_spec(seconds=20.0))
    told: list[JobOutcome] = []
    outcomes = await run_jobs(backend, jobs, max_batch=2, on_outcome=told.append)
    assert [outcome.job_id for outcome in outcomes] == [job.job_id for job in jobs]
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert sizes(tmp_path) == [2, 2, 1, 2]
    assert sorted(o.job_id for o in told) == sorted(job.job_id for job in jobs)


async def test_a_batch_that_needs_too_much_memory_is_halved(
    backend: InProcessBackend, tmp_path: Path
) -> None:
    jobs = [make_spec("oom-above:2") for _ in range(4)]
    assert {o.status for o in await run_jobs(backend, jobs, max_batch=4)} == {"done"}
    assert sizes(tmp_path) == [4, 2, 2]


@pytest.mark.slow
async def test_one_failure_does_not_cost_the_others(backend: InProcessBackend) -> None:
    for how, sentence in (("raise", "Something went wrong"), ("oom", "more memory")):
        jobs = [make_spec(), make_spec(how), make_spec(), make_spec("refuse")]
        outcomes = await run_jobs(backend, jobs, max_batch=4)
        assert [outcome.status for outcome in outcomes] == ["done", "failed", "done", "failed"]
        assert sentence in str(outcomes[1].error)
        assert outcomes[1].code


async def test_progress_comes_on_the_event_loop(backend: InProcessBackend) -> None:
    job, loop = make_spec("slow:3"), asyncio.get_running_loop()
    seen: list[tuple[str, float]] = []

    def on_progress(job_id: str, stage: str, fraction: float) -> None:
        assert asyncio.get_running_loop() is loop
        assert job_id == job.job_id
        seen.append((stage, fraction))

    await run_jobs(backend, [job], max_batch=1, on_progress=on_progress)
    assert seen[0] == ("embed", 1.0)
    assert seen[-1] == ("compose", 1.0)


async def test_a_job_can_be_cancelled(backend: InProcessBackend) -> None:
    job = make_spec("slow:10000")
    running = asyncio.create_task(run_jobs(backend, [job, make_spec("work")], max_batch=1))
    await asyncio.sleep(0.1)
    backend.cancel(job.job_id)
    assert [outcome.status for outcome in await running] == ["cancelled", "done"]


async def test_a_caller_that_is_cancelled_does_not_wait_for_the_batch(backend: InProcessBackend) -> None:
    running = asyncio.create_task(run_jobs(backend, [make_spec("slow:10000")], max_batch=1))
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(0.5):
            await running


async def test_an_engine_that_cannot_start_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="weights pull"):
        await InProcessBackend(lambda: unavailable(tmp_path / "config.toml")).start()


async def test_covers_become_results(tmp_path: Path) -> None:
    covers = sorted((EXAMPLES / "covers").glob("*.png"))
    jobs = []
    for path in covers:
        stored = tmp_path / path.name
        stored.write_bytes(read_cover(path.read_bytes()).to_png())
        jobs.append(JobSpec(path.stem, str(stored), rag=False, seconds=1.0, seed=3))
    jobs.insert(1, JobSpec("gone", str(tmp_path / "gone.png"), rag=False, seconds=1.0))
    pipeline = Pipeline(load_engine(), None)
    backend = InProcessBackend(lambda: PipelineRunner(pipeline, FolderArtifacts(tmp_path / "out")))
    await backend.start()
    outcomes = await run_jobs(backend, jobs, max_batch=2)
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "done", "done"]
    assert all(is_whole(tmp_path / "out" / path.stem) for path in covers)


async def test_a_client_runs_on_the_same_interface(start_client: StartClient, tmp_path: Path) -> None:
    """Journal, queue and outbox over a backend in this process instead of a child."""
    runner = ObedientRunner(tmp_path)
    client = await start_client(make_backend=lambda _options: InProcessBackend(lambda: runner))
    jobs = [make_spec("oom-above:1"), make_spec("oom-above:1"), make_spec("raise", "work")]
    handles = [await client.submit(job, b"cover") for job in jobs]
    assert [(await handle.result()).status for handle in handles] == ["done"] * 3
    (worker,) = (await client.status()).workers
    assert worker.pid is None
    delivered = {(await client.outbox.next()).delivery_id for _ in jobs}
    assert delivered == {job.job_id for job in jobs}
