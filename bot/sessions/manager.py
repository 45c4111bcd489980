"""All listening sessions of the bot: who may start one, what members do to them, and how they come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from albumgen_core.inference.records import JobRecord
from bot.requests import Asker
from bot.sessions.model import EndReason, Entry, Session, SessionRecord, Vote
from bot.sessions.store import SessionStore
from bot.sessions.view import SessionView

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

OnChange = Callable[[str], Awaitable[None]]
OnEnd = Callable[[SessionRecord, EndReason], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SkipResult:
    """What became of a wish to skip: whether it was skipped, and the votes so far of those needed."""

    skipped: bool
    votes: int
    needed: int


class SessionManager:
    """Starts, steers and ends sessions. One per bot, as `bot.sessions`.

    Every method with a `session_id` raises Refusal("session_core.unknown") where it is not known, and
    Refusal("session_core.not_running") where it must run and does not. Who may do what (host, moderators,
    submitters) is the caller's to decide beforehand.

    Attributes:
        store: the tables.
    """

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.store = SessionStore(bot.database)

    def on_change(self, callback: OnChange) -> None:
        """Call `callback(session_id)` whenever the board must be drawn again; bursts are joined."""
        raise NotImplementedError

    def on_end(self, callback: OnEnd) -> None:
        """Call `callback(record, reason)` after a session has ended (never for one that never began).

        Must be safe to repeat: after a restart it is called again for every ended session until
        `store.set_recap(session_id, message_id, complete=True)` was called.
        """
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

    async def begin(self, session_id: str) -> Session:
        """Begin a planned session (its scheduled event became active). Harmless if it runs already."""
        raise NotImplementedError

    async def submit(
        self, session_id: str, asker: Asker, cover: bytes, title: str, submitter_name: str
    ) -> Entry:
        """Add a checked cover (bytes from `Requests.fetch_cover`); it is composed ahead of its turn."""
        raise NotImplementedError

    async def add_take(self, session_id: str, record: JobRecord, user_id: int, name: str) -> Entry:
        """Add a finished result as it is (🎧): nothing new is composed."""
        raise NotImplementedError

    async def stop(self, session_id: str, reason: EndReason = EndReason.HOST) -> SessionRecord:
        """End a session, running or planned."""
        raise NotImplementedError

    async def resume(self, session_id: str) -> Session:
        """Run a session again that ended by trouble (`EndReason.resumable`), where it was."""
        raise NotImplementedError

    async def pause(self, session_id: str) -> None:
        """Hold playback."""
        raise NotImplementedError

    async def unpause(self, session_id: str) -> None:
        """Go on where it was held."""
        raise NotImplementedError

    async def skip(self, session_id: str, user_id: int, *, force: bool = False) -> SkipResult:
        """Vote for skipping what plays, or (`force`: host, moderators) skip it at once.

        Raises Refusal where nothing plays, and for votes of who is not listening.
        """
        raise NotImplementedError

    async def replay(self, session_id: str) -> None:
        """Play the current take again from its beginning, or the last one where nothing plays."""
        raise NotImplementedError

    async def back(self, session_id: str) -> None:
        """Play the entry before the current one; the current one comes after it. Raises Refusal."""
        raise NotImplementedError

    async def set_volume(self, session_id: str, share: float) -> None:
        """Loudness relative to the clips, 0.05 to 1.0. Raises Refusal outside."""
        raise NotImplementedError

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
        raise NotImplementedError

    async def set_board_message(self, session_id: str, message_id: int | None) -> None:
        """Remember the panel's message."""
        raise NotImplementedError

    async def forget_member(self, user_id: int, guild_id: int | None = None) -> int:
        """Delete all that sessions hold of a member (in one server only, where given); covers deleted."""
        raise NotImplementedError

    def view(self, session_id: str) -> SessionView | None:
        """A running session as it is now; None where it does not run (see `view_of_stored`)."""
        raise NotImplementedError

    async def view_of_stored(self, session_id: str) -> SessionView:
        """Any session as it is stored: planned and ended ones too."""
        raise NotImplementedError

    def of_channel(self, channel_id: int) -> Session | None:
        """The running session whose voice or text channel this is."""
        raise NotImplementedError

    def of_guild(self, guild_id: int) -> Session | None:
        """The server's running session; Discord lets a bot be in one voice channel of a server only."""
        raise NotImplementedError

    def running(self) -> list[Session]:
        """All running sessions, oldest first."""
        raise NotImplementedError

    async def recover(self) -> None:
        """Take up what ran when the last process ended, and what is owed at an end. Called once, at ready."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave voice; what runs stays stored as running, for the next start."""
        raise NotImplementedError
