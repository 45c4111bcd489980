"""What is deleted from the journal's database is not to be found in its files any more."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from albumgen_core.inference.database import Database

MEMBERS = [1574246791933591554 + 7919 * number for number in range(40)]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path, busy_timeout=0.05)
    yield opened
    await opened.close()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_deleted_rows_leave_no_bytes_behind(tmp_path: Path, database: Database) -> None:

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE seen (id INTEGER PRIMARY KEY, member INTEGER, words TEXT) STRICT")
        connection.execute("CREATE INDEX seen_by_member ON seen (member, words)")
        connection.executemany(
            "INSERT INTO seen (member, words) VALUES (?, ?)",
            [(member, f"{member} said " + "x" * (n * 37 % 900)) for n in range(60) for member in MEMBERS],
        )

    await database.write(fill)
    gone = MEMBERS[7:29:3]
    for member in gone:
        # Rows that moved from page to page before they went leave copies where nobody looks.
        await database.execute(
            "UPDATE seen SET words = words || words WHERE member = ? AND id % 3", (member,)
        )
        await database.execute("DELETE FROM seen WHERE member = ?", (member,))
    assert await database.scrub()
    found = everything(tmp_path)
    for member in gone:
        assert str(member).encode() not in found
        assert member.to_bytes(8, "big") not in found
    kept = MEMBERS[0]
    assert str(kept).encode() in found
    assert kept.to_bytes(8, "big") in found
    rows = await database.fetch("SELECT count(*) FROM seen")
    assert rows[0][0] == 60 * (len(MEMBERS) - len(gone))


async def test_scrubbing_waits_for_those_who_read(tmp_path: Path, database: Database) -> None:
    await database.execute("CREATE TABLE words (word TEXT) STRICT")
    await database.execute("INSERT INTO words VALUES ('a-very-telling-word')")
    reader = sqlite3.connect(database.path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM words").fetchone() == (1,)
    await database.execute("DELETE FROM words")
    assert not await database.scrub()
    reader.execute("COMMIT")
    reader.close()
    assert await database.scrub()
    assert b"telling-word" not in everything(tmp_path)
