"""When a cover's vote closes, and with it what `blind` and `versus` keep back.

A cover can be voted on from the moment it begins, and its votes changed, until

- `vote_covers` further covers have begun, or the session ends;
- in a `blind` or `versus` session also as soon as it was played to its end and everyone who hears has scored
  every take: then the votes are in, and cover, submitter and RAG take are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence, Set

from bot.messages.errors import Refusal
from bot.sessions.state.model import Entry, EntryState, Session, Vote
from bot.settings import SessionSettings


def to_close(
    entries: Iterable[Entry],
    votes: Sequence[Vote],
    hearing: Set[int],
    *,
    secret: bool,
    vote_covers: int,
    own_votes: bool = True,
) -> list[Entry]:
    """The entries whose vote closes now.

    Args:
        entries: all of a session. votes: all of them. hearing: user ids of those who are listening.
        secret: whether the session is blind or versus. vote_covers, own_votes: see `SessionSettings`.
    """
    begun = sorted((e for e in entries if e.played_at is not None), key=lambda e: (e.played_at, e.entry_id))
    closing = []
    for place, entry in enumerate(begun):
        if entry.closed_at is not None or entry.state is EntryState.PLAYING:
            continue
        old = len(begun) - 1 - place >= vote_covers
        if old or (secret and _all_in(entry, votes, hearing, own_votes=own_votes)):
            closing.append(entry)
    return closing


def _all_in(entry: Entry, votes: Sequence[Vote], hearing: Set[int], *, own_votes: bool) -> bool:
    asked = hearing if own_votes else hearing - {entry.submitter_id}
    given = {(vote.user_id, vote.job_id) for vote in votes if vote.score is not None}
    takes = [clip.job_id for clip in entry.clips if clip.ready]
    return bool(asked) and all((user, job) in given for user in asked for job in takes)


def check_vote(
    entry: Entry | None,
    job_id: str,
    user_id: int,
    listened: Collection[int],
    *,
    upto: int | None,
    own_votes: bool,
) -> None:
    """Whether a member may vote for a take now. Raises Refusal.

    Args:
        entry: the cover, None where it is not in the session. listened: user ids of who heard the session.
        upto: which take of the entry plays, where it is the entry that plays.
    """
    takes = [clip.job_id for clip in entry.clips] if entry is not None else []
    if entry is None or job_id not in takes:
        raise Refusal("session_core.vote_unknown")
    if entry.closed_at is not None:
        raise Refusal("session_core.vote_closed")
    if entry.played_at is None or (upto is not None and takes.index(job_id) > upto):
        raise Refusal("session_core.vote_too_early")
    if user_id not in listened:
        raise Refusal("session_core.vote_listeners")
    if user_id == entry.submitter_id and not own_votes:
        raise Refusal("session_core.vote_own")


def check_capacity(
    session: Session, entries: Iterable[Entry], user_id: int, settings: SessionSettings
) -> None:
    """Whether a member may bring one more cover. Raises Refusal. Covers that failed do not count."""
    counted = [entry for entry in entries if entry.state is not EntryState.FAILED]
    if len(counted) >= settings.max_covers:
        raise Refusal("session_core.full", limit=settings.max_covers)
    brought = sum(entry.submitter_id == user_id for entry in counted)
    if session.rounds and brought >= session.rounds:
        raise Refusal("session_core.rounds_used", limit=session.rounds)
    if brought >= settings.entries_per_member:
        raise Refusal("session_core.member_full", limit=settings.entries_per_member)


def all_brought(session: Session, entries: Iterable[Entry], present: Collection[int]) -> bool:
    """Whether nobody who is present (user ids) may bring more, for all have used their rounds."""
    brought = Counter(entry.submitter_id for entry in entries)
    return bool(session.rounds and brought) and all(brought[user] >= session.rounds for user in present)
