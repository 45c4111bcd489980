"""One SQLite file for everything that must survive: WAL, synchronous=FULL, one writer, one reader.

Writes are functions given a connection inside a transaction, run in the writer's own thread: a transaction
costs one change of threads, not one a statement. Those that are waiting at the same time are
committed together, so a burst pays for few fsyncs; each runs in a savepoint of its own and fails alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiosqlite

from albumgen_core.errors import (
    DataDirectoryError,
    DiskFullError,
    InferenceError,
    JournalBusyError,
    JournalCorruptError,
)
from albumgen_core.files import DirectoryLock
from albumgen_core.inference.migrations import CORE_MIGRATIONS, MigrationSet, migrate

T = TypeVar("T")
WriteOperation = Callable[[sqlite3.Connection], T]

BUSY_TIMEOUT = 2.0
"""Seconds to wait for a foreign lock before the caller hears "busy, try again"."""

LAZY_DELAY = 0.02
"""Seconds a lazy write may wait for company before it is committed on its own."""

# Failures of the file, not of one statement: nothing of that commit can be kept.
_WHOLE_COMMIT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_CORRUPT,
}

_SMALLEST = 512
"""Bytes of the smallest SQLite database that is not empty."""

_RETRY_PAUSE = 0.25
_LARGEST_COMMIT = 64
_SCRUB_TRIES = 3


@dataclass(slots=True)
class _Pending:
    operation: WriteOperation[Any]
    future: asyncio.Future[Any]
    patient: bool


class Database:
    """The journal's file, open. Make one with `Database.open`; close it with `close`."""

    def __init__(self, path: Path, lock: DirectoryLock) -> None:
        self.path = path
        self._lock = lock
        self._waiting: list[_Pending] = []
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = False
        self._writer: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._reader: aiosqlite.Connection
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, directory: Path, *, migrations: Iterable[MigrationSet] = (), busy_timeout: float = BUSY_TIMEOUT
    ) -> Database:
        """Lock the directory, check `journal.sqlite3` in it, and bring its schema up to date.

        Raises DataDirectoryError, AlreadyRunningError, JournalCorruptError (the file is left untouched),
        JournalBusyError and JournalVersionError.
        """
        path = directory / "journal.sqlite3"
        lock = DirectoryLock(directory)
        lock.acquire()
        database = cls(path, lock)
        try:
            with _translated(path):
                if _prepare(path):
                    await _check_integrity(path, busy_timeout)
                await database._connect(migrations, busy_timeout)
        except BaseException:
            await database.close()
            raise
        return database

    async def _connect(self, migrations: Iterable[MigrationSet], busy_timeout: float) -> None:
        async with aiosqlite.connect(self.path, isolation_level=None, timeout=busy_timeout) as connection:
            await connection.execute("PRAGMA journal_mode = WAL")
            await migrate(connection, CORE_MIGRATIONS)
            for extra in migrations:
                await migrate(connection, extra)
        loop = asyncio.get_running_loop()
        self._writer = await loop.run_in_executor(self._thread, _open_writer, self.path, busy_timeout)
        self._reader = await aiosqlite.connect(self.path, isolation_level=None, timeout=busy_timeout)
        self._reader.row_factory = sqlite3.Row
        await self._reader.execute("PRAGMA query_only = ON")
        self._task = asyncio.create_task(self._write_forever(), name="journal-writer")

    async def fetch(self, query: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[sqlite3.Row]:
        """Rows of a query, from what is committed. Never waits for the writer (WAL)."""
        with _translated(self.path):
            return list(await self._reader.execute_fetchall(query, parameters))

    async def write(self, operation: WriteOperation[T], *, lazy: bool = False, patient: bool = False) -> T:
        """Run `operation(connection)` in a transaction and return its result once that is on disk.

        Args:
            operation: runs statements on the connection, in the writer's thread; must not commit. If it
                raises, only its own statements are undone. It may run again if the commit has to be repeated.
            lazy: may wait `LAZY_DELAY` to share the commit of a later write.
            patient: keep trying while the database is locked or the disk is full, instead of raising.

        Raises JournalBusyError past the busy timeout and DiskFullError, with nothing half done.
        """
        if self._closing or self._task is None:
            raise InferenceError("The journal is closed.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Pending(operation, future, patient))
        self._arrived.set()
        if not lazy:
            self._urgent.set()
        return await future

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """One statement in a transaction of its own; returns the number of rows it changed."""

        def operation(connection: sqlite3.Connection) -> int:
            return connection.execute(statement, parameters).rowcount

        return await self.write(operation)

    async def scrub(self) -> bool:
        """Leave nothing of deleted rows on disk: the file is rebuilt without them, and the log is emptied.

        Writes wait meanwhile (a second for some hundred megabytes), reads do not. False where the log is
        still needed by a reader; the next checkpoint empties it. Raises JournalBusyError, DiskFullError.
        """
        loop = asyncio.get_running_loop()
        if self._closing or self._writer is None:
            raise InferenceError("The journal is closed.")
        with _translated(self.path):
            await loop.run_in_executor(self._thread, _rebuild, self._writer)
        for _ in range(_SCRUB_TRIES):
            with _translated(self.path):
                # The writer's thread does one thing at a time, so no transaction is open here.
                if await loop.run_in_executor(self._thread, _fold_in, self._writer):
                    return True
            await asyncio.sleep(_RETRY_PAUSE)
        return False

    async def close(self) -> None:
        """Commit what is waiting, fold the WAL back into the file, release the directory."""
        self._closing = True
        self._arrived.set()
        self._urgent.set()
        if self._task is not None:
            await self._task
        reader: aiosqlite.Connection | None = getattr(self, "_reader", None)
        if reader is not None:
            with contextlib.suppress(sqlite3.Error, ValueError):
                await reader.close()
        if self._writer is not None:
            with contextlib.suppress(sqlite3.Error):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown()
        self._lock.release()

    async def _write_forever(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._urgent.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._urgent.wait(), LAZY_DELAY)
            batch, self._waiting = self._waiting[:_LARGEST_COMMIT], self._waiting[_LARGEST_COMMIT:]
            if not self._waiting and not self._closing:
                self._arrived.clear()
                self._urgent.clear()
            # A caller that gave up before its turn (a cancelled task) wants nothing written.
            batch = [pending for pending in batch if not pending.future.cancelled()]
            if batch:
                await self._commit(batch)
            elif self._closing and not self._waiting:
                return

    async def _commit(self, batch: list[_Pending]) -> None:
        while batch:
            try:
                with _translated(self.path):
                    assert self._writer is not None
                    settled = await asyncio.get_running_loop().run_in_executor(
                        self._thread, _transaction, self._writer, batch
                    )
            except Exception as error:
                impatient = [p for p in batch if not p.patient or self._closing or not _may_pass(error)]
                batch = [p for p in batch if p not in impatient]
                for pending in impatient:
                    _settle(pending.future, error)
                if batch:
                    await asyncio.sleep(_RETRY_PAUSE)
                continue
            for pending, result in settled:
                _settle(pending.future, result)
            return


def _open_writer(path: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=busy_timeout)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten with zeros; `scrub` sees to the copies that SQLite leaves in its pages.
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _rebuild(connection: sqlite3.Connection) -> None:
    """Write every page anew: rows that moved between pages leave copies of themselves in unused space.

    The order of rowids, which is the order of arrival, stays.
    """
    connection.execute("VACUUM")


def _fold_in(connection: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the file and empty it; False where a reader still needs it."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _transaction(connection: sqlite3.Connection, batch: list[_Pending]) -> list[tuple[_Pending, Any]]:
    """Run all operations in one transaction: each with its result, or with the exception it raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        alone = len(batch) == 1
        settled = [(p, p.operation(connection) if alone else _in_savepoint(connection, p)) for p in batch]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return settled


def _in_savepoint(connection: sqlite3.Connection, pending: _Pending) -> Any:
    connection.execute("SAVEPOINT one")
    try:
        result = pending.operation(connection)
    except Exception as error:
        if _primary_code(error) in _WHOLE_COMMIT:
            raise
        connection.execute("ROLLBACK TO one")
        result = error
    connection.execute("RELEASE one")
    return result


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)


def _primary_code(error: BaseException) -> int:
    """SQLite's primary result code (the low byte of an extended one), 0 for errors that are not SQLite's."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _may_pass(error: Exception) -> bool:
    return (
        isinstance(error, (JournalBusyError, DiskFullError)) or _primary_code(error) == sqlite3.SQLITE_IOERR
    )


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's errors in the words of this package."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = _primary_code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise JournalBusyError from error
        if code == sqlite3.SQLITE_FULL:
            raise DiskFullError(path.parent) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise JournalCorruptError(path, str(error)) from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            raise DataDirectoryError(path.parent, str(error)) from error
        raise


def _prepare(path: Path) -> bool:
    """Keep the journal's files to their owner; whether there is a journal already.

    An empty file is a new journal only where it has no results beside it. Raises JournalCorruptError,
    DataDirectoryError.
    """
    log = path.with_name(f"{path.name}-wal")
    size = path.stat().st_size if path.exists() else None
    unlogged = not (log.exists() and log.stat().st_size)
    if size is not None and size < _SMALLEST and unlogged:
        folders = (path.with_name(name) for name in ("results", "covers", "sessions"))
        if size or any(folder.is_dir() and any(folder.iterdir()) for folder in folders):
            raise JournalCorruptError(path, f"it has {size} bytes")
    try:
        # SQLite gives its other files the journal's mode. It may hold interaction tokens.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        for file in (path, log, path.with_name(f"{path.name}-shm")):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                file.chmod(0o600)
    except OSError as error:
        raise DataDirectoryError(path.parent, error.strerror or str(error)) from error
    return bool(size) or not unlogged


async def _check_integrity(path: Path, busy_timeout: float) -> None:
    """Raise JournalCorruptError unless the file is sound; looks through a read-only connection."""
    async with aiosqlite.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=busy_timeout
    ) as connection:
        rows = list(await connection.execute_fetchall("PRAGMA quick_check(1)"))
    verdict = str(rows[0][0]) if rows else "no answer"
    if verdict != "ok":
        raise JournalCorruptError(path, verdict.replace("\n", " "))
