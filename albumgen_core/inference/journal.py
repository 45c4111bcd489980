"""The durable life of a job: received → queued → running → done, failed or cancelled.

Every method is one transaction, on disk before it returns. Whatever ends a job also puts a reply into
the outbox in the same transaction, so no answer is ever owed and forgotten.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from albumgen_core.errors import InferenceError, UnknownJobError
from albumgen_core.inference.database import Database
from albumgen_core.inference.records import JobRecord, dumps, spec_columns
from albumgen_core.jobs.spec import JobOutcome, JobSpec

MAX_INTERRUPTIONS = 10
"""Client deaths a job may live through: its own doing is unlikely, but a job that takes the machine down
each time must end some day."""

LEASE_SECONDS = 60.0
"""How long a running job is leased to its client before the lease has to be renewed."""

LOST_BEFORE_COVER = "AlbumGen was restarted before it had read this cover; please send it again."
GIVEN_UP = "This clip could not be made: AlbumGen was interrupted by it again and again."


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
    ) -> list[JobRecord] | None:
        """Commit new jobs; None once they are on disk.

        A replayed `request_key` adds nothing and returns the jobs of its first time, in order. Jobs that
        were only received are moved on to queued. Raises InferenceError where a job id or bundle is taken.
        """
        now = time.time()

        def operation(connection: sqlite3.Connection) -> list[JobRecord] | None:
            ids = {spec.job_id for spec in specs}
            if request_key is not None:
                known = _select(connection, "request_key = ? ORDER BY request_index", (request_key,))
                waiting = all(job.state == "received" for job in known) and {j.job_id for j in known} == ids
                if known and (received_only or not waiting):
                    return known
            for bundle in {spec.bundle_id for spec in specs if spec.bundle_id}:
                if any(job.job_id not in ids for job in _select(connection, "bundle_id = ?", (bundle,))):
                    raise InferenceError(f"The bundle {bundle} already has its jobs.")
            for index, spec in enumerate(specs):
                _upsert(connection, spec, request_key, index, now, received_only)
            return None

        return await self.database.write(operation)

    async def mark_running(self, job_ids: Sequence[str]) -> None:
        """Note that jobs started. Lazy: a run that is over within milliseconds shares its commit."""
        now = time.time()

        def operation(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE jobs SET state = 'running', started_at = ?, lease_owner = ?, lease_until = ?"
                " WHERE job_id = ? AND state = 'queued'",
                [(now, self.owner, now + LEASE_SECONDS, job_id) for job_id in job_ids],
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

    async def requeue(self, job_ids: Sequence[str], *, broken: bool, solo: bool) -> None:
        """Put running jobs back in line.

        Args:
            job_ids: which.
            broken: count an attempt.
            solo: forbid batch mates from now on.
        """

        def operation(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE jobs SET state = 'queued', stage = 'queued', lease_owner = NULL, lease_until = NULL,"
                " attempts = attempts + ?, solo = max(solo, ?)"
                " WHERE job_id = ? AND state IN ('queued', 'running')",
                [(int(broken), int(solo), job_id) for job_id in job_ids],
            )

        await self.database.write(operation, patient=True)

    async def finish(
        self, outcomes: Sequence[JobOutcome], timings: Sequence[StageTiming] = (), *, patient: bool = True
    ) -> set[str]:
        """Commit what became of jobs, with the replies that are owed. Returns the ids that were still alive.

        A job that had ended before (cancelled while its worker went on), or was deleted, is left alone and
        missing from the answer.
        """
        now = time.time()

        def operation(connection: sqlite3.Connection) -> set[str]:
            ended = {outcome.job_id for outcome in outcomes if _end(connection, outcome, now)}
            if timings:
                connection.executemany(
                    "INSERT INTO stage_timings (stage, clip_seconds, batch_size, elapsed, recorded_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    [(t.stage, t.clip_seconds, t.batch_size, t.elapsed, now) for t in timings],
                )
            return ended

        return await self.database.write(operation, patient=patient)

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

        Received jobs get their apology, or stay as they are with `keep_received` (see `unread`).
        The directory's lock proves that every earlier owner is gone, so no lease needs waiting for.
        """
        now = time.time()

        def operation(connection: sqlite3.Connection) -> None:
            for job in _select(connection, "state IN ('received', 'running')"):
                given_up = job.interruptions + 1 > max_interruptions
                if job.state == "received" and (given_up or not keep_received):
                    _end(connection, JobOutcome(job.job_id, "failed", error=LOST_BEFORE_COVER), now)
                elif job.state == "received":
                    connection.execute(
                        "UPDATE jobs SET interruptions = interruptions + 1 WHERE job_id = ?", (job.job_id,)
                    )
                elif given_up:
                    _end(connection, JobOutcome(job.job_id, "failed", error=GIVEN_UP), now)
                else:
                    # From the second time on it runs alone: it may be what takes the machine down.
                    connection.execute(
                        "UPDATE jobs SET state = 'queued', stage = 'queued', lease_owner = NULL,"
                        " lease_until = NULL, interruptions = interruptions + 1,"
                        " solo = max(solo, interruptions >= 1) WHERE job_id = ?",
                        (job.job_id,),
                    )
            connection.execute("UPDATE outbox SET leased_until = NULL WHERE delivered_at IS NULL")

        await self.database.write(operation)
        rows = await self.database.fetch(
            "SELECT * FROM jobs WHERE state = 'queued' ORDER BY queued_at, rowid"
        )
        return [JobRecord.from_row(row) for row in rows]

    async def unread(self) -> list[JobRecord]:
        """Received jobs, whose cover has not been stored yet, oldest first."""
        rows = await self.database.fetch(
            "SELECT * FROM jobs WHERE state = 'received' ORDER BY received_at, request_index"
        )
        return [JobRecord.from_row(row) for row in rows]

    async def find_request(self, request_key: str) -> list[JobRecord]:
        """The jobs of a request, in order; [] if it is new."""
        rows = await self.database.fetch(
            "SELECT * FROM jobs WHERE request_key = ? ORDER BY request_index", (request_key,)
        )
        return [JobRecord.from_row(row) for row in rows]

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
    body, origin = spec_columns(spec)
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
            body,
            origin,
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


def _end(connection: sqlite3.Connection, outcome: JobOutcome, now: float) -> bool:
    """Give a live job its end and, once its whole bundle has ended, its place in the outbox."""
    cursor = connection.execute(
        "UPDATE jobs SET finished_at = ?, lease_owner = NULL, lease_until = NULL,"
        " state = ?, result_dir = ?, error = ?"
        " WHERE job_id = ? AND state IN ('received', 'queued', 'running')",
        (now, outcome.status, outcome.result_dir, outcome.error, outcome.job_id),
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
    rows = connection.execute(f"SELECT * FROM jobs WHERE {condition}", parameters)
    return [JobRecord.from_row(row) for row in rows]
