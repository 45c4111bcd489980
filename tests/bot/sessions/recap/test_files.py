"""The child that makes a recap's files: what it is given, and how much it can take."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from albumgen_core.errors import TaskError
from albumgen_core.inference.database import Database
from bot.bot import MIGRATIONS
from bot.sessions.recap.files import PAGE, PODIUM, make_page
from bot.sessions.recap.statistics import summarise
from bot.sessions.state.model import Clip, Entry, Vote
from bot.sessions.state.rows import insert_entry
from bot.sessions.state.store import SessionStore
from tests.bot.sessions.records import SESSION, entry, session
from tests.bot.sessions.result_folders import take

COVERS, VOTERS = 200, 250


async def full_session(database: Database, folder: Path) -> SessionStore:
    """A session of COVERS covers, for each of which VOTERS members voted."""
    store = SessionStore(database)
    await store.create(session())
    entries = [entry(number, folder=folder) for number in range(1, COVERS + 1)]

    def votes_for(one: Entry, clip: Clip) -> list[Vote]:
        return [
            Vote(SESSION, one.entry_id, clip.job_id, 1000 + user, 1 + (one.entry_id + user) % 5, at=1.0)
            for user in range(VOTERS)
        ]

    def operation(connection: sqlite3.Connection) -> None:
        for one in entries:
            insert_entry(connection, one)
            connection.executemany(
                "INSERT INTO bot_session_votes (session_id, entry_id, job_id, user_id, score, starred, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (vote.session_id, vote.entry_id, vote.job_id, vote.user_id, vote.score, False, vote.at)
                    for vote in votes_for(one, one.clips[0])
                ],
            )
        connection.executemany(
            "INSERT INTO bot_session_members VALUES (?, ?, ?, 1)",
            [(SESSION, 1000 + user, f"Member {user}") for user in range(VOTERS)],
        )

    await database.write(operation)
    return store


@pytest.mark.slow
async def test_a_session_of_200_covers_and_250_voters_has_its_page(tmp_path: Path) -> None:
    database = await Database.open(tmp_path, migrations=(MIGRATIONS,))
    try:
        store = await full_session(database, take(tmp_path / "take", seconds=1.0))
        out = tmp_path / "out"
        out.mkdir()
        assert await make_page(database.path, SESSION, out, max_bytes=8 * 2**20)
        page = await asyncio.to_thread((out / PAGE).read_text, "utf-8")
        assert f"Cover {COVERS}" in page
        assert f"Member {VOTERS - 1}" in page
        assert (out / PODIUM).stat().st_size > 10_000
        recap = summarise(await store.record(SESSION))
        assert (recap.scores, len(recap.members)) == (COVERS * VOTERS, VOTERS + 1)
        with pytest.raises(TaskError, match="cannot be read"):
            await make_page(database.path, "00" * 16, out, max_bytes=8 * 2**20)
    finally:
        await database.close()
