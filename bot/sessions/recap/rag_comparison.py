"""RAG against no RAG, as the members of a session scored it.

Only members who scored both takes of a cover count. Votes of one cover depend on each other, so covers are
the sample: their mean differences go through an exact sign-flip test, two-sided. With fewer than six covers
it cannot come below 0.05, so a small session is called undecided, however it leans.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bot.sessions.state.model import Entry, SessionRecord

SIGNIFICANT = 0.05

_EXACT_COVERS = 14  # 2**14 sign patterns; beyond, a fixed draw of as many
_EQUAL = 1e-9


class RagVerdict(StrEnum):
    """What the votes say: a side, no difference that these votes can show, or nothing to compare."""

    RAG = "rag"
    NO_RAG = "no_rag"
    UNDECIDED = "undecided"
    NOT_COMPARED = "not_compared"


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
        verdict: see RagVerdict.
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
    verdict: RagVerdict
    by_cover: tuple[tuple[Entry, float, float], ...]


def compare_rag(record: SessionRecord) -> RagComparison:
    """RAG against no RAG, over the members who scored both takes of a cover."""
    scores: dict[str, dict[int, int]] = defaultdict(dict)
    for vote in record.votes:
        if vote.score is not None:
            scores[vote.job_id][vote.user_id] = vote.score
    by_cover: list[tuple[Entry, float, float]] = []
    pairs: list[tuple[int, int]] = []
    members: set[int] = set()
    for entry in record.entries:
        rag = next((clip for clip in entry.clips if clip.rag), None)
        plain = next((clip for clip in entry.clips if not clip.rag), None)
        if rag is None or plain is None:
            continue
        with_rag, without = scores[rag.job_id], scores[plain.job_id]
        both = [(user, score, without[user]) for user, score in with_rag.items() if user in without]
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
        rag_mean=mean_of([first for first, _ in pairs]),
        plain_mean=mean_of([second for _, second in pairs]),
        difference=mean_of(differences),
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


def _verdict(differences: Sequence[float], p_value: float | None) -> RagVerdict:
    if p_value is None:
        return RagVerdict.NOT_COMPARED
    if p_value > SIGNIFICANT:
        return RagVerdict.UNDECIDED
    return RagVerdict.RAG if sum(differences) > 0 else RagVerdict.NO_RAG


def mean_of(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing."""
    return sum(values) / len(values) if values else None
