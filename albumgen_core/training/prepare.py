"""From a data set on disk to examples for training and validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from albumgen_core.dataset.records import AlbumRecord, Dataset, Problem
from albumgen_core.dataset.split import Part, read_split, split_albums, split_file
from albumgen_core.engines.base import Embedder
from albumgen_core.errors import DatasetError
from albumgen_core.retrieval.embedding import embed_records
from albumgen_core.retrieval.leak_free import LeakFreeNeighbours
from albumgen_core.training.examples import Example, build_examples
from albumgen_core.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples by purpose; the test part is never touched.

    Attributes:
        train, validation: the examples.
        problems: covers that could not be read.
    """

    train: list[Example]
    validation: list[Example]
    problems: list[Problem]


def part_of(dataset: Dataset, source: Path, seed: int) -> dict[str, Part]:
    """The split that lies beside the data set, or one drawn with `seed` where there is none."""
    file = split_file(source)
    return read_split(file) if file.is_file() else split_albums(dataset.records, seed)


def prepare_examples(
    dataset: Dataset,
    parts: dict[str, Part],
    recipe: Recipe,
    embedder: Embedder | None,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> TrainingData:
    """Examples of the training and validation albums; the neighbours of both are training albums.

    Args:
        dataset: albums with covers.
        parts: album_id → part.
        recipe: says which questions are asked.
        embedder: finds neighbours; None when the recipe wants none.
        on_progress: told (covers read, covers in all).

    Raises DatasetError when an album has no part, or no training album is left.
    """
    wanted: list[AlbumRecord] = []
    for record in dataset:
        part = parts.get(record.album.album_id)
        if part is None:
            raise DatasetError(
                f"The split lacks the album {record.album.album_id}; run `albumgen dataset split` again."
            )
        if part != "test":
            wanted.append(record)
    embedded = embed_records(wanted, embedder, on_progress=on_progress)
    training = np.array([parts[record.album.album_id] == "train" for record in embedded.records], bool)
    if not training.any():
        raise DatasetError(f"{dataset.name} has no training album with a readable cover.")
    made: list[list[Example]] = []
    shelf = None
    for rows in (np.flatnonzero(training), np.flatnonzero(~training)):
        records, vectors = [embedded.records[row] for row in rows], embedded.vectors[rows]
        if shelf is None and embedder is not None:
            shelf = LeakFreeNeighbours(records, vectors)
        made.append(
            build_examples(
                records, contexts=recipe.contexts, shelf=shelf, vectors=vectors, k=recipe.neighbours
            )
        )
    return TrainingData(made[0], made[1], embedded.problems)
