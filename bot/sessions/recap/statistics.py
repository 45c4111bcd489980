"""What an evening's votes say, and what they do not: ranking, podium, disagreement, RAG against no RAG.

Rules, so that everybody can check them:

- **Score.** A clip's own mean is shown, but clips are ranked by a mean that is drawn towards the evening's:
  (PRIOR_VOTES · evening's mean + sum of the scores) / (PRIOR_VOTES + votes), the usual Bayesian average.
  A single 5 does not beat ten people's 4.8, and with many votes the two means agree.
- **Ties.** Equal score: more stars, then more votes go first; what is still equal shares its place, and the
  next place is left out (1, 1, 3).
- **Covers.** In a `versus` session a cover's score is that of its better take.
- **Most divisive.** The greatest standard deviation (of all votes, not of a sample) among clips with at least
  MIN_DIVISIVE_VOTES votes, and only from MIN_SPREAD on: three 4s and a 3 divide nobody.
- **RAG against no RAG.** Only members who scored both takes of a cover count. Votes of one cover lean on each
  other, so covers are the sample: their mean differences go through an exact sign-flip test, two-sided. Under
  six covers it cannot come below 0.05, so a small evening is called undecided, however it leans.
- **Strictness.** A member's scores minus the mean of the others' scores for the same clips; given from
  MIN_COMPARED clips on.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bot.sessions.state.model import Clip, Entry, EntryState, SessionRecord, Vote
from bot.sessions.state.votes import VoteCount, count_votes

PRIOR_VOTES = 2.0
"""How many votes the evening's mean counts for in a clip's ranking."""

MIN_DIVISIVE_VOTES, MIN_SPREAD = 3, 1.0
MIN_COMPARED = 3
SIGNIFICANT = 0.05
PODIUM_PLACES = 3

_EXACT_COVERS = 14  # 2**14 sign patterns; beyond, a fixed draw of as many
_EQUAL = 1e-9


class Verdict(StrEnum):
    """What the room found: a side, no difference that these votes can show, or nothing to compare."""

    RAG = "rag"
    NO_RAG = "no_rag"
    UNDECIDED = "undecided"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One take and what it was given.

    Attributes:
        entry, clip: which.
        tally: scores and stars.
        rating: mean drawn towards the evening's, 1 to 5; None without a score.
        spread: standard deviation of its scores, 0 to 2; None without a score.
    """

    entry: Entry
    clip: Clip
    tally: VoteCount
    rating: float | None
    spread: float | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A cover's place: 1 for the best, shared by equals."""

    place: int
    result: ClipResult
    shared: bool


@dataclass(frozen=True, slots=True)
class RagComparison:
    """RAG against no RAG.

    Attributes:
        covers: covers of which at least one member scored both takes; pairs: such pairs of scores.
        members: how many members gave them.
        rag_mean, plain_mean: means of the pairs' scores; None without pairs.
        difference: mean over covers of (RAG − no RAG), −4 to 4; None without pairs.
        rag_wins, plain_wins, draws: covers by the sign of their mean difference.
        p_value: of the sign-flip test; None without pairs.
        verdict: see Verdict.
        by_cover: (entry, mean score with RAG, mean score without), in order of submission.
    """

    covers: int
    pairs: int
    members: int
    rag_mean: float | None
    plain_mean: float | None
    difference: float | None
    rag_wins: int
    plain_wins: int
    draws: int
    p_value: float | None
    verdict: Verdict
    by_cover: tuple[tuple[Entry, float, float], ...]


@dataclass(frozen=True, slots=True)
class MemberStats:
    """What a member brought and gave.

    Attributes:
        user_id, name: who; the name is untrusted text, "" where nobody knows it.
        brought, played: covers submitted, and those of them that were heard.
        scores_given, stars_given: votes cast. mean_given: mean of the scores; None without any.
        scores_received, stars_received, mean_received: the same for the clips of the member's covers.
        strictness: below 0 stricter than the others, above 0 kinder; None where too few clips compare.
    """

    user_id: int
    name: str
    brought: int
    played: int
    scores_given: int
    stars_given: int
    mean_given: float | None
    scores_received: int
    stars_received: int
    mean_received: float | None
    strictness: float | None


@dataclass(frozen=True, slots=True)
class Recap:
    """An evening in numbers.

    Attributes:
        results: every finished take, best first; those without a score last, in order of submission.
        places: every cover with a score, best first.
        best: the best takes (several where they tie); () without votes.
        divisive: the most divisive takes; () where nothing divided.
        rag: see RagComparison.
        members: who brought, voted or listened; those who brought and voted most first.
        covers, played: covers brought, and heard. voters: members who scored. scores, stars: votes.
        mean: of all scores; None without any.
        seconds: playing time of what was heard.
    """

    results: tuple[ClipResult, ...]
    places: tuple[Placed, ...]
    best: tuple[ClipResult, ...]
    divisive: tuple[ClipResult, ...]
    rag: RagComparison
    members: tuple[MemberStats, ...]
    covers: int
    played: int
    voters: int
    scores: int
    stars: int
    mean: float | None
    seconds: float

    @property
    def podium(self) -> tuple[Placed, ...]:
        """The covers on the first three places; more than three where places are shared."""
        return tuple(placed for placed in self.places if placed.place <= PODIUM_PLACES)


def summarise(record: SessionRecord) -> Recap:
    """All statistics of an evening; of one that is still running, those up to now."""
    mean = _mean([vote.score for vote in record.votes if vote.score is not None])
    results = sorted(_results(record, mean), key=_order)
    heard = [entry for entry in record.entries if was_heard(entry)]
    return Recap(
        results=tuple(results),
        places=_places(results),
        best=_leaders(results),
        divisive=_divisive(results),
        rag=compare_rag(record),
        members=_members(record),
        covers=len(record.entries),
        played=len(heard),
        voters=len({vote.user_id for vote in record.votes if vote.score is not None}),
        scores=sum(vote.score is not None for vote in record.votes),
        stars=sum(vote.starred for vote in record.votes),
        mean=mean,
        seconds=sum(entry.seconds for entry in heard),
    )


def was_heard(entry: Entry) -> bool:
    """Whether the room heard (some of) it."""
    return entry.played_at is not None or entry.state in (EntryState.PLAYED, EntryState.SKIPPED)


def compare_rag(record: SessionRecord) -> RagComparison:
    """RAG against no RAG, over the members who scored both takes of a cover."""
    scores = {(vote.job_id, vote.user_id): vote.score for vote in record.votes if vote.score is not None}
    by_cover: list[tuple[Entry, float, float]] = []
    pairs: list[tuple[int, int]] = []
    members: set[int] = set()
    for entry in record.entries:
        rag = next((clip for clip in entry.clips if clip.rag), None)
        plain = next((clip for clip in entry.clips if not clip.rag), None)
        if rag is None or plain is None:
            continue
        both = [
            (user, score, scores[plain.job_id, user])
            for (job, user), score in scores.items()
            if job == rag.job_id and (plain.job_id, user) in scores
        ]
        if both:
            pairs += [(first, second) for _, first, second in both]
            members |= {user for user, _, _ in both}
            by_cover.append(
                (entry, sum(a for _, a, _ in both) / len(both), sum(b for _, _, b in both) / len(both))
            )
    differences = [rag - plain for _, rag, plain in by_cover]
    p_value = sign_flip(differences) if differences else None
    return RagComparison(
        covers=len(by_cover),
        pairs=len(pairs),
        members=len(members),
        rag_mean=_mean([first for first, _ in pairs]),
        plain_mean=_mean([second for _, second in pairs]),
        difference=_mean(differences),
        rag_wins=sum(difference > _EQUAL for difference in differences),
        plain_wins=sum(difference < -_EQUAL for difference in differences),
        draws=sum(abs(difference) <= _EQUAL for difference in differences),
        p_value=p_value,
        verdict=_verdict(differences, p_value),
        by_cover=tuple(by_cover),
    )


def sign_flip(differences: Sequence[float]) -> float:
    """Two-sided p value of a sign-flip (Fisher's randomisation) test that differences lie around 0.

    Exact up to 14 differences; beyond, over 16,384 patterns that are drawn with a fixed seed (the observed
    one counts among them). 1.0 for no differences.
    """
    values = np.asarray(differences, np.float64)
    if not values.size:
        return 1.0
    observed = abs(float(values.sum())) - _EQUAL
    if values.size <= _EXACT_COVERS:
        signs = np.array(list(itertools.product((1, -1), repeat=values.size)), np.int8)
        return float(np.mean(np.abs(signs @ values) >= observed))
    drawn = np.random.default_rng(0).choice(np.array([1, -1], np.int8), (2**_EXACT_COVERS, values.size))
    return float((np.sum(np.abs(drawn @ values) >= observed) + 1) / (len(drawn) + 1))


def _verdict(differences: Sequence[float], p_value: float | None) -> Verdict:
    if p_value is None:
        return Verdict.NOT_COMPARED
    if p_value > SIGNIFICANT:
        return Verdict.UNDECIDED
    return Verdict.RAG if sum(differences) > 0 else Verdict.NO_RAG


def _results(record: SessionRecord, evening: float | None) -> list[ClipResult]:
    votes: dict[str, list[Vote]] = defaultdict(list)
    for vote in record.votes:
        votes[vote.job_id].append(vote)
    results = []
    for entry in record.entries:
        for clip in entry.clips:
            if clip.ready or votes[clip.job_id]:
                count = count_votes(votes[clip.job_id])
                results.append(ClipResult(entry, clip, count, _rating(count, evening), _spread(count)))
    return results


def _rating(count: VoteCount, evening: float | None) -> float | None:
    if count.mean is None or evening is None:
        return None
    return (PRIOR_VOTES * evening + count.mean * count.voters) / (PRIOR_VOTES + count.voters)


def _spread(count: VoteCount) -> float | None:
    mean = count.mean
    if mean is None:
        return None
    squares = sum(number * (score - mean) ** 2 for score, number in enumerate(count.scores, 1))
    return math.sqrt(squares / count.voters)


def _merit(result: ClipResult) -> tuple[float, int, int]:
    """What places are decided by, greatest first; rounded, so that equal means are equal."""
    return round(result.rating or 0.0, 9), result.tally.stars, result.tally.voters


def _order(result: ClipResult) -> tuple[float, int, int, int, str]:
    rating, stars, voters = _merit(result)
    return -rating, -stars, -voters, result.entry.entry_id, result.clip.job_id


def _places(results: Sequence[ClipResult]) -> tuple[Placed, ...]:
    best: dict[int, ClipResult] = {}
    for result in results:
        if result.rating is not None:
            best.setdefault(result.entry.entry_id, result)
    merits = [_merit(result) for result in best.values()]
    return tuple(
        Placed(merits.index(merit) + 1, result, merits.count(merit) > 1)
        for result, merit in zip(best.values(), merits, strict=True)
    )


def _leaders(results: Sequence[ClipResult]) -> tuple[ClipResult, ...]:
    rated = [result for result in results if result.rating is not None]
    return tuple(result for result in rated if _merit(result) == _merit(rated[0]))


def _divisive(results: Sequence[ClipResult]) -> tuple[ClipResult, ...]:
    divided = [
        (round(result.spread, 9), result.tally.voters, result)
        for result in results
        if result.spread is not None
        and result.spread >= MIN_SPREAD - _EQUAL
        and result.tally.voters >= MIN_DIVISIVE_VOTES
    ]
    most = max((part[:2] for part in divided), default=None)
    return tuple(part[2] for part in divided if part[:2] == most)


def _members(record: SessionRecord) -> tuple[MemberStats, ...]:
    names = dict(record.members)
    for entry in record.entries:
        names.setdefault(entry.submitter_id, entry.submitter_name)
    users = names.keys() | {vote.user_id for vote in record.votes}
    stats = [_member(record, user, names.get(user, "")) for user in users]
    return tuple(
        sorted(
            stats,
            key=lambda one: (-one.played, -one.brought, -one.scores_given, one.name.casefold(), one.user_id),
        )
    )


def _member(record: SessionRecord, user: int, name: str) -> MemberStats:
    brought = [entry for entry in record.entries if entry.submitter_id == user]
    own_jobs = {clip.job_id for entry in brought for clip in entry.clips}
    given = [vote for vote in record.votes if vote.user_id == user]
    received = [vote for vote in record.votes if vote.job_id in own_jobs]
    scores_given = [vote.score for vote in given if vote.score is not None]
    scores_received = [vote.score for vote in received if vote.score is not None]
    return MemberStats(
        user_id=user,
        name=name,
        brought=len(brought),
        played=sum(was_heard(entry) for entry in brought),
        scores_given=len(scores_given),
        stars_given=sum(vote.starred for vote in given),
        mean_given=_mean(scores_given),
        scores_received=len(scores_received),
        stars_received=sum(vote.starred for vote in received),
        mean_received=_mean(scores_received),
        strictness=_strictness(record, user),
    )


def _strictness(record: SessionRecord, user: int) -> float | None:
    own: dict[str, int] = {}
    others: dict[str, list[int]] = defaultdict(list)
    for vote in record.votes:
        if vote.score is not None and vote.user_id == user:
            own[vote.job_id] = vote.score
        elif vote.score is not None:
            others[vote.job_id].append(vote.score)
    differences = [score - sum(others[job]) / len(others[job]) for job, score in own.items() if others[job]]
    return _mean(differences) if len(differences) >= MIN_COMPARED else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
