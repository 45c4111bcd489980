"""⭐ reactions on results: one row a member and message, and who has the most."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from albumgen_core.inference.database import Database
from bot.messages.message_log import KnownMessage, known_from

STAR = "⭐"


@dataclass(frozen=True, slots=True)
class Starred:
    """A result with its stars."""

    message: KnownMessage
    stars: int


class Stars:
    """Reads and writes bot_stars. Only results in servers are counted; a member counts once a message."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, message_id: int, user_id: int) -> None:
        """A member gave a star."""
        await self._database.execute(
            "INSERT OR IGNORE INTO bot_stars (message_id, user_id, starred_at) VALUES (?, ?, ?)",
            (message_id, user_id, time.time()),
        )

    async def remove(self, message_id: int, user_id: int) -> None:
        """A member took a star back."""
        await self._database.execute(
            "DELETE FROM bot_stars WHERE message_id = ? AND user_id = ?", (message_id, user_id)
        )

    async def replace(self, message_id: int, user_ids: Collection[int]) -> None:
        """These members, and no others, have starred a message."""
        now = time.time()

        def operation(connection: sqlite3.Connection) -> None:
            rows = connection.execute("SELECT user_id FROM bot_stars WHERE message_id = ?", (message_id,))
            before = {int(row[0]) for row in rows}
            connection.executemany(
                "DELETE FROM bot_stars WHERE message_id = ? AND user_id = ?",
                [(message_id, user) for user in before - set(user_ids)],
            )
            connection.executemany(
                "INSERT INTO bot_stars (message_id, user_id, starred_at) VALUES (?, ?, ?)",
                [(message_id, user, now) for user in set(user_ids) - before],
            )

        await self._database.write(operation)

    async def count(self, message_id: int) -> int:
        """How many members starred a message."""
        rows = await self._database.fetch(
            "SELECT count(*) FROM bot_stars WHERE message_id = ?", (message_id,)
        )
        return int(rows[0][0])

    async def channels(self, guild_id: int) -> list[int]:
        """The channels of a server that hold a starred result."""
        rows = await self._database.fetch(
            f"SELECT DISTINCT m.channel_id FROM {_SHOWN} AND m.guild_id = ?", (guild_id,)
        )
        return [int(row[0]) for row in rows]

    async def total(self, guild_id: int, channels: Collection[int]) -> int:
        """How many starred results these channels of a server hold."""
        where, values = _within(guild_id, channels)
        rows = await self._database.fetch(f"SELECT count(DISTINCT m.message_id) FROM {_SHOWN}{where}", values)
        return int(rows[0][0])

    async def ranking(
        self, guild_id: int, channels: Collection[int], *, start: int, limit: int
    ) -> list[Starred]:
        """The most starred results of these channels, from place `start` (0 is the first) on.

        Ties: the newer result first.
        """
        where, values = _within(guild_id, channels)
        rows = await self._database.fetch(
            f"SELECT m.*, count(*) AS stars FROM {_SHOWN}{where} GROUP BY m.message_id"
            " ORDER BY stars DESC, m.message_id DESC LIMIT ? OFFSET ?",
            (*values, limit, start),
        )
        return [Starred(known_from(row), int(row["stars"])) for row in rows]

    async def of_member(self, user_id: int, guild_id: int | None) -> list[dict[str, Any]]:
        """A member's stars, in one server or everywhere."""
        rows = await self._database.fetch(
            f"SELECT s.message_id, s.starred_at FROM bot_stars AS s WHERE {_MINE}", (user_id, guild_id)
        )
        return [dict(row) for row in rows]

    async def forget(self, user_id: int, guild_id: int | None) -> None:
        """Delete a member's stars, in one server or everywhere."""
        await self._database.execute(f"DELETE FROM bot_stars AS s WHERE {_MINE}", (user_id, guild_id))


_SHOWN = (
    "bot_stars AS s JOIN bot_messages AS m ON m.message_id = s.message_id"
    " WHERE m.deleted = 0 AND m.delivered_at IS NOT NULL"
)

_MINE = (
    "s.user_id = ?1 AND (?2 IS NULL OR s.message_id IN"
    " (SELECT m.message_id FROM bot_messages AS m WHERE m.guild_id = ?2))"
)


def _within(guild_id: int, channels: Collection[int]) -> tuple[str, Sequence[int]]:
    marks = ",".join("?" * len(channels))
    return f" AND m.guild_id = ? AND m.channel_id IN ({marks})", (guild_id, *channels)
