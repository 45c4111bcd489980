"""One running session: looks at what there is, again and again, and does what follows from it.

Every step starts from the stored state and from what the voice thread has reached, not from a memory of
calls; so a step may be late, repeated, or the first of a new process, and the evening goes on the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import discord

from albumgen_core.errors import ClosingError, InferenceError
from bot.messages.errors import Refusal
from bot.sessions.playback.composition import Composition
from bot.sessions.playback.composition_queue import CompositionQueue
from bot.sessions.playback.listeners import Audience, Listener, VoiceRoom
from bot.sessions.playback.play_order import PlayOrder
from bot.sessions.playback.play_queue import Joiner, LoadedTrack, PlayQueue, QueueItem, Reader
from bot.sessions.playback.playlist import TrackError
from bot.sessions.playback.timeouts import SessionTimeouts
from bot.sessions.playback.voice import VoiceConnection, VoiceEnd
from bot.sessions.state.model import EndReason, Entry, EntryState, Session, SessionState, Vote
from bot.sessions.state.rules import check_room, check_vote, to_close
from bot.sessions.state.store import SessionStore
from bot.sessions.state.turns import turn_for
from bot.sessions.state.view import PlaybackStatus, SessionView, make_view
from bot.sessions.state.votes import is_skipped, skips_needed
from bot.settings import SessionSettings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_SOON_SECONDS = 0.1  # a file is read within this; a quieter copy takes longer, and is not waited for
_SAVE_SECONDS = 5.0
_LEAVE_SECONDS = 10.0
_VERDICT_SECONDS = 1.0  # news of a deleted channel may come after the news that we were put out of it

_ENDINGS = {
    VoiceEnd.REMOVED: EndReason.REMOVED,
    VoiceEnd.ENCRYPTION: EndReason.ENCRYPTION,
    VoiceEnd.REFUSED: EndReason.REFUSED,
    VoiceEnd.UNREACHABLE: EndReason.UNREACHABLE,
}


class SessionPlayer:
    """Plays one session until it ends. Made by the manager; `open` first.

    Args:
        client, composition, settings, store: as the manager has them.
        session: as it is stored, in a running state.
        on_change: called when the board must be drawn again.
        on_over: awaited once the session has ended and voice was left.
        read, join: read a clip, and make crossfades (see `PlayQueue`).
        link_options: further arguments of VoiceConnection.

    Attributes:
        session, entries, votes, members: what is stored, kept up to date. members: those who listened.
        audience: who is in the channel now.
    """

    def __init__(
        self,
        client: discord.Client,
        composition: Composition,
        settings: SessionSettings,
        store: SessionStore,
        session: Session,
        *,
        on_change: Callable[[str], None],
        on_over: Callable[[EndReason], Awaitable[None]],
        read: Reader,
        join: Joiner | None = None,
        link_options: Mapping[str, Any],
    ) -> None:
        self._client, self._store, self._settings = client, store, settings
        self.session = session
        self.entries: dict[int, Entry] = {}
        self.votes: dict[tuple[str, int], Vote] = {}
        self.members: dict[int, str] = {}
        self.audience: dict[int, Listener] = {}
        self.skips: set[int] = set()
        self._on_change, self._on_over = on_change, on_over
        self._link_options = link_options
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._deck = PlayQueue(read, self._wake.set, session.volume, join)
        self._order = PlayOrder()
        self._backlog = CompositionQueue(composition, session, self._settings.ahead, self._save)
        self._clock = SessionTimeouts(self._settings)
        self._people = Audience()
        self._link: VoiceConnection
        self._task: asyncio.Task[None] | None = None
        self._ending: tuple[VoiceEnd, float] | None = None
        self._skipped: set[str] = set()
        self._unnoted: set[int] = set()
        self._loading: tuple[QueueItem, asyncio.Task[LoadedTrack]] | None = None
        self._blending: asyncio.Task[None] | None = None
        self._saved_at = 0.0
        self._shown: tuple[Any, ...] = ()
        self._over: EndReason | None = None
        self._closing = False

    # beginning and end

    async def open(self, channel: VoiceRoom) -> VoiceEnd | None:
        """Read what is stored, join, go on where the session was. Returns why voice is over, if it is."""
        await self.load()
        self._link = VoiceConnection(
            channel,
            self._deck.source,
            on_idle=self._wake.set,
            on_end=self._voice_over,
            **self._link_options,
        )
        if not await self._link.join():
            return self._link.ending
        async with self._lock:
            await self._listen()
            await self._restore()
        self._task = asyncio.create_task(self._run(), name=f"session {self.session.session_id}")
        return None

    async def load(self) -> None:
        """Read entries, votes and members from the store."""
        sid = self.session.session_id
        self.entries = {entry.entry_id: entry for entry in await self._store.entries(sid)}
        self.votes = {(vote.job_id, vote.user_id): vote for vote in await self._store.votes(sid)}
        self.members = await self._store.members(sid, listened=True)

    async def forget(self, user_id: int) -> None:
        """A member was deleted from the store: follow it. Who listens on is not noted again."""
        async with self._lock:
            self._unnoted.add(user_id)
            session = await self._store.get(self.session.session_id)
            self.session = replace(self.session, host_id=session.host_id if session else 0)
            await self.load()
            current = self._deck.current
            if current is not None and current.entry_id not in self.entries:
                self._deck.source.skip()
            self._touch()

    async def end(self, reason: EndReason) -> None:
        """End the session; returns when voice was left and `on_over` has run."""
        async with self._lock:
            await self._finish(reason)
        if self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """The bot stops: note where it is, and leave voice. The session stays stored as running."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_LEAVE_SECONDS)
            self._task.cancel()
        if self._over is None:
            try:
                await self._save_position()
            except InferenceError as error:
                log.warning("the position of session %s was not noted: %s", self.session.session_id, error)
        await self._leave()

    # what members do

    async def add(self, entry: Entry) -> Entry:
        """Take in an entry; returned with its number and turn. Raises Refusal where there is no room."""
        async with self._lock:
            self._check_running()
            check_room(self.session, self.entries.values(), entry.submitter_id, self._settings)
            turn = turn_for(self.entries.values(), entry.submitter_id)
            entry = await self._store.add_entry(replace(entry, turn=turn))
            self.entries[entry.entry_id] = entry
            self._touch()
            return entry

    async def vote(
        self, entry_id: int, job_id: str, user_id: int, name: str, score: int | None, starred: bool | None
    ) -> Vote:
        """Store a vote. Raises Refusal."""
        async with self._lock:
            self._check_running()
            await self._settle_deck()
            entry = self.entries.get(entry_id)
            heard = self._deck.current
            upto = heard.clip if heard is not None and heard.entry_id == entry_id else None
            check_vote(entry, job_id, user_id, self.members, upto=upto, own_votes=self._settings.own_votes)
            sid = self.session.session_id
            vote = await self._store.vote(sid, entry_id, job_id, user_id, score=score, starred=starred)
            await self._store.note_member(sid, user_id, name)
            self.votes[job_id, user_id] = vote
            self._touch()
            return vote

    async def skip(self, user_id: int, *, force: bool) -> tuple[bool, int, int]:
        """(whether it was skipped, votes, votes needed). Raises Refusal."""
        async with self._lock:
            self._check_running()
            await self._settle_deck()
            current = self._deck.current
            if current is None:
                raise Refusal("session_core.nothing_plays")
            await self._listen()
            if not force:
                if user_id not in self._hearing:
                    raise Refusal("session_core.not_listening")
                await self._store.add_skip(self.session.session_id, current.entry_id, user_id)
                self.skips.add(user_id)
            votes, needed = len(self.skips & self._hearing), self._needed
            skipped = force or self._room_skips
            if skipped:
                await self._skip()
            self._touch()
            return skipped, votes, needed

    async def set_paused(self, paused: bool) -> None:
        """Hold playback, or go on."""
        async with self._lock:
            self._check_running()
            state = SessionState.PAUSED if paused else SessionState.RUNNING
            await self._update(state=state)
            self._apply_hold()
            await self._save_position()
            self._touch()

    async def replay(self) -> None:
        """The current take, or the last entry, from its beginning. Raises Refusal."""
        async with self._lock:
            self._check_running()
            await self._settle_deck()
            if self._deck.current is not None:
                self._deck.source.rewind()
                await self._forget_skips(self._deck.current.entry_id)
                await self._save_position()
            elif (last := self._order.before(self.entries, None)) is None:
                raise Refusal("session_core.nothing_plays")
            else:
                await self._begin_entry(last)
            self._touch()

    async def back(self) -> None:
        """The entry before the current one; that one plays after it. Raises Refusal."""
        async with self._lock:
            self._check_running()
            await self._settle_deck()
            slot = self._deck.current
            current = self.entries.get(slot.entry_id) if slot is not None else None
            previous = self._order.before(self.entries, current)
            if previous is None:
                raise Refusal("session_core.nothing_before")
            if current is not None and current.state is EntryState.PLAYING:
                await self._save(replace(current, state=EntryState.READY))
            await self._begin_entry(previous)
            self._touch()

    async def set_volume(self, volume: float) -> None:
        """Loudness relative to the clips."""
        async with self._lock:
            self._check_running()
            await self._update(volume=volume)
            self._deck.volume = volume
            self._deck.follow(None)  # it is loaded anew
            self._touch()
        try:
            await self._deck.apply_volume()  # may take a second, in which the evening goes on
        except TrackError as error:
            log.warning("session %s: %s", self.session.session_id, error)

    async def note_board(self, message_id: int | None) -> None:
        """Remember the panel's message."""
        await self._update(board_message_id=message_id)

    def wake(self, *, jobs: bool = False) -> None:
        """Something has changed outside: who listens, or (`jobs`) what was composed."""
        if jobs:
            self._backlog.look_again()
        self._wake.set()

    def view(self) -> SessionView:
        """Everything as it is now."""
        return make_view(
            self.session,
            self.entries,
            list(self.votes.values()),
            status=self._status(),
            slot=self._deck.current,
            position=self._deck.position,
            audience=self.audience,
            skips=self.skips,
            needed=self._needed,
            ends_at=self._clock.ends_at,
            trouble=self._backlog.trouble,
        )

    # the loop

    async def _run(self) -> None:
        while self._over is None and not self._closing:
            self._wake.clear()
            try:
                async with self._lock:
                    await self._step()
            except ClosingError:
                return
            except Exception:
                log.exception("a step of session %s failed; trying again", self.session.session_id)
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            if self._over is None and not self._closing:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._wake.wait()
        if self._over is not None:
            await self._leave()
            await self._on_over(self._over)

    async def _step(self) -> None:
        if await self._ended_by_voice():
            return
        await self._settle_deck()
        await self._backlog.settle(self.entries)
        await self._backlog.submit(self.entries)
        await self._listen()
        self._clock.tell(self.audience, idle=self._nothing_left(), last=self._everyone_brought_theirs())
        if (reason := self._clock.over()) is not None:
            await self._finish(reason)
            return
        await self._play()
        self._apply_hold()
        if self._room_skips:  # someone left, and the rest wants it skipped
            await self._skip()
        await self._close_votes()
        if time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            await self._save_position()
        self._show()

    async def _play(self) -> None:
        """Play what comes, and have ready what comes behind it. Loading never makes a member wait."""
        if self._deck.current is None:
            slot = self._order.next(self.entries, None)
            loaded = await self._loaded(slot) if slot is not None else None
            if loaded is None:
                return
            await self._begin(loaded)
        self._link.play()
        current = self._deck.current
        following = self._order.next(self.entries, current)
        if following == self._deck.prepared or current is None:
            return
        self._deck.follow(None)
        loaded = await self._loaded(following) if following is not None else None
        if loaded is not None:
            self._deck.follow(loaded)
            if self._blending is not None:
                self._blending.cancel()
            self._blending = asyncio.create_task(self._deck.blend())

    async def _loaded(self, slot: QueueItem) -> LoadedTrack | None:
        """A take that is loaded by now; None while it is being loaded, or where it cannot be."""
        if self._loading is None or self._loading[0] != slot:
            if self._loading is not None:
                self._loading[1].cancel()
            task = asyncio.create_task(self._deck.load(slot))
            task.add_done_callback(lambda _: self._wake.set())
            self._loading = slot, task
            await asyncio.wait([task], timeout=_SOON_SECONDS)
        wanted, task = self._loading
        if not task.done():
            return None
        self._loading = None
        try:
            loaded = task.result()
        except TrackError as error:
            await self._unplayable(wanted, error)
            self._wake.set()
            return None
        if loaded.volume != self._deck.volume:
            self._wake.set()  # it is loaded once more
            return None
        return loaded

    async def _begin(self, loaded: LoadedTrack, at: int = 0, *, anew: bool = True) -> None:
        """Play a take now."""
        self._deck.begin(loaded, at)
        await self._enter(loaded.slot, anew=anew)
        self._link.play()

    async def _begin_entry(self, entry: Entry, clip: int = 0, at: int = 0, *, anew: bool = True) -> None:
        """Play an entry now. One that cannot be played is marked as such, and the next step goes on."""
        slot = QueueItem.of(entry, clip)
        try:
            if slot is None:
                raise TrackError("its result is gone")
            loaded = await self._deck.load(slot)
        except TrackError as error:
            log.warning("session %s cannot play entry %s: %s", entry.session_id, entry.entry_id, error)
            await self._save(self._backlog.unplayable(entry))
        else:
            await self._begin(loaded, at, anew=anew)

    async def _enter(self, slot: QueueItem, *, anew: bool = True) -> None:
        """RecapManifest that a take plays."""
        entry = self.entries.get(slot.entry_id)
        if entry is None:
            return
        self._order.heard(slot)
        if not slot.encore:
            await self._save(
                replace(entry, state=EntryState.PLAYING, played_at=entry.played_at or time.time())
            )
        if anew:
            await self._forget_skips(slot.entry_id)
        await self._save_position()
        self._wake.set()  # to prepare what follows

    async def _settle_deck(self) -> None:
        """RecapManifest what is over since the last step, and what plays instead."""
        over = self._deck.settle()
        if not over:
            return
        current = self._deck.current
        for slot, following in zip(over, [*over[1:], current], strict=True):
            entry = self.entries.get(slot.entry_id)
            same = following is not None and not following.encore and following.entry_id == slot.entry_id
            if entry is not None and not slot.encore and not same and entry.state is EntryState.PLAYING:
                state = EntryState.SKIPPED if slot.key in self._skipped else EntryState.PLAYED
                await self._save(replace(entry, state=state))
            if following is not None:
                await self._enter(following)
        self._skipped.intersection_update({current.key} if current is not None else ())
        if current is None:
            await self._save_position()
        self._touch()

    async def _skip(self) -> None:
        current = self._deck.current
        if current is None:
            return
        self._skipped.add(current.key)
        following = self._deck.prepared
        if following is not None and following.encore and following.entry_id == current.entry_id:
            self._deck.follow(None)  # what the room skips, it does not want to hear again at once
        await self._forget_skips(current.entry_id)
        self._deck.source.skip()
        await self._settle_deck()
        self._wake.set()

    async def _unplayable(self, slot: QueueItem, error: TrackError) -> None:
        entry = self.entries.get(slot.entry_id)
        if entry is None:
            return
        log.warning("session %s cannot play %s: %s", self.session.session_id, slot.folder, error)
        self._order.heard(slot)
        if not slot.encore:
            await self._save(self._backlog.unplayable(entry))

    async def _restore(self) -> None:
        """Where an earlier process was: the current take again from its position."""
        playing = [entry for entry in self.entries.values() if entry.state is EntryState.PLAYING]
        for entry in sorted(playing, key=lambda e: e.played_at or 0.0)[:-1]:
            await self._save(replace(entry, state=EntryState.PLAYED))
        self._order.remember(self.entries)
        if not playing:
            return
        entry = max(playing, key=lambda e: e.played_at or 0.0)
        known = self.session.current_entry_id == entry.entry_id
        clip = min(self.session.current_clip, len(entry.clips) - 1) if known else 0
        self.skips = (
            await self._store.skip_voters(self.session.session_id, entry.entry_id) if known else set()
        )
        self._apply_hold()
        await self._begin_entry(entry, clip, self.session.position if known else 0, anew=not known)

    # the room

    async def _listen(self) -> None:
        channel = self._link.channel
        if channel.id != self.session.voice_channel_id:
            await self._update(voice_channel_id=channel.id)
        self.audience = await self._people.of(channel)
        for user_id, listener in self.audience.items():
            if user_id not in self.members and user_id not in self._unnoted:
                await self._store.note_member(self.session.session_id, user_id, listener.name, listened=True)
                self.members[user_id] = listener.name

    @property
    def _hearing(self) -> frozenset[int]:
        return frozenset(user_id for user_id, listener in self.audience.items() if listener.hears)

    @property
    def _needed(self) -> int:
        return skips_needed(len(self._hearing), self._settings.skip_share)

    @property
    def _room_skips(self) -> bool:
        return bool(self.skips) and is_skipped(self.skips, self._hearing, self._settings.skip_share)

    def _apply_hold(self) -> None:
        hold = self.session.state is SessionState.PAUSED or self._clock.holds
        if hold and not self._link.paused:
            self._link.pause()
        elif not hold and self._link.paused:
            self._link.resume()

    def _nothing_left(self) -> bool:
        coming = (EntryState.COMPOSING, EntryState.READY)
        return self._deck.current is None and all(e.state not in coming for e in self.entries.values())

    def _everyone_brought_theirs(self) -> bool:
        rounds = self.session.rounds
        if not rounds or not self.entries:
            return False
        brought = [entry.submitter_id for entry in self.entries.values()]
        return all(brought.count(user_id) >= rounds for user_id in self.audience)

    async def _close_votes(self) -> None:
        closing = to_close(
            self.entries.values(),
            list(self.votes.values()),
            self._hearing,
            secret=self.session.blind or self.session.versus,
            vote_covers=self._settings.vote_covers,
            own_votes=self._settings.own_votes,
        )
        for entry in closing:
            await self._save(replace(entry, closed_at=time.time()))

    # the end

    def _voice_over(self, ending: VoiceEnd) -> None:
        self._ending = (ending, time.monotonic())
        self._wake.set()

    async def _ended_by_voice(self) -> bool:
        """Whether voice is over; the session ends with it as soon as the reason is sure."""
        if self._ending is None:
            return False
        ending, at = self._ending
        reason = _ENDINGS.get(ending, EndReason.REMOVED)
        if reason is EndReason.REMOVED:
            guild = self._client.get_guild(self.session.guild_id)
            if guild is None:
                reason = EndReason.GUILD_GONE
            elif guild.get_channel(self.session.voice_channel_id) is None:
                reason = EndReason.CHANNEL_GONE
            elif time.monotonic() - at < _VERDICT_SECONDS:
                return True
        await self._finish(reason)
        return True

    async def _finish(self, reason: EndReason) -> None:
        """Store the end; the loop then leaves voice and tells the manager."""
        if self._over is not None:
            return
        await self._settle_deck()
        await self._save_position()
        now = time.time()
        for entry in list(self.entries.values()):
            await self._save(await self._backlog.at_end(entry, reason, now))
        await self._update(state=SessionState.ENDED, ended_at=now, end_reason=reason)
        self._over = reason
        self._wake.set()

    async def _leave(self) -> None:
        for task in (self._loading[1] if self._loading is not None else None, self._blending):
            if task is not None:
                task.cancel()
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._link.leave()
        except (TimeoutError, OSError) as error:
            log.warning("voice was not left in order: %s", error or type(error).__name__)

    # what is stored and shown

    async def _save(self, entry: Entry) -> None:
        """Store an entry that changed."""
        if self.entries.get(entry.entry_id) == entry:
            return
        await self._store.set_entry(entry)
        self.entries[entry.entry_id] = entry
        self._touch()

    async def _update(self, **changes: Any) -> None:
        await self._store.update(self.session.session_id, **changes)
        self.session = replace(self.session, **changes)

    async def _save_position(self) -> None:
        current = self._deck.current
        place = (current.entry_id, current.clip) if current is not None and not current.encore else (None, 0)
        position = self._deck.position if place[0] is not None else 0
        self._saved_at = time.monotonic()
        stored = self.session
        if (stored.current_entry_id, stored.current_clip, stored.position) != (*place, position):
            await self._update(current_entry_id=place[0], current_clip=place[1], position=position)

    async def _forget_skips(self, entry_id: int) -> None:
        if self.skips:
            await self._store.clear_skips(self.session.session_id, entry_id)
            self.skips = set()

    def _check_running(self) -> None:
        if self._over is not None:
            raise Refusal("session_core.over")

    def _status(self) -> PlaybackStatus:
        if self._over is not None:
            return PlaybackStatus.OVER
        if not self._link.connected:
            return PlaybackStatus.RECONNECTING
        if self.session.state is SessionState.PAUSED:
            return PlaybackStatus.PAUSED
        if self._clock.holds:
            return PlaybackStatus.EMPTY
        if self._deck.current is not None:
            return PlaybackStatus.ENCORE if self._deck.current.encore else PlaybackStatus.PLAYING
        composing = any(e.state is EntryState.COMPOSING for e in self.entries.values())
        return PlaybackStatus.COMPOSING if composing else PlaybackStatus.WAITING

    def _touch(self) -> None:
        """The board must be drawn again."""
        self._shown = ()
        self._wake.set()

    def _show(self) -> None:
        current = self._deck.current
        now = (
            self._status(),
            current.key if current is not None else None,
            frozenset(self.audience.items()),
            frozenset(self.skips),
            self._clock.ends_at is not None,
            self._backlog.trouble,
        )
        if now != self._shown:
            self._shown = now
            self._on_change(self.session.session_id)
