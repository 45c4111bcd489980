"""What a session's votes say, and what they do not: ranking, podium, disagreement, RAG against no RAG.

Rules, so that everybody can check them:

- **Score.** A clip's own mean is shown, but clips are ranked by a mean that is drawn towards the session's:
  (PRIOR_VOTES · session's mean + sum of the scores) / (PRIOR_VOTES + votes), the usual Bayesian average.
  A single 5 does not beat ten people's 4.8, and with many votes the two means agree.
- **Ties.** Equal score: more stars, then more votes go first; what is still equal shares its place, and the
  next place is left out (1, 1, 3).
- **Covers.** In a `versus` session a cover's score is that of its better take.
- **Most divisive.** The greatest standard deviation (of all votes, not of a sample) among clips with at least
  MIN_DIVISIVE_VOTES votes, and only from MIN_SPREAD on: three 4s and a 3 divide nobody.
- **RAG against no RAG.** See `bot.sessions.recap.rag_comparison`.
- **Strictness.** A member's scores minus the mean of the others' scores for the same clips; given from
  MIN_COMPARED clips on.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.sessions.recap.rag_comparison import RagComparison, compare_rag, mean_of
from bot.sessions.state.model import Clip, Entry, EntryState, SessionRecord, Vote
from bot.sessions.state.votes import VoteCount, count_votes

PRIOR_VOTES = 2.0
"""How many votes the session's mean counts for in a clip's ranking."""

MIN_DIVISIVE_VOTES, MIN_SPREAD = 3, 1.0
MIN_COMPARED = 3
PODIUM_PLACES = 3

_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One take and what it was given.

    Attributes:
        entry, clip: which.
        tally: scores and stars.
        rating: mean drawn towards the session's, 1 to 5; None without a score.
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
    """A session in numbers.

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
    """All statistics of a session; of one that is still running, those up to now."""
    mean = mean_of([vote.score for vote in record.votes if vote.score is not None])
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
    """Whether at least some of it was heard."""
    return entry.played_at is not None or entry.state in (EntryState.PLAYED, EntryState.SKIPPED)


def _results(record: SessionRecord, overall: float | None) -> list[ClipResult]:
    votes: dict[str, list[Vote]] = defaultdict(list)
    for vote in record.votes:
        votes[vote.job_id].append(vote)
    results = []
    for entry in record.entries:
        for clip in entry.clips:
            if clip.ready or votes[clip.job_id]:
                count = count_votes(votes[clip.job_id])
                results.append(ClipResult(entry, clip, count, _rating(count, overall), _spread(count)))
    return results


def _rating(count: VoteCount, overall: float | None) -> float | None:
    if count.mean is None or overall is None:
        return None
    return (PRIOR_VOTES * overall + count.mean * count.voters) / (PRIOR_VOTES + count.voters)


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
    shared = Counter(merits)
    first = {merit: place for place, merit in reversed(list(enumerate(merits, 1)))}
    return tuple(
        Placed(first[merit], result, shared[merit] > 1)
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
    brought: dict[int, list[Entry]] = defaultdict(list)
    submitter: dict[str, int] = {}
    for entry in record.entries:
        names.setdefault(entry.submitter_id, entry.submitter_name)
        brought[entry.submitter_id].append(entry)
        submitter |= {clip.job_id: entry.submitter_id for clip in entry.clips}
    given: dict[int, list[Vote]] = defaultdict(list)
    received: dict[int, list[Vote]] = defaultdict(list)
    for vote in record.votes:
        given[vote.user_id].append(vote)
        if vote.job_id in submitter:
            received[submitter[vote.job_id]].append(vote)
    totals = _totals(record.votes)
    stats = [
        _member(user, names.get(user, ""), brought[user], given[user], received[user], totals)
        for user in names.keys() | given.keys()
    ]
    return tuple(
        sorted(
            stats,
            key=lambda one: (-one.played, -one.brought, -one.scores_given, one.name.casefold(), one.user_id),
        )
    )


def _member(
    user: int,
    name: str,
    brought: Sequence[Entry],
    given: Sequence[Vote],
    received: Sequence[Vote],
    totals: Mapping[str, tuple[int, int]],
) -> MemberStats:
    scores_given = [vote.score for vote in given if vote.score is not None]
    scores_received = [vote.score for vote in received if vote.score is not None]
    return MemberStats(
        user_id=user,
        name=name,
        brought=len(brought),
        played=sum(was_heard(entry) for entry in brought),
        scores_given=len(scores_given),
        stars_given=sum(vote.starred for vote in given),
        mean_given=mean_of(scores_given),
        scores_received=len(scores_received),
        stars_received=sum(vote.starred for vote in received),
        mean_received=mean_of(scores_received),
        strictness=_strictness(given, totals),
    )


def _totals(votes: Sequence[Vote]) -> dict[str, tuple[int, int]]:
    """By job id: the sum of its scores, and how many there are."""
    totals: dict[str, tuple[int, int]] = {}
    for vote in votes:
        if vote.score is not None:
            total, count = totals.get(vote.job_id, (0, 0))
            totals[vote.job_id] = total + vote.score, count + 1
    return totals


def _strictness(given: Sequence[Vote], totals: Mapping[str, tuple[int, int]]) -> float | None:
    differences = []
    for vote in given:
        if vote.score is None:
            continue
        total, count = totals[vote.job_id]
        if count > 1:
            differences.append(vote.score - (total - vote.score) / (count - 1))
    return mean_of(differences) if len(differences) >= MIN_COMPARED else None
