"""How much neighbours are worth, attribute by attribute, by what they were worth on validation albums.

A prediction blends the neighbours with a prior as if the prior were `strength` further neighbours:

    (sum_i w_i y_i + strength · prior) / (sum_i w_i + strength),   w_i = exp(−½ (d_i / bandwidth)²)

so that near neighbours count fully, far ones hardly, and an infinite strength leaves the prior alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES

MEDIAN = "median"
GENRE = "genre"

KS = (1, 3, 5, 8, 12, 20, 35, 50, 100)
BANDWIDTHS = (0.25, 0.5, 0.75, 1.0, 1.5, math.inf)
"""In units of the median distance to the nearest neighbour; infinite weighs all neighbours alike."""
STRENGTHS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, math.inf)

SIGNAL_Z = 1.645
"""Standard errors an improvement has to reach, out of sample, to be believed: one-sided 95 %."""
_FOLDS = 5
_WEIGHTLESS = 1e-12


@dataclass(frozen=True, slots=True)
class Blend:
    """How one attribute is predicted.

    Attributes:
        k: neighbours looked at.
        bandwidth: L2 distance at which a neighbour counts exp(−½); inf for no weighting.
        strength: the prior's weight, in neighbours; inf for the prior alone.
        prior: "median" or "genre".
        signal: whether it beat the median baseline on validation; if not, it is the median baseline.
        error: mean absolute error on validation.
        baseline: that of the median baseline there; `error` is never above it.
        z: standard errors by which it beat the baseline out of sample.
    """

    k: int
    bandwidth: float
    strength: float
    prior: str
    signal: bool
    error: float
    baseline: float
    z: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; infinities as None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Blend:
        """Inverse of `to_dict`."""
        endless = {name: math.inf if data[name] is None else data[name] for name in ("bandwidth", "strength")}
        return cls(**{**data, **endless, "z": 0.0 if data["z"] is None else data["z"]})


def blend(
    distances: NDArray[np.float64],
    values: NDArray[np.float64],
    prior: NDArray[np.float64],
    *,
    k: int,
    bandwidth: float,
    strength: float,
) -> NDArray[np.float64]:
    """Blend neighbours with a prior, for n queries and any number of attributes.

    Args:
        distances: (n, m) L2 distances, nearest first; the first k count.
        values: (n, m, a) the neighbours' attributes.
        prior: (n, a).
        k, bandwidth, strength: see `Blend`.

    Returns (n, a). Where neither neighbours nor prior carry any weight, the prior.
    """
    if math.isinf(strength):
        return prior.copy()
    weights = _weights(distances[:, :k], bandwidth)
    total = weights.sum(axis=1)[:, None] + strength
    summed = np.einsum("nk,nka->na", weights, values[:, :k]) + strength * prior
    weighty = total > _WEIGHTLESS
    return np.where(weighty, summed / np.where(weighty, total, 1.0), prior)


def _weights(distances: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    if math.isinf(bandwidth):
        return np.ones_like(distances)
    return np.asarray(np.exp(-0.5 * (distances / bandwidth) ** 2))


def calibrate(
    distances: NDArray[np.float64],
    values: NDArray[np.float64],
    truths: NDArray[np.float64],
    priors: Mapping[str, NDArray[np.float64]],
    groups: Sequence[int] | None = None,
) -> dict[str, Blend]:
    """Choose a blend for every attribute on validation albums.

    The best of the grid looks better than it is, having been chosen on the same albums. So every album
    is also predicted by the blend that is best on the other folds, and only where that beats the median
    baseline by `SIGNAL_Z` standard errors are neighbours (or the genre) believed. Elsewhere the blend is
    the median baseline itself: no attribute is ever worse than it on validation.

    Args:
        distances: (n, m), nearest first. values: (n, m, 8). truths: (n, 8).
        priors: "median" (required) and perhaps "genre": (n, 8) each.
        groups: artist of each album, to keep in one fold; None for all different.
    """
    scale = float(np.median(distances[:, 0])) or 1.0
    grid = _grid(distances.shape[1], scale, priors)
    errors = np.stack(
        [
            np.abs(blend(distances, values, priors[p], k=k, bandwidth=h, strength=s) - truths)
            for k, h, s, p in grid
        ]
    )
    baseline = np.abs(priors[MEDIAN] - truths)
    folds = _folds(len(truths), groups)
    blends = {}
    for column, name in enumerate(AUDIO_FEATURES):
        z = _out_of_sample_z(errors[:, :, column], baseline[:, column], folds)
        means = errors[:, :, column].mean(axis=1)
        best, usual = int(means.argmin()), float(baseline[:, column].mean())
        if z >= SIGNAL_Z and means[best] < usual:
            k, bandwidth, strength, prior = grid[best]
            blends[name] = Blend(k, bandwidth, strength, prior, True, float(means[best]), usual, z)
        else:
            blends[name] = Blend(0, math.inf, math.inf, MEDIAN, False, usual, usual, z)
    return blends


def _grid(most: int, scale: float, priors: Mapping[str, Any]) -> list[tuple[int, float, float, str]]:
    finite = [strength for strength in STRENGTHS if math.isfinite(strength)]
    ks = sorted({min(k, most) for k in KS})
    grid = [(k, h * scale, s, p) for k, h, s, p in product(ks, BANDWIDTHS, finite, sorted(priors))]
    return [*grid, *((0, math.inf, math.inf, prior) for prior in sorted(priors))]


def _folds(count: int, groups: Sequence[int] | None) -> NDArray[np.intp]:
    """A fold for every album, the same for all of a group, by the order of the groups' first albums."""
    order: dict[int, int] = {}
    members = range(count) if groups is None else groups
    return np.array([order.setdefault(group, len(order)) % _FOLDS for group in members], dtype=np.intp)


def _out_of_sample_z(
    errors: NDArray[np.float64], baseline: NDArray[np.float64], folds: NDArray[np.intp]
) -> float:
    """Mean improvement over the baseline in standard errors, each fold predicted by the others' choice."""
    improved = np.zeros(len(baseline))
    for fold in np.unique(folds):
        inside = folds == fold
        if inside.all():
            return 0.0
        chosen = errors[:, ~inside].mean(axis=1).argmin()
        improved[inside] = baseline[inside] - errors[chosen, inside]
    spread = improved.std(ddof=1) / math.sqrt(len(improved)) if len(improved) > 1 else 0.0
    return float(improved.mean() / spread) if spread > 0 else 0.0
