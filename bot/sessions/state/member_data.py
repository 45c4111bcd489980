"""What the tables bot_session* hold of one member: reading and deleting it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumgen_core.inference.database import Database

_IN_GUILD = "(SELECT session_id FROM bot_sessions WHERE ?2 IS NULL OR guild_id = ?2)"
_TABLES = (
    ("hosted", "bot_sessions", "host_id"),
    ("took part", "bot_session_members", "user_id"),
    ("brought", "bot_session_entries", "submitter_id"),
    ("voted", "bot_session_votes", "user_id"),
)


@dataclass(frozen=True, slots=True)
class DeletedMemberData:
    """What `delete_member_data` touched.

    Attributes:
        sessions: ids of the sessions that the member was part of; what was made from them (recap pages,
            mixtapes) names the member still.
        covers: stored covers that are now nobody's, for the caller to remove.
    """

    sessions: tuple[str, ...]
    covers: tuple[Path, ...]


async def delete_member_data(
    database: Database, user_id: int, guild_id: int | None = None
) -> DeletedMemberData:
    """Delete a member's covers, votes and name from all sessions (of one server only, where given).

    Sessions that they hosted stay, without a host.
    """
    asked = (user_id, guild_id)

    def operation(connection: sqlite3.Connection) -> DeletedMemberData:
        touched = connection.execute(
            f"SELECT session_id FROM bot_session_members WHERE user_id = ?1 AND session_id IN {_IN_GUILD}"
            f" UNION SELECT session_id FROM bot_sessions WHERE host_id = ?1 AND session_id IN {_IN_GUILD}",
            asked,
        ).fetchall()
        covers = connection.execute(
            "SELECT cover_path FROM bot_session_entries WHERE submitter_id = ?1"
            f" AND cover_path IS NOT NULL AND session_id IN {_IN_GUILD}",
            asked,
        ).fetchall()
        for table, column in (
            ("bot_session_votes", "user_id"),
            ("bot_session_skips", "user_id"),
            ("bot_session_entries", "submitter_id"),
            ("bot_session_members", "user_id"),
        ):
            connection.execute(
                f"DELETE FROM {table} WHERE {column} = ?1 AND session_id IN {_IN_GUILD}", asked
            )
        connection.execute(
            f"UPDATE bot_sessions SET host_id = 0 WHERE host_id = ?1 AND session_id IN {_IN_GUILD}", asked
        )
        return DeletedMemberData(tuple(str(row[0]) for row in touched), tuple(Path(row[0]) for row in covers))

    return await database.write(operation)


async def read_member_data(
    database: Database, user_id: int, guild_id: int | None = None
) -> list[dict[str, Any]]:
    """What is kept of a member (of one server only, where given), one JSON-ready object a thing."""
    found: list[dict[str, Any]] = []
    for kind, table, column in _TABLES:
        rows = await database.fetch(
            f"SELECT * FROM {table} WHERE {column} = ?1 AND session_id IN {_IN_GUILD}", (user_id, guild_id)
        )
        found += [{"kind": kind} | dict(row) for row in rows]
    return found
