"""Tempi and keys by MIREX's rules."""

from __future__ import annotations

import numpy as np
import pytest

from albumgen_core.evaluation.bootstrap import over_groups
from albumgen_core.evaluation.matching import key_credit, same_key, tempo_matches, tempo_matches_octave


@pytest.mark.parametrize(
    ("found", "exact", "octave"),
    [(120, True, True), (124.7, True, True), (125, False, False), (60, False, True), (241, False, True),
     (362, False, True), (40, False, True), (90, False, False)],
)  # fmt: skip
def test_tempo(found: float, exact: bool, octave: bool) -> None:
    assert tempo_matches(found, 120) is exact
    assert tempo_matches_octave(found, 120) is octave


@pytest.mark.parametrize(
    ("key", "mode", "credit"),
    [("C", "major", 1.0), ("G", "major", 0.5), ("F", "major", 0.5), ("A", "minor", 0.3), ("C", "minor", 0.2),
     ("E", "minor", 0.0), ("A", "major", 0.0), ("C", None, 1.0), ("A", None, 0.0)],
)  # fmt: skip
def test_key_against_c_major(key: str, mode: str | None, credit: float) -> None:
    assert key_credit(key, mode, "C", "major") == credit
    assert same_key(key, mode, "C", "major") is (credit == 1.0)


def test_the_relative_of_a_minor_key_is_above_it() -> None:
    assert key_credit("D#", "major", "C", "minor") == 0.3
    assert key_credit("C", "minor", "D#", "major") == 0.3
    assert key_credit("C", "minor", "A", "major") == 0.0


def test_intervals_widen_when_albums_come_in_groups() -> None:
    rng = np.random.default_rng(0)
    by_artist = rng.normal(size=40)
    values = np.repeat(by_artist, 10)
    alone = over_groups(values, list(range(400)))
    grouped = over_groups(values, [row // 10 for row in range(400)])
    assert alone.mean == grouped.mean == pytest.approx(by_artist.mean())
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)
    # Of a mean of 40 independent values: 2 · 1.96 · s / √40.
    assert grouped.high - grouped.low == pytest.approx(3.92 * by_artist.std() / 40**0.5, rel=0.1)


def test_what_is_not_known_is_left_out() -> None:
    assert over_groups(np.array([1.0, np.nan, 1.0]), [0, 1, 2]).mean == 1.0
    assert np.isnan(over_groups(np.array([np.nan]), [0]).mean)
