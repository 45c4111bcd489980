"""Embeddings of a data set's covers, held in memory: for evaluation and training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from albumgen_core.cover.read import Cover
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.dataset.records import AlbumRecord, Problem
from albumgen_core.engines.base import EMBEDDING_DIMENSIONS, Embedder
from albumgen_core.errors import CoverError

_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedRecords:
    """Albums whose covers could be read.

    Attributes:
        records: the albums, in the order in which they were given.
        vectors: their embeddings, float32 (n, 512); without an embedder, (n, 0).
        problems: the covers that could not be read.
    """

    records: list[AlbumRecord]
    vectors: NDArray[np.float32]
    problems: list[Problem]


def embed_records(
    records: Sequence[AlbumRecord],
    embedder: Embedder | None,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> EmbeddedRecords:
    """Read and embed the covers of `records`, all of which must have one; None only looks which can be read.

    `on_progress` is told (covers done, covers in all).
    """
    kept: list[AlbumRecord] = []
    parts: list[NDArray[np.float32]] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            covers: list[Cover] = []
            for record, cover in zip(batch, pool.map(_load, batch), strict=True):
                if isinstance(cover, CoverError):
                    problems.append(Problem(str(record.cover), str(cover)))
                    continue
                kept.append(record)
                covers.append(cover)
            if covers and embedder is not None:
                parts.append(embedder.embed(covers))
            on_progress(start + len(batch), len(records))
    width = 0 if embedder is None else EMBEDDING_DIMENSIONS
    vectors = np.concatenate(parts) if parts else np.zeros((len(kept), width), np.float32)
    return EmbeddedRecords(kept, vectors, problems)


def _load(record: AlbumRecord) -> Cover | CoverError:
    assert record.cover is not None
    try:
        return load_cover(record.cover)
    except CoverError as error:
        return error
