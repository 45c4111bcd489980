"""Replies that are owed, until somebody has been told.

A deliverer's loop: `item = await outbox.next()`, send (with `item.delivery_id` as nonce; look for the message
first where `item.attempt > 1`), then exactly one of `mark_delivered`, `retry_later` or `drop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time

from albumgen_core.errors import JobError
from albumgen_core.files import is_folder
from albumgen_core.inference.database import Database
from albumgen_core.inference.records import OutboxItem, readable

log = logging.getLogger(__name__)

RESULT_MISSING = JobError("The finished clip could not be found on disk.", "core.result_missing")

SEND_LEASE = 120.0
"""Seconds after which a taken item that nobody reported on is handed out again."""

_LONGEST_WAIT = 30.0
_UNREADABLE_PAUSE = 3600.0


class Outbox:
    """The outbox of one journal; safe for several deliverers in one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Wake those who wait in `next`: something may be due."""
        self._changed.set()

    async def next(self, *, lease: float = SEND_LEASE) -> OutboxItem:
        """Wait for a due reply and take it for `lease` seconds. The try is on disk before this returns."""
        while True:
            self._changed.clear()
            item = await self.take(lease=lease)
            if item is not None:
                return item
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), await self._seconds_until_due())

    async def take(self, *, lease: float = SEND_LEASE) -> OutboxItem | None:
        """The longest due reply, or None when none is due now."""
        now = time.time()
        if not await self._database.fetch(f"SELECT 1 FROM outbox WHERE {_DUE} LIMIT 1", {"now": now}):
            return None

        def operation(connection: sqlite3.Connection) -> OutboxItem | None:
            rows = list(
                connection.execute(
                    f"SELECT * FROM outbox WHERE {_DUE} ORDER BY due_at, rowid LIMIT 1",
                    {"now": now},
                )
            )
            if not rows:
                return None
            row = rows[0]
            jobs = _jobs_of(connection, row["delivery_id"])
            gone = [
                job["job_id"] for job in jobs if job["state"] == "done" and not is_folder(job["result_dir"])
            ]
            if gone:
                # Removed by hand, or with a disk: the member is told so at once.
                log.error("the results of %s are gone from disk", ", ".join(gone))
                connection.executemany(
                    "UPDATE jobs SET state = 'failed', result_dir = NULL, error = ?, error_code = ?"
                    " WHERE job_id = ?",
                    [(str(RESULT_MISSING), RESULT_MISSING.code, job_id) for job_id in gone],
                )
                jobs = _jobs_of(connection, row["delivery_id"])
            readable_jobs = tuple(readable(jobs))
            if jobs and len(readable_jobs) < len(jobs):
                # Written by a newer version, or damaged: kept for a version that can read it.
                connection.execute(
                    "UPDATE outbox SET due_at = ?, last_error = 'unreadable' WHERE delivery_id = ?",
                    (now + _UNREADABLE_PAUSE, row["delivery_id"]),
                )
                return None
            connection.execute(
                "UPDATE outbox SET attempts = attempts + 1, attempted_at = ?, leased_until = ?"
                " WHERE delivery_id = ?",
                (now, now + lease, row["delivery_id"]),
            )
            return OutboxItem(
                delivery_id=row["delivery_id"],
                jobs=readable_jobs,
                attempt=row["attempts"] + 1,
                attempted_at=row["attempted_at"],
                created_at=row["created_at"],
            )

        return await self._database.write(operation)

    async def mark_delivered(self, delivery_id: str) -> bool:
        """The reply has reached its reader. False where that was known already (or never owed)."""
        return await self._close(delivery_id, None)

    async def drop(self, delivery_id: str, reason: str) -> bool:
        """Nobody can be told (message deleted, permission lost): never try again."""
        return await self._close(delivery_id, reason)

    async def retry_later(self, delivery_id: str, *, delay: float, error: str) -> None:
        """The try failed; hand the reply out again after `delay` seconds."""
        await self._database.execute(
            "UPDATE outbox SET due_at = ?, leased_until = NULL, last_error = ?"
            " WHERE delivery_id = ? AND delivered_at IS NULL",
            (time.time() + delay, error, delivery_id),
        )
        self.wake()

    async def pending(self) -> int:
        """How many replies are owed."""
        rows = await self._database.fetch("SELECT count(*) FROM outbox WHERE delivered_at IS NULL")
        return int(rows[0][0])

    async def _close(self, delivery_id: str, reason: str | None) -> bool:
        now = time.time()

        def operation(connection: sqlite3.Connection) -> bool:
            cursor = connection.execute(
                "UPDATE outbox SET delivered_at = ?, dropped = ?"
                " WHERE delivery_id = ? AND delivered_at IS NULL",
                (now, reason, delivery_id),
            )
            if cursor.rowcount != 1:
                return False
            connection.execute(
                "UPDATE jobs SET delivered_at = ?1, state = iif(state = 'done', 'delivered', state)"
                " WHERE bundle_id = ?2 OR (job_id = ?2 AND bundle_id IS NULL)",
                (now, delivery_id),
            )
            return True

        return await self._database.write(operation, patient=True)

    async def _seconds_until_due(self) -> float:
        """Seconds until a reply falls due by itself (a retry, or a lease that ran out)."""
        rows = await self._database.fetch(
            "SELECT min(max(due_at, coalesce(leased_until, 0))) FROM outbox WHERE delivered_at IS NULL"
        )
        due = rows[0][0]
        return _LONGEST_WAIT if due is None else min(max(due - time.time(), 0.005), _LONGEST_WAIT)


def _jobs_of(connection: sqlite3.Connection, delivery_id: str) -> list[sqlite3.Row]:
    return list(
        connection.execute(
            "SELECT * FROM jobs WHERE bundle_id = ?1 OR (job_id = ?1 AND bundle_id IS NULL)"
            " ORDER BY request_index, rowid",
            (delivery_id,),
        )
    )


_DUE = "delivered_at IS NULL AND due_at <= :now AND coalesce(leased_until, 0) <= :now"
