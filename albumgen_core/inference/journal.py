"""The durable life of a job: received → queued → running → done, failed or cancelled.

Every method is one transaction, on disk before it returns. Whatever ends a job also puts a reply into
the outbox in the same transaction, so no answer is ever owed and forgotten.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from albumgen_core.errors import InferenceError, JobError, JobSpecError, UnknownJobError
from albumgen_core.inference.database import Database
from albumgen_core.inference.records import JobRecord, dumps, readable
from albumgen_core.jobs.spec import JobOutcome, JobSpec, read_spec

log = logging.getLogger(__name__)

MAX_INTERRUPTIONS = 10
"""Client deaths a job may live through: its own doing is unlikely, but a job that takes the machine down
each time must end some day."""

LEASE_SECONDS = 60.0
"""How long a running job is leased to its client before the lease has to be renewed."""

LOST_BEFORE_COVER = JobError(
    "AlbumGen was restarted before it had read this cover; please send it again.", "core.restarted"
)
GIVEN_UP = JobError(
    "This clip could not be made: AlbumGen was interrupted by it again and again.", "core.given_up"
)


@dataclass(frozen=True, slots=True)
class StageTiming:
    """How long a batch spent in one stage.

    Attributes:
        stage: its name.
        clip_seconds: length of the clips of the batch, in seconds.
        batch_size: jobs in the batch.
        elapsed: seconds.
    """

    stage: str
    clip_seconds: float
    batch_size: int
    elapsed: float


class Journal:
    """Writes a job's life into the database. `owner` names this client on the leases it takes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.owner = secrets.token_hex(8)

    async def add(
        self, specs: Sequence[JobSpec], *, request_key: str | None = None, received_only: bool = False
    ) -> list[JobRecord]:
        """Commit new jobs, or move received ones on to queued; on disk when this returns.

        Returns the jobs that were known and are left as they are: those of a replayed `request_key`, and
        received ones that were cancelled meanwhile. Raises InferenceError where a job id or bundle is taken.
        """
        now = time.time()

        def operation(connection: sqlite3.Connection) -> list[JobRecord]:
            ids = {spec.job_id for spec in specs}
            known: list[JobRecord] = []
            if request_key is not None:
                known = _select(connection, "request_key = ? ORDER BY request_index", (request_key,))
                if known and (received_only or {job.job_id for job in known} != ids):
                    return known
            for bundle in {spec.bundle_id for spec in specs if spec.bundle_id}:
                if any(job.job_id not in ids for job in _select(connection, "bundle_id = ?", (bundle,))):
                    raise InferenceError(f"The bundle {bundle} already has its jobs.")
            ended = [job for job in known if job.state != "received"]
            left = {job.job_id for job in ended}
            for index, spec in enumerate(specs):
                if spec.job_id not in left:
                    _upsert(connection, spec, request_key, index, now, received_only)
            return ended

        return await self.database.write(operation)

    async def mark_running(self, job_ids: Sequence[str], fences: Mapping[str, int] | None = None) -> None:
        """Note that jobs started, unless their run was given up meanwhile (see `finish`).

        Lazy: a run that is over within milliseconds shares its commit.
        """
        current = fences or {}
        now = time.time()

        def operation(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE jobs SET state = 'running', started_at = ?, lease_owner = ?, lease_until = ?"
                " WHERE job_id = ? AND state = 'queued' AND fence = coalesce(?, fence)",
                [(now, self.owner, now + LEASE_SECONDS, id_, current.get(id_)) for id_ in job_ids],
            )

        await self.database.write(operation, lazy=True, patient=True)

    async def renew(self, stages: Iterable[tuple[str, str]]) -> None:
        """Extend the leases of running jobs, given as (job id, current stage)."""
        until = time.time() + LEASE_SECONDS
        rows = [(stage, until, job_id) for job_id, stage in stages]

        def operation(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE jobs SET stage = ?, lease_until = ? WHERE job_id = ? AND state = 'running'", rows
            )

        await self.database.write(operation, lazy=True, patient=True)

    async def requeue(self, job_ids: Sequence[str], *, counted: bool, isolated: bool) -> None:
        """Put running jobs back in line; results of the run they were in are refused from now on.

        Args:
            job_ids: which.
            counted: count an attempt.
            isolated: run them alone from now on.
        """

        def operation(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE jobs SET state = 'queued', stage = 'queued', lease_owner = NULL, lease_until = NULL,"
                " attempts = attempts + ?, solo = max(solo, ?), fence = fence + 1"
                " WHERE job_id = ? AND state IN ('queued', 'running')",
                [(int(counted), int(isolated), job_id) for job_id in job_ids],
            )

        await self.database.write(operation, patient=True)

    async def finish(
        self,
        outcomes: Sequence[JobOutcome],
        timings: Sequence[StageTiming] = (),
        *,
        fences: Mapping[str, int] | None = None,
        patient: bool = True,
    ) -> set[str]:
        """Commit what became of jobs, with the replies that are owed. Returns the ids that were still alive.

        A job that had ended before (cancelled while its worker went on), or was deleted, is left alone and
        missing from the answer. So is one whose run was given up: its fence is no longer the one in `fences`
        (job id → fence); jobs without an entry are ended whatever their fence.
        """
        current = fences or {}
        now = time.time()

        def operation(connection: sqlite3.Connection) -> set[str]:
            ended = {o.job_id for o in outcomes if _end(connection, o, now, current.get(o.job_id))}
            if timings:
                connection.executemany(
                    "INSERT INTO stage_timings (stage, clip_seconds, batch_size, elapsed, recorded_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    [(t.stage, t.clip_seconds, t.batch_size, t.elapsed, now) for t in timings],
                )
            return ended

        return await self.database.write(operation, patient=patient)

    async def cancel_early_or_late(self, job_id: str) -> tuple[bool, str | None]:
        """Cancel a job that waits for its cover, or is done while no try to deliver it has begun.

        Returns whether it is cancelled now, and the result folder that is nobody's any more.
        """
        now = time.time()

        def operation(connection: sqlite3.Connection) -> tuple[bool, str | None]:
            rows = list(connection.execute("SELECT state, result_dir FROM jobs WHERE job_id = ?", (job_id,)))
            if not rows:
                return False, None
            if rows[0]["state"] == "received":
                return _end(connection, JobOutcome(job_id, "cancelled"), now), None
            cursor = connection.execute(
                "UPDATE jobs SET state = 'cancelled', result_dir = NULL WHERE job_id = ? AND state = 'done'"
                " AND NOT EXISTS (SELECT 1 FROM outbox WHERE delivery_id = coalesce(bundle_id, job_id)"
                " AND (attempts > 0 OR delivered_at IS NOT NULL))",
                (job_id,),
            )
            return cursor.rowcount == 1, rows[0]["result_dir"]

        cancelled, folder = await self.database.write(operation)
        return cancelled, folder if cancelled else None

    async def update_origin(self, job_id: str, changes: dict[str, Any]) -> None:
        """Merge fields into where the reply goes. Raises UnknownJobError."""
        # json_patch drops keys set to null, which is how a field is forgotten again.
        changed = await self.database.execute(
            "UPDATE jobs SET origin = json_patch(origin, ?) WHERE job_id = ?", (dumps(changes), job_id)
        )
        if not changed:
            raise UnknownJobError(job_id)

    async def recover(
        self, *, max_interruptions: int = MAX_INTERRUPTIONS, keep_received: bool = False
    ) -> list[JobRecord]:
        """After a start: what was running is queued again; returns all that is queued, oldest first.

        Received jobs get their apology, or stay as they are with `keep_received` (see `unread`). Unfinished
        jobs that cannot be read are set aside (see `unreadable`), and replies that were put off are due now.
        The directory's lock proves that every earlier owner is gone, so no lease needs waiting for.
        """
        now = time.time()

        def operation(connection: sqlite3.Connection) -> None:
            _read_again(connection)
            _set_aside_unreadable(connection, now)
            for job in _select(connection, "state IN ('received', 'running')"):
                given_up = job.interruptions + 1 > max_interruptions
                if job.state == "received" and (given_up or not keep_received):
                    _end(connection, JobOutcome.failed(job.job_id, LOST_BEFORE_COVER), now)
                elif job.state == "received":
                    connection.execute(
                        "UPDATE jobs SET interruptions = interruptions + 1 WHERE job_id = ?", (job.job_id,)
                    )
                elif given_up:
                    _end(connection, JobOutcome.failed(job.job_id, GIVEN_UP), now)
                else:
                    # From the second time on it runs alone: it may be what takes the machine down.
                    connection.execute(
                        "UPDATE jobs SET state = 'queued', stage = 'queued', lease_owner = NULL,"
                        " lease_until = NULL, interruptions = interruptions + 1, fence = fence + 1,"
                        " solo = max(solo, interruptions >= 1) WHERE job_id = ?",
                        (job.job_id,),
                    )
            # What kept a reply from being sent (a revoked token, an outage) may be over: try all at once.
            connection.execute(
                "UPDATE outbox SET leased_until = NULL, due_at = min(due_at, ?) WHERE delivered_at IS NULL",
                (now,),
            )

        await self.database.write(operation)
        rows = await self.database.fetch(
            "SELECT * FROM jobs WHERE state = 'queued' ORDER BY queued_at, rowid"
        )
        return readable(rows)

    async def unreadable(self) -> int:
        """How many unfinished jobs are set aside because this version cannot read them."""
        rows = await self.database.fetch("SELECT count(*) FROM unreadable_jobs")
        return int(rows[0][0])

    async def unread(self) -> list[JobRecord]:
        """Received jobs, whose cover has not been stored yet, oldest first."""
        rows = await self.database.fetch(
            "SELECT * FROM jobs WHERE state = 'received' ORDER BY received_at, request_index"
        )
        return readable(rows)

    async def find_request(self, request_key: str) -> list[JobRecord]:
        """The jobs of a request, in order; [] if it is new."""
        rows = await self.database.fetch(
            "SELECT * FROM jobs WHERE request_key = ? ORDER BY request_index", (request_key,)
        )
        return readable(rows)

    async def get(self, job_id: str) -> JobRecord:
        """One job. Raises UnknownJobError."""
        rows = await self.database.fetch("SELECT * FROM jobs WHERE job_id = ?", (job_id,))
        if not rows:
            raise UnknownJobError(job_id)
        return JobRecord.from_row(rows[0])


def _upsert(
    connection: sqlite3.Connection,
    spec: JobSpec,
    request_key: str | None,
    index: int,
    now: float,
    received_only: bool,
) -> None:
    cursor = connection.execute(
        "INSERT INTO jobs (job_id, state, spec, origin, group_key, member_key, cover_path, parent_id,"
        " root_id, bundle_id, request_key, request_index, received_at, queued_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (job_id) DO UPDATE SET state = excluded.state, spec = excluded.spec,"
        " origin = json_patch(jobs.origin, excluded.origin), cover_path = excluded.cover_path,"
        " queued_at = excluded.queued_at"
        " WHERE jobs.state = 'received' AND excluded.state = 'queued'",
        (
            spec.job_id,
            "received" if received_only else "queued",
            spec.to_json(),
            dumps(spec.origin),
            spec.group,
            spec.member,
            spec.cover_path,
            spec.parent_id,
            spec.root_id,
            spec.bundle_id,
            request_key,
            index,
            now,
            None if received_only else now,
        ),
    )
    if cursor.rowcount != 1:
        raise InferenceError(f"The job {spec.job_id} is already in the journal.")


def _end(connection: sqlite3.Connection, outcome: JobOutcome, now: float, fence: int | None = None) -> bool:
    """Give a live job its end and, once its whole bundle has ended, its place in the outbox."""
    cursor = connection.execute(
        "UPDATE jobs SET finished_at = ?, lease_owner = NULL, lease_until = NULL,"
        " state = ?, result_dir = ?, error = ?, error_code = ?, error_params = ?"
        " WHERE job_id = ? AND state IN ('received', 'queued', 'running') AND fence = coalesce(?, fence)",
        (
            now,
            outcome.status,
            outcome.result_dir,
            outcome.error,
            outcome.code or None,
            dumps(outcome.params) if outcome.params else None,
            outcome.job_id,
            fence,
        ),
    )
    if cursor.rowcount != 1:
        return False
    connection.execute(
        "INSERT INTO outbox (delivery_id, created_at, due_at)"
        " SELECT coalesce(mine.bundle_id, mine.job_id), ?1, ?1 FROM jobs AS mine WHERE mine.job_id = ?2"
        " AND (mine.bundle_id IS NULL OR NOT EXISTS (SELECT 1 FROM jobs AS mate"
        " WHERE mate.bundle_id = mine.bundle_id AND mate.state IN ('received', 'queued', 'running')))",
        (now, outcome.job_id),
    )
    return True


def _select(
    connection: sqlite3.Connection, condition: str, parameters: Sequence[Any] = ()
) -> list[JobRecord]:
    return readable(connection.execute(f"SELECT * FROM jobs WHERE {condition}", parameters))


def _set_aside_unreadable(connection: sqlite3.Connection, now: float) -> None:
    """Move unfinished jobs that cannot be read out of the way; they are kept as they are."""
    rows = connection.execute("SELECT * FROM jobs WHERE state IN ('received', 'queued', 'running')")
    for row in list(rows):
        try:
            JobRecord.from_row(row)
        except JobSpecError as error:
            log.error("job %s is set aside: %s", row["job_id"], error)
            connection.execute(
                "INSERT OR REPLACE INTO unreadable_jobs VALUES (?, ?, ?, ?, ?, ?)",
                (row["job_id"], row["group_key"], row["member_key"], dumps(dict(row)), str(error), now),
            )
            connection.execute("DELETE FROM jobs WHERE job_id = ?", (row["job_id"],))


def _read_again(connection: sqlite3.Connection) -> None:
    """Put back the jobs that an earlier start had set aside and this version can read."""
    columns = [row["name"] for row in connection.execute("PRAGMA table_info(jobs)")]
    for row in list(connection.execute("SELECT job_id, row FROM unreadable_jobs")):
        values = json.loads(row["row"])
        try:
            read_spec(values["spec"])
            json.loads(values["origin"])
        except (JobSpecError, ValueError):
            continue
        names = [name for name in columns if name in values]
        connection.execute(
            f"INSERT INTO jobs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            [values[name] for name in names],
        )
        connection.execute("DELETE FROM unreadable_jobs WHERE job_id = ?", (row["job_id"],))
