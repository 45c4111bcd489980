"""Means over repeated random splits, with intervals that do not pretend the splits are independent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def over_splits(values: NDArray[np.float64], test_to_train: float) -> Interval:
    """95 % interval for the mean of a figure measured on J random splits of one data set.

    The splits overlap, so the plain standard error is far too small. The variance is therefore scaled by
    1/J + n_test/n_train (Nadeau & Bengio, "Inference for the generalization error", Machine Learning 52,
    2003, corrected resampled t-test).

    Args:
        values: (J,), one figure a split; a single split gives an interval without end.
        test_to_train: n_test / n_train.
    """
    mean = float(values.mean())
    count = len(values)
    if count < 2:
        return Interval(mean, -math.inf, math.inf)
    error = math.sqrt((1 / count + test_to_train) * float(values.var(ddof=1)))
    reach = float(stats.t.ppf(0.975, count - 1)) * error
    return Interval(mean, mean - reach, mean + reach)
