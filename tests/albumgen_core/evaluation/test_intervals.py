from __future__ import annotations

import math

import numpy as np
import pytest

from albumgen_core.evaluation.intervals import over_splits


def test_the_correction_widens_the_plain_interval() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    plain, corrected = over_splits(values, 0.0), over_splits(values, 0.125)
    assert plain.mean == corrected.mean == 3.0
    # t(0.975, 4) = 2.7764; the sample variance is 2.5
    assert plain.high == pytest.approx(3 + 2.7764 * math.sqrt(2.5 / 5), abs=1e-3)
    assert corrected.high == pytest.approx(3 + 2.7764 * math.sqrt(2.5 * (1 / 5 + 0.125)), abs=1e-3)
    assert corrected.low == pytest.approx(6 - corrected.high)


def test_one_split_says_nothing_about_the_spread() -> None:
    assert over_splits(np.array([0.3]), 0.1).high == math.inf
    assert not over_splits(np.array([0.3]), 0.1).excludes_zero
    assert over_splits(np.array([0.3, 0.3001, 0.2999]), 0.1).excludes_zero
