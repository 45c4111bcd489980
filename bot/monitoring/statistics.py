"""What the journal tells about a server or a member: how much, how fast, what kinds of music."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from albumgen_core.inference.database import Database
from albumgen_core.result import read_document

_READ = 300
"""How many of the latest results are opened for their genres."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts over all finished jobs that the journal still knows.

    Attributes:
        clips: finished takes. members: who asked for them. covers: lines of takes, each of one cover.
        with_rag: takes that were asked for with RAG. stars: ⭐ given to results here.
        seconds: length of all clips together.
        wait, making: median seconds from request to result, and of composing alone; None without clips.
        genres: (genre, takes), the most frequent first, of the latest results.
        engines: (family, takes), likewise.
    """

    clips: int
    members: int
    covers: int
    with_rag: int
    stars: int
    seconds: float
    wait: float | None
    making: float | None
    genres: Sequence[tuple[str, int]]
    engines: Sequence[tuple[str, int]]


async def statistics(
    database: Database, *, guild_id: int | None = None, user_id: int | None = None
) -> Statistics:
    """Count for a server, or for a member everywhere; exactly one of the two is to be given."""
    if (guild_id is None) == (user_id is None):
        raise ValueError("figures are of a server or of a member")
    where, key = (
        ("group_key = ?", str(guild_id)) if guild_id is not None else ("member_key = ?", str(user_id))
    )
    where = f"state IN ('done', 'delivered') AND {where}"
    # Counted by SQLite, in its own thread: a busy server has more rows than an event loop has time.
    [counts] = await database.fetch(
        # The two takes of a comparison have one cover, and so have those that were made from them.
        "SELECT count(*), count(DISTINCT member_key), count(DISTINCT coalesce("
        "(SELECT first.bundle_id FROM jobs AS first WHERE first.job_id = jobs.root_id),"
        " root_id, bundle_id, job_id)),"
        " coalesce(sum(json_extract(spec, '$.rag')), 0), coalesce(sum(json_extract(spec, '$.seconds')), 0.0)"
        f" FROM jobs WHERE {where}",
        (key,),
    )
    latest = await database.fetch(
        f"SELECT result_dir FROM jobs WHERE {where} AND result_dir IS NOT NULL ORDER BY rowid DESC LIMIT ?",
        (key, _READ),
    )
    genres, engines = await asyncio.to_thread(_look_into, [Path(row[0]) for row in latest])
    return Statistics(
        clips=int(counts[0]),
        members=int(counts[1]),
        covers=int(counts[2]),
        with_rag=int(counts[3]),
        stars=await _stars(database, guild_id, user_id),
        seconds=float(counts[4]),
        wait=await _median(database, "finished_at - received_at", where, key),
        making=await _median(database, "finished_at - started_at", where, key),
        genres=genres.most_common(),
        engines=engines.most_common(),
    )


async def _median(database: Database, value: str, where: str, key: str) -> float | None:
    """The lower median of an expression over jobs, where it is not NULL."""
    chosen = f"FROM jobs WHERE {where} AND {value} IS NOT NULL"
    rows = await database.fetch(
        f"SELECT {value} {chosen} ORDER BY 1 LIMIT 1 OFFSET (SELECT (count(*) - 1) / 2 {chosen})", (key, key)
    )
    return float(rows[0][0]) if rows else None


def _look_into(folders: Sequence[Path]) -> tuple[Counter[str], Counter[str]]:
    genres: Counter[str] = Counter()
    engines: Counter[str] = Counter()
    for folder in folders:
        try:
            document = read_document(folder)
            genres[str(document["attributes"]["album_genre"])] += 1
            engines[str(document["engine"]["family"])] += 1
        except (OSError, ValueError, KeyError):
            continue  # removed by the retention, or by its owner
    return genres, engines


async def _stars(database: Database, guild_id: int | None, user_id: int | None) -> int:
    """Stars on results that are still there: of a server, or on a member's own everywhere."""
    column, key = ("guild_id", guild_id) if guild_id is not None else ("user_id", user_id)
    rows = await database.fetch(
        "SELECT count(*) FROM bot_stars AS s JOIN bot_messages AS m ON m.message_id = s.message_id"
        f" WHERE m.deleted = 0 AND m.{column} = ?",
        (key,),
    )
    return int(rows[0][0])
