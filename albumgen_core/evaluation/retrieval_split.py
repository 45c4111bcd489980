"""One random split: every method calibrated on validation and measured on test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.dataset.split import split_albums
from albumgen_core.dataset.statistics import feature_matrix
from albumgen_core.errors import DatasetError
from albumgen_core.retrieval.calibration import GENRE, MEDIAN, Blend, blend, calibrate
from albumgen_core.retrieval.fitting import artist_numbers, nearest_rows
from albumgen_core.retrieval.genre_prior import GenrePrior
from albumgen_core.retrieval.zero_shot import ZeroShotGenres

Array = NDArray[np.float64]

KS: tuple[int, ...] = (*range(1, 20), 25, 30, 40, 50, 75, 100, 150, 200)
"""The slides' k = 1 … 19, and beyond."""

KNN, RANDOM = "nearest k", "random k"
CHOSEN, CHOSEN_MEDIAN = "mean of the nearest, k by validation", "median of the nearest, k by validation"
MEAN, MEDIAN_BASELINE, GENRE_MEAN = "mean", "median", "genre mean (true genre given)"
GENRE_MEDIAN = "genre median (true genre given)"
GENRE_SHIPPED = "MusicOSet's genre medians (true genre given)"
GENRE_BOTH = "genre medians of both, shrunk (true genre given)"
PREDICTOR = "calibrated predictor"

_RANDOM_DRAWS = 5


class Table:
    """The data set as arrays."""

    def __init__(
        self,
        records: Sequence[AlbumRecord],
        vectors: NDArray[np.float32],
        prior: GenrePrior,
        zero_shot: ZeroShotGenres | None,
    ) -> None:
        self.records = list(records)
        self.embeddings = vectors
        self.vectors = vectors.astype(np.float64)
        self.features = feature_matrix(records)
        self.genres = [record.album.attributes.album_genre for record in records]
        self.prior = prior
        self.zero_shot = zero_shot
        self.artists = artist_numbers(records)
        self.artist_count = len(set(self.artists))


@dataclass(frozen=True, slots=True, eq=False)
class SplitErrors:
    """One split: errors of the test albums averaged, by method; blends; sizes."""

    curves: dict[str, tuple[Array, Array]]
    validation_absolute: Array
    validation_squared: Array
    methods: dict[str, tuple[Array, Array]]
    blends: dict[str, Blend]
    train: int
    test: int
    ks: tuple[int, ...]


def run_split(table: Table, seed: int) -> SplitErrors:
    """Split by `seed`, calibrate on validation, and measure every method on test.

    Raises DatasetError when there are too few artists to keep apart.
    """
    parts = split_albums(table.records, seed)
    rows = {
        part: [i for i, r in enumerate(table.records) if parts[r.album.album_id] == part]
        for part in ("train", "validation", "test")
    }
    train, validation, test = (np.array(rows[part]) for part in ("train", "validation", "test"))
    if not (len(train) and len(validation) and len(test)):
        raise DatasetError(
            f"{table.artist_count} artists are too few to keep apart in training, validation and test."
        )
    known, truth = table.features[train], table.features[test]
    ks = tuple(k for k in KS if k <= len(train))
    most = ks[-1]
    near = {
        part: nearest_rows(table.vectors[train], table.vectors[queries], most)
        for part, queries in (("validation", validation), ("test", test))
    }
    rng = np.random.default_rng(seed)

    curves = {KNN: _curve_errors(known[near["test"][1]], truth, ks)}
    draws = [known[_random_rows(rng, len(test), len(train), most)] for _ in range(_RANDOM_DRAWS)]
    random_errors = [_curve_errors(values, truth, ks) for values in draws]
    curves[RANDOM] = (
        np.mean([e[0] for e in random_errors], axis=0),
        np.mean([e[1] for e in random_errors], axis=0),
    )
    checked = _curve_errors(known[near["validation"][1]], table.features[validation], ks)

    median = np.median(known, axis=0)
    informed = table.prior.informed_by([table.records[row].album for row in train])
    if table.zero_shot is not None:
        table.zero_shot.calibrate(table.embeddings[train], [table.genres[row] for row in train])
    priors = {
        part: _priors(table, queries, median, informed)
        for part, queries in (("validation", validation), ("test", test))
    }
    blends = calibrate(
        near["validation"][0],
        known[near["validation"][1]],
        table.features[validation],
        priors["validation"],
        [table.artists[row] for row in validation],
    )
    best = int(checked[0].mean(axis=1).argmin())
    answers = {
        MEAN: np.broadcast_to(known.mean(axis=0), truth.shape),
        MEDIAN_BASELINE: np.broadcast_to(median, truth.shape),
        GENRE_MEAN: _by_genre(table, train, test, np.mean),
        GENRE_MEDIAN: _by_genre(table, train, test, np.median),
        GENRE_SHIPPED: _prior_by_genre(table, test, table.prior.recentred(median)),
        GENRE_BOTH: _prior_by_genre(table, test, informed),
        CHOSEN: known[near["test"][1]][:, : ks[best]].mean(axis=1),
        CHOSEN_MEDIAN: _best_median(near, known, table.features[validation], ks),
        PREDICTOR: _blended(blends, near["test"][0], known[near["test"][1]], priors["test"]),
    }
    methods = {name: _errors(answer, truth) for name, answer in answers.items()}
    return SplitErrors(curves, checked[0], checked[1], methods, blends, len(train), len(test), ks)


def _random_rows(rng: np.random.Generator, queries: int, train: int, most: int) -> NDArray[np.intp]:
    return np.stack([rng.permutation(train)[:most] for _ in range(queries)])


def _curve_errors(values: Array, truth: Array, ks: Sequence[int]) -> tuple[Array, Array]:
    """Absolute and squared error (len(ks), 8) of the mean of the first k of values (q, most, 8)."""
    counts = np.arange(1, values.shape[1] + 1)[None, :, None]
    means = np.cumsum(values, axis=1) / counts
    misses = means[:, np.array(ks) - 1] - truth[:, None]
    return np.abs(misses).mean(axis=0), (misses**2).mean(axis=0)


def _best_median(
    near: Mapping[str, tuple[Array, NDArray[np.intp]]], known: Array, truth: Array, ks: Sequence[int]
) -> Array:
    """Test answers by the median of the nearest k, for the k that does best on validation."""
    held, asked = known[near["validation"][1]], known[near["test"][1]]
    errors = [np.abs(np.median(held[:, :k], axis=1) - truth).mean() for k in ks]
    return np.asarray(np.median(asked[:, : ks[int(np.argmin(errors))]], axis=1))


def _errors(answer: Array, truth: Array) -> tuple[Array, Array]:
    miss = answer - truth
    return np.abs(miss).mean(axis=0), (miss**2).mean(axis=0)


def _priors(table: Table, queries: NDArray[np.intp], median: Array, informed: GenrePrior) -> dict[str, Array]:
    priors = {MEDIAN: np.broadcast_to(median, (len(queries), len(median)))}
    if table.zero_shot is not None:
        probabilities = table.zero_shot.probabilities(table.embeddings[queries])
        priors[GENRE] = informed.expect(probabilities)
    return priors


def _by_genre(
    table: Table, train: NDArray[np.intp], test: NDArray[np.intp], centre: Callable[..., Array]
) -> Array:
    """The centre of the true genre's training albums; of all of them where it is unknown or new."""
    known = table.features[train]
    rows: dict[str, list[int]] = {}
    for row, index in enumerate(train):
        genre = table.genres[index]
        if genre is not None:
            rows.setdefault(genre, []).append(row)
    overall = centre(known, axis=0)
    centres = {genre: centre(known[inside], axis=0) for genre, inside in rows.items()}
    return np.stack([centres.get(table.genres[index] or "", overall) for index in test])


def _prior_by_genre(table: Table, test: NDArray[np.intp], prior: GenrePrior) -> Array:
    return prior.expect(prior.one_hot([table.genres[index] for index in test]))


def _blended(
    blends: Mapping[str, Blend], distances: Array, values: Array, priors: Mapping[str, Array]
) -> Array:
    columns = [
        blend(
            distances,
            values[:, :, column : column + 1],
            priors[rule.prior][:, column : column + 1],
            k=rule.k,
            bandwidth=rule.bandwidth,
            strength=rule.strength,
        )
        for column, rule in enumerate(blends[name] for name in AUDIO_FEATURES)
    ]
    return np.concatenate(columns, axis=1)
