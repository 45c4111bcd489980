"""Intervals for means over albums that are not independent: an artist's albums sound alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from albumgen_core.evaluation.intervals import Interval

RESAMPLES = 2000


def over_groups(values: NDArray[np.float64], groups: Sequence[int], seed: int = 0) -> Interval:
    """Mean of `values` with a 95 % percentile interval from resampling whole groups (cluster bootstrap).

    Davison and Hinkley, "Bootstrap Methods and their Application", Cambridge 1997, section 3.8.

    Args:
        values: (n,), NaN where there is none.
        groups: n group numbers; members of a group are drawn together.
        seed: of the draws.

    Without any value, all three are NaN.
    """
    known = ~np.isnan(values)
    kept, names = values[known], np.asarray(groups)[known]
    if not len(kept):
        return Interval(float("nan"), float("nan"), float("nan"))
    _, rows = np.unique(names, return_inverse=True)
    count = int(rows.max()) + 1
    sums, sizes = np.bincount(rows, weights=kept, minlength=count), np.bincount(rows, minlength=count)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    means = (drawn @ sums) / (drawn @ sizes)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(kept.mean()), float(low), float(high))
