"""What a data set holds, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.dataset.records import AlbumRecord, Dataset, artist_key


@dataclass(frozen=True, slots=True)
class Spread:
    """Distribution of one attribute over albums."""

    mean: float
    deviation: float
    lower_quartile: float
    median: float
    upper_quartile: float


@dataclass(frozen=True, slots=True)
class DatasetStatistics:
    """Counts and spreads.

    Attributes:
        albums, artists: how many.
        with_cover, with_address: albums whose cover is at hand; whose cover's address is known.
        with_key, with_tempo, with_year: albums for which these are known.
        single_track: albums whose means rest on one track.
        years: earliest and latest, or None.
        genres: albums by genre, most frequent first; None counts those without.
        attributes: the spread of each of the eight attributes and of the tempo (BPM).
        problems: rows left out.
    """

    albums: int
    artists: int
    with_cover: int
    with_address: int
    with_key: int
    with_tempo: int
    with_year: int
    single_track: int
    years: tuple[int, int] | None
    genres: Mapping[str | None, int]
    attributes: Mapping[str, Spread]
    problems: int


def feature_matrix(records: Sequence[AlbumRecord]) -> NDArray[np.float64]:
    """The eight attributes: float64 (n, 8), columns in the order of `AUDIO_FEATURES`."""
    rows = [record.album.attributes.features() for record in records]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(AUDIO_FEATURES))


def describe_dataset(dataset: Dataset) -> DatasetStatistics:
    """Figures about `dataset`; for an empty one all counts are 0 and there are no spreads."""
    measured = [record.album.attributes for record in dataset]
    years = [record.album.year for record in dataset if record.album.year is not None]
    tempos = [m.tempo for m in measured if m.tempo is not None]
    spreads = {}
    if measured:
        matrix = feature_matrix(dataset.records)
        spreads = {name: _spread(matrix[:, column]) for column, name in enumerate(AUDIO_FEATURES)}
    if tempos:
        spreads["tempo"] = _spread(np.array(tempos))
    return DatasetStatistics(
        albums=len(dataset),
        artists=len({artist_key(m.artist_name) for m in measured}),
        with_cover=sum(record.cover is not None for record in dataset),
        with_address=sum(record.image_url is not None for record in dataset),
        with_key=sum(m.key is not None for m in measured),
        with_tempo=len(tempos),
        with_year=len(years),
        single_track=sum(m.tracks == 1 for m in measured),
        years=(min(years), max(years)) if years else None,
        genres=dict(Counter(m.album_genre for m in measured).most_common()),
        attributes=spreads,
        problems=len(dataset.problems),
    )


def _spread(values: NDArray[np.float64]) -> Spread:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return Spread(float(values.mean()), float(values.std()), float(low), float(middle), float(high))
