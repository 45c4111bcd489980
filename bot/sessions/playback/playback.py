"""What a session plays: takes in their order, each loaded ahead of its turn, and what became of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from bot.sessions.playback.composition_queue import unplayable
from bot.sessions.playback.play_order import PlayOrder
from bot.sessions.playback.play_queue import LoadedTrack, PlayQueue, QueueItem
from bot.sessions.playback.playlist import TrackError
from bot.sessions.playback.track_loader import TrackLoader
from bot.sessions.state.live_session import LiveSession
from bot.sessions.state.model import Entry, EntryState

log = logging.getLogger(__name__)


class Playback:
    """Moves a session's play queue, and stores what follows from its moves; under the player's lock.

    Args:
        wake: asks for another step of the player. touch: the panel must be drawn again.
        play_connection: lets the voice connection read the queue's source, unless it does or is held.

    Attributes:
        queue: what plays, and what follows. order: chooses what follows.
    """

    def __init__(
        self,
        live: LiveSession,
        queue: PlayQueue,
        *,
        wake: Callable[[], None],
        touch: Callable[[], None],
        play_connection: Callable[[], None],
    ) -> None:
        self._live, self.queue, self.order = live, queue, PlayOrder()
        self._loader = TrackLoader(queue, wake)
        self._wake, self._touch, self._play_connection = wake, touch, play_connection
        self._skipped: set[str] = set()

    @property
    def current(self) -> QueueItem | None:
        """What plays."""
        return self.queue.current

    async def restore(self, hold: Callable[[], None]) -> None:
        """Where an earlier process was: the current take again from its position."""
        playing = [entry for entry in self._live.entries.values() if entry.state is EntryState.PLAYING]
        for entry in sorted(playing, key=lambda e: e.played_at or 0.0)[:-1]:
            await self._live.save(replace(entry, state=EntryState.PLAYED))
        self.order.remember(self._live.entries)
        if not playing:
            return
        entry = max(playing, key=lambda e: e.played_at or 0.0)
        known = self._live.session.current_entry_id == entry.entry_id
        clip = min(self._live.session.current_clip, len(entry.clips) - 1) if known else 0
        if known:
            await self._live.load_skips(entry.entry_id)
        hold()
        loaded = await self.load(entry, clip)
        if loaded is not None:
            await self.begin(loaded, self._live.session.position if known else 0, anew=not known)

    async def play(self) -> None:
        """Play what comes, and have ready what comes behind it. Loading never makes a member wait."""
        if self.queue.current is None:
            item = self.order.next(self._live.entries, None)
            loaded = await self._loaded(item) if item is not None else None
            if loaded is None:
                return
            await self.begin(loaded)
        self._play_connection()
        current = self.queue.current
        following = self.order.next(self._live.entries, current)
        if following == self.queue.prepared or current is None:
            return
        self.queue.follow(None)
        loaded = await self._loaded(following) if following is not None else None
        if loaded is not None:
            self.queue.follow(loaded)
            self._loader.blend()

    async def settle(self) -> None:
        """Note what is over since the last step, and what plays instead."""
        over = self.queue.settle()
        if not over:
            return
        current = self.queue.current
        for item, following in zip(over, [*over[1:], current], strict=True):
            entry = self._live.entries.get(item.entry_id)
            same = following is not None and not following.encore and following.entry_id == item.entry_id
            if entry is not None and not item.encore and not same and entry.state is EntryState.PLAYING:
                state = EntryState.SKIPPED if item.key in self._skipped else EntryState.PLAYED
                await self._live.save(replace(entry, state=state))
            if following is not None:
                await self._enter(following)
        self._skipped.intersection_update({current.key} if current is not None else ())
        if current is None:
            await self.save_position()
        self._touch()

    async def skip(self) -> None:
        """Go on with what follows."""
        current = self.queue.current
        if current is None:
            return
        self._skipped.add(current.key)
        following = self.queue.prepared
        if following is not None and following.encore and following.entry_id == current.entry_id:
            self.queue.follow(None)  # what the room skips, it does not want to hear again at once
        await self._live.clear_skips(current.entry_id)
        self.queue.source.skip()
        await self.settle()
        self._wake()

    async def load(self, entry: Entry, clip: int = 0) -> LoadedTrack | None:
        """An entry's take; None where it cannot be played, which is stored: the next step goes on."""
        item = QueueItem.of(entry, clip)
        try:
            if item is None:
                raise TrackError("its result is gone")
            return await self.queue.load(item)
        except TrackError as error:
            await self._unplayable(entry, error)
            return None

    async def _loaded(self, item: QueueItem) -> LoadedTrack | None:
        """A take that is loaded by now; None while it is being loaded, or where it cannot be."""
        try:
            return await self._loader.loaded(item)
        except TrackError as error:
            self.order.heard(item)
            entry = self._live.entries.get(item.entry_id)
            if entry is not None and not item.encore:
                await self._unplayable(entry, error)
            self._wake()
            return None

    async def _unplayable(self, entry: Entry, error: TrackError) -> None:
        log.warning("session %s cannot play entry %s: %s", entry.session_id, entry.entry_id, error)
        await self._live.save(unplayable(entry, self._live.session.locale))

    async def begin(self, loaded: LoadedTrack, at: int = 0, *, anew: bool = True) -> None:
        """Play a take now, from frame `at`."""
        self.queue.begin(loaded, at)
        await self._enter(loaded.item, anew=anew)
        self._play_connection()

    async def _enter(self, item: QueueItem, *, anew: bool = True) -> None:
        """Note that a take plays."""
        entry = self._live.entries.get(item.entry_id)
        if entry is None:
            return
        self.order.heard(item)
        if not item.encore:
            await self._live.save(
                replace(entry, state=EntryState.PLAYING, played_at=entry.played_at or time.time())
            )
        if anew:
            await self._live.clear_skips(item.entry_id)
        await self.save_position()
        self._wake()  # to prepare what follows

    async def save_position(self) -> None:
        """Store where playback is."""
        current = self.queue.current
        if current is None or current.encore:
            await self._live.save_position(None, 0, 0)
        else:
            await self._live.save_position(current.entry_id, current.clip, self.queue.position)

    @property
    def current_entry(self) -> Entry | None:
        """The entry that plays."""
        current = self.queue.current
        return self._live.entries.get(current.entry_id) if current is not None else None

    def close(self) -> None:
        """Stop loading."""
        self._loader.close()
