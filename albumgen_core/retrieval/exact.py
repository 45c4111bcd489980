"""Exact nearest neighbours by one matrix product: the yardstick, and the check, of every other search."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from albumgen_core.albums import Album, Neighbour
from albumgen_core.dataset.records import artist_key
from albumgen_core.engines.base import EMBEDDING_DIMENSIONS

_RECHECKED = 8
"""The float32 product orders candidates; this many beyond k are measured again in float64.

A product of unit vectors in float32 errs by about 1e-7, which is a distance of 3e-4 near zero: enough to
swap near-identical covers.
"""


class ExactIndex:
    """Albums in memory, searched exhaustively.

    Args:
        albums: the albums.
        vectors: float32 (n, 512), their embeddings in the same order, of unit L2 norm.
    """

    def __init__(self, albums: Sequence[Album], vectors: NDArray[np.float32]) -> None:
        if vectors.shape[0] != len(albums):
            raise ValueError(f"{len(albums)} albums, but {vectors.shape[0]} vectors")
        self._albums = list(albums)
        self._vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self._squares = np.einsum("ij,ij->i", self._vectors, self._vectors)
        self._rows_of: dict[str, list[int]] = {}
        self._row_of = {album.album_id: row for row, album in enumerate(self._albums)}
        for row, album in enumerate(self._albums):
            self._rows_of.setdefault(artist_key(album.artist), []).append(row)

    def __len__(self) -> int:
        return len(self._albums)

    @property
    def albums(self) -> Sequence[Album]:
        """The albums, in the order of the rows."""
        return self._albums

    def nearest(
        self,
        vector: ArrayLike,
        k: int = 5,
        *,
        exclude: Collection[str] = (),
        exclude_artists: Collection[str] = (),
    ) -> list[Neighbour]:
        """The k albums nearest to `vector`, nearest first; ties by album_id. See `AlbumIndex.nearest`."""
        query = checked_query(vector)
        banned = self._rows(exclude, exclude_artists)
        wanted = min(k, len(self._albums) - len(banned))
        if wanted <= 0:
            return []
        squared = self._squares - 2.0 * (self._vectors @ query)
        squared[banned] = np.inf
        near = _smallest(squared, min(wanted + _RECHECKED, len(self._albums) - len(banned)))
        difference = self._vectors[near].astype(np.float64) - query.astype(np.float64)
        distances = np.sqrt(np.einsum("ij,ij->i", difference, difference))
        found = [Neighbour(self._albums[row], float(d)) for row, d in zip(near, distances, strict=True)]
        return sorted(found, key=nearness)[:wanted]

    def _rows(self, exclude: Collection[str], artists: Collection[str]) -> list[int]:
        rows = {self._row_of[album_id] for album_id in exclude if album_id in self._row_of}
        for name in artists:
            rows.update(self._rows_of.get(artist_key(name), ()))
        return sorted(rows)


def nearness(neighbour: Neighbour) -> tuple[float, str]:
    """Sort key: by distance, then by album_id, so that ties fall the same way everywhere."""
    return neighbour.distance or 0.0, neighbour.album.album_id


def checked_query(vector: ArrayLike) -> NDArray[np.float32]:
    """A query as float32 (512,); (1, 512) is welcome too. Raises ValueError for anything else."""
    query = np.asarray(vector, dtype=np.float32)
    if query.shape == (1, EMBEDDING_DIMENSIONS):
        query = query[0]
    if query.shape != (EMBEDDING_DIMENSIONS,):
        raise ValueError(f"a query has the shape ({EMBEDDING_DIMENSIONS},), not {query.shape}")
    if not np.isfinite(query).all():
        raise ValueError("a query must be finite")
    return query


def _smallest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    if count >= len(values):
        return np.argsort(values, kind="stable")
    return np.argpartition(values, count - 1)[:count]
