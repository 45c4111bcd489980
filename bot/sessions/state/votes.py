"""Counting: who may skip, and what a clip was given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Set
from dataclasses import dataclass

from bot.sessions.state.model import Vote

SKIP_SHARE = 0.5


def skips_needed(listeners: int, share: float = SKIP_SHARE) -> int:
    """Votes that skip a clip: `share` (0 to 1) of the listeners who hear, rounded up, and at least one."""
    return max(1, math.ceil(listeners * share - 1e-9))


def is_skipped(voters: Set[int], listeners: Set[int], share: float = SKIP_SHARE) -> bool:
    """Whether enough listeners vote to skip; who is deafened or has left does not count."""
    return len(voters & listeners) >= skips_needed(len(listeners), share)


@dataclass(frozen=True, slots=True)
class VoteCount:
    """What one clip was given.

    Attributes:
        scores: how often each score from 1 to 5 was given.
        stars: members who gave a ⭐.
    """

    scores: tuple[int, int, int, int, int]
    stars: int

    @property
    def voters(self) -> int:
        """Members who gave a score."""
        return sum(self.scores)

    @property
    def mean(self) -> float | None:
        """Mean score, 1 to 5; None without votes."""
        if not self.voters:
            return None
        return sum(score * count for score, count in enumerate(self.scores, 1)) / self.voters


def count_votes(votes: Iterable[Vote]) -> VoteCount:
    """Count the votes for one clip."""
    counts, stars = [0] * 5, 0
    for vote in votes:
        stars += vote.starred
        if vote.score is not None:
            counts[vote.score - 1] += 1
    one, two, three, four, five = counts
    return VoteCount((one, two, three, four, five), stars)
