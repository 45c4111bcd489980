"""From measured albums and their embeddings to a calibrated predictor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.dataset.split import split_albums
from albumgen_core.dataset.statistics import feature_matrix
from albumgen_core.retrieval.calibration import GENRE, KS, MEDIAN, calibrate
from albumgen_core.retrieval.genre_prior import GenrePrior
from albumgen_core.retrieval.predictor import NeighbourPredictor
from albumgen_core.retrieval.zero_shot import ZeroShotGenres


def nearest_rows(
    known: NDArray[np.float64], queries: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The `most` rows of `known` nearest to each query, both of unit L2 norm.

    Returns L2 distances (q, most), nearest first, and row numbers of the same shape.
    """
    squared = np.maximum(0.0, 2.0 - 2.0 * (queries @ known.T))
    order = np.argsort(squared, axis=1, kind="stable")[:, :most]
    return np.sqrt(np.take_along_axis(squared, order, axis=1)), order


def artist_numbers(records: Sequence[AlbumRecord]) -> list[int]:
    """A number for each album's first artist, the same for the same artist."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(record.artist_keys[0], len(numbers)) for record in records]


def fit_predictor(
    records: Sequence[AlbumRecord],
    vectors: NDArray[np.float32],
    *,
    embedder: str,
    seed: int = 0,
    zero_shot: ZeroShotGenres | None = None,
    genre_prior: GenrePrior | None = None,
) -> NeighbourPredictor:
    """Calibrate a predictor on the validation part of an artist-disjoint split; test is left untouched.

    Args:
        records: the albums. vectors: float32 (n, 512), their embeddings.
        embedder: name of the embedding space.
        seed: of the split.
        zero_shot: over the genres of the prior, calibrated here on training; None without.
        genre_prior: typical attributes by genre; the shipped ones by default.

    Raises ValueError when training or validation is empty.
    """
    parts = split_albums(records, seed)
    train = np.array([i for i, r in enumerate(records) if parts[r.album.album_id] == "train"], dtype=np.intp)
    held = np.array(
        [i for i, r in enumerate(records) if parts[r.album.album_id] == "validation"], dtype=np.intp
    )
    if not len(train) or not len(held):
        raise ValueError(f"{len(records)} albums are too few to calibrate on")
    features, points = feature_matrix(records), vectors.astype(np.float64)
    median = np.median(features[train], axis=0)
    priors = {MEDIAN: np.broadcast_to(median, (len(held), len(median)))}
    prior: GenrePrior | None = None
    if zero_shot is not None:
        prior = (genre_prior or GenrePrior.shipped()).informed_by([records[row].album for row in train])
        zero_shot.calibrate(vectors[train], [records[row].album.attributes.album_genre for row in train])
        priors[GENRE] = prior.expect(zero_shot.probabilities(vectors[held]))
    distances, rows = nearest_rows(points[train], points[held], min(max(KS), len(train)))
    artists = artist_numbers(records)
    blends = calibrate(
        distances, features[train][rows], features[held], priors, [artists[row] for row in held]
    )
    softmax = None if zero_shot is None else zero_shot.to_dict()
    return NeighbourPredictor(blends, median, embedder, prior, softmax)
