"""What a describer's readings of covers are worth, beside answers that look at no cover.

Every album is read without neighbours and with (RAG), by every reader. Neighbours and baselines come from
albums by other artists only. Beside the readings stand the mean, the median, and the mean and median of the
album's true genre, which is knowledge that no reader has; and each reader's own answers dealt out to the
wrong albums, which tells reading from guessing well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.dataset.split import artist_groups
from albumgen_core.engines.base import Describer
from albumgen_core.errors import AttributeRangeError, EvaluationError
from albumgen_core.retrieval.leak_free import LeakFreeNeighbours

Array = NDArray[np.float64]

MEAN, MEDIAN = "mean of all", "median of all"
GENRE_MEAN, GENRE_MEDIAN = "mean of the true genre", "median of the true genre"
BASELINES = (MEAN, MEDIAN, GENRE_MEAN, GENRE_MEDIAN)

Progress = Callable[[int, int], None]
"""Called with (answers given, answers in all)."""


class FreeDescriber(Describer, Protocol):
    """A describer that can also answer without a grammar that keeps its answers valid."""

    def answer_freely(self, cover: Cover, neighbours: Sequence[Neighbour] | None, *, seed: int = 0) -> str:
        """The text it writes, valid or not."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """One reading of one cover.

    Attributes:
        attributes: what was read; None where the answer was not a valid one.
        seconds: how long it took.
        free_valid: whether an answer without a grammar was valid; None where that was not tried.
    """

    attributes: MusicalAttributes | None
    seconds: float
    free_valid: bool | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """All readings of one reader, with or without neighbours, in the order of the albums."""

    reader: str
    with_neighbours: bool
    answers: Sequence[Answer]

    @property
    def name(self) -> str:
        """How it is called in tables and plots."""
        return f"{self.reader}, {'with neighbours' if self.with_neighbours else 'cover alone'}"


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known without looking at a cover, for each album from the albums of other artists.

    Attributes:
        features: by baseline, predictions float64 (n, 8).
        tempo: the median tempo, (n,); NaN where no tempo is known.
        genre: the most frequent genre, or None.
    """

    features: Mapping[str, Array]
    tempo: Array
    genre: Sequence[str | None]


@dataclass(frozen=True, slots=True, eq=False)
class AttributeEvaluation:
    """Everything that was read, and the truth.

    Attributes:
        records: the albums that were read.
        groups: n numbers; albums with the same one share an artist.
        pool: how many albums neighbours and baselines came from.
        known: the baselines.
        conditions: the readings.
        k: neighbours shown.
        embedder: what found them, or "".
    """

    records: Sequence[AlbumRecord]
    groups: Sequence[int]
    pool: int
    known: Known
    conditions: Sequence[Condition]
    k: int
    embedder: str = ""
    truth: Array = field(init=False)

    def __post_init__(self) -> None:
        rows = [record.album.attributes.features() for record in self.records]
        object.__setattr__(self, "truth", np.array(rows, dtype=np.float64).reshape(len(rows), 8))

    @property
    def artists(self) -> int:
        """Groups of artists among the albums that were read."""
        return len(set(self.groups))


def read_covers(
    reader: Describer,
    name: str,
    records: Sequence[AlbumRecord],
    *,
    shelf: LeakFreeNeighbours | None = None,
    vectors: NDArray[np.float32] | None = None,
    k: int = 5,
    free: bool = False,
    on_progress: Progress = lambda _done, _total: None,
) -> Condition:
    """Let `reader` read every cover; with a shelf and the covers' vectors, it sees k neighbours of each.

    Args:
        reader: the describer.
        name: how it is called in the report.
        records: albums whose covers can be read.
        shelf, vectors: where neighbours come from, and the covers' embeddings (n, 512).
        k: how many.
        free: also let it answer without a grammar; it must be a FreeDescriber.
        on_progress: told after each album.
    """
    answers = []
    for row, record in enumerate(records):
        assert record.cover is not None
        cover = load_cover(record.cover)
        near = None
        if shelf is not None and vectors is not None:
            near = shelf.neighbours(record, vectors[row], k)
        answers.append(_answer(reader, cover, near, free=free))
        on_progress(row + 1, len(records))
    return Condition(name, shelf is not None, answers)


def _answer(reader: Describer, cover: Cover, near: Sequence[Neighbour] | None, *, free: bool) -> Answer:
    start = time.perf_counter()
    try:
        attributes: MusicalAttributes | None = reader.describe(cover, near)
    except AttributeRangeError:
        attributes = None
    seconds = time.perf_counter() - start
    return Answer(attributes, seconds, _free_answer_is_valid(reader, cover, near) if free else None)


def _free_answer_is_valid(reader: Describer, cover: Cover, near: Sequence[Neighbour] | None) -> bool:
    answer_freely = getattr(reader, "answer_freely", None)
    if answer_freely is None:
        raise TypeError(f"{reader.name} cannot answer without a grammar")
    try:
        MusicalAttributes.from_model_json(answer_freely(cover, near))
    except AttributeRangeError:
        return False
    return True


def what_is_known(records: Sequence[AlbumRecord], pool: Sequence[AlbumRecord]) -> Known:
    """Baselines for each of `records` from the albums of `pool` that share no artist with it.

    Raises EvaluationError when that leaves none.
    """
    features = np.array([record.album.attributes.features() for record in pool])
    genres = np.array([record.album.attributes.album_genre or "" for record in pool])
    tempi = np.array([record.album.attributes.tempo or np.nan for record in pool], dtype=np.float64)
    keys = [set(record.artist_keys) for record in pool]
    made: dict[str, list[Array]] = {name: [] for name in BASELINES}
    tempo, genre = [], []
    for record in records:
        own = set(record.artist_keys)
        others = np.array([own.isdisjoint(theirs) for theirs in keys], dtype=bool)
        if not others.any():
            raise EvaluationError(f"There is no album by another artist than {record.album.artist}.")
        alike = others & (genres == (record.album.attributes.album_genre or "?"))
        for name, chosen in ((MEAN, others), (GENRE_MEAN, alike if alike.any() else others)):
            made[name].append(features[chosen].mean(axis=0))
        for name, chosen in ((MEDIAN, others), (GENRE_MEDIAN, alike if alike.any() else others)):
            made[name].append(np.median(features[chosen], axis=0))
        heard = tempi[others & ~np.isnan(tempi)]
        tempo.append(float(np.median(heard)) if len(heard) else float("nan"))
        genre.append(_most_frequent(genres[others & (genres != "")]))
    return Known(
        {name: np.array(rows) for name, rows in made.items()}, np.array(tempo, dtype=np.float64), genre
    )


def groups_of(records: Sequence[AlbumRecord]) -> list[int]:
    """A number for each album; albums that share an artist, directly or through others, have the same."""
    number = {album_id: place for place, group in enumerate(artist_groups(records)) for album_id in group}
    return [number[record.album.album_id] for record in records]


def _most_frequent(words: NDArray[np.str_]) -> str | None:
    names, counts = np.unique(words, return_counts=True)
    return str(names[counts.argmax()]) if len(names) else None
