"""Votes on comparisons: what is stored, and what a tally allows to say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from albumgen_core.inference.database import Database
from bot.bot import MIGRATIONS
from bot.comparisons.votes import Ballot, Choice, Comparisons, Preference, Tally, rag_comes_first
from bot.messages.errors import Refusal

COUNTS = st.integers(0, 60)


@pytest.fixture
async def votes(tmp_path: Path) -> AsyncIterator[Comparisons]:
    database = await Database.open(tmp_path, migrations=(MIGRATIONS,))
    yield Comparisons(database)
    await database.close()


async def test_a_member_has_one_vote_a_comparison_and_may_change_it(votes: Comparisons) -> None:
    await votes.vote("b1", 7, 1, Choice.RAG)
    await votes.vote("b1", 7, 1, Choice.WITHOUT)
    await votes.vote("b1", 8, 1, Choice.SAME)
    await votes.vote("b2", 7, 1, Choice.RAG)
    assert await votes.of_bundle("b1") == Tally(without=1, same=1)
    assert await votes.of_guild(1) == Tally(rag=1, without=1, same=1)
    assert await votes.of_guild(2) == Tally()


async def test_who_knows_which_take_is_which_votes_no_more(votes: Comparisons) -> None:
    await votes.vote("b1", 7, 1, Choice.RAG)
    assert await votes.tell("b1", 7, 1) is Choice.RAG
    with pytest.raises(Refusal):
        await votes.vote("b1", 7, 1, Choice.WITHOUT)
    assert await votes.ballot("b1", 7) == Ballot(Choice.RAG, told=True)
    assert await votes.tell("b1", 8, 1) is None
    with pytest.raises(Refusal):
        await votes.vote("b1", 8, 1, Choice.SAME)
    assert await votes.of_bundle("b1") == Tally(rag=1)


async def test_forgetting_takes_a_members_ballots_here_or_everywhere(votes: Comparisons) -> None:
    for guild in (1, 2, None):
        await votes.vote(f"b{guild}", 7, guild, Choice.RAG)
        await votes.vote(f"b{guild}", 8, guild, Choice.RAG)
    await votes.forget(7, 2)
    assert {row["guild_id"] for row in await votes.of_member(7, None)} == {1, None}
    await votes.forget(7, None)
    assert await votes.of_member(7, None) == []
    assert len(await votes.of_member(8, None)) == 3


def test_the_order_of_takes_is_a_fair_coin_that_always_falls_alike() -> None:
    ids = [f"bundle-{number}" for number in range(2000)]
    heads = sum(map(rag_comes_first, ids))
    assert 900 < heads < 1100
    assert [rag_comes_first(each) for each in ids] == [rag_comes_first(each) for each in ids]


@given(rag=COUNTS, without=COUNTS, same=COUNTS)
def test_the_tally_says_what_the_reference_says(rag: int, without: int, same: int) -> None:
    tally = Tally(rag, without, same)
    if not rag + without:
        assert (tally.share, tally.interval, tally.p_value) == (None, None, None)
        assert tally.preference is (Preference.UNDECIDED if same else Preference.NO_VOTES)
        return
    reference = binomtest(rag, rag + without)
    assert tally.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert tally.interval == pytest.approx(tuple(reference.proportion_ci(method="wilson")), abs=1e-9)
    assert tally.preference in {
        Preference.UNDECIDED
        if reference.pvalue >= 0.05
        else Preference.RAG
        if rag > without
        else Preference.WITHOUT
    }


def test_thousands_of_votes_are_tested_too() -> None:
    tally = Tally(5200, 4800)
    assert tally.p_value == pytest.approx(binomtest(5200, 10000).pvalue, rel=0.01)
    assert Tally(5_000_000, 5_000_001).preference is Preference.UNDECIDED
    assert Tally(10**6, 1).preference is Preference.RAG
