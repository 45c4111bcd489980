"""Small pictures of the indexed covers, kept beside the index so that a result can show its neighbours."""

from __future__ import annotations

import io
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

FILE_NAME = "thumbnails.sqlite3"
SIDE = 96
"""Pixels a side; JPEG of this size takes about 3 kB."""
_QUALITY = 85


def make_thumbnail(image: Image.Image) -> bytes:
    """A square JPEG of 96 × 96 pixels, cropped from the middle."""
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    square = image.convert("RGB").resize(
        (SIDE, SIDE), Image.Resampling.LANCZOS, box=(left, top, left + edge, top + edge)
    )
    buffer = io.BytesIO()
    square.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


class Thumbnails:
    """JPEG bytes by album_id, in one SQLite file.

    Args:
        directory: the index directory.
        writable: create the file when it is missing, and allow `put`.
    """

    def __init__(self, directory: Path, *, writable: bool = False) -> None:
        path = directory / FILE_NAME
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        if writable:
            self._database = sqlite3.connect(path, check_same_thread=False)
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS thumbnails (album_id TEXT PRIMARY KEY, jpeg BLOB NOT NULL)"
                )
        elif path.is_file():
            uri = f"{path.absolute().as_uri()}?mode=ro"
            self._database = sqlite3.connect(uri, uri=True, check_same_thread=False)

    def put(self, pictures: Iterable[tuple[str, bytes]]) -> None:
        """Store (album_id, JPEG) pairs in one transaction, replacing earlier ones."""
        if self._database is None:
            raise ValueError("these thumbnails were opened for reading")
        with self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", pictures)

    def get(self, album_id: str) -> bytes | None:
        """The JPEG, or None when there is none. A damaged file has none: a picture is not worth an error."""
        if self._database is None:
            return None
        try:
            with self._lock:
                row = self._database.execute(
                    "SELECT jpeg FROM thumbnails WHERE album_id = ?", (album_id,)
                ).fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None
