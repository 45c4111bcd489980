"""Where sessions live: every change is on disk before it is shown.

Rows are read into the values of `bot.sessions.state.model`; nothing is cached here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from albumgen_core.inference.database import Database
from bot.sessions.state.model import (
    Clip,
    EndReason,
    Entry,
    EntryState,
    Session,
    SessionRecord,
    SessionState,
    Vote,
)

_SESSION_COLUMNS = tuple(Session.__dataclass_fields__)
_ENTRY_COLUMNS = (
    "session_id",
    "entry_id",
    "submitter_id",
    "submitter_name",
    "title",
    "state",
    "submitted_at",
    "played_at",
    "cover_path",
    "error",
    "turn",
    "closed_at",
)


@dataclass(frozen=True, slots=True)
class ForgottenMember:
    """What `SessionStore.forget_member` touched.

    Attributes:
        sessions: ids of the sessions that the member was part of; what was made from them (recap pages,
            mixtapes) names the member still.
        covers: stored covers that are now nobody's, for the caller to remove.
    """

    sessions: tuple[str, ...]
    covers: tuple[Path, ...]


class SessionStore:
    """Reads and writes the tables bot_session*."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # sessions

    async def create(self, session: Session) -> None:
        """Store a new session."""
        await self._insert("bot_sessions", _session_values(session))

    async def get(self, session_id: str) -> Session | None:
        """A session, or None where it is not known."""
        found = await self._sessions("session_id = ?", (session_id,))
        return found[0] if found else None

    async def of_guild(self, guild_id: int, *, limit: int = 25) -> list[Session]:
        """A server's sessions, newest first."""
        return await self._sessions(
            "guild_id = ? ORDER BY created_at DESC, rowid DESC LIMIT ?", (guild_id, limit)
        )

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
        unknown = changes.keys() - set(_SESSION_COLUMNS)
        if unknown:
            raise ValueError(f"a session has no {', '.join(sorted(unknown))}")
        await self._database.execute(
            f"UPDATE bot_sessions SET {_assignments(changes)} WHERE session_id = ?",
            (*map(_plain, changes.values()), session_id),
        )

    async def set_position(self, session_id: str, entry_id: int | None, clip: int, frames: int) -> None:
        """What plays, which of its takes, and where in it (frames of 20 ms)."""
        await self.update(session_id, current_entry_id=entry_id, current_clip=clip, position=frames)

    async def delete(self, session_id: str) -> None:
        """Remove a session and all that belongs to it."""
        await self._database.execute("DELETE FROM bot_sessions WHERE session_id = ?", (session_id,))

    # entries

    async def entries(self, session_id: str) -> list[Entry]:
        """A session's covers, in order of submission."""
        clips: dict[int, list[Clip]] = {}
        for row in await self._database.fetch(
            "SELECT * FROM bot_session_clips WHERE session_id = ? ORDER BY entry_id, clip_index",
            (session_id,),
        ):
            clips.setdefault(row["entry_id"], []).append(_clip(row))
        rows = await self._database.fetch(
            "SELECT * FROM bot_session_entries WHERE session_id = ? ORDER BY entry_id", (session_id,)
        )
        return [_entry(row, clips.get(row["entry_id"], [])) for row in rows]

    async def add_entry(self, entry: Entry) -> Entry:
        """Store a new cover; returned with the session's next number as its `entry_id`."""

        def operation(connection: sqlite3.Connection) -> int:
            (number,) = connection.execute(
                "SELECT coalesce(max(entry_id), 0) + 1 FROM bot_session_entries WHERE session_id = ?",
                (entry.session_id,),
            ).fetchone()
            _insert_entry(connection, replace(entry, entry_id=int(number)))
            _write_member(connection, entry.session_id, entry.submitter_id, entry.submitter_name)
            return int(number)

        number = await self._database.write(operation)
        return replace(entry, entry_id=number)

    async def set_entry(self, entry: Entry) -> None:
        """Store a cover as it is now, its takes included; one that was deleted meanwhile stays so."""
        await self._database.write(lambda connection: _update_entry(connection, entry))

    async def sessions_of_job(self, job_id: str) -> list[str]:
        """Ids of the sessions that play a job's clip."""
        rows = await self._database.fetch(
            "SELECT DISTINCT session_id FROM bot_session_clips WHERE job_id = ?", (job_id,)
        )
        return [str(row[0]) for row in rows]

    # votes

    async def votes(self, session_id: str) -> list[Vote]:
        """All votes of a session, in the order in which they were last changed."""
        rows = await self._database.fetch(
            "SELECT * FROM bot_session_votes WHERE session_id = ? ORDER BY at, rowid", (session_id,)
        )
        return [_vote(row) for row in rows]

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
            return _vote(row)

        return await self._database.write(operation)

    async def skip_voters(self, session_id: str, entry_id: int) -> set[int]:
        """Who wants an entry skipped."""
        rows = await self._database.fetch(
            "SELECT user_id FROM bot_session_skips WHERE session_id = ? AND entry_id = ?",
            (session_id, entry_id),
        )
        return {int(row[0]) for row in rows}

    async def add_skip(self, session_id: str, entry_id: int, user_id: int) -> None:
        """A member wants an entry skipped."""
        await self._database.execute(
            "INSERT OR IGNORE INTO bot_session_skips VALUES (?, ?, ?)", (session_id, entry_id, user_id)
        )

    async def clear_skips(self, session_id: str, entry_id: int) -> None:
        """Nobody wants an entry skipped any more."""
        await self._database.execute(
            "DELETE FROM bot_session_skips WHERE session_id = ? AND entry_id = ?", (session_id, entry_id)
        )

    # members

    async def members(self, session_id: str, *, listened: bool = False) -> dict[int, str]:
        """Names by user id of everyone who took part; with `listened`, of those who were in the channel."""
        rows = await self._database.fetch(
            "SELECT user_id, name FROM bot_session_members WHERE session_id = ? AND listened >= ?"
            " ORDER BY rowid",
            (session_id, listened),
        )
        return {int(row["user_id"]): str(row["name"]) for row in rows}

    async def note_member(self, session_id: str, user_id: int, name: str, *, listened: bool = False) -> None:
        """A member takes part."""
        await self._database.write(
            lambda connection: _write_member(connection, session_id, user_id, name, listened=listened)
        )

    async def forget_member(self, user_id: int, guild_id: int | None = None) -> ForgottenMember:
        """Delete a member's covers, votes and name from all sessions (of one server only, where given).

        Sessions that they hosted stay, without a host.
        """
        where = "(SELECT session_id FROM bot_sessions WHERE ?2 IS NULL OR guild_id = ?2)"

        def operation(connection: sqlite3.Connection) -> ForgottenMember:
            asked = (user_id, guild_id)
            touched = connection.execute(
                f"SELECT session_id FROM bot_session_members WHERE user_id = ?1 AND session_id IN {where}"
                f" UNION SELECT session_id FROM bot_sessions WHERE host_id = ?1 AND session_id IN {where}",
                asked,
            ).fetchall()
            covers = connection.execute(
                "SELECT cover_path FROM bot_session_entries WHERE submitter_id = ?1"
                f" AND cover_path IS NOT NULL AND session_id IN {where}",
                asked,
            ).fetchall()
            for table, column in (
                ("bot_session_votes", "user_id"),
                ("bot_session_skips", "user_id"),
                ("bot_session_entries", "submitter_id"),
                ("bot_session_members", "user_id"),
            ):
                connection.execute(
                    f"DELETE FROM {table} WHERE {column} = ?1 AND session_id IN {where}", asked
                )
            connection.execute(
                f"UPDATE bot_sessions SET host_id = 0 WHERE host_id = ?1 AND session_id IN {where}", asked
            )
            return ForgottenMember(
                tuple(str(row[0]) for row in touched), tuple(Path(row[0]) for row in covers)
            )

        return await self._database.write(operation)

    async def tell_member(self, user_id: int, guild_id: int | None = None) -> list[dict[str, Any]]:
        """What is kept of a member (of one server only, where given), one JSON-ready object a thing."""
        told: list[dict[str, Any]] = []
        for kind, table, column in (
            ("hosted", "bot_sessions", "host_id"),
            ("took part", "bot_session_members", "user_id"),
            ("brought", "bot_session_entries", "submitter_id"),
            ("voted", "bot_session_votes", "user_id"),
        ):
            rows = await self._database.fetch(
                f"SELECT * FROM {table} WHERE {column} = ?1 AND session_id IN"
                " (SELECT session_id FROM bot_sessions WHERE ?2 IS NULL OR guild_id = ?2)",
                (user_id, guild_id),
            )
            told += [{"kind": kind} | dict(row) for row in rows]
        return told

    # the end

    async def record(self, session_id: str) -> SessionRecord:
        """A session with all that belongs to it. Raises LookupError where it is not known."""
        session = await self.get(session_id)
        if session is None:
            raise LookupError(session_id)
        return SessionRecord(
            session,
            tuple(await self.entries(session_id)),
            tuple(await self.votes(session_id)),
            await self.members(session_id),
        )

    async def owed_recaps(self) -> list[Session]:
        """Ended sessions whose recap is not complete, oldest first."""
        return await self._sessions(
            "state = ? AND recap_at IS NULL ORDER BY ended_at, rowid", (SessionState.ENDED,)
        )

    async def recap_message(self, session_id: str) -> int | None:
        """The message that holds the recap, once it was sent."""
        rows = await self._database.fetch(
            "SELECT recap_message_id FROM bot_sessions WHERE session_id = ?", (session_id,)
        )
        return rows[0][0] if rows else None

    async def set_recap(self, session_id: str, message_id: int | None, *, complete: bool) -> None:
        """RecapManifest the recap's message, and whether nothing more is owed."""
        await self._database.execute(
            "UPDATE bot_sessions SET recap_message_id = ?, recap_at = ? WHERE session_id = ?",
            (message_id, time.time() if complete else None, session_id),
        )

    async def reopen(self, session_id: str) -> None:
        """An ended session runs again; it will owe another recap, as a change of the same message."""
        await self._database.execute(
            "UPDATE bot_sessions SET state = ?, ended_at = NULL, end_reason = NULL, recap_at = NULL"
            " WHERE session_id = ?",
            (SessionState.RUNNING, session_id),
        )

    # helpers

    async def _sessions(self, condition: str, parameters: Sequence[Any]) -> list[Session]:
        columns = ", ".join(_SESSION_COLUMNS)
        rows = await self._database.fetch(f"SELECT {columns} FROM bot_sessions WHERE {condition}", parameters)
        return [_session(row) for row in rows]

    async def _insert(self, table: str, values: dict[str, Any]) -> None:
        marks = ",".join("?" * len(values))
        await self._database.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
        )


def _insert_entry(connection: sqlite3.Connection, entry: Entry) -> None:
    marks = ",".join("?" * len(_ENTRY_COLUMNS))
    connection.execute(
        f"INSERT INTO bot_session_entries ({', '.join(_ENTRY_COLUMNS)}) VALUES ({marks})",
        [_plain(getattr(entry, name)) for name in _ENTRY_COLUMNS],
    )
    _write_clips(connection, entry)


def _update_entry(connection: sqlite3.Connection, entry: Entry) -> None:
    values = {name: _plain(getattr(entry, name)) for name in _ENTRY_COLUMNS[2:]}
    changed = connection.execute(
        f"UPDATE bot_session_entries SET {_assignments(values)} WHERE session_id = ? AND entry_id = ?",
        (*values.values(), entry.session_id, entry.entry_id),
    )
    if changed.rowcount:
        _write_clips(connection, entry)


def _write_clips(connection: sqlite3.Connection, entry: Entry) -> None:
    place = (entry.session_id, entry.entry_id)
    connection.execute("DELETE FROM bot_session_clips WHERE session_id = ? AND entry_id = ?", place)
    connection.executemany(
        "INSERT INTO bot_session_clips VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (*place, index, clip.job_id, clip.rag, _plain(clip.result_dir), clip.seconds)
            for index, clip in enumerate(entry.clips)
        ],
    )


def _write_member(
    connection: sqlite3.Connection, session_id: str, user_id: int, name: str, *, listened: bool = False
) -> None:
    connection.execute(
        "INSERT INTO bot_session_members VALUES (?, ?, ?, ?) ON CONFLICT (session_id, user_id) DO UPDATE"
        " SET name = excluded.name, listened = max(listened, excluded.listened)",
        (session_id, user_id, name, listened),
    )


def _session_values(session: Session) -> dict[str, Any]:
    return {name: _plain(getattr(session, name)) for name in _SESSION_COLUMNS}


def _session(row: sqlite3.Row) -> Session:
    values = dict(row)
    reason = values["end_reason"]
    return Session(
        **values
        | {
            "blind": bool(values["blind"]),
            "versus": bool(values["versus"]),
            "state": SessionState(values["state"]),
            "end_reason": EndReason(reason) if reason is not None else None,
        }
    )


def _clip(row: sqlite3.Row) -> Clip:
    folder = row["result_dir"]
    return Clip(row["job_id"], bool(row["rag"]), Path(folder) if folder else None, row["seconds"])


def _entry(row: sqlite3.Row, clips: Sequence[Clip]) -> Entry:
    values = {name: row[name] for name in _ENTRY_COLUMNS}
    path = values["cover_path"]
    return Entry(
        **values
        | {
            "clips": tuple(clips),
            "state": EntryState(values["state"]),
            "cover_path": Path(path) if path else None,
        }
    )


def _vote(row: sqlite3.Row) -> Vote:
    return Vote(
        row["session_id"],
        row["entry_id"],
        row["job_id"],
        row["user_id"],
        row["score"],
        bool(row["starred"]),
        row["at"],
    )


def _assignments(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name} = ?" for name in changes)


def _plain(value: Any) -> Any:
    """What SQLite takes: paths and enumerations as text."""
    return str(value) if isinstance(value, Path | SessionState | EndReason | EntryState) else value
