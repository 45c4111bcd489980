"""The journal's past: lineages, bundles, what has grown old, and what a member wants forgotten."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from albumgen_core.inference.database import Database
from albumgen_core.inference.journal import StageTiming
from albumgen_core.inference.records import JobRecord, readable

_TIMINGS_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `History.delete_member` removed from the journal.

    Attributes:
        jobs: ids of the deleted rows.
        paths: result folders and covers that are now nobody's, for the caller to remove from disk.
    """

    jobs: tuple[str, ...]
    paths: tuple[str, ...]


class History:
    """Questions about jobs that are over, and their removal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lineage(self, job_id: str) -> list[JobRecord]:
        """A job's whole line, its root and every take made from it, oldest first; empty if unknown."""
        return await self._jobs(
            "WITH mine AS (SELECT coalesce(root_id, job_id) AS root FROM jobs WHERE job_id = ?)"
            " SELECT jobs.* FROM jobs, mine WHERE jobs.job_id = mine.root OR jobs.root_id = mine.root"
            " ORDER BY jobs.rowid",
            (job_id,),
        )

    async def children(self, job_id: str) -> list[JobRecord]:
        """The takes made directly from a job, oldest first."""
        return await self._jobs("SELECT * FROM jobs WHERE parent_id = ? ORDER BY rowid", (job_id,))

    async def bundle(self, bundle_id: str) -> list[JobRecord]:
        """The jobs that are delivered together, in their order."""
        return await self._jobs(
            "SELECT * FROM jobs WHERE bundle_id = ? ORDER BY request_index, rowid", (bundle_id,)
        )

    async def of_member(self, member: str, *, group: str | None = None, limit: int = 50) -> list[JobRecord]:
        """A member's jobs, newest first; in one group only, where given."""
        return await self._jobs(
            "SELECT * FROM jobs WHERE member_key = ?1 AND (?2 IS NULL OR group_key = ?2)"
            " ORDER BY rowid DESC LIMIT ?3",
            (member, group, limit),
        )

    async def expired_results(self, older_than: float) -> list[JobRecord]:
        """Answered jobs whose result folder is still kept `older_than` seconds after they finished."""
        return await self._jobs(
            "SELECT * FROM jobs WHERE result_dir IS NOT NULL AND delivered_at IS NOT NULL"
            " AND finished_at <= ?",
            (time.time() - older_than,),
        )

    async def forget_results(self, job_ids: Sequence[str]) -> None:
        """Note that the result folders of these jobs are gone from disk."""
        await self._for_each("UPDATE jobs SET result_dir = NULL WHERE job_id = ?", job_ids)

    async def expired_covers(self, older_than: float = 0.0) -> list[str]:
        """Covers answered for `older_than` seconds, and needed by no job that is still to be answered."""
        rows = await self._database.fetch(
            "SELECT cover_path FROM jobs WHERE cover_path != '' GROUP BY cover_path"
            " HAVING count(*) = count(delivered_at) AND max(delivered_at) <= ?",
            (time.time() - older_than,),
        )
        return [row["cover_path"] for row in rows]

    async def known_covers(self) -> set[str]:
        """Every cover a row still names."""
        rows = await self._database.fetch("SELECT DISTINCT cover_path FROM jobs WHERE cover_path != ''")
        return {row["cover_path"] for row in rows}

    async def forget_covers(self, paths: Sequence[str]) -> None:
        """Note that these covers are gone from disk."""
        await self._for_each(
            "UPDATE jobs SET cover_path = '' WHERE cover_path = ? AND delivered_at IS NOT NULL", paths
        )

    async def delete_rows(self, older_than: float) -> int:
        """Delete answered jobs that keep neither result nor cover and ended `older_than` seconds ago."""
        before = time.time() - older_than

        def operation(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "DELETE FROM jobs WHERE delivered_at IS NOT NULL AND finished_at <= ?"
                " AND result_dir IS NULL AND cover_path = ''",
                (before,),
            )
            connection.execute("DELETE FROM outbox WHERE delivered_at <= ?", (before,))
            connection.execute(
                "DELETE FROM stage_timings WHERE id <= (SELECT max(id) FROM stage_timings) - ?",
                (_TIMINGS_KEPT,),
            )
            return cursor.rowcount

        return await self._database.write(operation)

    async def delete_member(self, member: str, *, group: str | None = None) -> Forgotten:
        """Delete every row of a member (in one group only, where given), whatever its state.

        A cover that a live job of somebody else still needs is kept until that job is answered.
        """
        mine = "member_key = ?1 AND (?2 IS NULL OR group_key = ?2)"

        def operation(connection: sqlite3.Connection) -> Forgotten:
            rows = list(
                connection.execute(
                    f"SELECT job_id, bundle_id, result_dir, cover_path FROM jobs WHERE {mine}",
                    (member, group),
                )
            )
            connection.execute(
                "DELETE FROM outbox WHERE delivery_id IN"
                f" (SELECT coalesce(bundle_id, job_id) FROM jobs WHERE {mine})",
                (member, group),
            )
            connection.execute(f"DELETE FROM jobs WHERE {mine}", (member, group))
            connection.execute(f"DELETE FROM unreadable_jobs WHERE {mine}", (member, group))
            needed = {
                row[0] for row in connection.execute("SELECT cover_path FROM jobs WHERE delivered_at IS NULL")
            }
            paths = {row["result_dir"] for row in rows} | ({row["cover_path"] for row in rows} - needed)
            return Forgotten(
                jobs=tuple(row["job_id"] for row in rows), paths=tuple(sorted(path for path in paths if path))
            )

        return await self._database.write(operation)

    async def timings(self, limit: int = _TIMINGS_KEPT) -> list[StageTiming]:
        """The newest stage timings, oldest first."""
        rows = await self._database.fetch(
            "SELECT * FROM (SELECT * FROM stage_timings ORDER BY id DESC LIMIT ?) ORDER BY id", (limit,)
        )
        return [
            StageTiming(row["stage"], row["clip_seconds"], row["batch_size"], row["elapsed"]) for row in rows
        ]

    async def _jobs(self, query: str, parameters: Sequence[object]) -> list[JobRecord]:
        return readable(await self._database.fetch(query, parameters))

    async def _for_each(self, statement: str, keys: Sequence[str]) -> None:
        def operation(connection: sqlite3.Connection) -> None:
            connection.executemany(statement, [(key,) for key in keys])

        await self._database.write(operation)
