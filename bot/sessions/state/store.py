"""Where sessions live: every change is on disk before it is shown.

Rows are read into the values of `bot.sessions.state.model`; nothing is cached here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from albumgen_core.inference.database import Database
from bot.sessions.state.model import Entry, Session, SessionRecord, SessionState, Vote
from bot.sessions.state.rows import (
    SESSION_COLUMNS,
    as_sql,
    assignments,
    insert_entry,
    read_entries,
    read_members,
    read_record,
    read_votes,
    session_of,
    session_values,
    update_entry,
    vote_of,
    write_member,
)


class SessionStore:
    """Reads and writes the tables bot_session*."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # sessions

    async def create(self, session: Session) -> None:
        """Store a new session."""
        await self._insert("bot_sessions", session_values(session))

    async def get(self, session_id: str) -> Session | None:
        """A session, or None where it is not known."""
        found = await self._sessions("session_id = ?", (session_id,))
        return found[0] if found else None

    async def of_guild(self, guild_id: int, *, limit: int = 25) -> list[Session]:
        """A server's sessions, newest first."""
        return await self._sessions(
            "guild_id = ? ORDER BY created_at DESC, rowid DESC LIMIT ?", (guild_id, limit)
        )

    async def of_title(self, guild_id: int, title: str) -> Session | None:
        """A server's latest session of this title, in upper or lower case."""
        sessions = await self.of_guild(guild_id, limit=-1)
        wanted = title.strip().casefold()
        return next((session for session in sessions if session.title.strip().casefold() == wanted), None)

    async def of_event(self, event_id: int) -> Session | None:
        """The session that begins with a scheduled event."""
        found = await self._sessions("event_id = ? ORDER BY created_at DESC LIMIT 1", (event_id,))
        return found[0] if found else None

    async def in_states(self, *states: SessionState) -> list[Session]:
        """All sessions in one of these states, oldest first."""
        marks = ",".join("?" * len(states))
        return await self._sessions(f"state IN ({marks}) ORDER BY created_at, rowid", states)

    async def running(self) -> list[Session]:
        """All that run or are paused, oldest first."""
        return await self.in_states(SessionState.RUNNING, SessionState.PAUSED)

    async def update(self, session_id: str, **changes: Any) -> None:
        """Set columns of a session; names are those of `Session`'s attributes."""
        unknown = changes.keys() - set(SESSION_COLUMNS)
        if unknown:
            raise ValueError(f"a session has no {', '.join(sorted(unknown))}")
        await self.database.execute(
            f"UPDATE bot_sessions SET {assignments(changes)} WHERE session_id = ?",
            (*map(as_sql, changes.values()), session_id),
        )

    async def set_position(self, session_id: str, entry_id: int | None, clip: int, frames: int) -> None:
        """What plays, which of its takes, and where in it (frames of 20 ms)."""
        await self.update(session_id, current_entry_id=entry_id, current_clip=clip, position=frames)

    async def delete(self, session_id: str) -> None:
        """Remove a session and all that belongs to it."""
        await self.database.execute("DELETE FROM bot_sessions WHERE session_id = ?", (session_id,))

    # entries

    async def entries(self, session_id: str) -> list[Entry]:
        """A session's covers, in order of submission."""
        return await read_entries(self.database.fetch, session_id)

    async def add_entry(self, entry: Entry) -> Entry:
        """Store a new cover; returned with the session's next number as its `entry_id`."""

        def operation(connection: sqlite3.Connection) -> int:
            (number,) = connection.execute(
                "SELECT coalesce(max(entry_id), 0) + 1 FROM bot_session_entries WHERE session_id = ?",
                (entry.session_id,),
            ).fetchone()
            insert_entry(connection, replace(entry, entry_id=int(number)))
            write_member(connection, entry.session_id, entry.submitter_id, entry.submitter_name)
            return int(number)

        number = await self.database.write(operation)
        return replace(entry, entry_id=number)

    async def set_entry(self, entry: Entry) -> None:
        """Store a cover as it is now, its takes included; one that was deleted meanwhile stays so."""
        await self.database.write(lambda connection: update_entry(connection, entry))

    async def sessions_of_job(self, job_id: str) -> list[str]:
        """Ids of the sessions that play a job's clip."""
        rows = await self.database.fetch(
            "SELECT DISTINCT session_id FROM bot_session_clips WHERE job_id = ?", (job_id,)
        )
        return [str(row[0]) for row in rows]

    # votes

    async def votes(self, session_id: str) -> list[Vote]:
        """All votes of a session, in the order in which they were last changed."""
        return await read_votes(self.database.fetch, session_id)

    async def vote(
        self,
        session_id: str,
        entry_id: int,
        job_id: str,
        user_id: int,
        *,
        score: int | None = None,
        starred: bool | None = None,
    ) -> Vote:
        """Store a member's vote for a clip; what is None stays as it was. Returns the vote as it is now.

        Raises ValueError for a score outside 1 to 5.
        """
        at = time.time()
        Vote(session_id, entry_id, job_id, user_id, score)  # checks the score

        def operation(connection: sqlite3.Connection) -> Vote:
            row = connection.execute(
                "INSERT INTO bot_session_votes (session_id, entry_id, job_id, user_id, score, starred, at)"
                " VALUES (?1, ?2, ?3, ?4, ?5, coalesce(?6, 0), ?7)"
                " ON CONFLICT (session_id, job_id, user_id) DO UPDATE SET"
                " score = coalesce(?5, score), starred = coalesce(?6, starred), at = ?7 RETURNING *",
                (session_id, entry_id, job_id, user_id, score, starred, at),
            ).fetchone()
            return vote_of(row)

        return await self.database.write(operation)

    async def skip_voters(self, session_id: str, entry_id: int) -> set[int]:
        """Who wants an entry skipped."""
        rows = await self.database.fetch(
            "SELECT user_id FROM bot_session_skips WHERE session_id = ? AND entry_id = ?",
            (session_id, entry_id),
        )
        return {int(row[0]) for row in rows}

    async def add_skip(self, session_id: str, entry_id: int, user_id: int) -> None:
        """A member wants an entry skipped."""
        await self.database.execute(
            "INSERT OR IGNORE INTO bot_session_skips VALUES (?, ?, ?)", (session_id, entry_id, user_id)
        )

    async def clear_skips(self, session_id: str, entry_id: int) -> None:
        """Nobody wants an entry skipped any more."""
        await self.database.execute(
            "DELETE FROM bot_session_skips WHERE session_id = ? AND entry_id = ?", (session_id, entry_id)
        )

    # members

    async def members(self, session_id: str, *, listened: bool = False) -> dict[int, str]:
        """Names by user id of everyone who took part; with `listened`, of those who were in the channel."""
        return await read_members(self.database.fetch, session_id, listened=listened)

    async def note_member(self, session_id: str, user_id: int, name: str, *, listened: bool = False) -> None:
        """A member takes part."""
        await self.database.write(
            lambda connection: write_member(connection, session_id, user_id, name, listened=listened)
        )

    # the end

    async def record(self, session_id: str) -> SessionRecord:
        """A session with all that belongs to it. Raises LookupError where it is not known."""
        return await read_record(self.database.fetch, session_id)

    async def owed_recaps(self) -> list[Session]:
        """Ended sessions whose recap is not complete, oldest first."""
        return await self._sessions(
            "state = ? AND recap_at IS NULL ORDER BY ended_at, rowid", (SessionState.ENDED,)
        )

    async def recap_message(self, session_id: str) -> int | None:
        """The message that holds the recap, once it was sent."""
        rows = await self.database.fetch(
            "SELECT recap_message_id FROM bot_sessions WHERE session_id = ?", (session_id,)
        )
        return rows[0][0] if rows else None

    async def set_recap(self, session_id: str, message_id: int | None, *, complete: bool) -> None:
        """Note the recap's message, and whether nothing more is owed."""
        await self.database.execute(
            "UPDATE bot_sessions SET recap_message_id = ?, recap_at = ? WHERE session_id = ?",
            (message_id, time.time() if complete else None, session_id),
        )

    async def reopen(self, session_id: str) -> None:
        """An ended session runs again; it will owe another recap, as a change of the same message."""
        await self.database.execute(
            "UPDATE bot_sessions SET state = ?, ended_at = NULL, end_reason = NULL, recap_at = NULL"
            " WHERE session_id = ?",
            (SessionState.RUNNING, session_id),
        )

    # helpers

    async def _sessions(self, condition: str, parameters: Sequence[Any]) -> list[Session]:
        columns = ", ".join(SESSION_COLUMNS)
        rows = await self.database.fetch(f"SELECT {columns} FROM bot_sessions WHERE {condition}", parameters)
        return [session_of(row) for row in rows]

    async def _insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ",".join("?" * len(values))
        await self.database.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )
