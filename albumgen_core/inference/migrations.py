"""Schema versions: numbered SQL files, applied once each, in order.

The core counts in SQLite's `user_version`. Others who keep tables in the same database (the Discord bot)
bring a namespace and a folder of their own, counted in the table `schema_namespaces`.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from albumgen_core.errors import JournalVersionError

CORE = "core"


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """A namespace and its folder of files named `0001_words.sql`, `0002_words.sql`, …

    A file holds plain statements, each ended by a semicolon at the end of a line, and no transaction of
    its own: file and version number are committed together.
    """

    namespace: str
    directory: Path

    def files(self) -> list[tuple[int, Path]]:
        """(version, path) in order. Raises ValueError where the numbers are not 1, 2, 3, …"""
        found = sorted((int(path.name.split("_", 1)[0]), path) for path in self.directory.glob("*.sql"))
        if [version for version, _ in found] != list(range(1, len(found) + 1)):
            raise ValueError(f"the migrations in {self.directory} are not numbered 1, 2, 3, …")
        return found


CORE_MIGRATIONS = MigrationSet(CORE, Path(__file__).with_name("migrations"))


async def migrate(connection: aiosqlite.Connection, migrations: MigrationSet) -> None:
    """Bring one namespace up to date. Raises JournalVersionError where the database is the newer one."""
    current = await _version(connection, migrations.namespace)
    files = migrations.files()
    if current > len(files):
        raise JournalVersionError(
            f"The journal was written by a newer AlbumGen ({migrations.namespace} schema {current}, "
            f"known up to {len(files)}); upgrade AlbumGen, or restore an older backup."
        )
    for version, path in files[current:]:
        await connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in split_statements(path.read_text("utf-8")):
                await connection.execute(statement)
            await _set_version(connection, migrations.namespace, version)
            await connection.execute("COMMIT")
        except BaseException:
            await connection.execute("ROLLBACK")
            raise


def split_statements(script: str) -> list[str]:
    """The single statements of a script (SQLite itself decides where one is complete)."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    if any(line.strip() and not line.strip().startswith("--") for line in pending.splitlines()):
        raise ValueError(f"an SQL statement has no end: {pending.strip()[:60]!r}")
    return statements


async def _version(connection: aiosqlite.Connection, namespace: str) -> int:
    if namespace == CORE:
        rows = await connection.execute_fetchall("PRAGMA user_version")
    else:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_namespaces"
            " (namespace TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"
        )
        rows = await connection.execute_fetchall(
            "SELECT version FROM schema_namespaces WHERE namespace = ?", (namespace,)
        )
    return next((int(row[0]) for row in rows), 0)


async def _set_version(connection: aiosqlite.Connection, namespace: str, version: int) -> None:
    if namespace == CORE:
        await connection.execute(f"PRAGMA user_version = {version:d}")
    else:
        await connection.execute(
            "INSERT INTO schema_namespaces VALUES (?, ?)"
            " ON CONFLICT (namespace) DO UPDATE SET version = excluded.version",
            (namespace, version),
        )
