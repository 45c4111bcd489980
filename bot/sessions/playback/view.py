"""A running session as the board shows it: one value, taken at one moment."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.sessions.playback.listeners import Listener
from bot.sessions.playback.play_queue import QueueItem
from bot.sessions.playback.playlist import FRAME_SECONDS
from bot.sessions.state.model import Clip, Entry, EntryState, Session, SessionState, Vote
from bot.sessions.state.turns import to_come


class PlaybackStatus(StrEnum):
    """What the members in the channel hear."""

    PLAYING = "playing"
    PAUSED = "paused"  # somebody pressed pause
    EMPTY = "empty"  # held, because nobody is in the channel
    ENCORE = "encore"  # an earlier cover again, because the next one is still being composed
    COMPOSING = "composing"  # nothing to play yet; clips are on their way
    WAITING = "waiting"  # everything was played: more covers are wanted
    RECONNECTING = "reconnecting"  # voice was lost and is being joined again
    OVER = "over"  # planned, or ended


@dataclass(frozen=True, slots=True)
class SessionView:
    """Everything that is shown of a session.

    Attributes:
        session: as it is stored.
        status: see PlaybackStatus.
        entries: every cover, in play order: what was heard (oldest first), what plays, what comes.
        current: what plays (or is held); None when nothing does. current_clip: which of its takes.
        started_at: Unix seconds at which the current take would have begun, had it never been paused.
        position: seconds of the current take that were heard.
        paused: whether playback is held, by somebody or because the channel is empty.
        up_next: what comes, in order; `EntryState.COMPOSING` among them. Failed covers are in `entries` only.
        votes: all of them.
        listeners: names by user id of the members in the channel, bots left out.
        hearing: those of them who are not deafened: the ones whose skip votes count.
        skip_votes, skips_needed: of those who hear, for the current entry.
        ends_at: Unix seconds at which the session ends by itself (empty, or nothing left to play); None
            while it will not.
        revealed: ids of the entries whose cover, submitter and (in `versus`) RAG take may be shown. Without
            `blind`, covers and submitters may be shown anyway; see `shows` and `reveals_rag`.
        trouble: a sentence on why composing does not go on, for the board; None when it does.
    """

    session: Session
    status: PlaybackStatus
    entries: Sequence[Entry]
    current: Entry | None
    current_clip: int
    started_at: float | None
    position: float
    paused: bool
    up_next: Sequence[Entry]
    votes: Sequence[Vote]
    listeners: Mapping[int, str]
    hearing: frozenset[int]
    skip_votes: int
    skips_needed: int
    ends_at: float | None
    revealed: frozenset[int]
    trouble: str | None = None

    @property
    def clip(self) -> Clip | None:
        """The take that plays."""
        return self.current.clips[self.current_clip] if self.current is not None else None

    @property
    def reveal(self) -> bool:
        """Whether cover and submitter of what plays may be shown."""
        return self.current is None or self.shows(self.current)

    def shows(self, entry: Entry) -> bool:
        """Whether an entry's cover and submitter may be shown."""
        return not self.session.blind or entry.entry_id in self.revealed

    def reveals_rag(self, entry: Entry) -> bool:
        """Whether it may be said which take consulted kindred albums: in `versus`, once votes are in."""
        return entry.entry_id in self.revealed if entry.versus else self.shows(entry)

    def is_open(self, entry: Entry) -> bool:
        """Whether an entry can be voted on: it was begun, and its vote is not closed."""
        return entry.played_at is not None and entry.closed_at is None

    def votes_of(self, job_id: str) -> list[Vote]:
        """The votes for one clip."""
        return [vote for vote in self.votes if vote.job_id == job_id]


def make_view(
    session: Session,
    entries: Mapping[int, Entry],
    votes: Sequence[Vote],
    *,
    status: PlaybackStatus,
    item: QueueItem | None = None,
    position: int = 0,
    audience: Mapping[int, Listener] | None = None,
    skips: Collection[int] = (),
    needed: int = 1,
    ends_at: float | None = None,
    trouble: str | None = None,
) -> SessionView:
    """Put a view together; `position` in frames of 20 ms."""
    audience = audience or {}
    hearing = frozenset(user_id for user_id, listener in audience.items() if listener.hears)
    current = entries.get(item.entry_id) if item is not None else None
    # What has just begun stands as ready until that is saved: it plays, it does not come.
    coming = [entry for entry in to_come(entries.values()) if entry is not current]
    heard = position * FRAME_SECONDS
    over = session.state is SessionState.ENDED
    return SessionView(
        session=session,
        status=status,
        entries=_in_order(entries.values(), coming, current),
        current=current,
        current_clip=item.clip if item is not None and current is not None else 0,
        started_at=time.time() - heard if current is not None else None,
        position=heard,
        paused=status in (PlaybackStatus.PAUSED, PlaybackStatus.EMPTY),
        up_next=coming,
        votes=votes,
        listeners={user_id: listener.name for user_id, listener in audience.items()},
        hearing=hearing,
        skip_votes=len(hearing.intersection(skips)),
        skips_needed=needed,
        ends_at=ends_at,
        revealed=frozenset(e.entry_id for e in entries.values() if over or e.closed_at is not None),
        trouble=trouble,
    )


def _in_order(entries: Collection[Entry], coming: Sequence[Entry], current: Entry | None) -> list[Entry]:
    begun = [
        e
        for e in entries
        if e is current or (e.played_at is not None and e.state is not EntryState.FAILED and e not in coming)
    ]
    begun.sort(key=lambda e: (e.played_at or math.inf, e.entry_id))
    rest = [e for e in entries if e not in begun and e not in coming]
    return [*begun, *coming, *rest]
