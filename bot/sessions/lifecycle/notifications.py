"""Who is told that a session has changed, or has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.sessions.background import BackgroundTasks
from bot.sessions.state.model import EndReason, SessionRecord
from bot.sessions.state.store import SessionStore

log = logging.getLogger(__name__)

OnChange = Callable[[str], Awaitable[None]]
OnEnd = Callable[[SessionRecord, EndReason], Awaitable[None]]

_JOINED_SECONDS = 0.1
"""Changes within this time are told once."""


class SessionNotifications:
    """Calls back in tasks of their own.

    Attributes:
        on_change: `callback(session_id)` whenever the panel must be drawn again; bursts are joined.
        on_end: `callback(record, reason)` after a session has ended (never for one that never began). Must be
            safe to repeat: after a restart it is called again for every ended session until
            `store.set_recap(session_id, message_id, complete=True)` was called.
    """

    def __init__(self, store: SessionStore, tasks: BackgroundTasks) -> None:
        self._store, self._tasks = store, tasks
        self._changed: set[str] = set()
        self.on_change: list[OnChange] = []
        self.on_end: list[OnEnd] = []

    def changed(self, session_id: str) -> None:
        """The panel of a session must be drawn again, soon."""
        if session_id not in self._changed and self.on_change:
            self._changed.add(session_id)
            self._tasks.spawn(self._tell_change(session_id), f"a change of session {session_id}")

    def ended(self, session_id: str, reason: EndReason) -> None:
        """A session has ended, or an ended one's recap is owed again."""
        self._tasks.spawn(self._tell_end(session_id, reason), f"the end of session {session_id}")

    async def _tell_change(self, session_id: str) -> None:
        await asyncio.sleep(_JOINED_SECONDS)
        self._changed.discard(session_id)
        for callback in self.on_change:
            try:
                await callback(session_id)
            except Exception:
                log.exception("a change of session %s could not be shown", session_id)

    async def _tell_end(self, session_id: str, reason: EndReason) -> None:
        for callback in self.on_end:
            try:
                await callback(await self._store.record(session_id), reason)
            except Exception:
                log.exception("the end of session %s could not be told", session_id)
