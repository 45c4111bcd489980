"""From albums to questions with answers: with neighbours, without, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.engines.neural.internvl.question import build_question
from albumgen_core.retrieval.leak_free import LeakFreeNeighbours
from albumgen_core.training.recipe import Contexts
from albumgen_core.training.target import Target, target_of


@dataclass(frozen=True, slots=True)
class Example:
    """One question about a cover, with the answer to learn.

    Attributes:
        cover: file of the picture.
        question: what is asked, neighbours included.
        target: the answer.
        with_neighbours: whether the question has neighbours.
    """

    cover: Path
    question: str
    target: Target
    with_neighbours: bool


def build_examples(
    records: Sequence[AlbumRecord],
    *,
    contexts: Contexts,
    shelf: LeakFreeNeighbours | None = None,
    vectors: NDArray[np.float32] | None = None,
    k: int = 5,
) -> list[Example]:
    """Examples for albums that have covers, in the order of `records`.

    Args:
        records: the albums.
        contexts: with or without neighbours; "mixed" decides by the album's id, so that an album keeps its
            kind when others come or go.
        shelf, vectors: where neighbours come from, and the records' embeddings; needed unless "plain".
        k: neighbours in a question.

    Raises ValueError when neighbours are asked for and there is no shelf.
    """
    if contexts != "plain" and (shelf is None or vectors is None):
        raise ValueError(f"{contexts} examples need neighbours")
    examples: list[Example] = []
    for row, record in enumerate(records):
        assert record.cover is not None
        target = target_of(record.album)
        for wanted in _kinds(contexts, record.album.album_id):
            near = (
                shelf.neighbours(record, vectors[row], k) if wanted and shelf and vectors is not None else []
            )
            examples.append(Example(record.cover, build_question(near), target, bool(near)))
    return examples


def _kinds(contexts: Contexts, album_id: str) -> tuple[bool, ...]:
    if contexts == "mixed":
        return (sha256(album_id.encode()).digest()[0] % 2 == 0,)
    return {"both": (False, True), "rag": (True,), "plain": (False,)}[contexts]
