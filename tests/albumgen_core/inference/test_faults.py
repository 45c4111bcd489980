"""What can go wrong with a data folder, and with jobs at the edges of their life."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from albumgen_core.errors import ConfigError, DataDirectoryError, JournalCorruptError
from albumgen_core.files import DirectoryLock
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.database import Database
from albumgen_core.inference.settings import ClientSettings
from tests.albumgen_core.inference.conftest import RUNNERS, StartClient, make_spec
from tests.albumgen_core.inference.test_client import outcome_of, running
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]


def change(settings: ClientSettings, statement: str, *values: Any) -> None:
    """Write into the journal of a client that is closed."""
    with closing(sqlite3.connect(settings.data_dir / "journal.sqlite3")) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


# Cancelling at the edges


async def test_a_job_that_waits_for_its_cover_can_be_cancelled(client: InferenceClient) -> None:
    spec = make_spec()
    assert await client.receive(spec, request_key="i1")
    assert await client.cancel(spec.job_id)
    assert not await client.cancel(spec.job_id)
    handle = await client.submit(spec, b"cover", request_key="i1")
    assert await outcome_of(handle) == "cancelled"
    item = await client.outbox.take()
    assert item is not None
    assert [job.state for job in item.jobs] == ["cancelled"]
    assert list((client.settings.data_dir / "covers").glob("*")) == []
    assert (await client.status()).queued == 0


async def test_a_bundle_of_which_one_was_cancelled_goes_on_with_the_other(client: InferenceClient) -> None:
    pair = [make_spec(bundle_id="b", rag=rag) for rag in (True, False)]
    assert await client.receive(*pair, request_key="i1")
    assert await client.cancel(pair[0].job_id)
    handles = await client.submit_bundle(pair, b"cover", request_key="i1")
    assert [await outcome_of(handle) for handle in handles] == ["cancelled", "done"]
    assert [job.state for job in (await client.outbox.next()).jobs] == ["cancelled", "done"]


async def test_a_finished_job_can_be_cancelled_until_its_delivery_begins(client: InferenceClient) -> None:
    first = await client.submit(make_spec(), b"cover")
    folder = Path(str((await first.result()).result_dir))
    assert await client.cancel(first.job_id)
    assert (await client.record(first.job_id)).state == "cancelled"
    await eventually(lambda: not folder.exists())
    item = await client.outbox.next()
    assert [job.state for job in item.jobs] == ["cancelled"]
    await client.mark_delivered(item.delivery_id)
    second = await client.submit(make_spec(), b"cover")
    await second.result()
    await client.outbox.next()
    assert not await client.cancel(second.job_id)
    assert (await client.record(second.job_id)).state == "done"


# Rows that cannot be read


async def test_a_job_of_a_newer_version_is_set_aside_and_comes_back(start_client: StartClient) -> None:
    client = await start_client(runner=f"{RUNNERS}:unavailable")
    spec, other = make_spec(origin={"key": 1}), make_spec()
    for each in (spec, other):
        await client.submit(each, b"cover")
    await client.close()
    settings = client.settings
    row = json.loads(spec.to_json()) | {"voice": "alto"}
    change(settings, "UPDATE jobs SET spec = ? WHERE job_id = ?", json.dumps(row), spec.job_id)

    client = await start_client()
    assert (await client.status()).unreadable == 1
    assert await outcome_of(await client.subscribe(other.job_id)) == "done"
    assert (await client.outbox.next()).delivery_id == other.job_id
    await client.close()

    with closing(sqlite3.connect(settings.data_dir / "journal.sqlite3")) as connection, connection:
        kept = json.loads(connection.execute("SELECT row FROM unreadable_jobs").fetchone()[0])
        kept["spec"] = spec.to_json()  # as a version would see it that knows the field
        connection.execute("UPDATE unreadable_jobs SET row = ?", (json.dumps(kept),))
    client = await start_client()
    assert (await client.status()).unreadable == 0
    assert await outcome_of(await client.subscribe(spec.job_id)) == "done"
    assert (await client.record(spec.job_id)).spec.origin == {"key": 1}


@pytest.mark.parametrize("damage", ["{", "[]", '{"job_id": 7}', '{"job_id": "a", "version": 99}'])
async def test_a_damaged_row_does_not_keep_the_client_from_starting(
    start_client: StartClient, damage: str
) -> None:
    client = await start_client(runner=f"{RUNNERS}:unavailable")
    spec = make_spec()
    await client.submit(spec, b"cover")
    await client.close()
    change(client.settings, "UPDATE jobs SET spec = ? WHERE job_id = ?", damage, spec.job_id)
    client = await start_client()
    assert (await client.status()).unreadable == 1
    assert await outcome_of(await client.submit(make_spec(), b"cover")) == "done"


async def test_a_reply_whose_job_cannot_be_read_holds_no_other_up(start_client: StartClient) -> None:
    client = await start_client()
    first, second = make_spec(), make_spec()
    for spec in (first, second):
        await outcome_of(await client.submit(spec, b"cover"))
    await client.close()
    change(client.settings, "UPDATE jobs SET spec = '{' WHERE job_id = ?", first.job_id)
    client = await start_client()
    assert (await client.outbox.next()).delivery_id == second.job_id
    assert [job.job_id for job in await client.history.of_member("ann")] == [second.job_id]


# Replies


async def test_a_result_that_is_gone_is_told_at_once(client: InferenceClient) -> None:
    handle = await client.submit(make_spec(), b"cover")
    shutil.rmtree(str((await handle.result()).result_dir))
    (job,) = (await client.outbox.next()).jobs
    assert (job.state, job.error_code, job.result_dir) == ("failed", "core.result_missing", None)
    assert job.error == "The finished clip could not be found on disk."


async def test_a_reply_that_was_put_off_is_due_after_a_restart(start_client: StartClient) -> None:
    client = await start_client()
    handle = await client.submit(make_spec(), b"cover")
    await handle.result()
    item = await client.outbox.next()
    await client.outbox.retry_later(item.delivery_id, delay=900.0, error="401")
    assert await client.outbox.take() is None
    await client.close()
    client = await start_client()
    again = await client.outbox.take()
    assert again is not None
    assert (again.delivery_id, again.attempt) == (handle.job_id, 2)


async def test_errors_keep_their_code(client: InferenceClient) -> None:
    handle = await client.submit(make_spec("crash"), b"cover")
    assert "the engine stopped" in await outcome_of(handle)
    assert handle.now.code == "core.engine_stopped"
    record = await client.record(handle.job_id)
    assert (record.error_code, record.error) == ("core.engine_stopped", handle.now.error)


# Workers


async def test_a_batch_is_not_charged_for_the_memory_of_another(
    start_client: StartClient, tmp_path: Path
) -> None:
    client = await start_client(runner=f"{RUNNERS}:two_phases")
    mate = await client.submit(make_spec("files:gate", "work", seed=1))
    await running(mate, "encode")
    hungry = await client.submit(make_spec("oom", "oom", "work", seed=2))
    await eventually(lambda: len(client._supervisor.slots) == 1 and client._supervisor.slots[0].starts == 2)
    (tmp_path / "results" / "gate").touch()
    assert [await outcome_of(mate), await outcome_of(hungry)] == ["done", "done"]
    assert (await client.record(mate.job_id)).attempts == 0
    assert (await client.record(hungry.job_id)).attempts == 1


async def test_devices_that_do_not_fit_the_workers_leave_nothing_locked(settings: ClientSettings) -> None:
    with pytest.raises(ConfigError, match=r"inference\.devices"):
        await InferenceClient(replace(settings, workers=2, devices=("0",))).start()
    lock = DirectoryLock(settings.data_dir)
    lock.acquire()
    lock.release()


# The folder


async def test_nobody_else_can_read_the_journal(start_client: StartClient) -> None:
    client = await start_client()
    await client.submit(make_spec(origin={"token": "secret"}), b"cover")
    home = client.settings.data_dir
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.glob("journal.sqlite3*")}
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}
    await client.close()
    home.chmod(0o755)
    (home / "journal.sqlite3").chmod(0o644)  # as an earlier version left it
    await start_client()
    assert stat.S_IMODE((home / "journal.sqlite3").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


async def test_half_written_files_are_swept_at_a_start(start_client: StartClient) -> None:
    client = await start_client()
    home = client.settings.data_dir
    await client.close()
    strays = [home / "covers" / ".part-a", home / "results" / ".part-b", home / ".part-c"]
    strays += [home / "results" / "gone.partial" / "clip.mp3"]
    for path in strays:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    whole = home / "results" / "kept" / "result.json"
    whole.parent.mkdir()
    whole.write_bytes(b"{}")
    await start_client()
    assert [path for path in strays if path.exists()] == []
    assert whole.exists()


@pytest.mark.parametrize("content", [b"", b"x"])
async def test_an_empty_journal_beside_results_is_not_taken_for_a_new_one(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "results" / "a").mkdir(parents=True)
    journal = tmp_path / "journal.sqlite3"
    journal.write_bytes(content)
    with pytest.raises(JournalCorruptError, match="move it away"):
        await Database.open(tmp_path)
    assert journal.read_bytes() == content


async def test_an_empty_journal_beside_nothing_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite3").touch()
    await (await Database.open(tmp_path)).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_of_another_user_is_named(tmp_path: Path) -> None:
    home = tmp_path / "data"
    home.mkdir()
    for folder in (home, *list(home.parents)[:3]):
        folder.chmod(0o755)
    code = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from albumgen_core.inference.database import Database\n"
        "os.setuid(65534)\n"
        "asyncio.run(Database.open(Path(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert f"The data directory {home} cannot be written" in done.stderr.splitlines()[-1]


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirectoryError, match="cannot be written"):
        await Database.open(tmp_path / "file" / "data")
