"""Quorums and tallies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sessions.state.model import Vote
from bot.sessions.state.votes import count_votes, is_skipped, skips_needed


@pytest.mark.parametrize(("listeners", "needed"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (10, 5)])
def test_half_of_the_listeners_skip_and_at_least_one(listeners: int, needed: int) -> None:
    assert skips_needed(listeners) == needed


def test_only_those_who_hear_count() -> None:
    assert not is_skipped({1, 2}, {3, 4})
    assert not is_skipped({1}, set())
    assert is_skipped({3, 1}, {3, 4})


@given(st.integers(0, 500), st.floats(0, 1))
def test_a_quorum_can_always_be_met(listeners: int, share: float) -> None:
    assert 1 <= skips_needed(listeners, share) <= max(1, listeners)


def test_tally_of_scores_and_stars() -> None:
    votes = [Vote("s", 1, "j", user, score, star) for user, score, star in [(1, 5, True), (2, 2, False)]]
    counted = count_votes([*votes, Vote("s", 1, "j", 3, None, True)])
    assert counted.scores == (0, 1, 0, 0, 1)
    assert (counted.stars, counted.voters, counted.mean) == (2, 2, 3.5)
    assert count_votes([]).mean is None


def test_scores_outside_one_to_five_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        Vote("s", 1, "j", 1, 6)
