from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from bot.sessions.recap.rag_comparison import RagVerdict, compare_rag, sign_flip
from bot.sessions.recap.statistics import summarise
from bot.sessions.state.model import EntryState, Vote
from tests.bot.sessions.records import ANA, BO, CY, DI, SESSION, entry, job_of, record, votes


def test_one_lonely_five_does_not_beat_four_members_who_agree() -> None:
    recap = summarise(
        record(
            [entry(1), entry(2, BO), entry(3, CY)],
            votes({(1, 0): {BO: 5}, (2, 0): {ANA: 5, BO: 4, CY: 5, DI: 5}, (3, 0): {ANA: 2, BO: 3, DI: 2}}),
        )
    )
    assert [placed.result.entry.entry_id for placed in recap.podium] == [2, 1, 3]
    assert recap.podium[0].result.tally.mean == pytest.approx(4.75)  # what is shown stays the plain mean
    assert recap.best[0].entry.entry_id == 2
    assert (recap.voters, recap.scores, recap.covers, recap.played) == (4, 8, 3, 3)


def test_equal_covers_share_a_place_and_the_next_is_left_out() -> None:
    same = {ANA: 4, BO: 4}
    recap = summarise(
        record([entry(1), entry(2), entry(3)], votes({(1, 0): same, (2, 0): same, (3, 0): {ANA: 1, BO: 1}}))
    )
    assert [(placed.place, placed.shared) for placed in recap.podium] == [(1, True), (1, True), (3, False)]
    assert [best.entry.entry_id for best in recap.best] == [1, 2]


def test_a_star_breaks_a_tie() -> None:
    same = {ANA: 4, BO: 4}
    recap = summarise(record([entry(1), entry(2)], votes({(1, 0): same, (2, 0): same}, stars=[(2, CY)])))
    assert [(p.place, p.result.entry.entry_id) for p in recap.places] == [(1, 2), (2, 1)]
    assert recap.stars == 1
    assert recap.voters == 2  # who only starred gave no score


def test_divisive_needs_votes_and_disagreement() -> None:
    entries = [entry(1), entry(2), entry(3)]
    calm = votes({(1, 0): {ANA: 1, BO: 5}, (2, 0): {ANA: 4, BO: 4, CY: 3}})
    assert summarise(record(entries, calm)).divisive == ()
    heated = [*calm, *votes({(3, 0): {ANA: 1, BO: 5, CY: 1}})]
    (divisive,) = summarise(record(entries, heated)).divisive
    assert divisive.entry.entry_id == 3
    assert divisive.spread == pytest.approx(1.8856, abs=1e-4)


def test_a_versus_cover_stands_by_its_better_take() -> None:
    recap = summarise(
        record(
            [entry(1, versus=True), entry(2, versus=True)],
            votes(
                {
                    (1, 0): {ANA: 2, BO: 2},
                    (1, 1): {ANA: 5, BO: 5},
                    (2, 0): {ANA: 4, BO: 4},
                    (2, 1): {ANA: 4, BO: 4},
                }
            ),
        )
    )
    assert [(p.result.entry.entry_id, p.result.clip.rag) for p in recap.podium] == [(1, False), (2, True)]
    assert len(recap.results) == 4


def versus_record(differences: list[int]):  # noqa: ANN201
    entries = [entry(number, versus=True) for number in range(1, len(differences) + 1)]
    cast = votes(
        {
            (number, take): {
                ANA: 3 + (difference if take == 0 else 0),
                BO: 3 + (difference if take == 0 else 0),
            }
            for (number, difference), take in product(enumerate(differences, 1), (0, 1))
        }
    )
    return record(entries, cast, versus=True)


def test_few_covers_are_undecided_however_clear_they_look() -> None:
    comparison = compare_rag(versus_record([2, 2, 2, 2, 2]))
    assert comparison.difference == 2
    assert comparison.rag_wins == 5
    assert comparison.p_value == pytest.approx(2 / 32)
    assert comparison.verdict is RagVerdict.UNDECIDED


@pytest.mark.parametrize(("sign", "verdict"), [(1, RagVerdict.RAG), (-1, RagVerdict.NO_RAG)])
def test_six_covers_that_all_agree_decide(sign: int, verdict: RagVerdict) -> None:
    comparison = compare_rag(versus_record([sign] * 6))
    assert comparison.verdict is verdict
    assert comparison.p_value == pytest.approx(2 / 64)
    assert (comparison.covers, comparison.pairs, comparison.members) == (6, 12, 2)


def test_members_who_heard_only_one_take_do_not_count_in_the_comparison() -> None:
    cast = votes({(1, 0): {ANA: 5, BO: 5}, (1, 1): {ANA: 1}, (2, 0): {CY: 1}})
    comparison = compare_rag(record([entry(1, versus=True), entry(2)], cast))
    assert (comparison.pairs, comparison.covers, comparison.members) == (1, 1, 1)
    assert compare_rag(record([entry(1)], votes({(1, 0): {ANA: 5}}))).verdict is RagVerdict.NOT_COMPARED


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-8, 8), min_size=2, max_size=8))
def test_the_sign_flip_test_is_scipys(halves: list[int]) -> None:
    differences = [half / 2 for half in halves]
    theirs = permutation_test(
        (differences,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        n_resamples=10**6,
        alternative="two-sided",
        vectorized=True,
    )
    # scipy doubles the smaller tail; the null distribution is symmetric, so both agree up to the cap at 1.
    assert sign_flip(differences) == pytest.approx(min(1.0, theirs.pvalue))


def test_many_covers_are_tested_by_a_fixed_draw() -> None:
    assert sign_flip([1.0] * 40) == sign_flip([1.0] * 40) < 0.001
    assert sign_flip([1.0, -1.0] * 20) > 0.9
    assert sign_flip([]) == 1.0


def test_members_are_told_what_they_brought_and_gave() -> None:
    recap = summarise(
        record(
            [entry(1), entry(2, BO), entry(3, BO), entry(4, CY, state=EntryState.COMPOSING, played_at=None)],
            votes(
                {(1, 0): {ANA: 5, BO: 2, CY: 4}, (2, 0): {ANA: 5, BO: 3, CY: 4}, (3, 0): {ANA: 5, BO: 1}},
                stars=[(1, CY)],
            ),
        )
    )
    people = {member.name: member for member in recap.members}
    assert (people["Bo"].brought, people["Bo"].played, people["Bo"].scores_received) == (2, 2, 5)
    assert people["Bo"].mean_given == 2
    assert people["Bo"].strictness == pytest.approx((2 - 4.5 + 3 - 4.5 + 1 - 5) / 3)
    assert people["Cy"].strictness is None  # two clips are too few to judge anybody by
    assert (people["Cy"].brought, people["Cy"].played, people["Cy"].stars_given) == (1, 0, 1)
    assert (people["Ana"].stars_received, people["Di"].scores_given) == (1, 0)
    assert people["Di"].mean_given is None


def test_an_evening_without_votes_or_covers_has_no_winner() -> None:
    empty = summarise(record([]))
    assert (empty.podium, empty.best, empty.divisive, empty.mean, empty.seconds) == ((), (), (), None, 0)
    silent = summarise(record([entry(1), entry(2)]))
    assert (silent.podium, silent.best) == ((), ())
    assert [result.entry.entry_id for result in silent.results] == [1, 2]
    assert silent.seconds == 24


def test_a_vote_of_somebody_unknown_still_counts() -> None:
    recap = summarise(record([entry(1)], [Vote(SESSION, 1, job_of(1), 999, 5)]))
    assert [(m.user_id, m.name) for m in recap.members if m.scores_given] == [(999, "")]


_SCORES = st.dictionaries(st.sampled_from([ANA, BO, CY, DI]), st.integers(1, 5), max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(_SCORES, max_size=6))
def test_places_never_contradict_the_ratings(given_scores: list[dict[int, int]]) -> None:
    entries = [entry(number) for number in range(1, len(given_scores) + 1)]
    recap = summarise(
        record(entries, votes({(number, 0): scores for number, scores in enumerate(given_scores, 1)}))
    )
    ratings = [placed.result.rating or 0 for placed in recap.places]
    assert ratings == sorted(ratings, reverse=True)
    assert all(1 <= rating <= 5 for rating in ratings)
    assert len(recap.places) == sum(bool(scores) for scores in given_scores)
    for before, after in zip(recap.places, recap.places[1:], strict=False):
        assert after.place in (before.place, recap.places.index(after) + 1)
