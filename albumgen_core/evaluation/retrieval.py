"""How well do the neighbours of a cover tell how its album sounds, and is that better than not looking?

Every method predicts the eight attributes of held-out albums, over many random splits (80/10/10, no
artist on two sides). Beside the mean of the k nearest stand baselines that never see the cover: the
training mean (best constant for squared error), the training median (for absolute error) and k albums at
random; and the genre's mean and median with the true genre given, which no method that looks at covers is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.evaluation.intervals import Interval, over_splits
from albumgen_core.evaluation.retrieval_split import (
    KNN,
    MEDIAN_BASELINE,
    RANDOM,
    Array,
    SplitErrors,
    Table,
    run_split,
)
from albumgen_core.retrieval.exact import ExactIndex
from albumgen_core.retrieval.genre_prior import GenrePrior
from albumgen_core.retrieval.zero_shot import ZeroShotGenres

_TIMED_QUERIES = 200

EvaluationProgress = Callable[[int, int], None]
"""Called with (splits done, splits in all)."""


def ignore_evaluation_progress(_done: int, _total: int) -> None:
    """An EvaluationProgress for callers who do not watch."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Errors on the test albums of every split: float64 (splits, 8) for one method."""

    absolute: Array
    squared: Array


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalEvaluation:
    """Everything that was measured.

    Attributes:
        albums, artists, splits, train, test: sizes (of a typical split).
        ks: the k that were tried.
        curves: by "nearest k" and "random k", errors (splits, len(ks), 8) on test.
        validation: (splits, len(ks)) mean absolute error over the attributes of "nearest k".
        methods: errors of every method without a k.
        chosen_k: the k with the least mean absolute error on validation, over all splits.
        chosen_k_squared: the same by squared error.
        chosen_by_split: the k each split's validation albums chose.
        signal: by attribute, the share of splits in which calibration believed the covers.
        milliseconds: by k, the median time of one exact query over all albums.
        embedder: name of the embedding space.
    """

    albums: int
    artists: int
    splits: int
    train: int
    test: int
    ks: tuple[int, ...]
    curves: Mapping[str, Errors]
    validation: Array
    methods: Mapping[str, Errors]
    chosen_k: int
    chosen_k_squared: int
    chosen_by_split: tuple[int, ...]
    signal: Mapping[str, float]
    milliseconds: Mapping[int, float]
    embedder: str

    def nearest_against_random(self, k: int) -> Interval:
        """Mean absolute error of the nearest k less that of k at random, paired by split."""
        column = self.ks.index(k)
        difference = self.curves[KNN].absolute[:, column] - self.curves[RANDOM].absolute[:, column]
        return over_splits(difference.mean(axis=1), self.ratio)

    @property
    def ratio(self) -> float:
        """Test albums for each training album, as the intervals need it."""
        return self.test / self.train

    def mean_absolute(self, method: str) -> Interval:
        """Mean absolute error over the eight attributes, over splits."""
        return over_splits(self.methods[method].absolute.mean(axis=1), self.ratio)

    def against(self, method: str, baseline: str = MEDIAN_BASELINE) -> Interval:
        """Mean absolute error less that of a baseline, paired by split; below 0 is better."""
        difference = self.methods[method].absolute - self.methods[baseline].absolute
        return over_splits(difference.mean(axis=1), self.ratio)


def evaluate_retrieval(
    records: Sequence[AlbumRecord],
    vectors: NDArray[np.float32],
    *,
    embedder: str,
    splits: int = 50,
    seed: int = 0,
    zero_shot: ZeroShotGenres | None = None,
    genre_prior: GenrePrior | None = None,
    on_progress: EvaluationProgress = ignore_evaluation_progress,
) -> RetrievalEvaluation:
    """Evaluate over `splits` random splits, seeded by `seed`, `seed + 1`, …

    Args:
        records: the albums. vectors: their embeddings, float32 (n, 512).
        embedder: name of the embedding space, for the report.
        zero_shot: over the genres of `genre_prior`, calibrated anew on each split's training albums; None
            where the embedder knows no words, and then the predictor has the median prior alone.
        genre_prior: typical attributes by genre from elsewhere; the shipped ones by default.
        on_progress: told after every split.

    Raises ValueError for fewer than 30 albums, or when records and vectors differ in number, and
    DatasetError when there are too few artists to keep them apart.
    """
    if len(records) != len(vectors):
        raise ValueError(f"{len(records)} albums, but {len(vectors)} vectors")
    if len(records) < 30:
        raise ValueError(f"{len(records)} albums are too few to evaluate on; 30 is the least")
    prior = genre_prior if genre_prior is not None else GenrePrior.shipped()
    table = Table(records, vectors, prior, zero_shot)
    runs = []
    for number in range(splits):
        runs.append(run_split(table, seed + number))
        on_progress(number + 1, splits)
    return _gather(table, runs, embedder)


def _gather(table: Table, runs: Sequence[SplitErrors], embedder: str) -> RetrievalEvaluation:
    ks = min((run.ks for run in runs), key=len)
    depth = len(ks)

    def stacked(pairs: Sequence[tuple[Array, Array]]) -> Errors:
        return Errors(
            np.stack([pair[0][:depth] for pair in pairs]), np.stack([pair[1][:depth] for pair in pairs])
        )

    validation = np.stack([run.validation_absolute[:depth].mean(axis=1) for run in runs])
    validation_squared = np.stack([run.validation_squared[:depth].mean(axis=1) for run in runs])
    methods = {
        name: Errors(
            np.stack([run.methods[name][0] for run in runs]), np.stack([run.methods[name][1] for run in runs])
        )
        for name in runs[0].methods
    }
    return RetrievalEvaluation(
        albums=len(table.records),
        artists=table.artist_count,
        splits=len(runs),
        train=round(float(np.mean([run.train for run in runs]))),
        test=round(float(np.mean([run.test for run in runs]))),
        ks=ks,
        curves={name: stacked([run.curves[name] for run in runs]) for name in (KNN, RANDOM)},
        validation=validation,
        methods=methods,
        chosen_k=ks[int(validation.mean(axis=0).argmin())],
        chosen_k_squared=ks[int(validation_squared.mean(axis=0).argmin())],
        chosen_by_split=tuple(ks[int(row.argmin())] for row in validation),
        signal={name: float(np.mean([run.blends[name].signal for run in runs])) for name in AUDIO_FEATURES},
        milliseconds=_time_queries(table, ks),
        embedder=embedder,
    )


def _time_queries(table: Table, ks: Sequence[int]) -> dict[int, float]:
    """Median milliseconds of an exact query, for some k."""
    index = ExactIndex([record.album for record in table.records], table.embeddings)
    queries = table.embeddings[:_TIMED_QUERIES]
    times = {}
    for k in (k for k in (1, 5, 19, 50, 100, 200) if k <= ks[-1]):
        durations = []
        for query in queries:
            started = time.perf_counter()
            index.nearest(query, k)
            durations.append(time.perf_counter() - started)
        times[k] = float(np.median(durations)) * 1e3
    return times
