"""The whole of it: a real client, a real journal, real worker processes, and what befalls them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from albumgen_core.errors import (
    AlreadyRunningError,
    ClosingError,
    DiskFullError,
    EngineNotReadyError,
    InferenceError,
    JobCancelledError,
    JobFailedError,
    QueueFullError,
    UnknownJobError,
)
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.events import JobEvent
from albumgen_core.inference.handle import JobHandle
from albumgen_core.inference.queue import QueueLimits
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.inference.status import ClientStatus
from tests.albumgen_core.inference.conftest import RUNNERS, StartClient, make_spec
from tests.waiting import eventually, quiet


async def running(handle: JobHandle, stage: str = "compose") -> None:
    await eventually(lambda: handle.now.state == "running" and handle.now.stage == stage)


def batches(client: InferenceClient) -> list[list[str]]:
    assert client.settings.config is not None
    log = client.settings.config.parent / "results" / "batches.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()]


async def not_ready(client: InferenceClient) -> ClientStatus:
    async def status() -> ClientStatus | None:
        found = await client.status()
        return found if found.not_ready is not None else None

    return await eventually(status, 20)


async def outcome_of(handle: JobHandle) -> str:
    try:
        return (await handle.result()).status
    except JobFailedError as error:
        return str(error)
    except JobCancelledError:
        return "cancelled"


async def test_a_job_is_stored_run_told_of_and_owed(client: InferenceClient) -> None:
    handle = await client.submit(make_spec("slow:10"), b"the cover", request_key="i1")
    record = await client.record(handle.job_id)
    cover = Path(record.spec.cover_path)
    assert cover.read_bytes() == b"the cover"  # noqa: ASYNC240
    events = [event async for event in handle.progress()]
    assert events[-1].state == "done"
    stages = [event.stage for event in events]
    assert [stage for stage in dict.fromkeys(stages) if stage != "embed"] == ["queued", "compose"]
    fractions = [event.fraction for event in events if event.stage == "compose"]
    assert fractions == sorted(fractions)
    outcome = await handle.result()
    assert outcome.result_dir is not None
    assert json.loads((Path(outcome.result_dir) / "result.json").read_text())["job"] == handle.job_id
    item = await client.outbox.next()
    assert item.delivery_id == handle.job_id
    assert await client.mark_delivered(item.delivery_id)
    assert not cover.exists()  # noqa: ASYNC240
    assert (await client.record(handle.job_id)).state == "delivered"


async def test_a_replayed_interaction_is_the_same_job(client: InferenceClient) -> None:
    """Also when both arrive at once, and when the first is over long since."""
    handles = await asyncio.gather(*(client.submit(make_spec(), request_key="i1") for _ in range(5)))
    assert len({handle.job_id for handle in handles}) == 1
    assert [handle.replayed for handle in handles].count(False) == 1
    assert {await outcome_of(handle) for handle in handles} == {"done"}
    late = await client.submit(make_spec(), request_key="i1")
    assert late.replayed
    assert await outcome_of(late) == "done"
    assert len(batches(client)) == 1


async def test_compatible_jobs_share_a_batch(client: InferenceClient) -> None:
    first = await client.submit(make_spec("slow:50"))
    await running(first)
    others = [await client.submit(make_spec(seconds=seconds)) for seconds in (10, 30, 10, 30, 10)]
    assert sorted(client.position(handle.job_id) or 0 for handle in others) == [1, 2, 3, 4, 5]
    assert {await outcome_of(handle) for handle in others} == {"done"}
    assert [len(batch) for batch in batches(client)] == [1, 3, 2]


async def test_a_comparison_is_accepted_run_and_delivered_as_one(client: InferenceClient) -> None:
    pair = [make_spec(bundle_id="b", rag=True), make_spec(bundle_id="b", rag=False)]
    handles = await client.submit_bundle(pair, b"cover", request_key="i1")
    assert [await outcome_of(handle) for handle in handles] == ["done", "done"]
    assert [len(batch) for batch in batches(client)] == [2]
    item = await client.outbox.next()
    assert [job.job_id for job in item.jobs] == [spec.job_id for spec in pair]
    assert len({job.spec.cover_path for job in item.jobs}) == 1
    with pytest.raises(InferenceError, match="share group"):
        await client.submit_bundle([make_spec(member="a"), make_spec(member="b")])


async def test_eta_and_position_are_learned_and_survive_a_restart(start_client: StartClient) -> None:
    client = await start_client()
    first = await client.submit(make_spec("slow:20"))
    assert first.eta() is None
    await first.result()
    await client.close()
    client = await start_client()
    second = await client.submit(make_spec("slow:20"))
    await running(second)
    third = await client.submit(make_spec("slow:20"))
    assert (third.position(), second.position()) == (1, None)
    assert second.eta() is not None
    assert third.eta() is not None
    assert 0.1 < (third.eta() or 0) < 5
    queued = [event async for event in third.progress() if event.state == "queued"]
    assert queued[-1].position == 1
    assert third.eta() is None


async def test_cancelling_a_waiting_job_is_immediate_and_answered(client: InferenceClient) -> None:
    first = await client.submit(make_spec("slow:30"))
    await running(first)
    second = await client.submit(make_spec())
    assert await second.cancel()
    assert not await second.cancel()
    assert await outcome_of(second) == "cancelled"
    assert (await client.record(second.job_id)).state == "cancelled"
    assert (await client.outbox.next()).delivery_id == second.job_id
    assert await outcome_of(first) == "done"


async def test_cancelling_a_running_job_stops_it_between_steps(client: InferenceClient) -> None:
    handle = await client.submit(make_spec("slow:100000"))
    await running(handle)
    assert await handle.cancel()
    assert handle.now.state == "cancelled"
    assert (await client.outbox.next()).jobs[0].state == "cancelled"
    assert await outcome_of(await client.submit(make_spec())) == "done"  # the worker is free again
    assert (await client.status()).workers[0].restarts == 0


async def test_a_cancel_that_came_too_late_for_the_runner_still_holds(client: InferenceClient) -> None:
    spec = make_spec("deaf")
    mate = make_spec("slow:30")
    handles = await client.submit_bundle([spec, mate])
    await running(handles[1])
    assert await handles[0].cancel()
    assert [await outcome_of(handle) for handle in handles] == ["cancelled", "done"]
    assert client.settings.config is not None
    assert not (client.settings.config.parent / "results" / spec.job_id).exists()


@pytest.mark.parametrize("fault", ["crash", "exit", "raise", "lie", "flaky"])
async def test_a_fault_that_passes_is_retried(client: InferenceClient, fault: str) -> None:
    handle = await client.submit(make_spec(fault, "work"))
    assert await outcome_of(handle) == "done"
    assert len(batches(client)) == 2


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("crash", "the engine stopped each time"),
        ("raise", "Something went wrong"),
        ("oom", "more memory than the engine has"),
        ("flaky", "The album index is away."),
        ("lie", "could not be found"),
    ],
)
async def test_poison_fails_politely_and_harms_nobody_else(
    client: InferenceClient, fault: str, sentence: str
) -> None:
    poison, *mates = await client.submit_bundle([make_spec(fault), make_spec(), make_spec()])
    assert sentence in await outcome_of(poison)
    assert [await outcome_of(handle) for handle in mates] == ["done", "done"]
    assert (await client.record(poison.job_id)).state == "failed"
    assert sum(poison.job_id in batch for batch in batches(client)) <= 6
    assert await outcome_of(await client.submit(make_spec())) == "done"


async def test_mates_of_a_crashed_batch_rerun_singly(client: InferenceClient) -> None:
    handles = await client.submit_bundle([make_spec("crash", "work"), make_spec(), make_spec()])
    assert [await outcome_of(handle) for handle in handles] == ["done"] * 3
    assert [len(batch) for batch in batches(client)] == [3, 1, 1, 1]


async def test_a_refused_picture_is_not_retried(client: InferenceClient) -> None:
    handle = await client.submit(make_spec("refuse"))
    assert await outcome_of(handle) == "This picture cannot be read."
    assert len(batches(client)) == 1


async def test_out_of_memory_halves_the_batch_and_keeps_the_worker(client: InferenceClient) -> None:
    handles = await client.submit_bundle([make_spec("oom-above:2") for _ in range(4)])
    assert [await outcome_of(handle) for handle in handles] == ["done"] * 4
    assert [len(batch) for batch in batches(client)] == [4, 2, 2]
    assert (await client.status()).workers[0].restarts == 0


async def test_out_of_memory_twice_restarts_the_worker_and_runs_singly(client: InferenceClient) -> None:
    handles = await client.submit_bundle([make_spec("oom-above:1") for _ in range(4)])
    assert [await outcome_of(handle) for handle in handles] == ["done"] * 4
    assert [len(batch) for batch in batches(client)] == [4, 2, 1, 1, 1, 1]
    assert (await client.status()).workers[0].restarts == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "limits"),
    [
        ("hang", {"progress_timeout": 1.5}),
        ("freeze", {"heartbeat_timeout": 2.5}),
    ],
)
async def test_a_hang_is_killed_and_retried(
    start_client: StartClient, fault: str, limits: dict[str, float]
) -> None:
    client = await start_client(**limits)
    handle = await client.submit(make_spec(fault, "work"))
    assert await outcome_of(handle) == "done"
    assert (await client.status()).workers[0].restarts == 1


async def test_steady_progress_is_never_taken_for_a_hang(start_client: StartClient) -> None:
    client = await start_client(progress_timeout=1.5)
    handle = await client.submit(make_spec("slow:110"))
    assert await outcome_of(handle) == "done"
    assert len(batches(client)) == 1


async def test_a_killed_worker_is_replaced_at_once_busy_or_idle(client: InferenceClient) -> None:
    handle = await client.submit(make_spec("slow:50", "work"))
    await running(handle)
    pid = (await client.status()).workers[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert await outcome_of(handle) == "done"
    before = (await client.status()).workers[0]
    assert before.pid not in (None, pid)
    assert before.restarts == 1
    os.kill(before.pid or 0, signal.SIGTERM)  # idle now: it leaves by itself and is replaced too
    assert await outcome_of(await client.submit(make_spec())) == "done"


async def test_two_workers_share_the_queue_and_know_their_device(
    start_client: StartClient, settings: ClientSettings
) -> None:
    client = await start_client(workers=2, devices=("0", "1"), limits=QueueLimits(batch=1))
    handles = [await client.submit(make_spec("slow:30")) for _ in range(2)]
    for handle in handles:
        await running(handle)
    status = await client.status()
    assert {worker.jobs for worker in status.workers} == {(handle.job_id,) for handle in handles}
    assert len(status.running) == 2
    environments = [
        Path(f"/proc/{worker.pid}/environ").read_bytes().split(b"\0")  # noqa: ASYNC240
        for worker in status.workers
    ]
    assert [f"CUDA_VISIBLE_DEVICES={i}".encode() in each for i, each in enumerate(environments)] == [True] * 2
    assert [await outcome_of(handle) for handle in handles] == ["done", "done"]


@pytest.mark.parametrize("policy", ["refuse", "queue"])
async def test_missing_weights_are_said_and_mended_without_a_restart(
    start_client: StartClient, tmp_path: Path, policy: str
) -> None:
    client = await start_client(runner=f"{RUNNERS}:unavailable", when_not_ready=policy)
    early = await client.submit(make_spec())  # the engine may still be loading, so this is queued
    status = await not_ready(client)
    assert status.not_ready is not None
    assert "albumgen weights pull" in status.not_ready
    assert status.workers[0].state == "not ready"
    if policy == "refuse":
        with pytest.raises(EngineNotReadyError, match="is missing"):
            await client.submit(make_spec())
    else:
        await client.submit(make_spec())
    (tmp_path / "weights").touch()
    client.retry_engine()
    assert await outcome_of(early) == "done"
    assert (await client.status()).not_ready is None


async def test_a_worker_that_dies_while_it_starts_is_not_ready(start_client: StartClient) -> None:
    client = await start_client(runner=f"{RUNNERS}:stillborn")
    status = await not_ready(client)
    assert "SIGSEGV" in (status.not_ready or "")


async def test_caps_refuse_what_is_too_much_also_at_once(start_client: StartClient) -> None:
    client = await start_client(limits=QueueLimits(per_member=3))
    attempts = await asyncio.gather(
        *(client.submit(make_spec("slow:10")) for _ in range(6)), return_exceptions=True
    )
    refused = [each for each in attempts if isinstance(each, QueueFullError)]
    assert len(refused) == 3
    accepted = [each for each in attempts if isinstance(each, JobHandle)]
    assert [await outcome_of(handle) for handle in accepted] == ["done"] * 3
    assert await outcome_of(await client.submit(make_spec())) == "done"


async def test_a_full_disk_refuses_new_jobs_and_old_ones_stay_readable(
    start_client: StartClient,
) -> None:
    free = [10_000]
    client = await start_client(min_free_bytes=1000, free_bytes=lambda _: free[0])
    old = await client.submit(make_spec())
    assert await outcome_of(old) == "done"
    free[0] = 999
    with pytest.raises(DiskFullError, match="not enough disk space"):
        await client.submit(make_spec(), b"cover", request_key="x")
    assert (await client.record(old.job_id)).state == "done"
    assert await client.outbox.pending() == 1
    free[0] = 1000
    assert not (await client.submit(make_spec(), request_key="x")).replayed


async def test_closing_lets_batches_end_and_keeps_what_waits(start_client: StartClient) -> None:
    client = await start_client(limits=QueueLimits(batch=1))
    first = await client.submit(make_spec("slow:20"))
    await running(first)
    second = await client.submit(make_spec())
    closing = asyncio.create_task(client.close(grace=20.0))
    await asyncio.sleep(0)
    with pytest.raises(ClosingError):
        await client.submit(make_spec())
    assert await outcome_of(first) == "done"
    with pytest.raises(ClosingError):
        await second.result()
    await closing
    client = await start_client()
    assert (await client.record(first.job_id)).state == "done"
    assert await outcome_of(await client.subscribe(second.job_id)) == "done"
    assert await client.outbox.pending() == 2


async def test_closing_without_grace_puts_the_running_job_back(start_client: StartClient) -> None:
    client = await start_client()
    handle = await client.submit(make_spec("slow:100000", "work"))
    await running(handle)
    await client.close(grace=0.0)
    client = await start_client()
    assert await outcome_of(await client.subscribe(handle.job_id)) == "done"
    record = await client.record(handle.job_id)
    assert (record.attempts, record.interruptions) == (0, 0)


async def test_covers_of_submissions_that_died_half_way_are_swept_up(start_client: StartClient) -> None:
    client = await start_client()
    kept = await client.submit(make_spec("hang"), b"cover")
    await client.close(grace=0.0)
    covers = client.settings.data_dir / "covers"
    (covers / "orphan").write_bytes(b"never committed")
    (covers / ".part-x").write_bytes(b"half")
    await start_client()
    assert [path.name for path in covers.iterdir()] == [kept.job_id]


async def test_one_client_a_directory(client: InferenceClient, start_client: StartClient) -> None:
    with pytest.raises(AlreadyRunningError):
        await start_client()
    assert await outcome_of(await client.submit(make_spec())) == "done"


async def test_a_member_can_be_forgotten_in_mid_flight(client: InferenceClient, tmp_path: Path) -> None:
    gone = await client.submit(make_spec("slow:200"), b"cover")
    await running(gone)
    waiting = await client.submit(make_spec(), b"cover")
    theirs = await client.submit(make_spec(member="bob"))
    assert await client.delete_member("ann") == 2
    assert await outcome_of(theirs) == "done"
    await eventually(lambda: gone.now.is_final and waiting.now.is_final)
    assert [path.name for path in (tmp_path / "data" / "covers").iterdir()] == []
    assert not (tmp_path / "results" / gone.job_id).exists()
    assert [item.delivery_id for item in [await client.outbox.next()]] == [theirs.job_id]
    assert await client.outbox.pending() == 1
    with pytest.raises(UnknownJobError):
        await client.subscribe(gone.job_id)


async def test_results_expire_and_the_folder_goes(start_client: StartClient) -> None:
    client = await start_client(keep_results=0.0, keep_rows=0.0)
    outcome = await (await client.submit(make_spec(), b"cover")).result()
    await client.purge()
    assert outcome.result_dir is not None
    assert Path(outcome.result_dir).is_dir()  # noqa: ASYNC240  (nobody has been told yet)
    await client.mark_delivered((await client.outbox.next()).delivery_id)
    await client.purge()
    assert not Path(outcome.result_dir).exists()  # noqa: ASYNC240
    with pytest.raises(UnknownJobError):
        await client.record(outcome.job_id)


async def test_a_received_request_is_taken_up_or_refused(client: InferenceClient) -> None:
    first, second = make_spec(), make_spec()
    assert await client.receive(first, request_key="a")
    assert not await client.receive(make_spec(), request_key="a")
    handle = await client.submit(first, b"cover", request_key="a")
    assert not handle.replayed
    assert await outcome_of(handle) == "done"
    assert await client.receive(second)
    await client.refuse(second.job_id, "This file is not a picture.")
    assert (await client.record(second.job_id)).error == "This file is not a picture."


async def test_a_slow_watcher_misses_steps_but_not_the_end(client: InferenceClient) -> None:
    handle = await client.submit(make_spec("slow:20"))
    seen: list[JobEvent] = []
    async for event in handle.progress():
        seen.append(event)
        await quiet(0.3)
    assert seen[-1].state == "done"
    assert [event.state async for event in handle.progress()] == ["done"]


async def test_a_submission_whose_caller_gives_up_still_runs(client: InferenceClient) -> None:
    spec = make_spec()
    submission = asyncio.create_task(client.submit(spec, b"cover"))
    await asyncio.sleep(0)
    submission.cancel()
    with pytest.raises(asyncio.CancelledError):
        await submission
    assert (await client.outbox.next()).delivery_id == spec.job_id


def test_the_clients_process_never_imports_torch() -> None:
    program = (
        "import sys, albumgen_core.inference.client\n"
        "heavy = {'torch', 'transformers', 'numpy', 'PIL', 'chromadb', 'discord'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
