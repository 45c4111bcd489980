"""The one writer of an index directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Album
from albumgen_core.engines.base import EMBEDDING_DIMENSIONS
from albumgen_core.errors import IndexUnavailableError
from albumgen_core.retrieval import checksums, store
from albumgen_core.retrieval.lock import lock_for_writing
from albumgen_core.retrieval.metadata import FINGERPRINT, album_to_metadata
from albumgen_core.retrieval.thumbnails import Thumbnails

if TYPE_CHECKING:
    from chromadb.api.client import Client

_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Entry:
    """One album to be stored.

    Attributes:
        album: the album; its id replaces an earlier one of the same id.
        vector: float32 (512,), of unit L2 norm.
        fingerprint: changes when the cover or the attributes do.
        thumbnail: JPEG, or None.
    """

    album: Album
    vector: NDArray[np.float32]
    fingerprint: str = ""
    thumbnail: bytes | None = None


class IndexWriter:
    """Holds the directory's lock from opening to `close`; use it as a context manager.

    Args:
        directory: made when missing.
        embedder_name: whose collection to write.

    Raises IndexUnavailableError: in use, damaged, not ours, or not writable.
    """

    def __init__(self, directory: Path, embedder_name: str) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexUnavailableError(
                f"The album index cannot be written to {directory} ({error.strerror})."
            ) from error
        self.directory = directory
        self._lock = lock_for_writing(directory)
        try:
            self._open(embedder_name)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, embedder_name: str) -> None:
        if (self.directory / store.DATABASE_NAME).exists():
            store.require_database(self.directory)
            if checksums.is_sealed(self.directory):
                checksums.check_seal(self.directory)
            else:
                checksums.try_in_child(self.directory)
        checksums.break_seal(self.directory)
        self._client: Client | None = store.connect(self.directory)
        try:
            with store.chroma_errors(self.directory):
                self._collection = store.create_collection(self._client, embedder_name)
                store.check_collection(self._collection, embedder_name, self.directory)
            self._thumbnails = Thumbnails(self.directory, writable=True)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> IndexWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fingerprints(self) -> dict[str, str]:
        """What is stored already: album_id → fingerprint."""
        with store.chroma_errors(self.directory):
            stored: Any = self._collection.get(include=["metadatas"])
            return {
                album_id: str((metadata or {}).get(FINGERPRINT, ""))
                for album_id, metadata in zip(stored["ids"], stored["metadatas"], strict=True)
            }

    def count(self) -> int:
        """How many albums are stored."""
        with store.chroma_errors(self.directory):
            return int(self._collection.count())

    def upsert(self, entries: Sequence[Entry]) -> None:
        """Store albums, replacing those with the same id, in batches that Chroma takes.

        Raises ValueError for a vector or a value that Chroma would lose; then nothing is stored.
        """
        prepared = [(entry, album_to_metadata(entry.album, entry.fingerprint)) for entry in entries]
        for entry in entries:
            _check_vector(entry.vector)
        # Thumbnails first: an album that is in the index has its picture, even after a kill in between.
        self._thumbnails.put(
            (entry.album.album_id, entry.thumbnail) for entry in entries if entry.thumbnail is not None
        )
        for start in range(0, len(prepared), store.MAX_BATCH):
            batch = prepared[start : start + store.MAX_BATCH]
            vectors: Any = [entry.vector for entry, _ in batch]
            metadatas: Any = [metadata for _, metadata in batch]
            with store.chroma_errors(self.directory):
                self._collection.upsert(
                    ids=[entry.album.album_id for entry, _ in batch], embeddings=vectors, metadatas=metadatas
                )

    def close(self) -> None:
        """Settle, seal and release the directory; a second call does nothing.

        Without this, after a kill, readers are told that the index is unfinished.
        """
        if self._client is None:
            return
        client, self._client = self._client, None
        try:
            with store.chroma_errors(self.directory):
                # Chroma catches up on its log now, so that readers only read.
                if self._collection.count():
                    store.probe(self._collection)
            client.close()
            self._thumbnails.close()
            checksums.set_seal(self.directory)
        finally:
            self._lock.release()


def _check_vector(vector: NDArray[np.float32]) -> None:
    if vector.shape != (EMBEDDING_DIMENSIONS,) or vector.dtype != np.float32:
        raise ValueError(f"a vector is float32 ({EMBEDDING_DIMENSIONS},), not {vector.dtype} {vector.shape}")
    norm = float(np.linalg.norm(vector))
    if not abs(norm - 1.0) <= _NORM_TOLERANCE:
        raise ValueError(f"a vector has unit length, not {norm:g}")
