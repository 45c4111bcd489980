"""The covers that are to come: composed ahead of playing, a few at a time, and settled when they are made."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from albumgen_core.errors import ClosingError
from bot.i18n.catalogue import text
from bot.messages.errors import sentence_for
from bot.sessions.playback.composition import Composition
from bot.sessions.state.model import EndReason, Entry, EntryState, Session
from bot.sessions.state.turns import to_come

log = logging.getLogger(__name__)

_LATER_SECONDS = 5.0


class CompositionQueue:
    """Submits and settles one session's jobs.

    Args:
        ahead: covers that may be composing or ready before their turn.
        save: stores an entry that changed.

    Attributes:
        trouble: why composing does not go on just now, in a sentence; None when it does.
    """

    def __init__(
        self,
        composition: Composition,
        session: Session,
        ahead: int,
        save: Callable[[Entry], Awaitable[None]],
    ) -> None:
        self._composition, self._session, self._ahead, self._save = composition, session, ahead, save
        self._look = True
        self._submitted: set[int] = set()
        self._not_before = 0.0
        self.trouble: str | None = None

    def look_again(self) -> None:
        """Some job has ended."""
        self._look = True

    async def settle(self, entries: Mapping[int, Entry]) -> None:
        """Take over what the journal says of the jobs that are on their way."""
        if not self._look:
            return
        self._look = False
        for entry in [e for e in entries.values() if e.state is EntryState.COMPOSING]:
            now, known = await self._composition.settled(entry, self._session.locale)
            if known:
                self._submitted.add(entry.entry_id)
            await self._save(now)

    async def submit(self, entries: Mapping[int, Entry]) -> None:
        """Queue the jobs of the next covers, as far as they may be composed ahead."""
        if time.monotonic() < self._not_before:
            return
        waiting = [e for e in to_come(entries.values())[: self._ahead] if self._to_submit(e)]
        for entry in waiting:
            try:
                await self._composition.submit(self._session, entry)
            except ClosingError:
                return
            except OSError:
                sentence = text(self._session.locale, "session_core.cover_gone")
                await self._save(replace(entry, state=EntryState.FAILED, error=sentence))
                continue
            except Exception as error:
                self._put_off(error)
                return
            self._submitted.add(entry.entry_id)
        self.trouble = None

    async def at_end(self, entry: Entry, reason: EndReason, now: float) -> Entry:
        """An entry as the session's end leaves it. One that can be taken up again keeps its playlist."""
        if reason.resumable:
            return entry
        if entry.played_at is not None and entry.closed_at is None:
            entry = replace(entry, closed_at=now)
        if entry.state is EntryState.PLAYING:
            return replace(entry, state=EntryState.PLAYED)
        if entry.state is EntryState.COMPOSING:
            await self._composition.cancel(entry)
            sentence = text(self._session.locale, "session_core.ended_before")
            return replace(entry, state=EntryState.FAILED, error=sentence)
        return entry

    def _to_submit(self, entry: Entry) -> bool:
        return entry.state is EntryState.COMPOSING and entry.entry_id not in self._submitted

    def _put_off(self, error: Exception) -> None:
        """The queue is full, the disk is, or the engine is away: the same again in a moment."""
        self._not_before = time.monotonic() + _LATER_SECONDS
        sentence = sentence_for(error, self._session.locale)
        if sentence is None:
            error_id = secrets.token_hex(4)
            log.error("error %s while submitting a session's cover", error_id, exc_info=error)
            sentence = text(self._session.locale, "session_core.unexpected", id=error_id)
        self.trouble = sentence


def unplayable(entry: Entry, locale: str) -> Entry:
    """An entry whose clip cannot be played."""
    return replace(entry, state=EntryState.FAILED, error=text(locale, "session_core.clip_broken"))
