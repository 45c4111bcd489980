"""What members bring to a session: covers that are to be composed, and clips that there are already."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from albumgen_core.inference.records import JobRecord
from albumgen_core.result import CLIP_OGG
from bot.guilds.settings import GuildSettingsStore
from bot.messages.errors import Refusal
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.playback.composition import Composition, new_clips
from bot.sessions.state.model import TITLE_LENGTH, Clip, Entry, EntryState, Session, SessionState
from bot.sessions.state.rules import check_capacity
from bot.sessions.state.turns import turn_for


class Submissions:
    """Adds entries to sessions, running or planned.

    Raises Refusal where the session is over or unknown, takes no more, or none of this member's.
    """

    def __init__(
        self, sessions: SessionManager, guilds: GuildSettingsStore, composition: Composition
    ) -> None:
        self._sessions, self._guilds, self._composition = sessions, guilds, composition

    async def submit(
        self, session_id: str, user_id: int, cover: bytes, title: str, submitter_name: str
    ) -> Entry:
        """Add a checked cover (bytes from `Requests.fetch_cover`); it is composed ahead of its turn."""
        session, entries = await self._open_session(session_id)
        check_capacity(session, entries, user_id, self._sessions.settings)
        guild = await self._guilds.of(session.guild_id)
        path = await self._composition.store_cover(session_id, cover)
        return await self._add(
            Entry(
                entry_id=0,
                session_id=session_id,
                submitter_id=user_id,
                submitter_name=submitter_name,
                title=title[:TITLE_LENGTH],
                clips=new_clips(versus=session.versus, rag=guild.rag),
                submitted_at=time.time(),
                cover_path=path,
            )
        )

    async def add_result(self, session_id: str, record: JobRecord, user_id: int, name: str) -> Entry:
        """Add a finished result as it is (🎧): nothing new is composed."""
        session, entries = await self._open_session(session_id)
        check_capacity(session, entries, user_id, self._sessions.settings)
        if any(clip.job_id == record.job_id for entry in entries for clip in entry.clips):
            raise Refusal("session_core.already_in")
        folder = Path(record.result_dir) if record.result_dir is not None else None
        if folder is None or not await asyncio.to_thread((folder / CLIP_OGG).is_file):
            raise Refusal("session_core.clip_gone")
        return await self._add(
            Entry(
                entry_id=0,
                session_id=session_id,
                submitter_id=user_id,
                submitter_name=name,
                title="",
                clips=(Clip(record.job_id, record.spec.rag, folder, record.spec.seconds),),
                state=EntryState.READY,
                submitted_at=time.time(),
            )
        )

    async def _add(self, entry: Entry) -> Entry:
        player = self._sessions.running_player(entry.session_id)
        if player is not None:
            return await player.add(entry)
        store = self._sessions.store
        stored = await store.entries(entry.session_id)
        return await store.add_entry(replace(entry, turn=turn_for(stored, entry.submitter_id)))

    async def _open_session(self, session_id: str) -> tuple[Session, Sequence[Entry]]:
        player = self._sessions.running_player(session_id)
        if player is not None:
            return player.session, list(player.entries.values())
        session = await self._sessions.stored(session_id)
        if session.state is SessionState.ENDED:
            raise Refusal("session_core.over")
        return session, await self._sessions.store.entries(session_id)
