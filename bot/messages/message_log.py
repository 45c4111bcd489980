"""The table of messages that show jobs: how a reaction finds its clip after weeks and restarts."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

from albumgen_core.inference.database import Database
from albumgen_core.jobs.spec import JobSpec


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A row of bot_messages.

    Attributes:
        message_id, channel_id, guild_id, user_id: Discord's ids; user_id is who asked; guild_id None in DMs.
        job_id: the job, or a bundle's first; bundle_id: the bundle, or None.
        kind: how it is rendered ("take", "comparison").
        delivered_at: when the result came, seconds since the epoch; None before that.
        deleted: whether the message is gone.
    """

    message_id: int
    channel_id: int
    guild_id: int | None
    user_id: int
    job_id: str
    bundle_id: str | None
    kind: str
    delivered_at: float | None
    deleted: bool


_NAMES = tuple(field.name for field in fields(KnownMessage))
_COLUMNS = ", ".join(_NAMES)


class MessageLog:
    """Reads and writes bot_messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self,
        message_id: int,
        channel_id: int,
        specs: Sequence[JobSpec],
        *,
        delivered: bool,
        direct: bool = False,
    ) -> None:
        """Remember that a message shows these jobs (one, or a bundle).

        Args:
            message_id, channel_id: where it is.
            specs: of the jobs, in their order.
            delivered: whether it shows their result.
            direct: it is a direct message, wherever the jobs were asked for.

        Nothing is noted for jobs that the journal no longer has: whoever asked for them is forgotten.
        """
        first = specs[0]
        origin, now = first.origin, time.time()
        await self._database.execute(
            "INSERT INTO bot_messages (message_id, channel_id, guild_id, user_id, job_id, bundle_id, kind,"
            " sent_at, delivered_at) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM jobs"
            " WHERE job_id = ?) ON CONFLICT (message_id) DO UPDATE"
            " SET delivered_at = coalesce(bot_messages.delivered_at, excluded.delivered_at)",
            (
                message_id,
                channel_id,
                None if direct else origin.get("guild_id"),
                int(origin.get("user_id") or 0),
                first.job_id,
                first.bundle_id,
                str(origin.get("kind", "take")),
                now,
                now if delivered else None,
                first.job_id,
            ),
        )

    async def find(self, message_id: int) -> KnownMessage | None:
        """The row of a message, or None where it is not one of ours."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM bot_messages WHERE message_id = ?", (message_id,)
        )
        return known_from(rows[0]) if rows else None

    async def of_job(self, job_id: str) -> KnownMessage | None:
        """The newest message that shows a job."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM bot_messages WHERE job_id = ? ORDER BY message_id DESC LIMIT 1",
            (job_id,),
        )
        return known_from(rows[0]) if rows else None

    async def showing(self, job_id: str, bundle_id: str | None) -> KnownMessage | None:
        """The newest message that holds a job's result, alone or with its bundle, and is still there."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM bot_messages WHERE (job_id = ? OR bundle_id = ?) AND deleted = 0"
            " AND delivered_at IS NOT NULL ORDER BY message_id DESC LIMIT 1",
            (job_id, bundle_id),
        )
        return known_from(rows[0]) if rows else None

    async def mark_deleted(self, message_ids: Sequence[int]) -> None:
        """Note that messages are gone."""
        marks = ",".join("?" * len(message_ids))
        await self._database.execute(
            f"UPDATE bot_messages SET deleted = 1 WHERE message_id IN ({marks})", tuple(message_ids)
        )


def known_from(row: sqlite3.Row) -> KnownMessage:
    """From a row that has at least the columns of bot_messages."""
    values = {name: row[name] for name in _NAMES}
    return KnownMessage(**(values | {"deleted": bool(row["deleted"])}))
