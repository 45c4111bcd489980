"""What a listening session is made of: plain values, for the store, the player, the board and the recap."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

LOWEST_SCORE, HIGHEST_SCORE = 1, 5
TITLE_LENGTH = 100
"""Longest title and theme that are stored."""


class SessionState(StrEnum):
    """Where a session stands. `planned`: its scheduled event has not begun. `ended` is final."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a session is over. All but `HOST` and `FINISHED` leave a playlist that can be taken up again."""

    HOST = "host"  # its host or a moderator ended it
    FINISHED = "finished"  # everything was played, and nobody brought more
    EMPTY = "empty"  # nobody was in the channel any more
    REMOVED = "removed"  # someone disconnected the bot from voice
    CHANNEL_GONE = "channel_gone"  # the voice channel was deleted
    GUILD_GONE = "guild_gone"  # the bot is no longer in the server
    ENCRYPTION = "encryption"  # 4017: end-to-end encryption that we could not offer
    REFUSED = "refused"  # 4021, 4022: Discord ended the call
    UNREACHABLE = "unreachable"  # voice could not be joined, or joined again

    @property
    def resumable(self) -> bool:
        """Whether `/session resume` can take the playlist up again."""
        return self not in (EndReason.HOST, EndReason.FINISHED)


class EntryState(StrEnum):
    """Where a clip stands. `composing`: not all of its jobs are done. `failed` and `played` are final."""

    COMPOSING = "composing"
    READY = "ready"
    PLAYING = "playing"
    PLAYED = "played"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Clip:
    """One take that is played.

    Attributes:
        job_id: the job that made it, 32 hexadecimal digits.
        rag: whether kindred albums were consulted.
        result_dir: folder of the finished result (see `albumgen_core.result`); None while it is being made.
        seconds: length of the audio; 0.0 while unknown.
    """

    job_id: str
    rag: bool
    result_dir: Path | None = None
    seconds: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether there is something to play."""
        return self.result_dir is not None


@dataclass(frozen=True, slots=True)
class Entry:
    """One cover in a session, with its take, or with two of them in a `versus` session.

    Attributes:
        entry_id: the session's own number of it, from 1, in order of submission.
        session_id: whose it is.
        submitter_id: Discord id of the member who brought it.
        submitter_name: the member's display name then; untrusted text.
        title: what members call it (the file's name without extension, or what they typed); untrusted text.
        clips: one, or two (versus: with RAG and without, in the order in which they are played).
        state: see EntryState.
        submitted_at, played_at: Unix seconds; played_at None until it began.
        cover_path: the cover as a JPEG or PNG, where the result folder does not hold it yet.
        error: the sentence that a failed job ended with.
        turn: the round in which it plays, from 1 (see `bot.sessions.state.turns`).
        closed_at: Unix seconds from which its votes cannot be changed any more; None while they can. In a
            blind session its cover and submitter are shown from then on.
    """

    entry_id: int
    session_id: str
    submitter_id: int
    submitter_name: str
    title: str
    clips: tuple[Clip, ...]
    state: EntryState = EntryState.COMPOSING
    submitted_at: float = 0.0
    played_at: float | None = None
    cover_path: Path | None = None
    error: str | None = None
    turn: int = 1
    closed_at: float | None = None

    @property
    def versus(self) -> bool:
        """Whether two takes of the cover compete."""
        return len(self.clips) > 1

    @property
    def seconds(self) -> float:
        """Playing time of all its takes."""
        return sum(clip.seconds for clip in self.clips)


@dataclass(frozen=True, slots=True)
class Vote:
    """One member's opinion of one clip; there is one a member and clip, and a later one replaces it.

    Attributes:
        session_id, entry_id, job_id: the clip.
        user_id: who voted.
        score: 1 to 5, or None for a member who only starred.
        starred: whether the member gave a ⭐.
        at: Unix seconds of the last change.
    Raises ValueError for a score outside 1 to 5.
    """

    session_id: str
    entry_id: int
    job_id: str
    user_id: int
    score: int | None = None
    starred: bool = False
    at: float = 0.0

    def __post_init__(self) -> None:
        if self.score is not None and not LOWEST_SCORE <= self.score <= HIGHEST_SCORE:
            raise ValueError(f"a score is {LOWEST_SCORE} to {HIGHEST_SCORE}, not {self.score}")


@dataclass(frozen=True, slots=True)
class Session:
    """One session.

    Attributes:
        session_id: 32 hexadecimal digits.
        guild_id, voice_channel_id, text_channel_id: where; the text channel holds the board.
        host_id: who started it.
        title, theme: untrusted text; theme "" for none.
        rounds: covers a member may bring, 0 for as many as they like ("open").
        blind: cover and submitter stay hidden until votes are in.
        versus: each cover is played with RAG and without.
        volume: loudness of playback relative to the clips, 0.05 to 1.0.
        locale: language of the board and the recap.
        state: see SessionState.
        created_at, started_at, ended_at: Unix seconds.
        board_message_id: the panel, once it was sent.
        event_id: Discord's scheduled event that it begins with.
        current_entry_id, current_clip, position: what plays, which of its takes, and where in it (20 ms
            frames): where a restart goes on.
        end_reason: why it is over; None while it is not.
    """

    session_id: str
    guild_id: int
    voice_channel_id: int
    text_channel_id: int
    host_id: int
    title: str
    theme: str = ""
    rounds: int = 0
    blind: bool = False
    versus: bool = False
    volume: float = 1.0
    locale: str = "en"
    state: SessionState = SessionState.RUNNING
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    board_message_id: int | None = None
    event_id: int | None = None
    current_entry_id: int | None = None
    current_clip: int = 0
    position: int = 0
    end_reason: EndReason | None = None


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What somebody wants a session to be. The fields are those of `Session`."""

    guild_id: int
    voice_channel_id: int
    text_channel_id: int
    host_id: int
    title: str
    theme: str = ""
    rounds: int = 0
    blind: bool = False
    versus: bool = False
    locale: str = "en"
    event_id: int | None = None

    def session(self, state: SessionState) -> Session:
        """A new session; one that is not PLANNED begins now."""
        now = time.time()
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values |= {"title": self.title[:TITLE_LENGTH], "theme": self.theme[:TITLE_LENGTH]}
        started = None if state is SessionState.PLANNED else now
        return Session(secrets.token_hex(16), **values, state=state, created_at=now, started_at=started)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session with all that belongs to it, as the recap tells it.

    Attributes:
        session: the session.
        entries: in order of submission.
        votes: one a member and clip.
        members: display names by user id, of everyone who submitted, voted or listened; untrusted text.
    """

    session: Session
    entries: Sequence[Entry] = ()
    votes: Sequence[Vote] = ()
    members: Mapping[int, str] = field(default_factory=dict)

    def votes_of(self, job_id: str) -> list[Vote]:
        """The votes for one clip."""
        return [vote for vote in self.votes if vote.job_id == job_id]
