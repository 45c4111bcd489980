"""The next batch is composed while the files of the one before are made; and what befalls both."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.handle import JobHandle
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.jobs import protocol
from tests.albumgen_core.inference.conftest import RUNNERS, StartClient, make_spec
from tests.albumgen_core.inference.test_client import batches, outcome_of, running
from tests.albumgen_core.worker.test_main import Pipe
from tests.waiting import eventually


@pytest.fixture
def settings(settings: ClientSettings) -> ClientSettings:
    return replace(settings, runner=f"{RUNNERS}:two_phases")


@pytest.fixture
def pipe(settings: ClientSettings) -> Iterator[Pipe]:
    assert settings.config is not None
    pipe = Pipe(settings.config, "two_phases")
    pipe.send(protocol.Hello())
    yield pipe
    pipe.process.kill()
    pipe.process.communicate()


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def phases(results: Path) -> list[str]:
    return (results / "phases").read_text().splitlines()


# The worker


def test_a_batch_is_begun_while_files_are_written_but_no_third_one(pipe: Pipe, results: Path) -> None:
    pipe.run("files:gate", batch="1")
    assert pipe.reply(protocol.Free, protocol.Finished) == protocol.Free("1")
    second, third = pipe.run("work", batch="2"), pipe.run("work", batch="3")
    while pipe.reply(protocol.Progress).job_id != second:
        pass
    (results / "gate").touch()
    kinds = (protocol.Finished, protocol.Free, protocol.Progress)
    replies: list[protocol.Reply] = [pipe.reply(*kinds)]
    while not (isinstance(replies[-1], protocol.Finished) and replies[-1].batch == "3"):
        replies.append(pipe.reply(*kinds))
    finished = [reply for reply in replies if isinstance(reply, protocol.Finished)]
    assert [reply.batch for reply in finished] == ["1", "2", "3"]
    begun = next(i for i, r in enumerate(replies) if isinstance(r, protocol.Progress) and r.job_id == third)
    assert protocol.Free("2") in replies[:begun]
    assert finished[0] in replies[:begun]


def test_waiting_for_the_files_of_another_batch_is_no_work(pipe: Pipe, results: Path) -> None:
    pipe.run("files:gate", batch="1")
    pipe.reply(protocol.Free)
    second = pipe.run("slow:3", batch="2")
    reply = pipe.reply(protocol.Progress)
    while (reply.job_id, reply.stage, reply.fraction) != (second, "compose", 1.0):
        reply = pipe.reply(protocol.Progress)
    time.sleep(1.0)
    (results / "gate").touch()
    finished = [pipe.reply(protocol.Finished) for _ in range(2)][1]
    assert finished.timings["compose"] < 0.8
    assert finished.elapsed < 0.8


def test_a_cancel_that_comes_while_files_are_written_counts(pipe: Pipe, results: Path) -> None:
    job_id = pipe.run("files:gate")
    pipe.reply(protocol.Free)
    pipe.send(protocol.Cancel(job_id))
    pipe.run("work", batch="2")  # the worker reads in order: the cancel is known once this one has begun
    pipe.reply(protocol.Progress)
    (results / "gate").touch()
    assert pipe.reply(protocol.Finished).outcomes[0].status == "cancelled"
    assert pipe.reply(protocol.Finished).outcomes[0].status == "done"


@pytest.mark.parametrize("how", ["signal", "stop"])
def test_it_leaves_once_the_files_are_whole(pipe: Pipe, results: Path, how: str) -> None:
    pipe.run("files:gate")
    pipe.reply(protocol.Free)
    if how == "signal":
        pipe.process.send_signal(signal.SIGTERM)
    else:
        pipe.send(protocol.Stop())
    (results / "gate").touch()
    assert pipe.reply(protocol.Finished).outcomes[0].status == "done"
    assert pipe.process.wait(10) == 0


@pytest.mark.parametrize(("orders", "kind"), [("files:oom", "out_of_memory"), ("files:raise", "error")])
def test_files_that_cannot_be_written_break_their_batch_alone(pipe: Pipe, orders: str, kind: str) -> None:
    pipe.run(orders)
    pipe.run("work", batch="2")
    assert pipe.reply(protocol.Broken).kind == kind
    assert pipe.reply(protocol.Finished).outcomes[0].status == "done"


# The client


async def overlapping(client: InferenceClient, results: Path, *second: str) -> tuple[JobHandle, JobHandle]:
    """Two jobs: the first one's files wait at the gate, the second one is composed."""
    first = await client.submit(make_spec("files:gate", seed=1))
    await running(first, "encode")
    other = await client.submit(make_spec(*second, seed=2))
    await running(other, "compose")
    assert first.now.stage == "encode"
    (worker,) = (await client.status()).workers
    assert (worker.state, set(worker.jobs)) == ("busy", {first.job_id, other.job_id})
    return first, other


async def test_a_job_composes_while_the_one_before_is_written(client: InferenceClient, results: Path) -> None:
    handles = await overlapping(client, results, "slow:20")
    (results / "gate").touch()
    assert [await outcome_of(handle) for handle in handles] == ["done", "done"]
    assert phases(results) == ["compose 1", "write 1", "compose 2", "written 1", "write 2", "written 2"]
    await eventually(lambda: client._supervisor.slots[0].state == "idle")


async def test_either_can_be_cancelled(client: InferenceClient, results: Path) -> None:
    for victim in (0, 1):
        handles = await overlapping(client, results, "slow:50")
        await handles[victim].cancel()
        (results / "gate").touch()
        expected = ["done", "done"]
        expected[victim] = "cancelled"
        assert [await outcome_of(handle) for handle in handles] == expected
        await eventually(lambda: client._supervisor.slots[0].state == "idle")
        assert not (results / handles[victim].job_id).exists()
        (results / "gate").unlink()


async def test_a_killed_worker_had_both(client: InferenceClient, results: Path) -> None:
    handles = await overlapping(client, results, "slow:500", "work")
    (worker,) = (await client.status()).workers
    assert worker.pid is not None
    (results / "gate").touch()
    os.kill(worker.pid, signal.SIGKILL)
    assert [await outcome_of(handle) for handle in handles] == ["done", "done"]
    delivered = [(await client.outbox.next()).delivery_id for _ in handles]
    assert sorted(delivered) == sorted(handle.job_id for handle in handles)
    assert await client.outbox.take() is None


async def test_closing_puts_both_back_or_lets_both_end(start_client: StartClient, results: Path) -> None:
    client = await start_client()
    handles = await overlapping(client, results, "slow:500", "work")
    await client.close(grace=0.0)
    (results / "gate").touch()
    client = await start_client()
    for handle in handles:
        await until_state(client, handle.job_id, "done")
    (results / "gate").unlink()
    handles = await overlapping(client, results, "slow:5")
    (results / "gate").touch()
    await client.close(grace=20.0)
    assert [handle.now.state for handle in handles] == ["done", "done"]


async def until_state(client: InferenceClient, job_id: str, state: str) -> None:
    async def reached() -> bool:
        return (await client.record(job_id)).state == state

    await eventually(reached, 20)


async def test_no_memory_for_the_files_halves_the_batch(client: InferenceClient, results: Path) -> None:
    first = await client.submit(make_spec("slow:30"))
    await running(first)
    handles = [await client.submit(make_spec("files:oom-above:1")) for _ in range(2)]
    handles.append(await client.submit(make_spec("slow:10", seconds=30)))
    assert [await outcome_of(handle) for handle in handles] == ["done"] * 3
    assert sorted(len(batch) for batch in batches(client)) == [1, 1, 1, 1, 2]
    (worker,) = (await client.status()).workers
    assert worker.restarts == 0
