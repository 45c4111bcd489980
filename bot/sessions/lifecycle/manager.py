"""All listening sessions of the bot: who may start one, what members do to them, and how they come back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import discord

from albumgen_core.inference.database import Database
from albumgen_core.inference.records import JobRecord
from bot.messages.errors import Refusal
from bot.sessions.background import BackgroundTasks
from bot.sessions.lifecycle.channels import playable_channel
from bot.sessions.lifecycle.notifications import SessionNotifications
from bot.sessions.playback.composition import Composition
from bot.sessions.playback.controls import PlaybackControls
from bot.sessions.playback.listeners import SessionChannel
from bot.sessions.playback.player import SessionPlayer
from bot.sessions.playback.view import PlaybackStatus, SessionView, make_view
from bot.sessions.playback.voice import VoiceEnd
from bot.sessions.playback.volume import TrackReader
from bot.sessions.state.model import EndReason, Session, SessionPlan, SessionRecord, SessionState, Vote
from bot.sessions.state.store import SessionStore
from bot.settings import SessionSettings

log = logging.getLogger(__name__)

_NOT_JOINED = {
    VoiceEnd.ENCRYPTION: "session_core.voice_encryption",
    VoiceEnd.REFUSED: "session_core.voice_refused",
}
_LOST = {VoiceEnd.ENCRYPTION: EndReason.ENCRYPTION, VoiceEnd.REFUSED: EndReason.REFUSED}


class VoiceEnded(Refusal):
    """A voice channel could not be joined. `end`: why."""

    def __init__(self, end: VoiceEnd) -> None:
        super().__init__(_NOT_JOINED.get(end, "session_core.voice_unreachable"))
        self.end = end


class SessionManager:
    """Starts, steers and ends sessions. One per bot.

    Every method with a `session_id` raises Refusal("session_core.unknown") where it is not known, and
    Refusal("session_core.not_running") where it must run and does not. Who may do what (host, moderators,
    submitters) is the caller's to decide beforehand.

    Attributes:
        store: the tables. track_reader: reads clips at a volume.
        notifications: who is told of changes and ends.
        connection_options: further arguments of every VoiceConnection (tries, timeout, pause).
    """

    def __init__(
        self,
        client: discord.Client,
        database: Database,
        settings: SessionSettings,
        composition: Composition,
    ) -> None:
        self._client, self._composition = client, composition
        self.store = SessionStore(database)
        self.settings = settings
        self.track_reader = TrackReader()
        self.connection_options: dict[str, Any] = {}
        self._players: dict[str, SessionPlayer] = {}
        self._joining: set[int] = set()  # ids of servers in which a session is about to begin
        self._away: dict[int, list[Session]] = {}
        self._tasks = BackgroundTasks()
        self.notifications = SessionNotifications(self.store, self._tasks)
        self._closing = False

    # beginning

    async def start(self, plan: SessionPlan) -> Session:
        """Begin a session and join its voice channel (seconds: defer the interaction). Raises Refusal."""
        with self._reserved(plan.guild_id):
            await self._check_guild(plan.guild_id)
            session = plan.session(SessionState.RUNNING)
            channel = playable_channel(self._client, session)
            await self.store.create(session)
            try:
                return await self._open(session, channel)
            except BaseException:  # nothing of a session remains that was never heard
                await asyncio.shield(self.store.delete(session.session_id))
                raise

    async def plan(self, plan: SessionPlan) -> Session:
        """Store a session that begins later, by `begin`. Covers may be submitted before. Raises Refusal."""
        await self._check_guild(plan.guild_id)
        session = plan.session(SessionState.PLANNED)
        await self.store.create(session)
        return session

    async def begin(self, session_id: str) -> Session:
        """Begin a planned session (its scheduled event became active). Harmless if it runs already."""
        if session_id in self._players:
            return self._players[session_id].session
        session = await self.stored(session_id)
        if session.state is SessionState.ENDED:
            raise Refusal("session_core.over")
        with self._reserved(session.guild_id):
            channel = playable_channel(self._client, session)
            return await self._open(session, channel, state=SessionState.RUNNING, started_at=time.time())

    async def resume(self, session_id: str) -> Session:
        """Run a session again that ended by trouble (`EndReason.resumable`), where it was."""
        if session_id in self._players:
            return self._players[session_id].session
        session = await self.stored(session_id)
        if session.state is not SessionState.ENDED or session.end_reason is None:
            raise Refusal("session_core.not_running")
        if not session.end_reason.resumable:
            raise Refusal("session_core.not_resumable")
        with self._reserved(session.guild_id):
            channel = playable_channel(self._client, session)
            back = replace(session, state=SessionState.RUNNING, ended_at=None, end_reason=None)
            return await self._open(back, channel, reopen=True)

    async def _open(
        self, session: Session, channel: SessionChannel, *, reopen: bool = False, **changes: Any
    ) -> Session:
        """Join and play a stored session; what it becomes (`changes`) is stored once that worked.

        Raises VoiceEnded.
        """
        sid = session.session_id
        player = SessionPlayer(
            self._client,
            self._composition,
            self.settings,
            self.store,
            replace(session, **changes),
            on_change=self.notifications.changed,
            on_over=lambda reason: self._over(sid, reason),
            read=self.track_reader.track_for,
            join=self._crossfade if self.settings.crossfade_seconds else None,
            connection_options=self.connection_options,
        )
        end = await player.open(channel)
        if end is not None:
            raise VoiceEnded(end)
        try:
            stored = await self.store.get(sid)
            if stored is not None and stored.state is SessionState.ENDED and not reopen:
                raise VoiceEnded(VoiceEnd.LEFT)  # stopped while it was being joined
            if reopen:
                await self.store.reopen(sid)
            if changes:
                await self.store.update(sid, **changes)
        except BaseException:
            await player.close()
            raise
        self._players[sid] = player
        player.wake()
        self.notifications.changed(sid)
        return player.session

    async def _crossfade(self, first: Path, second: Path, volume: float) -> Sequence[bytes]:
        return await self.track_reader.joint(first, second, self.settings.crossfade_seconds, volume)

    # what members do

    async def stop(self, session_id: str, reason: EndReason = EndReason.HOST) -> SessionRecord:
        """End a session, running or planned."""
        player = self._players.get(session_id)
        if player is not None:
            await player.end(reason)
            return await self.store.record(session_id)
        session = await self.stored(session_id)
        if session.state is SessionState.ENDED:
            raise Refusal("session_core.over")
        # Nothing was heard: there is nothing to recapitulate.
        await self.store.update(session_id, state=SessionState.ENDED, ended_at=time.time(), end_reason=reason)
        if session.state is SessionState.PLANNED:
            await self.store.set_recap(session_id, None, complete=True)
        self.notifications.changed(session_id)
        return await self.store.record(session_id)

    def running_player(self, session_id: str) -> SessionPlayer | None:
        """The player of a session, None where it does not run."""
        return self._players.get(session_id)

    def controls(self, session_id: str) -> PlaybackControls:
        """Skips, pauses, goes back … in a running session. Raises Refusal where it does not run."""
        player = self._players.get(session_id)
        if player is None:
            raise Refusal("session_core.not_running")
        return player.controls

    async def stored(self, session_id: str) -> Session:
        """A session as it is stored. Raises Refusal where it is not known."""
        session = await self.store.get(session_id)
        if session is None:
            raise Refusal("session_core.unknown")
        return session

    async def vote(
        self,
        session_id: str,
        entry_id: int,
        job_id: str,
        user_id: int,
        name: str,
        *,
        score: int | None = None,
        starred: bool | None = None,
    ) -> Vote:
        """Store a vote; what is None stays. Raises Refusal when closed, or for who never listened."""
        player = self._players.get(session_id)
        if player is None:
            session = await self.stored(session_id)
            raise Refusal(
                "session_core.vote_closed"
                if session.state is SessionState.ENDED
                else "session_core.vote_too_early"
            )
        return await player.vote(entry_id, job_id, user_id, name, score, starred)

    async def set_board_message(self, session_id: str, message_id: int | None) -> None:
        """Remember the panel's message."""
        player = self._players.get(session_id)
        if player is not None:
            await player.note_board(message_id)
        else:
            await self.store.update(session_id, board_message_id=message_id)

    # what is shown

    def view(self, session_id: str) -> SessionView | None:
        """A running session as it is now; None where it does not run (see `view_of_stored`)."""
        player = self._players.get(session_id)
        return player.view() if player is not None else None

    async def view_of_stored(self, session_id: str) -> SessionView:
        """Any session: as it is now where it runs, else as it is stored (planned and ended ones)."""
        if (now := self.view(session_id)) is not None:
            return now
        session = await self.stored(session_id)
        entries = {entry.entry_id: entry for entry in await self.store.entries(session_id)}
        votes = await self.store.votes(session_id)
        return make_view(session, entries, votes, status=PlaybackStatus.OVER)

    def of_channel(self, channel_id: int) -> Session | None:
        """The running session whose voice or text channel this is."""
        for session in self.running():
            if channel_id in (session.voice_channel_id, session.text_channel_id):
                return session
        return None

    def of_guild(self, guild_id: int) -> Session | None:
        """The server's running session; Discord lets a bot be in one voice channel of a server only."""
        return next((session for session in self.running() if session.guild_id == guild_id), None)

    def running(self) -> list[Session]:
        """All running sessions, oldest first."""
        sessions = [player.session for player in self._players.values()]
        return sorted(sessions, key=lambda session: session.created_at)

    # restarts and losses

    async def recover(self) -> None:
        """Take up what ran when the last process ended, and what is owed at an end. Called once, at ready."""
        for session in await self.store.owed_recaps():
            if session.end_reason is not None:
                self.notifications.ended(session.session_id, session.end_reason)
        for session in await self.store.running():
            self._tasks.spawn(self._recover(session), f"taking up session {session.session_id}")

    async def _recover(self, session: Session) -> None:
        guild = self._client.get_guild(session.guild_id)
        channel = guild.get_channel(session.voice_channel_id) if guild is not None else None
        if guild is None:
            await self._lost(session, EndReason.GUILD_GONE)
        elif guild.unavailable:
            self._away.setdefault(guild.id, []).append(session)
        elif not isinstance(channel, SessionChannel):
            await self._lost(session, EndReason.CHANNEL_GONE)
        else:
            try:
                with self._reserved(session.guild_id, limited=False):
                    await self._open(session, channel)
            except VoiceEnded as error:
                if error.end is not VoiceEnd.LEFT and not self._closing:
                    await self._lost(session, _LOST.get(error.end, EndReason.UNREACHABLE))
            except Refusal:  # another one was begun before this one could be taken up
                await self._lost(session, EndReason.UNREACHABLE)

    async def _lost(self, session: Session, reason: EndReason) -> None:
        """A stored session that cannot be taken up."""
        log.info("session %s cannot go on: %s", session.session_id, reason)
        await self.store.update(
            session.session_id, state=SessionState.ENDED, ended_at=time.time(), end_reason=reason
        )
        self.notifications.ended(session.session_id, reason)

    async def close(self) -> None:
        """Leave voice; what runs stays stored as running, for the next start."""
        self._closing = True
        await self._tasks.close()
        await asyncio.gather(*(player.close() for player in self._players.values()))
        self._players.clear()

    async def _over(self, session_id: str, reason: EndReason) -> None:
        """A player is done."""
        self._players.pop(session_id, None)
        self.notifications.changed(session_id)
        self.notifications.ended(session_id, reason)

    async def jobs_ended(self, records: Sequence[JobRecord]) -> None:
        """The outbox hands over ended jobs: the session looks for itself what became of them."""
        for record in records:
            for session_id in await self.store.sessions_of_job(record.job_id):
                if (player := self._players.get(session_id)) is not None:
                    player.wake(jobs=True)

    def listeners_changed(self, guild_id: int) -> None:
        """Somebody came into or left a voice channel, or was deafened."""
        for player in self._of(guild_id):
            player.wake()

    async def channel_gone(self, guild_id: int, channel_id: int) -> None:
        """A channel was deleted: a session in it ends."""
        for player in self._of(guild_id):
            if player.session.voice_channel_id == channel_id:
                await player.end(EndReason.CHANNEL_GONE)

    async def guild_gone(self, guild_id: int) -> None:
        """The bot is no longer in a server."""
        for player in self._of(guild_id):
            await player.end(EndReason.GUILD_GONE)

    def guild_available(self, guild_id: int) -> None:
        """A server that Discord could not show at the start is there: its session goes on."""
        for session in self._away.pop(guild_id, []):
            self._tasks.spawn(self._recover(session), f"taking up session {session.session_id}")

    # helpers

    def _of(self, guild_id: int) -> list[SessionPlayer]:
        return [player for player in list(self._players.values()) if player.session.guild_id == guild_id]

    @contextlib.contextmanager
    def _reserved(self, guild_id: int, *, limited: bool = True) -> Iterator[None]:
        """Keeps a server's one session for the caller while it joins. Raises Refusal.

        Taken before the first `await`, so that of two members who begin at once one is refused.

        Args:
            limited: whether `max_total` holds too.
        """
        if (other := self.of_guild(guild_id)) is not None:
            raise Refusal("session_core.one_per_guild", title=discord.utils.escape_markdown(other.title))
        if guild_id in self._joining:
            raise Refusal("session_core.one_per_guild", title="…")
        if limited and len(self._players) + len(self._joining) >= self.settings.max_total:
            raise Refusal("session_core.too_many_total", limit=self.settings.max_total)
        self._joining.add(guild_id)
        try:
            yield
        finally:
            self._joining.discard(guild_id)

    async def _check_guild(self, guild_id: int) -> None:
        live = await self.store.in_states(SessionState.PLANNED, SessionState.RUNNING, SessionState.PAUSED)
        if sum(session.guild_id == guild_id for session in live) >= self.settings.max_per_guild:
            raise Refusal("session_core.too_many_guild", limit=self.settings.max_per_guild)
