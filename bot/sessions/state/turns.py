"""In which order covers play: fair to members, not to who was quickest.

Each cover is given a turn when it is brought, as in start-time fair queueing (Goyal, Vin and Cheng, 1996):
the turn that plays now, or the one after the member's last, whichever is later. Covers play by turn, within
one by order of submission. Hence of each member one cover at most plays in a turn; while a cover waits at the
head of its member's line, nobody else is heard more than twice; and who comes late neither waits for the
others' long lists nor plays all of their own at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.sessions.state.model import Entry, EntryState

_TO_COME = (EntryState.COMPOSING, EntryState.READY)
_BEGUN = (EntryState.PLAYING, EntryState.PLAYED, EntryState.SKIPPED)


def turn_for(entries: Iterable[Entry], member: int) -> int:
    """The turn of the next cover of `member` (user id), from 1."""
    entries = list(entries)
    now = max((entry.turn for entry in entries if entry.state in _BEGUN), default=1)
    last = max(
        (e.turn for e in entries if e.submitter_id == member and e.state is not EntryState.FAILED), default=0
    )
    return max(now, last + 1)


def to_come(entries: Iterable[Entry]) -> list[Entry]:
    """What has not been played, in the order in which it will be."""
    return sorted((entry for entry in entries if entry.state in _TO_COME), key=lambda e: (e.turn, e.entry_id))
