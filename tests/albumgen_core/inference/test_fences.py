"""A result is accepted from the run it belongs to, and from no earlier one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from albumgen_core.files import is_folder, write_durably
from albumgen_core.inference.database import Database
from albumgen_core.inference.journal import Journal
from albumgen_core.inference.outbox import Outbox
from albumgen_core.inference.queue import FairQueue
from albumgen_core.inference.scheduler import Scheduler
from albumgen_core.jobs.spec import JobOutcome, JobSpec
from tests.albumgen_core.inference.conftest import make_spec


@pytest.fixture
async def scheduler(tmp_path: Path) -> AsyncIterator[Scheduler]:
    database = await Database.open(tmp_path / "data")
    yield Scheduler(Journal(database), Outbox(database), FairQueue(), max_attempts=3)
    await database.close()


async def taken(scheduler: Scheduler, *specs: JobSpec) -> dict[str, int]:
    """Queue jobs and take them as a batch; their fences."""
    await scheduler.journal.add(specs)
    await scheduler.enter(specs)
    return {job.job_id: job.fence for job in scheduler.next_batch()}


def done(spec: JobSpec, folder: Path) -> JobOutcome:
    write_durably(folder / "result.json", b"{}")
    return JobOutcome(spec.job_id, "done", result_dir=str(folder))


async def test_a_late_result_is_refused(scheduler: Scheduler, tmp_path: Path) -> None:
    spec = make_spec()
    first = await taken(scheduler, spec)
    live = scheduler.live(spec.job_id)
    assert live is not None
    await scheduler.requeue([live])
    late = done(spec, tmp_path / "late")
    await scheduler.on_result([late], first)
    assert (await scheduler.journal.get(spec.job_id)).state == "queued"
    second = {job.job_id: job.fence for job in scheduler.next_batch()}
    assert second[spec.job_id] == first[spec.job_id] + 1
    await scheduler.on_result([late], first)
    assert not live.updates.event.is_final
    await scheduler.on_result([done(spec, tmp_path / "result")], second)
    record = await scheduler.journal.get(spec.job_id)
    assert (record.state, record.result_dir) == ("done", str(tmp_path / "result"))
    assert live.updates.event.state == "done"


async def test_the_journal_itself_refuses_it(scheduler: Scheduler, tmp_path: Path) -> None:
    """As from another process, which does not know that the run was given up."""
    spec, journal = make_spec(), scheduler.journal
    await journal.add([spec])
    await journal.mark_running([spec.job_id])
    assert [job.fence for job in await journal.recover()] == [1]
    assert await journal.finish([done(spec, tmp_path)], fences={spec.job_id: 0}) == set()
    assert await journal.finish([done(spec, tmp_path)], fences={spec.job_id: 1}) == {spec.job_id}


async def test_a_result_that_meets_the_giving_up_of_its_run(scheduler: Scheduler, tmp_path: Path) -> None:
    """Whichever is written first holds: the job is done once, or it runs again and is done then."""
    rng = random.Random(4)
    refused = 0
    for number in range(40):
        spec = make_spec()
        fences = await taken(scheduler, spec)
        live = scheduler.live(spec.job_id)
        assert live is not None
        first, second = tmp_path / f"{number}-first", tmp_path / f"{number}-second"
        steps = [scheduler.on_result([done(spec, first)], fences), scheduler.requeue([live])]
        if rng.random() < 0.5:
            steps.reverse()
        await asyncio.gather(*steps)
        if scheduler.live(spec.job_id) is not None:
            refused += 1
            again = {job.job_id: job.fence for job in scheduler.next_batch()}
            await scheduler.on_result([done(spec, second)], again)
        record = await scheduler.journal.get(spec.job_id)
        assert record.state == "done"
        assert is_folder(record.result_dir)
        assert live.updates.event.result_dir == record.result_dir
        item = await scheduler.outbox.take()
        assert item is not None
        assert item.delivery_id == spec.job_id
        await scheduler.outbox.mark_delivered(item.delivery_id)
        assert await scheduler.outbox.take() is None
    assert 0 < refused < 40
