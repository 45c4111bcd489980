"""The recap page, the podium's picture and the mixtape of a session, all made by child processes.

Page and picture take seconds of Python and drawing, which would keep voice frames waiting in the Discord
process; `python -m bot.sessions.recap.files` makes them. It is given the session's id and reads the session
from the database itself: an hour of many voters is larger than what a pipe should carry.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from albumgen_core.errors import AlbumGenError, MixtapeTooLongError
from albumgen_core.files import write_durably
from albumgen_core.mixtape.task import make_mixtape_in_child
from albumgen_core.mixtape.values import Mixtape, Track
from albumgen_core.result import CLIP_MP3, COVER
from albumgen_core.tasks.child import run_task, serve
from bot.sessions import formatting
from bot.sessions.recap.page import write_recap_page
from bot.sessions.recap.podium import podium_png
from bot.sessions.recap.statistics import ClipResult, Recap, summarise, was_heard
from bot.sessions.state.model import Clip, Entry, EntryState, SessionRecord
from bot.sessions.state.rows import read_record

PAGE, MIXTAPE, PODIUM = "recap.html", "mixtape.mp3", "podium.png"

_MODULE = "bot.sessions.recap.files"
_TIMEOUT_SECONDS = 300.0
_DATABASE_SECONDS = 10.0
_HIGHLIGHT_BYTES_A_SECOND = 64 * 125
_SPARE, _CHAPTER = 4096, 512
"""A highlights tape: bytes a second at 64 kbit/s, and what its head and the words of a chapter may take."""


@dataclass(frozen=True, slots=True)
class RecapMixtape:
    """A finished mixtape, and how many of the session's takes are on it."""

    tape: Mixtape
    takes: int
    of: int


async def make_page(
    database: Path, session_id: str, folder: Path, *, max_bytes: int, mixtape_url: str | None = None
) -> bool:
    """Write PAGE, and PODIUM where there were votes. Returns whether there is a podium.

    Args:
        database: the file in which the session is stored; the child reads the session there.

    Raises TaskError: code "PageError" when the page cannot be made small enough.
    """
    payload = {
        "database": database,
        "session_id": session_id,
        "folder": folder,
        "max_bytes": max_bytes,
        "mixtape_url": mixtape_url,
    }
    response = await run_task(_MODULE, payload, _TIMEOUT_SECONDS)
    return bool(response["podium"])


async def make_recap_mixtape(
    record: SessionRecord, recap: Recap, folder: Path, *, max_bytes: int
) -> RecapMixtape | None:
    """Write MIXTAPE: what was heard, in the order of the session; None when there was nothing.

    A session that is too long for `max_bytes` even at the lowest bit rate is cut to its best takes.
    Raises MixtapeError, OSError.
    """
    chosen = chosen_takes(record, recap)
    if not chosen:
        return None
    title = formatting.short(record.session.title, 120)
    out = folder / MIXTAPE
    try:
        tape = await make_mixtape_in_child(_tracks(record, chosen), out, title=title, max_bytes=max_bytes)
        return RecapMixtape(tape, len(chosen), len(chosen))
    except MixtapeTooLongError:
        best = _highlights(chosen, recap, max_bytes)
        if not best:
            raise
    tape = await make_mixtape_in_child(_tracks(record, best), out, title=title, max_bytes=max_bytes)
    return RecapMixtape(tape, len(best), len(chosen))


def chosen_takes(record: SessionRecord, recap: Recap) -> list[tuple[Entry, Clip]]:
    """The takes of the mixtape, in the order in which they were heard: of each cover the one that won.

    The winner of two takes is the better rated one; the first one where nobody voted. What the room skipped,
    and what was never played, is not on it.
    """
    rank = {result.clip.job_id: place for place, result in enumerate(recap.results)}
    rated = {result.clip.job_id for result in recap.results if result.rating is not None}
    chosen = []
    for entry in sorted(record.entries, key=lambda entry: (entry.played_at or 0.0, entry.entry_id)):
        ready = [clip for clip in entry.clips if clip.ready]
        if not ready or not was_heard(entry) or entry.state is EntryState.SKIPPED:
            continue
        voted = [clip for clip in ready if clip.job_id in rated]
        chosen.append((entry, min(voted, key=lambda clip: rank[clip.job_id]) if voted else ready[0]))
    return chosen


def _highlights(
    chosen: Sequence[tuple[Entry, Clip]], recap: Recap, max_bytes: int
) -> list[tuple[Entry, Clip]]:
    """The best of the chosen takes that fit at 64 kbit/s, in their order."""
    room = (max_bytes - _SPARE - _CHAPTER * len(chosen)) / _HIGHLIGHT_BYTES_A_SECOND
    kept: set[str] = set()
    by_rank: dict[str, ClipResult] = {result.clip.job_id: result for result in recap.results}
    wanted = {clip.job_id: clip.seconds for _, clip in chosen}
    for job_id in by_rank:
        seconds = wanted.get(job_id)
        if seconds is not None and seconds <= room:
            kept.add(job_id)
            room -= seconds
    return [(entry, clip) for entry, clip in chosen if clip.job_id in kept]


def _tracks(record: SessionRecord, chosen: Sequence[tuple[Entry, Clip]]) -> list[Track]:
    locale = record.session.locale
    tracks = []
    for entry, clip in chosen:
        title = formatting.entry_title(entry, locale)
        name = formatting.member_name(entry.submitter_name, locale)
        folder = clip.result_dir or Path()
        tracks.append(Track(folder / CLIP_MP3, f"{title} – {name}", cover_of(entry)))
    return tracks


def cover_of(entry: Entry) -> Path | None:
    """The path of an entry's cover: with its result, or where it was stored until that was made."""
    folder = next((clip.result_dir for clip in entry.clips if clip.result_dir is not None), None)
    return folder / COVER if folder is not None else entry.cover_path


def _write_page(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The child's part: read the session, write its page and podium."""
    record = _stored_record(Path(payload["database"]), payload["session_id"])
    folder, locale = Path(payload["folder"]), record.session.locale
    podium = podium_png(
        summarise(record).podium, {entry.entry_id: cover_of(entry) for entry in record.entries}, locale
    )
    if podium is not None:
        write_durably(folder / PODIUM, podium)
    write_recap_page(
        record, locale, folder / PAGE, max_bytes=payload["max_bytes"], mixtape_url=payload["mixtape_url"]
    )
    return {"podium": podium is not None}


def _stored_record(database: Path, session_id: str) -> SessionRecord:
    """A session out of the bot's database, which is only read. Raises AlbumGenError where it is gone."""
    with contextlib.closing(
        sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=_DATABASE_SECONDS)
    ) as connection:
        connection.row_factory = sqlite3.Row

        async def fetch(query: str, parameters: Sequence[Any]) -> list[sqlite3.Row]:
            return connection.execute(query, parameters).fetchall()

        try:
            return asyncio.run(read_record(fetch, session_id))
        except (LookupError, sqlite3.Error) as error:
            raise AlbumGenError(f"The session cannot be read: {error}.") from error


if __name__ == "__main__":
    serve(_write_page)
