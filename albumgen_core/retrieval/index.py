"""The album index as its readers see it: Chroma answers, an exact search checks the answer."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from albumgen_core.albums import Neighbour
from albumgen_core.dataset.records import artist_key
from albumgen_core.engines.base import EMBEDDING_DIMENSIONS
from albumgen_core.errors import IndexUnavailableError
from albumgen_core.files import FileLock
from albumgen_core.retrieval import checksums, store
from albumgen_core.retrieval.exact import ExactIndex, checked_query, nearness
from albumgen_core.retrieval.lock import lock_for_reading, one_opening
from albumgen_core.retrieval.metadata import ARTIST_KEY, album_from_metadata
from albumgen_core.retrieval.thumbnails import Thumbnails

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection as ChromaCollection

log = logging.getLogger(__name__)

EXACT_LIMIT = 100_000
"""Largest index whose answers are checked exactly: 205 MB of vectors, some 40 ms a query on one core."""

_PAGE = 5_000
_RECALL_SAMPLE = 50


class NearestAlbums(Protocol):
    """Anything that can be asked for kindred albums."""

    def nearest(
        self,
        vector: ArrayLike,
        k: int = 5,
        *,
        exclude: Collection[str] = (),
        exclude_artists: Collection[str] = (),
    ) -> list[Neighbour]:
        """See `AlbumIndex.nearest`."""
        ...


@dataclass(frozen=True, slots=True)
class IndexStats:
    """What an index holds.

    Attributes:
        directory, embedder: where it is and what it was built with.
        albums, artists: how many.
        with_genre, with_key: albums whose genre and key are known.
        disk_bytes: size of the whole directory.
        nearest_distance: median L2 distance from an album to its nearest other, NaN for fewer than two.
        recall: share of the true 5 nearest that Chroma finds unaided, over a sample; NaN when unchecked.
    """

    directory: Path
    embedder: str
    albums: int
    artists: int
    with_genre: int
    with_key: int
    disk_bytes: int
    nearest_distance: float
    recall: float


class AlbumIndex:
    """Known albums, to be searched by the looks of their covers. Make one with `AlbumIndex.open`."""

    def __init__(
        self,
        directory: Path,
        embedder_name: str,
        client: Client,
        collection: ChromaCollection,
        lock: FileLock,
        count: int,
    ) -> None:
        self.directory = directory
        self.embedder_name = embedder_name
        self._client: Client | None = client
        self._collection = collection
        self._lock = lock
        self._count = count
        self._thumbnails = Thumbnails(directory)
        self._exact: ExactIndex | None = None

    @classmethod
    def open(cls, directory: Path, *, embedder_name: str) -> AlbumIndex:
        """Open the index for reading; any number of processes may do so at a time.

        Args:
            directory: as given to `build_index`.
            embedder_name: of the embedder whose vectors will be asked for.

        Raises IndexUnavailableError: missing, empty, damaged, being written, or of another embedder.
        """
        store.require_database(directory)
        lock = lock_for_reading(directory)
        try:
            with one_opening(directory):
                checksums.check_seal(directory)
                client = store.connect(directory)
                try:
                    return cls._opened(directory, embedder_name, client, lock)
                except BaseException:
                    client.close()
                    raise
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _opened(cls, directory: Path, embedder_name: str, client: Client, lock: FileLock) -> AlbumIndex:
        with store.chroma_errors(directory):
            collection = store.find_collection(client, embedder_name, directory)
            count = collection.count()
            if count == 0:
                raise IndexUnavailableError(
                    f"The album index at {directory} is empty; fill it with `albumgen index build`."
                )
            # One query while no other reader opens: it makes Chroma load, and find damage, now.
            if not store.probe(collection):
                raise IndexUnavailableError(checksums.damage(directory, "its vectors cannot be read"))
        return cls(directory, embedder_name, client, collection, lock, count)

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> AlbumIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the directory back; a second call does nothing."""
        self._thumbnails.close()
        if self._client is not None:
            self._client.close()
            self._client = None
        self._lock.release()

    def nearest(
        self,
        vector: ArrayLike,
        k: int = 5,
        *,
        exclude: Collection[str] = (),
        exclude_artists: Collection[str] = (),
    ) -> list[Neighbour]:
        """The k albums whose covers lie nearest to `vector`.

        Up to `EXACT_LIMIT` albums the answer is exactly that of an exhaustive search, ties by album_id;
        beyond, it is Chroma's approximate one.

        Args:
            vector: float32 (512,) or (1, 512), of unit L2 norm.
            k: how many, ≥ 0; fewer come back when the index holds fewer.
            exclude: album_ids to leave out (the album itself, in an evaluation).
            exclude_artists: artists' names to leave out, without regard to case.

        Returns:
            Neighbours with their L2 distance (Chroma's squared value, rooted), nearest first.

        Raises IndexUnavailableError when the index turns out to be damaged.
        """
        query = checked_query(vector)
        found = self._approximate(query, k, exclude, exclude_artists)
        if self._count > EXACT_LIMIT:
            return found
        true = self.exact().nearest(query, k, exclude=exclude, exclude_artists=exclude_artists)
        if _ids(found) != _ids(true):
            log.debug("Chroma missed %d of %d neighbours", len(_ids(true) - _ids(found)), k)
        return true

    def thumbnail(self, album_id: str) -> bytes | None:
        """JPEG of 96 × 96 pixels of an album's cover, or None when there is none."""
        return self._thumbnails.get(album_id)

    def exact(self) -> ExactIndex:
        """The whole index in memory, read once (about a second for 10,000 albums).

        Raises IndexUnavailableError when a vector or an album cannot be read.
        """
        if self._exact is None:
            self._exact = self._load()
        return self._exact

    def stats(self) -> IndexStats:
        """Figures about the index; takes a second or two, because recall is measured."""
        exact = self.exact()
        albums = exact.albums
        nearest, recall = self._measure(exact)
        return IndexStats(
            directory=self.directory,
            embedder=self.embedder_name,
            albums=len(albums),
            artists=len({artist_key(album.artist) for album in albums}),
            with_genre=sum(album.attributes.album_genre is not None for album in albums),
            with_key=sum(album.attributes.key is not None for album in albums),
            disk_bytes=sum(path.stat().st_size for path in self.directory.rglob("*") if path.is_file()),
            nearest_distance=nearest,
            recall=recall,
        )

    def _approximate(
        self, query: NDArray[np.float32], k: int, exclude: Collection[str], artists: Collection[str]
    ) -> list[Neighbour]:
        """Chroma's answer. Excluded albums are asked for as well and dropped; artists are filtered."""
        wanted = min(k + len(exclude), self._count)
        if k <= 0:
            return []
        where: Any = (
            {ARTIST_KEY: {"$nin": sorted({artist_key(name) for name in artists})}} if artists else None
        )
        vectors: Any = [query]
        with store.chroma_errors(self.directory):
            answer: Mapping[str, Any] = self._collection.query(
                query_embeddings=vectors, n_results=wanted, where=where, include=["metadatas", "distances"]
            )
            found = [
                Neighbour(album_from_metadata(album_id, metadata), math.sqrt(max(0.0, float(squared))))
                for album_id, metadata, squared in zip(
                    answer["ids"][0], answer["metadatas"][0], answer["distances"][0], strict=True
                )
                if album_id not in exclude
            ]
        return sorted(found, key=nearness)[:k]

    def _load(self) -> ExactIndex:
        albums, parts = [], []
        with store.chroma_errors(self.directory):
            for offset in range(0, self._count, _PAGE):
                page: Mapping[str, Any] = self._collection.get(
                    include=["embeddings", "metadatas"], limit=_PAGE, offset=offset
                )
                albums += [
                    album_from_metadata(album_id, metadata)
                    for album_id, metadata in zip(page["ids"], page["metadatas"], strict=True)
                ]
                parts.append(np.asarray(page["embeddings"], dtype=np.float32))
            vectors = np.concatenate(parts)
        if vectors.shape != (self._count, EMBEDDING_DIMENSIONS) or len(albums) != self._count:
            raise IndexUnavailableError(
                checksums.damage(self.directory, f"{self._count} albums, {len(vectors)} vectors")
            )
        self._vectors = vectors
        return ExactIndex(albums, vectors)

    def _measure(self, exact: ExactIndex) -> tuple[float, float]:
        """(median distance to the nearest other album, Chroma's unaided recall@5) over a fixed sample."""
        if len(exact) < 2:
            return math.nan, math.nan
        rows = np.random.default_rng(0).permutation(len(exact))[:_RECALL_SAMPLE]
        distances, hits, total = [], 0, 0
        for row in rows:
            own = {exact.albums[row].album_id}
            true = exact.nearest(self._vectors[row], 5, exclude=own)
            found = self._approximate(self._vectors[row], 5, own, ())
            distances.append(true[0].distance or 0.0)
            hits += len(_ids(found) & _ids(true))
            total += len(true)
        return float(np.median(distances)), hits / total


def _ids(neighbours: list[Neighbour]) -> set[str]:
    return {neighbour.album.album_id for neighbour in neighbours}
