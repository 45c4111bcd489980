"""One running session: looks at what there is, again and again, and does what follows from it.

Every step starts from the stored state and from what the voice thread has reached, not from a memory of
calls; so a step may be late, repeated, or the first of a new process, and the session goes on the same.
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
from bot.sessions.playback.controls import PlaybackControls
from bot.sessions.playback.end_reason import end_reason
from bot.sessions.playback.listeners import Audience, SessionChannel
from bot.sessions.playback.play_queue import Joiner, PlayQueue, Reader
from bot.sessions.playback.playback import Playback
from bot.sessions.playback.timeouts import SessionTimeouts
from bot.sessions.playback.view import PlaybackStatus, SessionView, make_view
from bot.sessions.playback.voice import VoiceConnection, VoiceEnd
from bot.sessions.state.live_session import LiveSession
from bot.sessions.state.model import EndReason, Entry, EntryState, Session, SessionState, Vote
from bot.sessions.state.rules import all_brought, check_capacity, check_vote, to_close
from bot.sessions.state.store import SessionStore
from bot.sessions.state.turns import to_come, turn_for
from bot.settings import SessionSettings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_SAVE_SECONDS = 5.0
_LEAVE_SECONDS = 10.0
_CERTAIN_SECONDS = 1.0  # news of a deleted channel may come after the news that we were put out of it


class SessionPlayer:
    """Plays one session until it ends. Made by the manager; `open` first.

    Args:
        client, composition, settings, store: as the manager has them.
        session: as it is stored, in a running state.
        on_change: called when the board must be drawn again.
        on_over: awaited once the session has ended and voice was left.
        read, join: read a clip, and make crossfades (see `PlayQueue`).
        connection_options: further arguments of VoiceConnection.

    Attributes:
        controls: what host and members do to playback.
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
        connection_options: Mapping[str, Any],
    ) -> None:
        self._client, self._settings = client, settings
        self._live = LiveSession(store, session, self._touch)
        self._on_change, self._on_over = on_change, on_over
        self._connection_options = connection_options
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._playback = Playback(
            self._live,
            PlayQueue(read, self._wake.set, session.volume, join),
            wake=self._wake.set,
            touch=self._touch,
            play_connection=lambda: self._voice.play(),
        )
        self._composition = CompositionQueue(composition, session, settings.ahead, self._live.save)
        self._timeouts = SessionTimeouts(settings)
        self._audience = Audience(settings.skip_share)
        self._voice: VoiceConnection
        self.controls = PlaybackControls(
            self._live,
            self._playback,
            self._audience,
            self._lock,
            update_audience=self._update_audience,
            apply_hold=self._apply_hold,
            check_running=self.check_running,
        )
        self._task: asyncio.Task[None] | None = None
        self._voice_end: tuple[VoiceEnd, float] | None = None
        self._shown: tuple[Any, ...] = ()
        self._over: EndReason | None = None
        self._closing = False

    @property
    def session(self) -> Session:
        """The session as it is stored."""
        return self._live.session

    @property
    def entries(self) -> Mapping[int, Entry]:
        """Its covers by entry id."""
        return self._live.entries

    # beginning and end

    async def open(self, channel: SessionChannel) -> VoiceEnd | None:
        """Read what is stored, join, go on where the session was. Returns why voice is over, if it is."""
        await self._live.load()
        self._voice = VoiceConnection(
            channel,
            self._playback.queue.source,
            on_idle=self._wake.set,
            on_end=self._voice_over,
            **self._connection_options,
        )
        try:
            if not await self._voice.join():
                return self._voice.ending
            async with self._lock:
                await self._update_audience()
                await self._playback.restore(self._apply_hold)
        except BaseException:
            await self._leave()
            raise
        self._task = asyncio.create_task(self._run(), name=f"session {self.session.session_id}")
        return None

    async def forget(self, user_id: int) -> None:
        """A member was deleted from the store: follow it."""
        async with self._lock:
            await self._live.forget(user_id)
            current = self._playback.queue.current
            if current is not None and current.entry_id not in self.entries:
                self._playback.queue.source.skip()
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
                await self._playback.save_position()
            except InferenceError as error:
                log.warning("the position of session %s was not noted: %s", self.session.session_id, error)
        await self._leave()

    # what members do

    async def add(self, entry: Entry) -> Entry:
        """Take in an entry; returned with its number and turn. Raises Refusal where there is no room."""
        async with self._lock:
            self.check_running()
            check_capacity(self.session, self.entries.values(), entry.submitter_id, self._settings)
            turn = turn_for(self.entries.values(), entry.submitter_id)
            return await self._live.add(replace(entry, turn=turn))

    async def vote(
        self, entry_id: int, job_id: str, user_id: int, name: str, score: int | None, starred: bool | None
    ) -> Vote:
        """Store a vote. Raises Refusal."""
        async with self._lock:
            self.check_running()
            await self._playback.settle()
            entry = self.entries.get(entry_id)
            heard = self._playback.queue.current
            upto = heard.clip if heard is not None and heard.entry_id == entry_id else None
            listened = self._live.members
            check_vote(entry, job_id, user_id, listened, upto=upto, own_votes=self._settings.own_votes)
            vote = Vote(self.session.session_id, entry_id, job_id, user_id, score)
            return await self._live.vote(vote, name, starred=starred)

    async def note_board(self, message_id: int | None) -> None:
        """Remember the panel's message."""
        await self._live.update(board_message_id=message_id)

    def wake(self, *, jobs: bool = False) -> None:
        """Something has changed outside: who listens, or (`jobs`) what was composed."""
        if jobs:
            self._composition.look_again()
        self._wake.set()

    def view(self) -> SessionView:
        """Everything as it is now."""
        return make_view(
            self.session,
            self.entries,
            list(self._live.votes.values()),
            status=self._status(),
            item=self._playback.queue.current,
            position=self._playback.queue.position,
            audience=self._audience.present,
            skips=self._live.skips,
            needed=self._audience.skips_needed,
            ends_at=self._timeouts.ends_at,
            trouble=self._composition.trouble,
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
        await self._playback.settle()
        await self._composition.settle(self.entries)
        await self._composition.submit(self.entries)
        await self._update_audience()
        idle = self._playback.current is None and not to_come(self.entries.values())
        last = all_brought(self.session, self.entries.values(), self._audience.present)
        self._timeouts.update(self._audience.present, idle=idle, last=last)
        if (reason := self._timeouts.over()) is not None:
            await self._finish(reason)
            return
        await self._playback.play()
        self._apply_hold()
        if self._audience.skips(self._live.skips):  # someone left, and the rest wants it skipped
            await self._playback.skip()
        await self._close_votes()
        if time.monotonic() - self._live.saved_at >= _SAVE_SECONDS:
            await self._playback.save_position()
        self._show()

    # the room

    async def _update_audience(self) -> None:
        channel = self._voice.channel
        if channel.id != self.session.voice_channel_id:
            await self._live.update(voice_channel_id=channel.id)
        await self._audience.update(channel)
        for user_id, listener in self._audience.present.items():
            await self._live.note_listener(user_id, listener.name)

    def _apply_hold(self) -> None:
        hold = self.session.state is SessionState.PAUSED or self._timeouts.holds
        if hold and not self._voice.paused:
            self._voice.pause()
        elif not hold and self._voice.paused:
            self._voice.resume()

    async def _close_votes(self) -> None:
        closing = to_close(
            self.entries.values(),
            list(self._live.votes.values()),
            self._audience.hearing,
            secret=self.session.blind or self.session.versus,
            vote_covers=self._settings.vote_covers,
            own_votes=self._settings.own_votes,
        )
        for entry in closing:
            await self._live.save(replace(entry, closed_at=time.time()))

    # the end

    def _voice_over(self, end: VoiceEnd) -> None:
        self._voice_end = (end, time.monotonic())
        self._wake.set()

    async def _ended_by_voice(self) -> bool:
        """Whether voice is over; the session ends with it as soon as the reason is sure."""
        if self._voice_end is None:
            return False
        end, at = self._voice_end
        reason = end_reason(self._client, self.session, end)
        if reason is EndReason.REMOVED and time.monotonic() - at < _CERTAIN_SECONDS:
            return True
        await self._finish(reason)
        return True

    async def _finish(self, reason: EndReason) -> None:
        """Store the end; the loop then leaves voice and tells the manager."""
        if self._over is not None:
            return
        await self._playback.settle()
        await self._playback.save_position()
        now = time.time()
        for entry in list(self.entries.values()):
            await self._live.save(await self._composition.at_end(entry, reason, now))
        await self._live.update(state=SessionState.ENDED, ended_at=now, end_reason=reason)
        self._over = reason
        self._wake.set()

    async def _leave(self) -> None:
        self._playback.close()
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._voice.leave()
        except (TimeoutError, OSError) as error:
            log.warning("voice was not left in order: %s", error or type(error).__name__)

    # what is stored and shown

    def check_running(self) -> None:
        """Raises Refusal once the session is over."""
        if self._over is not None:
            raise Refusal("session_core.over")

    def _status(self) -> PlaybackStatus:
        if self._over is not None:
            return PlaybackStatus.OVER
        if not self._voice.connected:
            return PlaybackStatus.RECONNECTING
        if self.session.state is SessionState.PAUSED:
            return PlaybackStatus.PAUSED
        if self._timeouts.holds:
            return PlaybackStatus.EMPTY
        if self._playback.queue.current is not None:
            return PlaybackStatus.ENCORE if self._playback.queue.current.encore else PlaybackStatus.PLAYING
        composing = any(entry.state is EntryState.COMPOSING for entry in self.entries.values())
        return PlaybackStatus.COMPOSING if composing else PlaybackStatus.WAITING

    def _touch(self) -> None:
        """The board must be drawn again."""
        self._shown = ()
        self._wake.set()

    def _show(self) -> None:
        current = self._playback.queue.current
        now = (
            self._status(),
            current.key if current is not None else None,
            frozenset(self._audience.present.items()),
            frozenset(self._live.skips),
            self._timeouts.ends_at is not None,
            self._composition.trouble,
        )
        if now != self._shown:
            self._shown = now
            self._on_change(self.session.session_id)
