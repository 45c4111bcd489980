"""Rows of the tables bot_session*: read into the values of `bot.sessions.state.model`, and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

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

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[sqlite3.Row]]]
"""Rows of a query with its parameters, as `Database.fetch` gives them."""

SESSION_COLUMNS = tuple(Session.__dataclass_fields__)
ENTRY_COLUMNS = (
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


async def read_record(fetch: Fetch, session_id: str) -> SessionRecord:
    """A session with all that belongs to it. Raises LookupError where it is not known."""
    columns = ", ".join(SESSION_COLUMNS)
    rows = await fetch(f"SELECT {columns} FROM bot_sessions WHERE session_id = ?", (session_id,))
    if not rows:
        raise LookupError(session_id)
    return SessionRecord(
        session_of(rows[0]),
        tuple(await read_entries(fetch, session_id)),
        tuple(await read_votes(fetch, session_id)),
        await read_members(fetch, session_id),
    )


async def read_entries(fetch: Fetch, session_id: str) -> list[Entry]:
    """A session's covers, in order of submission."""
    clips: dict[int, list[Clip]] = {}
    for row in await fetch(
        "SELECT * FROM bot_session_clips WHERE session_id = ? ORDER BY entry_id, clip_index", (session_id,)
    ):
        clips.setdefault(row["entry_id"], []).append(clip_of(row))
    rows = await fetch(
        "SELECT * FROM bot_session_entries WHERE session_id = ? ORDER BY entry_id", (session_id,)
    )
    return [entry_of(row, clips.get(row["entry_id"], [])) for row in rows]


async def read_votes(fetch: Fetch, session_id: str) -> list[Vote]:
    """All votes of a session, in the order in which they were last changed."""
    rows = await fetch(
        "SELECT * FROM bot_session_votes WHERE session_id = ? ORDER BY at, rowid", (session_id,)
    )
    return [vote_of(row) for row in rows]


async def read_members(fetch: Fetch, session_id: str, *, listened: bool = False) -> dict[int, str]:
    """Names by user id of everyone who took part; with `listened`, of those who were in the channel."""
    rows = await fetch(
        "SELECT user_id, name FROM bot_session_members WHERE session_id = ? AND listened >= ? ORDER BY rowid",
        (session_id, listened),
    )
    return {int(row["user_id"]): str(row["name"]) for row in rows}


def insert_entry(connection: sqlite3.Connection, entry: Entry) -> None:
    """Insert an entry with its takes."""
    marks = ",".join("?" * len(ENTRY_COLUMNS))
    connection.execute(
        f"INSERT INTO bot_session_entries ({', '.join(ENTRY_COLUMNS)}) VALUES ({marks})",
        [as_sql(getattr(entry, name)) for name in ENTRY_COLUMNS],
    )
    _write_clips(connection, entry)


def update_entry(connection: sqlite3.Connection, entry: Entry) -> None:
    """Overwrite an entry and its takes; nothing happens where it was deleted."""
    values = {name: as_sql(getattr(entry, name)) for name in ENTRY_COLUMNS[2:]}
    changed = connection.execute(
        f"UPDATE bot_session_entries SET {assignments(values)} WHERE session_id = ? AND entry_id = ?",
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
            (*place, index, clip.job_id, clip.rag, as_sql(clip.result_dir), clip.seconds)
            for index, clip in enumerate(entry.clips)
        ],
    )


def write_member(
    connection: sqlite3.Connection, session_id: str, user_id: int, name: str, *, listened: bool = False
) -> None:
    """Insert a member, or change the name; who listened once stays a listener."""
    connection.execute(
        "INSERT INTO bot_session_members VALUES (?, ?, ?, ?) ON CONFLICT (session_id, user_id) DO UPDATE"
        " SET name = excluded.name, listened = max(listened, excluded.listened)",
        (session_id, user_id, name, listened),
    )


def session_values(session: Session) -> dict[str, Any]:
    """Column to SQL value."""
    return {name: as_sql(getattr(session, name)) for name in SESSION_COLUMNS}


def session_of(row: sqlite3.Row) -> Session:
    """SESSION_COLUMNS as a session."""
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


def clip_of(row: sqlite3.Row) -> Clip:
    """A row of bot_session_clips."""
    folder = row["result_dir"]
    return Clip(row["job_id"], bool(row["rag"]), Path(folder) if folder else None, row["seconds"])


def entry_of(row: sqlite3.Row, clips: Sequence[Clip]) -> Entry:
    """A row of bot_session_entries with its takes."""
    values = {name: row[name] for name in ENTRY_COLUMNS}
    path = values["cover_path"]
    return Entry(
        **values
        | {
            "clips": tuple(clips),
            "state": EntryState(values["state"]),
            "cover_path": Path(path) if path else None,
        }
    )


def vote_of(row: sqlite3.Row) -> Vote:
    """A row of bot_session_votes."""
    return Vote(
        row["session_id"],
        row["entry_id"],
        row["job_id"],
        row["user_id"],
        row["score"],
        bool(row["starred"]),
        row["at"],
    )


def assignments(changes: dict[str, Any]) -> str:
    """ "a = ?, b = ?" for an UPDATE."""
    return ", ".join(f"{name} = ?" for name in changes)


def as_sql(value: Any) -> Any:
    """What SQLite takes: paths and enumerations as text."""
    return str(value) if isinstance(value, Path | SessionState | EndReason | EntryState) else value
