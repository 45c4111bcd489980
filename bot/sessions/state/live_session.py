"""A running session's rows in memory: every change is stored before it is seen here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot.sessions.state.model import Entry, Session, Vote
from bot.sessions.state.store import SessionStore


class LiveSession:
    """What is stored of one session, kept up to date.

    Args:
        touch: called after a change that the panel shows.

    Attributes:
        session: the session itself. entries: by entry id. votes: by (job id, user id).
        members: names by user id of those who listened.
        skips: user ids of those who want the current entry skipped.
        saved_at: when the position was stored last, in seconds of `time.monotonic`.
    """

    def __init__(self, store: SessionStore, session: Session, touch: Callable[[], None]) -> None:
        self._store, self.touch = store, touch
        self.session = session
        self.entries: dict[int, Entry] = {}
        self.votes: dict[tuple[str, int], Vote] = {}
        self.members: dict[int, str] = {}
        self.skips: set[int] = set()
        self.saved_at = 0.0
        self._unnoted: set[int] = set()

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self.session.session_id

    async def load(self) -> None:
        """Read entries, votes and members."""
        sid = self.session_id
        self.entries = {entry.entry_id: entry for entry in await self._store.entries(sid)}
        self.votes = {(vote.job_id, vote.user_id): vote for vote in await self._store.votes(sid)}
        self.members = await self._store.members(sid, listened=True)

    async def load_skips(self, entry_id: int) -> None:
        """Read who wants an entry skipped."""
        self.skips = await self._store.skip_voters(self.session_id, entry_id)

    async def forget(self, user_id: int) -> None:
        """A member was deleted from the store: follow it. Who listens on is not noted again."""
        self._unnoted.add(user_id)
        session = await self._store.get(self.session_id)
        self.session = replace(self.session, host_id=session.host_id if session else 0)
        await self.load()

    async def update(self, **changes: Any) -> None:
        """Change attributes of the session."""
        await self._store.update(self.session_id, **changes)
        self.session = replace(self.session, **changes)

    async def add(self, entry: Entry) -> Entry:
        """Store a new entry; returned with its number."""
        entry = await self._store.add_entry(entry)
        self.entries[entry.entry_id] = entry
        self.touch()
        return entry

    async def save(self, entry: Entry) -> None:
        """Store an entry that changed."""
        if self.entries.get(entry.entry_id) != entry:
            await self._store.set_entry(entry)
            self.entries[entry.entry_id] = entry
            self.touch()

    async def save_position(self, entry_id: int | None, clip: int, frames: int) -> None:
        """Store what plays, which of its takes, and where in it (frames of 20 ms)."""
        self.saved_at = time.monotonic()
        stored = self.session
        if (stored.current_entry_id, stored.current_clip, stored.position) != (entry_id, clip, frames):
            await self.update(current_entry_id=entry_id, current_clip=clip, position=frames)

    async def vote(self, vote: Vote, name: str, *, starred: bool | None) -> Vote:
        """Store a member's vote; of it, a score of None and a star of None stay as they were."""
        stored = await self._store.vote(
            self.session_id, vote.entry_id, vote.job_id, vote.user_id, score=vote.score, starred=starred
        )
        await self._store.note_member(self.session_id, vote.user_id, name)
        self.votes[vote.job_id, vote.user_id] = stored
        self.touch()
        return stored

    async def add_skip(self, entry_id: int, user_id: int) -> None:
        """A member wants an entry skipped."""
        await self._store.add_skip(self.session_id, entry_id, user_id)
        self.skips.add(user_id)

    async def clear_skips(self, entry_id: int) -> None:
        """Nobody wants an entry skipped any more."""
        if self.skips:
            await self._store.clear_skips(self.session_id, entry_id)
            self.skips = set()

    async def note_listener(self, user_id: int, name: str) -> None:
        """A member is in the channel."""
        if user_id not in self.members and user_id not in self._unnoted:
            await self._store.note_member(self.session_id, user_id, name, listened=True)
            self.members[user_id] = name
