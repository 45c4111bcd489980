"""What host and members do to the playback of a running session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.messages.errors import Refusal
from bot.sessions.playback.listeners import Audience
from bot.sessions.playback.playback import Playback
from bot.sessions.playback.playlist import TrackError
from bot.sessions.state.live_session import LiveSession
from bot.sessions.state.model import Entry, EntryState, SessionState

log = logging.getLogger(__name__)

LOWEST_VOLUME, HIGHEST_VOLUME = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class SkipResult:
    """What became of a wish to skip: whether it was skipped, and the votes so far of those needed."""

    skipped: bool
    votes: int
    needed: int


class PlaybackControls:
    """Skip, pause, replay, back and volume. Every method raises Refusal once the session is over.

    Args:
        lock: the player's.
        update_audience: looks who is in the channel.
        apply_hold: pauses or resumes voice, as the session's state says.
        check_running: raises Refusal once the session is over.
    """

    def __init__(
        self,
        live: LiveSession,
        playback: Playback,
        audience: Audience,
        lock: asyncio.Lock,
        *,
        update_audience: Callable[[], Awaitable[None]],
        apply_hold: Callable[[], None],
        check_running: Callable[[], None],
    ) -> None:
        self._live, self._playback, self._audience = live, playback, audience
        self._lock, self._update_audience = lock, update_audience
        self._apply_hold, self._check_running = apply_hold, check_running

    async def skip(self, user_id: int, *, force: bool = False) -> SkipResult:
        """Vote for skipping what plays, or (`force`: host, moderators) skip it at once.

        Raises Refusal where nothing plays, and for votes of who is not listening.
        """
        async with self._lock:
            self._check_running()
            await self._playback.settle()
            current = self._playback.current
            if current is None:
                raise Refusal("session_core.nothing_plays")
            await self._update_audience()
            if not force:
                if user_id not in self._audience.hearing:
                    raise Refusal("session_core.not_listening")
                await self._live.add_skip(current.entry_id, user_id)
            votes, needed = len(self._live.skips & self._audience.hearing), self._audience.skips_needed
            skipped = force or self._audience.skips(self._live.skips)
            if skipped:
                await self._playback.skip()
            self._live.touch()
            return SkipResult(skipped, votes, needed)

    async def set_paused(self, paused: bool) -> None:
        """Hold playback, or go on."""
        async with self._lock:
            self._check_running()
            state = SessionState.PAUSED if paused else SessionState.RUNNING
            await self._live.update(state=state)
            self._apply_hold()
            await self._playback.save_position()
            self._live.touch()

    async def replay(self) -> None:
        """The current take, or the last entry, from its beginning. Raises Refusal."""
        async with self._lock:
            self._check_running()
            await self._playback.settle()
            if self._playback.current is not None:
                self._playback.queue.source.rewind()
                await self._live.clear_skips(self._playback.current.entry_id)
                await self._playback.save_position()
                self._live.touch()
                return
            last = self._playback.order.before(self._live.entries, None)
            if last is None:
                raise Refusal("session_core.nothing_plays")
        await self._play_instead(last)

    async def back(self) -> None:
        """The entry before the current one; that one plays after it. Raises Refusal."""
        async with self._lock:
            self._check_running()
            await self._playback.settle()
            previous = self._playback.order.before(self._live.entries, self._playback.current_entry)
            if previous is None:
                raise Refusal("session_core.nothing_before")
        await self._play_instead(previous)

    async def _play_instead(self, entry: Entry) -> None:
        """Load an entry, and play it in place of what plays then; that one comes after it.

        Loading takes a second where a quieter copy has to be made, in which members vote: nothing is locked.
        """
        while True:
            loaded = await self._playback.load(entry)
            async with self._lock:
                self._check_running()
                if loaded is not None and loaded.volume != self._playback.queue.volume:
                    continue  # the volume was changed meanwhile
                await self._playback.settle()
                current = self._playback.current_entry
                if current is not None and current.state is EntryState.PLAYING and loaded is not None:
                    await self._live.save(replace(current, state=EntryState.READY))
                if loaded is not None and entry.entry_id in self._live.entries:
                    await self._playback.begin(loaded)
                self._live.touch()
                return

    async def set_volume(self, volume: float) -> None:
        """Loudness relative to the clips, LOWEST_VOLUME to HIGHEST_VOLUME. Raises Refusal outside."""
        if not LOWEST_VOLUME <= volume <= HIGHEST_VOLUME:
            lowest, highest = (f"{share:.0%}"[:-1] for share in (LOWEST_VOLUME, HIGHEST_VOLUME))
            raise Refusal("session_core.volume", lowest=lowest, highest=highest)
        async with self._lock:
            self._check_running()
            await self._live.update(volume=volume)
            self._playback.queue.volume = volume
            self._playback.queue.follow(None)  # it is loaded anew
            self._live.touch()
        try:
            await self._playback.queue.apply_volume()  # may take a second, in which the session goes on
        except TrackError as error:
            log.warning("session %s: %s", self._live.session_id, error)
