"""Fairness of the order, whatever is brought when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from bot.sessions.state.model import Entry, EntryState
from bot.sessions.state.turns import to_come, turn_for

MEMBERS = range(1, 5)


@dataclass
class Evening:
    """Entries as a session keeps them; `played` in the order in which they were."""

    entries: dict[int, Entry] = field(default_factory=dict)
    played: list[Entry] = field(default_factory=list)

    def bring(self, member: int) -> Entry:
        turn = turn_for(self.entries.values(), member)
        number = len(self.entries) + 1
        entry = Entry(number, "s", member, "", "", (), EntryState.READY, turn=turn)
        self.entries[number] = entry
        return entry

    def play(self) -> None:
        coming = to_come(self.entries.values())
        if coming:
            self.entries[coming[0].entry_id] = replace(coming[0], state=EntryState.PLAYED)
            self.played.append(coming[0])

    def play_all(self) -> None:
        while to_come(self.entries.values()):
            self.play()


@given(st.lists(st.sampled_from(MEMBERS), max_size=40))
def test_everybodys_kth_cover_comes_before_anybodys_next_but_one(members: list[int]) -> None:
    evening = Evening()
    for member in members:
        evening.bring(member)
    evening.play_all()
    seen: Counter[int] = Counter()
    turns = []
    for entry in evening.played:
        seen[entry.submitter_id] += 1
        turns.append(seen[entry.submitter_id])
    assert turns == sorted(turns), "all first covers, then all second ones, and so on"
    assert len(turns) == len(members)


STEPS = st.lists(st.one_of(st.sampled_from(MEMBERS), st.just(0)), max_size=60)
"""A member brings a cover; 0: one is played."""


@given(STEPS)
def test_nobody_starves_however_much_others_bring(steps: list[int]) -> None:
    evening = Evening()
    waiting: dict[int, Counter[int]] = {}  # of the cover at the head of a line: plays of others meanwhile
    for step in steps:
        if step:
            evening.bring(step)
        else:
            evening.play()
            if evening.played:
                last = evening.played[-1].submitter_id
                waiting.pop(last, None)
                for others in waiting.values():
                    others[last] += 1
        heads = {entry.submitter_id for entry in to_come(evening.entries.values())}
        for member in heads:
            waiting.setdefault(member, Counter())
        for others in waiting.values():
            assert all(count <= 2 for count in others.values())


@given(STEPS)
def test_a_members_covers_play_in_the_order_in_which_they_were_brought(steps: list[int]) -> None:
    evening = Evening()
    for step in steps:
        if step:
            evening.bring(step)
        else:
            evening.play()
    evening.play_all()
    for member in MEMBERS:
        mine = [entry.entry_id for entry in evening.played if entry.submitter_id == member]
        assert mine == sorted(mine)
    assert len(evening.played) == len(evening.entries)


def test_who_comes_late_joins_the_turn_that_plays() -> None:
    evening = Evening()
    for _ in range(6):
        evening.bring(1)
    for _ in range(3):
        evening.play()
    late = [evening.bring(2) for _ in range(2)]
    evening.play_all()
    order = [entry.submitter_id for entry in evening.played[3:]]
    assert order == [2, 1, 2, 1, 1]
    assert [entry.turn for entry in late] == [3, 4]


def test_a_cover_that_failed_costs_no_turn() -> None:
    evening = Evening()
    failed = evening.bring(1)
    evening.entries[failed.entry_id] = replace(failed, state=EntryState.FAILED)
    assert evening.bring(1).turn == 1
