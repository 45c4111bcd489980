"""How long jobs take, learned from those that were: per stage, clip length and batch size."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from statistics import median

from albumgen_core.inference.journal import StageTiming
from albumgen_core.vocabulary import STAGES

BATCH_OVERHEAD = 0.15
"""Extra time per further job of a batch, as a share of a single job's: a batch of n costs 1 + 0.15 (n - 1).

Measured on MusicGen batches; used only for batch sizes that have not been seen yet.
"""

_GROWS_WITH_LENGTH = {"compose", "encode"}
_REMEMBERED = 20


class DurationModel:
    """Medians of past stage timings; the median, because one cold start should not spoil the forecast."""

    def __init__(self, timings: Iterable[StageTiming] = ()) -> None:
        self._seen: dict[str, dict[tuple[float, int], deque[float]]] = defaultdict(dict)
        for timing in timings:
            self.observe(timing)

    def observe(self, timing: StageTiming) -> None:
        """Learn from one batch's stage."""
        key = (round(timing.clip_seconds, 3), timing.batch_size)
        self._seen[timing.stage].setdefault(key, deque(maxlen=_REMEMBERED)).append(timing.elapsed)

    def stage(self, stage: str, clip_seconds: float, batch_size: int = 1) -> float | None:
        """Seconds a batch is expected to spend in a stage; None before the stage was ever seen."""
        seen = self._seen.get(stage)
        if not seen:
            return None
        length = round(clip_seconds, 3)
        nearest = min(seen, key=lambda key: (abs(key[1] - batch_size), abs(key[0] - length)))
        expected = median(seen[nearest])
        if stage in _GROWS_WITH_LENGTH and nearest[0] > 0:
            expected *= length / nearest[0]
        return expected * _batch_factor(batch_size) / _batch_factor(nearest[1])

    def batch(self, clip_seconds: float, batch_size: int = 1) -> float | None:
        """Seconds a whole batch is expected to take; None before anything was learned."""
        return self.remaining("queued", 0.0, clip_seconds, batch_size)

    def remaining(
        self, stage: str, fraction: float, clip_seconds: float, batch_size: int = 1
    ) -> float | None:
        """Seconds until a batch that has done `fraction` of `stage` is through all later stages too."""
        if not self._seen:
            return None
        index = STAGES.index(stage) if stage in STAGES else -1
        total = 0.0
        for place, name in enumerate(STAGES):
            if place < index:
                continue
            expected = self.stage(name, clip_seconds, batch_size) or 0.0
            total += expected * (1.0 - fraction) if place == index else expected
        return total


def _batch_factor(batch_size: int) -> float:
    return 1.0 + BATCH_OVERHEAD * (batch_size - 1)
