"""Neighbours for albums whose truth is known, without letting it leak: for training and evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Neighbour
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.retrieval.exact import ExactIndex


class LeakFreeNeighbours:
    """The albums that may be shown as neighbours.

    Args:
        records: the albums.
        vectors: their embeddings, float32 (n, 512).
    """

    def __init__(self, records: Sequence[AlbumRecord], vectors: NDArray[np.float32]) -> None:
        self._index = ExactIndex([record.album for record in records], vectors)
        self._by_artist: dict[str, set[str]] = {}
        for record in records:
            for key in record.artist_keys:
                self._by_artist.setdefault(key, set()).add(record.album.album_id)

    def neighbours(self, record: AlbumRecord, vector: NDArray[np.float32], k: int) -> list[Neighbour]:
        """The k nearest albums to `record`'s cover, without itself and anything by one of its artists."""
        own = {record.album.album_id}
        for key in record.artist_keys:
            own |= self._by_artist.get(key, set())
        return self._index.nearest(vector, k, exclude=own)
