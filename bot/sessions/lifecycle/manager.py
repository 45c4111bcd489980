"""All listening sessions of the bot: who may start one, what members do to them, and how they come back."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import discord
from discord.ext import commands

from albumgen_core.errors import InferenceError
from albumgen_core.files import remove_paths
from albumgen_core.inference.database import Database
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import CLIP_OGG
from bot.guilds.settings import GuildSettingsStore
from bot.messages.errors import Refusal
from bot.sessions.playback.composition import Composition, new_clips
from bot.sessions.playback.listeners import VoiceRoom
from bot.sessions.playback.player import SessionPlayer
from bot.sessions.playback.voice import VoiceEnd
from bot.sessions.playback.volume import TrackReader
from bot.sessions.state.member_data import delete_member_data, read_member_data
from bot.sessions.state.model import (
    Clip,
    EndReason,
    Entry,
    EntryState,
    Session,
    SessionRecord,
    SessionState,
    Vote,
)
from bot.sessions.state.rules import check_room
from bot.sessions.state.store import SessionStore
from bot.sessions.state.turns import turn_for
from bot.sessions.state.view import PlaybackStatus, SessionView, make_view
from bot.settings import SessionSettings

log = logging.getLogger(__name__)

OnChange = Callable[[str], Awaitable[None]]
OnEnd = Callable[[SessionRecord, EndReason], Awaitable[None]]

LOWEST_VOLUME, HIGHEST_VOLUME = 0.05, 1.0
_TOGETHER_SECONDS = 0.1
_TITLE_LENGTH = 100
_LIVE = (SessionState.RUNNING, SessionState.PAUSED)

_NOT_JOINED = {
    VoiceEnd.ENCRYPTION: "session_core.voice_encryption",
    VoiceEnd.REFUSED: "session_core.voice_refused",
}


@dataclass(frozen=True, slots=True)
class SkipResult:
    """What became of a wish to skip: whether it was skipped, and the votes so far of those needed."""

    skipped: bool
    votes: int
    needed: int


class SessionManager:
    """Starts, steers and ends sessions. One per bot.

    Every method with a `session_id` raises Refusal("session_core.unknown") where it is not known, and
    Refusal("session_core.not_running") where it must run and does not. Who may do what (host, moderators,
    submitters) is the caller's to decide beforehand.

    Attributes:
        store: the tables. volumes: reads clips at a volume.
        ends: who is told when a session has ended (see `on_end`).
        link_options: further arguments of every VoiceConnection (tries, timeout, pause).
    """

    def __init__(
        self,
        client: commands.AutoShardedBot,
        database: Database,
        settings: SessionSettings,
        guilds: GuildSettingsStore,
        composition: Composition,
    ) -> None:
        self._client, self._guilds, self._composition = client, guilds, composition
        self.store = SessionStore(database)
        self.settings = settings
        self.volumes = TrackReader()
        self.link_options: dict[str, Any] = {}
        self._conductors: dict[str, SessionPlayer] = {}
        self._opening: dict[str, int] = {}  # session id: guild id
        self._away: dict[int, list[Session]] = {}
        self._changed: set[str] = set()
        self._on_change: list[OnChange] = []
        self.ends: list[OnEnd] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        client.add_listener(self._voice_state, "on_voice_state_update")
        client.add_listener(self._channel_gone, "on_guild_channel_delete")
        client.add_listener(self._guild_gone, "on_guild_remove")
        client.add_listener(self._guild_back, "on_guild_available")

    def on_change(self, callback: OnChange) -> None:
        """Call `callback(session_id)` whenever the board must be drawn again; bursts are joined."""
        self._on_change.append(callback)

    def on_end(self, callback: OnEnd) -> None:
        """Call `callback(record, reason)` after a session has ended (never for one that never began).

        Must be safe to repeat: after a restart it is called again for every ended session until
        `store.set_recap(session_id, message_id, complete=True)` was called.
        """
        self.ends.append(callback)

    # beginning

    async def start(
        self,
        *,
        guild_id: int,
        voice_channel_id: int,
        text_channel_id: int,
        host_id: int,
        title: str,
        theme: str = "",
        rounds: int = 0,
        blind: bool = False,
        versus: bool = False,
        locale: str = "en",
        event_id: int | None = None,
    ) -> Session:
        """Begin a session and join its voice channel (seconds: defer the interaction). Raises Refusal."""
        now = time.time()
        session = Session(
            session_id=secrets.token_hex(16),
            guild_id=guild_id,
            voice_channel_id=voice_channel_id,
            text_channel_id=text_channel_id,
            host_id=host_id,
            title=title[:_TITLE_LENGTH],
            theme=theme[:_TITLE_LENGTH],
            rounds=rounds,
            blind=blind,
            versus=versus,
            locale=locale,
            event_id=event_id,
            created_at=now,
            started_at=now,
        )
        self._check_can_play(guild_id)
        await self._check_guild(guild_id)
        channel = self._room(session)
        await self.store.create(session)
        ending = await self._open(session, channel)
        if ending is not None:
            await self.store.delete(session.session_id)
            raise _not_joined(ending)
        return self._conductors[session.session_id].session

    async def plan(
        self,
        *,
        guild_id: int,
        voice_channel_id: int,
        text_channel_id: int,
        host_id: int,
        title: str,
        theme: str = "",
        rounds: int = 0,
        blind: bool = False,
        versus: bool = False,
        locale: str = "en",
        event_id: int | None = None,
    ) -> Session:
        """Store a session that begins later, by `begin`. Covers may be submitted before. Raises Refusal."""
        await self._check_guild(guild_id)
        session = Session(
            session_id=secrets.token_hex(16),
            guild_id=guild_id,
            voice_channel_id=voice_channel_id,
            text_channel_id=text_channel_id,
            host_id=host_id,
            title=title[:_TITLE_LENGTH],
            theme=theme[:_TITLE_LENGTH],
            rounds=rounds,
            blind=blind,
            versus=versus,
            locale=locale,
            event_id=event_id,
            state=SessionState.PLANNED,
            created_at=time.time(),
        )
        await self.store.create(session)
        return session

    async def begin(self, session_id: str) -> Session:
        """Begin a planned session (its scheduled event became active). Harmless if it runs already."""
        if session_id in self._conductors:
            return self._conductors[session_id].session
        session = await self._stored(session_id)
        if session.state is SessionState.ENDED:
            raise Refusal("session_core.over")
        return await self._take_up(session, state=SessionState.RUNNING, started_at=time.time())

    async def resume(self, session_id: str) -> Session:
        """Run a session again that ended by trouble (`EndReason.resumable`), where it was."""
        if session_id in self._conductors:
            return self._conductors[session_id].session
        session = await self._stored(session_id)
        if session.state is not SessionState.ENDED or session.end_reason is None:
            raise Refusal("session_core.not_running")
        if not session.end_reason.resumable:
            raise Refusal("session_core.not_resumable")
        back = replace(session, state=SessionState.RUNNING, ended_at=None, end_reason=None)
        return await self._take_up(back, reopen=True)

    async def _take_up(self, session: Session, *, reopen: bool = False, **changes: Any) -> Session:
        """Join and play a stored session; what it becomes is stored once that worked."""
        self._check_can_play(session.guild_id)
        channel = self._room(session)
        session = replace(session, **changes)
        ending = await self._open(session, channel, reopen=reopen, changes=changes)
        if ending is not None:
            raise _not_joined(ending)
        return self._conductors[session.session_id].session

    async def _open(
        self,
        session: Session,
        channel: VoiceRoom,
        *,
        reopen: bool = False,
        changes: Mapping[str, Any] | None = None,
    ) -> VoiceEnd | None:
        sid = session.session_id
        conductor = SessionPlayer(
            self._client,
            self._composition,
            self.settings,
            self.store,
            session,
            on_change=self._touch,
            on_over=lambda reason: self._over(sid, reason),
            read=self.volumes.track_for,
            join=self._crossfade if self.settings.crossfade_seconds else None,
            link_options=self.link_options,
        )
        self._opening[sid] = session.guild_id
        try:
            ending = await conductor.open(channel)
            if ending is None:
                stored = await self.store.get(sid)
                if stored is not None and stored.state is SessionState.ENDED and not reopen:
                    await conductor.close()  # stopped while it was being joined
                    return VoiceEnd.LEFT
                if reopen:
                    await self.store.reopen(sid)
                if changes:
                    await self.store.update(sid, **changes)
                self._conductors[sid] = conductor
                conductor.wake()
        finally:
            self._opening.pop(sid, None)
        self._touch(sid)
        return ending

    async def _crossfade(self, first: Path, second: Path, volume: float) -> Sequence[bytes]:
        return await self.volumes.joint(first, second, self.settings.crossfade_seconds, volume)

    # what members bring

    async def submit(
        self, session_id: str, user_id: int, cover: bytes, title: str, submitter_name: str
    ) -> Entry:
        """Add a checked cover (bytes from `Requests.fetch_cover`); it is composed ahead of its turn.

        Raises Refusal where the session takes no more, or none of this member's.
        """
        session, entries = await self._open_for_entries(session_id)
        check_room(session, entries, user_id, self.settings)
        guild = await self._guilds.of(session.guild_id)
        path = await self._composition.store_cover(session_id, cover)
        return await self._add(
            Entry(
                entry_id=0,
                session_id=session_id,
                submitter_id=user_id,
                submitter_name=submitter_name,
                title=title[:_TITLE_LENGTH],
                clips=new_clips(versus=session.versus, rag=guild.rag),
                submitted_at=time.time(),
                cover_path=path,
            )
        )

    async def add_take(self, session_id: str, record: JobRecord, user_id: int, name: str) -> Entry:
        """Add a finished result as it is (🎧): nothing new is composed. Raises Refusal."""
        session, entries = await self._open_for_entries(session_id)
        check_room(session, entries, user_id, self.settings)
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
        conductor = self._conductors.get(entry.session_id)
        if conductor is not None:
            return await conductor.add(entry)
        stored = await self.store.entries(entry.session_id)
        return await self.store.add_entry(replace(entry, turn=turn_for(stored, entry.submitter_id)))

    async def _open_for_entries(self, session_id: str) -> tuple[Session, Sequence[Entry]]:
        conductor = self._conductors.get(session_id)
        if conductor is not None:
            return conductor.session, list(conductor.entries.values())
        session = await self._stored(session_id)
        if session.state is SessionState.ENDED:
            raise Refusal("session_core.over")
        return session, await self.store.entries(session_id)

    # what members do

    async def stop(self, session_id: str, reason: EndReason = EndReason.HOST) -> SessionRecord:
        """End a session, running or planned."""
        conductor = self._conductors.get(session_id)
        if conductor is not None:
            await conductor.end(reason)
            return await self.store.record(session_id)
        session = await self._stored(session_id)
        if session.state is SessionState.ENDED:
            raise Refusal("session_core.over")
        # Nothing was heard: there is nothing to recapitulate.
        await self.store.update(session_id, state=SessionState.ENDED, ended_at=time.time(), end_reason=reason)
        if session.state is SessionState.PLANNED:
            await self.store.set_recap(session_id, None, complete=True)
        self._touch(session_id)
        return await self.store.record(session_id)

    async def pause(self, session_id: str) -> None:
        """Hold playback."""
        await self._running(session_id).set_paused(True)

    async def unpause(self, session_id: str) -> None:
        """Go on where it was held."""
        await self._running(session_id).set_paused(False)

    async def skip(self, session_id: str, user_id: int, *, force: bool = False) -> SkipResult:
        """Vote for skipping what plays, or (`force`: host, moderators) skip it at once.

        Raises Refusal where nothing plays, and for votes of who is not listening.
        """
        return SkipResult(*await self._running(session_id).skip(user_id, force=force))

    async def replay(self, session_id: str) -> None:
        """Play the current take again from its beginning, or the last one where nothing plays."""
        await self._running(session_id).replay()

    async def back(self, session_id: str) -> None:
        """Play the entry before the current one; the current one comes after it. Raises Refusal."""
        await self._running(session_id).back()

    async def set_volume(self, session_id: str, share: float) -> None:
        """Loudness relative to the clips, 0.05 to 1.0. Raises Refusal outside."""
        conductor = self._running(session_id)
        if not LOWEST_VOLUME <= share <= HIGHEST_VOLUME:
            raise Refusal(
                "session_core.volume",
                lowest=f"{LOWEST_VOLUME:.0%}"[:-1],
                highest=f"{HIGHEST_VOLUME:.0%}"[:-1],
            )
        await conductor.set_volume(share)

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
        conductor = self._conductors.get(session_id)
        if conductor is None:
            session = await self._stored(session_id)
            raise Refusal(
                "session_core.vote_closed"
                if session.state is SessionState.ENDED
                else "session_core.vote_too_early"
            )
        return await conductor.vote(entry_id, job_id, user_id, name, score, starred)

    async def set_board_message(self, session_id: str, message_id: int | None) -> None:
        """Remember the panel's message."""
        conductor = self._conductors.get(session_id)
        if conductor is not None:
            await conductor.note_board(message_id)
        else:
            await self.store.update(session_id, board_message_id=message_id)

    async def forget_member(self, user_id: int, guild_id: int | None = None) -> int:
        """Delete all that sessions hold of a member (in one server only, where given); covers deleted.

        The pages and mixtapes of the sessions they took part in go too: they name the member.
        """
        forgotten = await delete_member_data(self.store.database, user_id, guild_id)
        for session_id in forgotten.sessions:
            if (conductor := self._conductors.get(session_id)) is not None:
                await conductor.forget(user_id)
        paths = [str(path) for path in forgotten.covers]
        for session_id in forgotten.sessions:
            if session_id not in self._conductors:
                paths += await asyncio.to_thread(_made_files, self._composition.session_folder(session_id))
        await asyncio.to_thread(remove_paths, paths)
        for session_id in forgotten.sessions:
            await self._tell_anew(session_id)
        return len(forgotten.covers)

    async def _tell_anew(self, session_id: str) -> None:
        """An ended session's recap is owed again: its message names somebody who is forgotten."""
        session, message = await self.store.get(session_id), await self.store.recap_message(session_id)
        if session is not None and session.end_reason is not None and message is not None:
            await self.store.set_recap(session_id, message, complete=False)
            self._spawn(self._tell_end(session_id, session.end_reason))

    async def tell_member(self, user_id: int, guild_id: int | None = None) -> list[dict[str, Any]]:
        """All that sessions hold of a member, one JSON-ready object a thing."""
        return await read_member_data(self.store.database, user_id, guild_id)

    # what is shown

    def view(self, session_id: str) -> SessionView | None:
        """A running session as it is now; None where it does not run (see `view_of_stored`)."""
        conductor = self._conductors.get(session_id)
        return conductor.view() if conductor is not None else None

    async def view_of_stored(self, session_id: str) -> SessionView:
        """Any session: as it is now where it runs, else as it is stored (planned and ended ones)."""
        if (now := self.view(session_id)) is not None:
            return now
        session = await self._stored(session_id)
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
        sessions = [conductor.session for conductor in self._conductors.values()]
        return sorted(sessions, key=lambda session: session.created_at)

    # restarts and losses

    async def recover(self) -> None:
        """Take up what ran when the last process ended, and what is owed at an end. Called once, at ready."""
        for session in await self.store.owed_recaps():
            if session.end_reason is not None:
                self._spawn(self._tell_end(session.session_id, session.end_reason))
        for session in await self.store.running():
            self._spawn(self._recover(session))

    async def _recover(self, session: Session) -> None:
        guild = self._client.get_guild(session.guild_id)
        if guild is None:
            await self._lost(session, EndReason.GUILD_GONE)
        elif guild.unavailable:
            self._away.setdefault(guild.id, []).append(session)
        elif not isinstance(guild.get_channel(session.voice_channel_id), VoiceRoom):
            await self._lost(session, EndReason.CHANNEL_GONE)
        else:
            channel = guild.get_channel(session.voice_channel_id)
            assert isinstance(channel, VoiceRoom)
            ending = await self._open(session, channel)
            if ending is VoiceEnd.ENCRYPTION:
                await self._lost(session, EndReason.ENCRYPTION)
            elif ending is VoiceEnd.REFUSED:
                await self._lost(session, EndReason.REFUSED)
            elif ending not in (None, VoiceEnd.LEFT) and not self._closing:
                await self._lost(session, EndReason.UNREACHABLE)

    async def _lost(self, session: Session, reason: EndReason) -> None:
        """A stored session that cannot be taken up."""
        log.info("session %s cannot go on: %s", session.session_id, reason)
        await self.store.update(
            session.session_id, state=SessionState.ENDED, ended_at=time.time(), end_reason=reason
        )
        await self._tell_end(session.session_id, reason)

    async def close(self) -> None:
        """Leave voice; what runs stays stored as running, for the next start."""
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(conductor.close() for conductor in self._conductors.values()))
        self._conductors.clear()

    async def _over(self, session_id: str, reason: EndReason) -> None:
        """A conductor is done."""
        self._conductors.pop(session_id, None)
        self._touch(session_id)
        self._spawn(self._tell_end(session_id, reason))

    async def _tell_end(self, session_id: str, reason: EndReason) -> None:
        for callback in self.ends:
            try:
                await callback(await self.store.record(session_id), reason)
            except Exception:
                log.exception("the end of session %s could not be told", session_id)

    async def jobs_ended(self, records: Sequence[JobRecord]) -> None:
        """The outbox hands over ended jobs: the session looks for itself what became of them."""
        for record in records:
            for session_id in await self.store.sessions_of_job(record.job_id):
                if (conductor := self._conductors.get(session_id)) is not None:
                    conductor.wake(jobs=True)

    async def _voice_state(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        for conductor in self._of(member.guild.id):
            conductor.wake()

    async def _channel_gone(self, channel: discord.abc.GuildChannel) -> None:
        for conductor in self._of(channel.guild.id):
            if conductor.session.voice_channel_id == channel.id:
                await conductor.end(EndReason.CHANNEL_GONE)

    async def _guild_gone(self, guild: discord.Guild) -> None:
        for conductor in self._of(guild.id):
            await conductor.end(EndReason.GUILD_GONE)

    async def _guild_back(self, guild: discord.Guild) -> None:
        for session in self._away.pop(guild.id, []):
            self._spawn(self._recover(session))

    # helpers

    def _of(self, guild_id: int) -> list[SessionPlayer]:
        return [c for c in list(self._conductors.values()) if c.session.guild_id == guild_id]

    def _running(self, session_id: str) -> SessionPlayer:
        conductor = self._conductors.get(session_id)
        if conductor is None:
            raise Refusal("session_core.not_running")
        return conductor

    async def _stored(self, session_id: str) -> Session:
        session = await self.store.get(session_id)
        if session is None:
            raise Refusal("session_core.unknown")
        return session

    def _check_can_play(self, guild_id: int) -> None:
        if (other := self.of_guild(guild_id)) is not None:
            title = discord.utils.escape_markdown(other.title)
            raise Refusal("session_core.one_per_guild", title=title)
        if guild_id in self._opening.values():
            raise Refusal("session_core.one_per_guild", title="…")
        if len(self._conductors) + len(self._opening) >= self.settings.max_total:
            raise Refusal("session_core.too_many_total", limit=self.settings.max_total)

    async def _check_guild(self, guild_id: int) -> None:
        live = await self.store.in_states(SessionState.PLANNED, *_LIVE)
        if sum(session.guild_id == guild_id for session in live) >= self.settings.max_per_guild:
            raise Refusal("session_core.too_many_guild", limit=self.settings.max_per_guild)

    def _room(self, session: Session) -> VoiceRoom:
        """The session's voice channel, with all permissions that it takes. Raises Refusal."""
        guild = self._client.get_guild(session.guild_id)
        channel = guild.get_channel(session.voice_channel_id) if guild is not None else None
        if not isinstance(channel, VoiceRoom):
            raise Refusal("session_core.no_voice_channel")
        allowed = channel.permissions_for(channel.guild.me)
        needed = ["view_channel", "connect"]
        if isinstance(channel, discord.VoiceChannel):
            needed.append("speak")
        elif not allowed.mute_members:
            needed.append("request_to_speak")  # on a stage, speaking is asked for
        for name in needed:
            if not getattr(allowed, name):
                raise Refusal("session_core.voice_permission", permission=name.replace("_", " ").title())
        return channel

    def _touch(self, session_id: str) -> None:
        """The board of a session must be drawn again, soon."""
        if self._closing or session_id in self._changed or not self._on_change:
            return
        self._changed.add(session_id)
        self._spawn(self._tell_change(session_id))

    async def _tell_change(self, session_id: str) -> None:
        await asyncio.sleep(_TOGETHER_SECONDS)
        self._changed.discard(session_id)
        for callback in self._on_change:
            try:
                await callback(session_id)
            except Exception:
                log.exception("a change of session %s could not be shown", session_id)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._closing:
            work.close()
            return
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except InferenceError as error:  # closing, or a busy journal: the next start takes it up
        log.warning("a session's work was put off: %s", error)
    except Exception:
        log.exception("a session's work failed")


def _not_joined(ending: VoiceEnd) -> Refusal:
    return Refusal(_NOT_JOINED.get(ending, "session_core.voice_unreachable"))


def _made_files(folder: Path) -> list[str]:
    """What was made from an ended session: everything but its covers."""
    if not folder.is_dir():
        return []
    return [str(path) for path in folder.iterdir() if path.name != "covers"]
