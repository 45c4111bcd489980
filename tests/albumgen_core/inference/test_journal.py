from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from albumgen_core.errors import (
    AlreadyRunningError,
    DiskFullError,
    InferenceError,
    JournalBusyError,
    JournalCorruptError,
    JournalVersionError,
    UnknownJobError,
)
from albumgen_core.files import DirectoryLock
from albumgen_core.inference.database import Database
from albumgen_core.inference.history import History
from albumgen_core.inference.journal import GIVEN_UP, LOST_BEFORE_COVER, Journal, StageTiming
from albumgen_core.inference.migrations import MigrationSet, split_statements
from albumgen_core.inference.outbox import Outbox
from albumgen_core.jobs.spec import JobOutcome, JobSpec
from tests.albumgen_core.inference.conftest import make_spec
from tests.waiting import quiet


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path, busy_timeout=0.2)
    yield opened
    await opened.close()


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database)


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


def done(spec: JobSpec, folder: str = str(Path(__file__).parent)) -> JobOutcome:
    """A job that is done; its result is a folder that exists."""
    return JobOutcome(spec.job_id, "done", result_dir=folder)


async def deliver_all(outbox: Outbox) -> list[str]:
    delivered = []
    while (item := await outbox.take()) is not None:
        await outbox.mark_delivered(item.delivery_id)
        delivered.append(item.delivery_id)
    return delivered


async def test_the_file_is_in_wal_and_syncs_fully(database: Database) -> None:
    assert (await database.fetch("PRAGMA journal_mode"))[0][0] == "wal"

    def synchronous(connection: sqlite3.Connection) -> int:
        return int(next(iter(connection.execute("PRAGMA synchronous")))[0])

    assert await database.write(synchronous) == 2


async def test_a_job_comes_back_as_it_went_in(journal: Journal) -> None:
    spec = make_spec("work", seconds=12.5, origin={"channel": 7, "name": "Zoë"}, rag=False, seed=99)
    assert await journal.add([spec], request_key="i1") == []
    record = await journal.get(spec.job_id)
    assert record.spec == spec
    assert (record.state, record.attempts, record.request_key) == ("queued", 0, "i1")
    with pytest.raises(UnknownJobError):
        await journal.get("nothing")


async def test_a_replayed_request_adds_nothing(journal: Journal) -> None:
    first, again = make_spec(), make_spec()
    await journal.add([first], request_key="i1")
    known = await journal.add([again], request_key="i1")
    assert [job.job_id for job in known] == [first.job_id]
    with pytest.raises(UnknownJobError):
        await journal.get(again.job_id)


async def test_one_bad_write_does_not_spoil_its_neighbours_in_a_common_commit(journal: Journal) -> None:
    taken = make_spec()
    await journal.add([taken])
    fresh = [make_spec() for _ in range(5)]
    results = await asyncio.gather(*(journal.add([s]) for s in [*fresh, taken]), return_exceptions=True)
    assert results[:5] == [[]] * 5
    assert isinstance(results[5], InferenceError)
    assert {(await journal.get(s.job_id)).state for s in fresh} == {"queued"}


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
async def test_every_end_owes_exactly_one_reply(journal: Journal, outbox: Outbox, status: str) -> None:
    spec = make_spec()
    await journal.add([spec])
    await journal.mark_running([spec.job_id])
    error = "sorry" if status == "failed" else None
    outcome = done(spec) if status == "done" else JobOutcome(spec.job_id, status, error=error)  # type: ignore[arg-type]
    assert await journal.finish([outcome]) == {spec.job_id}
    assert await journal.finish([outcome]) == set()
    item = await outbox.take()
    assert item is not None
    assert (item.delivery_id, item.attempt, item.jobs[0].state) == (spec.job_id, 1, status)
    assert await outbox.take() is None  # it is leased
    assert await outbox.mark_delivered(spec.job_id)
    assert not await outbox.mark_delivered(spec.job_id)
    record = await journal.get(spec.job_id)
    assert record.delivered_at is not None
    assert record.state == ("delivered" if status == "done" else status)


async def test_a_cancel_that_was_promised_wins_over_a_result(journal: Journal, outbox: Outbox) -> None:
    spec = make_spec()
    await journal.add([spec])
    await journal.mark_running([spec.job_id])
    await journal.finish([JobOutcome(spec.job_id, "cancelled")])
    assert await journal.finish([done(spec)]) == set()
    record = await journal.get(spec.job_id)
    assert (record.state, record.result_dir) == ("cancelled", None)


async def test_a_bundle_is_delivered_once_and_whole(journal: Journal, outbox: Outbox) -> None:
    pair = [make_spec(bundle_id="b", rag=True), make_spec(bundle_id="b", rag=False)]
    await journal.add(pair, request_key="i1")
    await journal.finish([done(pair[1])])
    assert await outbox.take() is None
    await journal.finish([JobOutcome(pair[0].job_id, "failed", error="no")])
    item = await outbox.take()
    assert item is not None
    assert item.delivery_id == "b"
    assert [(job.spec.rag, job.state) for job in item.jobs] == [(True, "failed"), (False, "done")]
    await outbox.mark_delivered("b")
    assert [job.state for job in await History(journal.database).bundle("b")] == ["failed", "delivered"]
    with pytest.raises(InferenceError, match="already has its jobs"):
        await journal.add([make_spec(bundle_id="b")])


async def test_a_failed_delivery_comes_back_and_says_so(journal: Journal, outbox: Outbox) -> None:
    spec = make_spec()
    await journal.add([spec])
    await journal.finish([done(spec)])
    assert (await outbox.take()) is not None
    await outbox.retry_later(spec.job_id, delay=60.0, error="502")
    assert await outbox.take() is None
    await outbox.retry_later(spec.job_id, delay=0.0, error="502")
    item = await outbox.take()
    assert item is not None
    assert item.attempt == 2
    assert item.attempted_at is not None
    assert await outbox.drop(spec.job_id, "channel deleted")
    assert await outbox.pending() == 0


async def test_a_deliverer_that_died_loses_its_lease(journal: Journal, outbox: Outbox) -> None:
    spec = make_spec()
    await journal.add([spec])
    await journal.finish([done(spec)])
    assert await outbox.take(lease=0.0) is not None
    item = await outbox.take(lease=60.0)
    assert item is not None
    assert item.attempt == 2
    await journal.recover()
    assert (item := await outbox.take()) is not None
    assert item.attempt == 3


async def test_next_wakes_when_a_reply_falls_due(journal: Journal, outbox: Outbox) -> None:
    spec = make_spec()
    await journal.add([spec])
    waiting = asyncio.create_task(outbox.next())
    await quiet(0.02)
    assert not waiting.done()
    await journal.finish([done(spec)])
    outbox.wake()
    assert (await waiting).delivery_id == spec.job_id


async def test_a_start_queues_what_was_running_and_answers_what_cannot_go_on(
    journal: Journal, outbox: Outbox
) -> None:
    running, received, waiting = (make_spec() for _ in range(3))
    await journal.add([received], received_only=True)
    for spec in (running, waiting):
        await journal.add([spec])
    await journal.mark_running([running.job_id])
    queued = {record.job_id: record for record in await journal.recover()}
    assert queued.keys() == {running.job_id, waiting.job_id}
    assert (queued[running.job_id].interruptions, queued[running.job_id].attempts) == (1, 0)
    assert (await journal.get(received.job_id)).error == str(LOST_BEFORE_COVER)
    assert await outbox.pending() == 1


async def test_received_jobs_are_kept_for_a_caller_who_takes_them_up_but_not_for_ever(
    journal: Journal, outbox: Outbox
) -> None:
    first, second = make_spec(), make_spec()
    await journal.add([first], received_only=True)
    await journal.add([second], received_only=True)
    for _ in range(2):
        assert await journal.recover(max_interruptions=2, keep_received=True) == []
        assert [record.job_id for record in await journal.unread()] == [first.job_id, second.job_id]
    await journal.add([second])
    assert [record.job_id for record in await journal.unread()] == [first.job_id]
    await journal.recover(max_interruptions=2, keep_received=True)
    assert await journal.unread() == []
    assert (await journal.get(first.job_id)).error == str(LOST_BEFORE_COVER)
    assert await outbox.pending() == 1


async def test_a_job_that_takes_the_client_down_each_time_runs_alone_and_ends_some_day(
    journal: Journal,
) -> None:
    spec = make_spec()
    await journal.add([spec])
    isolated = []
    for _ in range(3):
        await journal.mark_running([spec.job_id])
        isolated.append((await journal.recover(max_interruptions=3))[0].isolated)
    assert isolated == [False, True, True]
    await journal.mark_running([spec.job_id])
    assert await journal.recover(max_interruptions=3) == []
    assert (await journal.get(spec.job_id)).error == str(GIVEN_UP)


async def test_a_received_job_moves_on_with_its_cover(journal: Journal) -> None:
    spec = make_spec(origin={"token": "t"})
    await journal.add([spec], request_key="i", received_only=True)
    assert (await journal.get(spec.job_id)).state == "received"
    assert await journal.add([make_spec()], request_key="i", received_only=True) != []
    assert await journal.add([spec], request_key="i") == []
    assert (await journal.get(spec.job_id)).state == "queued"


async def test_origin_learns_and_forgets_fields(journal: Journal) -> None:
    spec = make_spec(origin={"channel": 1, "token": "secret"})
    await journal.add([spec])
    await journal.update_origin(spec.job_id, {"message": 5, "token": None})
    assert (await journal.get(spec.job_id)).spec.origin == {"channel": 1, "message": 5}
    with pytest.raises(UnknownJobError):
        await journal.update_origin("nothing", {"a": 1})


async def test_lineage_is_found_from_any_take(journal: Journal, history: History) -> None:
    root = make_spec()
    child = make_spec(parent_id=root.job_id, root_id=root.job_id)
    grandchild = make_spec(parent_id=child.job_id, root_id=root.job_id)
    for spec in (root, child, grandchild, make_spec()):
        await journal.add([spec])
    line = [root.job_id, child.job_id, grandchild.job_id]
    for name in line:
        assert [record.job_id for record in await history.lineage(name)] == line
    assert [record.job_id for record in await history.children(root.job_id)] == [child.job_id]


async def test_only_answered_jobs_expire_and_shared_covers_stay_while_needed(
    journal: Journal, outbox: Outbox, history: History
) -> None:
    old = make_spec(cover_path="/covers/a")
    regenerated = make_spec(cover_path="/covers/a")
    for spec in (old, regenerated):
        await journal.add([spec])
    await journal.finish([done(old)])
    assert await history.expired_results(0) == []
    await deliver_all(outbox)
    assert [record.result_dir for record in await history.expired_results(0)] == [done(old).result_dir]
    assert await history.expired_results(3600) == []
    assert await history.expired_covers() == []
    await journal.finish([done(regenerated)])
    await deliver_all(outbox)
    assert await history.expired_covers() == ["/covers/a"]
    assert await history.expired_covers(3600) == []
    await history.forget_results([old.job_id, regenerated.job_id])
    assert await history.delete_rows(0) == 0
    await history.forget_covers(["/covers/a"])
    assert await history.delete_rows(0) == 2


async def test_a_member_is_forgotten_without_a_trace_and_without_harm_to_others(
    journal: Journal, outbox: Outbox, history: History, database: Database
) -> None:
    mine = [make_spec(cover_path="/covers/mine"), make_spec(cover_path="/covers/shared", group="elsewhere")]
    other = make_spec(member="bob", cover_path="/covers/shared")
    for spec in (*mine, other):
        await journal.add([spec])
    await journal.finish([done(mine[0], "/results/mine")])
    forgotten = await history.delete_member("ann")
    assert set(forgotten.jobs) == {spec.job_id for spec in mine}
    assert forgotten.paths == ("/covers/mine", "/results/mine")
    assert await history.of_member("ann") == []
    assert await outbox.pending() == 0
    assert [record.job_id for record in await history.of_member("bob")] == [other.job_id]
    assert await journal.finish([done(mine[1])]) == set()


async def test_timings_are_kept_with_the_result_that_taught_them(journal: Journal, history: History) -> None:
    spec = make_spec()
    await journal.add([spec])
    timing = StageTiming("compose", 10.0, 4, 3.5)
    await journal.finish([done(spec)], [timing])
    assert await history.timings() == [timing]


async def test_a_second_instance_is_told_who_is_there(database: Database, tmp_path: Path) -> None:
    with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
        await Database.open(tmp_path)


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from albumgen_core.files import DirectoryLock\n"
        "DirectoryLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(AlreadyRunningError, match=f"process {holder.pid}"):
        DirectoryLock(tmp_path).acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    mine = DirectoryLock(tmp_path)
    mine.acquire()
    mine.release()


@pytest.mark.parametrize("damage", ["header", "pages", "truncated"])
async def test_a_damaged_journal_is_named_and_left_alone(tmp_path: Path, damage: str) -> None:
    database = await Database.open(tmp_path)
    await Journal(database).add([make_spec() for _ in range(50)])
    await database.close()
    path = tmp_path / "journal.sqlite3"
    data = bytearray(path.read_bytes())
    if damage == "header":
        data[:100] = b"\xff" * 100
    elif damage == "pages":
        data[4096:] = os.urandom(len(data) - 4096)
    else:
        del data[len(data) // 2 :]
    path.write_bytes(data)
    with pytest.raises(JournalCorruptError, match=r"journal\.sqlite3 is damaged.*left as it is"):
        await Database.open(tmp_path)
    assert path.read_bytes() == bytes(data)


async def test_a_locked_journal_says_busy_and_leaves_nothing_half_done(
    journal: Journal, database: Database
) -> None:
    spec = make_spec()
    foreign = sqlite3.connect(database.path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalBusyError, match="try again"):
        await journal.add([spec])
    assert await journal.find_request("x") == []  # readers are not held up
    foreign.execute("ROLLBACK")
    foreign.close()
    with pytest.raises(UnknownJobError):
        await journal.get(spec.job_id)
    await journal.add([spec])


async def test_a_result_waits_out_a_lock(journal: Journal, database: Database) -> None:
    spec = make_spec()
    await journal.add([spec])
    foreign = sqlite3.connect(database.path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    finishing = asyncio.create_task(journal.finish([done(spec)]))
    await quiet(0.5)
    assert not finishing.done()
    foreign.execute("ROLLBACK")
    foreign.close()
    assert await finishing == {spec.job_id}


async def test_a_full_disk_is_said_and_old_rows_stay_readable(
    journal: Journal, database: Database, outbox: Outbox
) -> None:
    """SQLite's page limit raises the very error a full disk does."""
    old, new = make_spec(), make_spec(origin={"text": "x" * 100_000})
    await journal.add([old])

    def limit(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes the present size instead

    def lift(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1000000")

    await database.write(limit)
    with pytest.raises(DiskFullError, match="not enough disk space"):
        await journal.add([new])
    assert (await journal.get(old.job_id)).state == "queued"
    with pytest.raises(UnknownJobError):
        await journal.get(new.job_id)
    await database.write(lift)
    await journal.add([new])


async def test_others_keep_tables_of_their_own(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "0001_votes.sql").write_text(
        "-- a comment; with a semicolon\nCREATE TABLE votes (job_id TEXT);\n"
    )
    bot = MigrationSet("bot", scripts)
    database = await Database.open(tmp_path / "data", migrations=[bot])
    assert await database.execute("INSERT INTO votes VALUES ('a')") == 1
    await database.close()
    (scripts / "0002_when.sql").write_text("ALTER TABLE votes ADD COLUMN cast_at REAL;\n")
    database = await Database.open(tmp_path / "data", migrations=[bot])
    assert [tuple(row) for row in await database.fetch("SELECT * FROM votes")] == [("a", None)]
    await database.close()
    (scripts / "0002_when.sql").unlink()
    with pytest.raises(JournalVersionError, match="newer AlbumGen"):
        await Database.open(tmp_path / "data", migrations=[bot])


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "0001_bad.sql").write_text("CREATE TABLE good (a);\nCREATE TABLE jobs (a);\n")
    with pytest.raises(sqlite3.OperationalError):
        await Database.open(tmp_path / "data", migrations=[MigrationSet("bot", scripts)])
    database = await Database.open(tmp_path / "data")
    assert await database.fetch("SELECT name FROM sqlite_master WHERE name = 'good'") == []
    await database.close()


def test_an_unfinished_statement_is_refused() -> None:
    with pytest.raises(ValueError, match="no end"):
        split_statements("CREATE TABLE a (b);\nCREATE TABLE c (")


async def test_waiting_writes_share_a_commit(database: Database, journal: Journal) -> None:
    """A burst must not pay one fsync each: the WAL gets one commit frame for many writes."""
    before = time.perf_counter()
    for _ in range(20):
        await journal.add([make_spec()])
    alone = (database.path.with_name("journal.sqlite3-wal").stat().st_size, time.perf_counter() - before)
    await asyncio.gather(*(journal.add([make_spec()]) for _ in range(20)))
    together = database.path.with_name("journal.sqlite3-wal").stat().st_size - alone[0]
    assert together < alone[0] / 2
