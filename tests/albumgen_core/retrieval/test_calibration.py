from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.retrieval.calibration import GENRE, MEDIAN, Blend, blend, calibrate

Array = NDArray[np.float64]


def held_out(seed: int, signal: float, count: int = 80) -> tuple[Array, Array, Array, Array]:
    """Distances, neighbours' values, truths and the median prior; the first neighbours know `signal`."""
    rng = np.random.default_rng(seed)
    truths = rng.random((count, 8))
    distances = np.sort(rng.uniform(0.5, 1.4, (count, 40)), axis=1)
    closeness = signal * np.exp(-((distances / 0.8) ** 2))[:, :, None]
    values = np.clip(closeness * truths[:, None] + (1 - closeness) * rng.random((count, 40, 8)), 0, 1)
    return distances, values, truths, np.full((count, 8), 0.5)


class TestBlend:
    distances = np.array([[0.2, 0.4, 1.9]])
    values = np.array([[[0.1], [0.3], [0.9]]])
    prior = np.array([[0.5]])

    def mix(self, **how: float) -> float:
        settings = {"k": 3, "bandwidth": math.inf, "strength": 0.0} | how
        return float(blend(self.distances, self.values, self.prior, **settings)[0, 0])  # type: ignore[arg-type]

    def test_without_weights_or_prior_it_is_the_mean_of_k(self) -> None:
        assert self.mix() == pytest.approx(1.3 / 3)
        assert self.mix(k=2) == pytest.approx(0.2)

    def test_an_infinite_strength_is_the_prior(self) -> None:
        assert self.mix(strength=math.inf) == 0.5

    def test_the_prior_counts_as_so_many_neighbours(self) -> None:
        assert self.mix(k=2, strength=2) == pytest.approx((0.4 + 1.0) / 4)

    def test_far_neighbours_give_way_to_the_prior(self) -> None:
        assert self.mix(bandwidth=0.1, strength=1) == pytest.approx(0.5, abs=0.06)
        assert self.mix(bandwidth=1e-6, strength=0) == 0.5  # no weight left at all
        near = self.mix(bandwidth=0.3, strength=0)
        assert near < self.mix()  # the far 0.9 counts for less

    @given(st.floats(1e-3, 10), st.floats(0, 1e4), st.integers(1, 3))
    def test_it_never_leaves_the_range_of_what_it_blends(
        self, bandwidth: float, strength: float, k: int
    ) -> None:
        assert 0.1 - 1e-9 <= self.mix(bandwidth=bandwidth, strength=strength, k=k) <= 0.9 + 1e-9


def test_a_real_signal_is_found_and_used() -> None:
    distances, values, truths, median = held_out(0, signal=0.9)
    blends = calibrate(distances, values, truths, {MEDIAN: median})
    assert all(rule.signal and rule.z > 3 for rule in blends.values())
    assert all(rule.error < 0.9 * rule.baseline for rule in blends.values())


def test_noise_is_believed_as_rarely_as_promised() -> None:
    believed = [
        rule.signal
        for seed in range(25)
        for rule in calibrate(*held_out(seed, signal=0.0)[:3], {MEDIAN: np.full((80, 8), 0.5)}).values()
    ]
    assert np.mean(believed) <= 0.06  # one-sided 95 %, and the selection costs some more


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(2, 60))
def test_never_worse_than_the_median_on_validation(seed: int, signal: float, count: int) -> None:
    distances, values, truths, median = held_out(seed, signal, count)
    groups = list(np.random.default_rng(seed).integers(0, 9, count))
    for rule in calibrate(distances, values, truths, {MEDIAN: median}, groups).values():
        assert rule.error <= rule.baseline
        if not rule.signal:
            assert (rule.error, rule.prior, rule.strength) == (rule.baseline, MEDIAN, math.inf)


def test_a_genre_that_tells_is_preferred_to_neighbours_that_do_not() -> None:
    distances, values, truths, median = held_out(3, signal=0.0)
    told = 0.7 * truths + 0.3 * 0.5
    blends = calibrate(distances, values, truths, {MEDIAN: median, GENRE: told})
    assert all(rule.signal and rule.prior == GENRE and math.isinf(rule.strength) for rule in blends.values())


def test_one_artist_cannot_vouch_for_itself() -> None:
    distances, values, truths, median = held_out(0, signal=0.9)
    blends = calibrate(distances, values, truths, {MEDIAN: median}, groups=[7] * len(truths))
    assert not any(rule.signal for rule in blends.values())


def test_a_blend_survives_json() -> None:
    rule = Blend(0, math.inf, math.inf, MEDIAN, False, 0.1, 0.1, 0.0)
    assert Blend.from_dict(rule.to_dict()) == rule
    assert list(rule.to_dict())[:3] == ["k", "bandwidth", "strength"]
    assert rule.to_dict()["strength"] is None
    assert len(AUDIO_FEATURES) == 8
