"""The catalogue on disk: one SQLite file, opened in milliseconds.

`albums` has a row for each album, in the order of the catalogue's album numbers; `arrays` holds what
`Catalogue` is made of, read when a name is first looked up. The file is written anew as a whole, so it is
either the old catalogue or the new one.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from albumgen_core.albums import Album
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.errors import CatalogueError
from albumgen_core.files import sync_directory
from albumgen_core.retrieval.catalogue.catalogue import Catalogue, Lists, make_catalogue
from albumgen_core.retrieval.catalogue.name_index import NameIndex

SCHEMA = 1
"""Raised when tables or arrays change, or `text.names` spells anything differently."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE albums (
    number INTEGER PRIMARY KEY, album_id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, artist TEXT NOT NULL,
    title TEXT NOT NULL, year INTEGER, attributes TEXT NOT NULL
) STRICT;
CREATE TABLE arrays (
    name TEXT PRIMARY KEY, dtype TEXT NOT NULL, shape TEXT NOT NULL, data BLOB NOT NULL
) STRICT;
"""


class CatalogueStore:
    """A catalogue file, open for reading; safe to use from several threads.

    Raises CatalogueError where the file is missing, damaged, or of another schema.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise CatalogueError(
                f"There is no catalogue at {path}; `albumgen catalogue build SOURCE…` makes one."
            )
        self.path = path
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            self._meta = dict(self._connection.execute("SELECT name, value FROM meta"))
        except sqlite3.Error as error:
            raise CatalogueError(f"{path} is no catalogue of AlbumGen ({error}).") from error
        if self._meta.get("schema") != str(SCHEMA):
            self._connection.close()
            raise CatalogueError(
                f"{path} was built by another version of AlbumGen; build it again with "
                "`albumgen catalogue build SOURCE…`."
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> CatalogueStore:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def sources(self) -> dict[str, int]:
        """How many albums came from each source."""
        counts: dict[str, int] = json.loads(self._meta["sources"])
        return counts

    @cached_property
    def catalogue(self) -> Catalogue:
        """Names and numbers, read on first use. Raises CatalogueError where they are damaged."""
        try:
            with self._lock:
                rows = self._connection.execute("SELECT name, dtype, shape, data FROM arrays").fetchall()
            return _from_arrays({name: _array(dtype, shape, data) for name, dtype, shape, data in rows})
        except (sqlite3.Error, ValueError, KeyError, TypeError, OSError) as error:
            raise CatalogueError(f"{self.path} is damaged ({error}); build it again.") from error

    def album(self, number: int) -> Album:
        """An album by its number. Raises CatalogueError where there is none."""
        found = self.albums([number])
        if not found:
            raise CatalogueError(f"{self.path} has no album {number}.")
        return found[0]

    def albums(self, numbers: Sequence[int]) -> list[Album]:
        """Albums by their numbers, in that order; unknown ones are left out."""
        marks = ",".join("?" * len(numbers))
        with self._lock:
            rows = self._connection.execute(
                "SELECT number, album_id, title, artist, attributes, year FROM albums "
                f"WHERE number IN ({marks})",
                [int(number) for number in numbers],
            ).fetchall()
        by_number = {row[0]: _album(row[1:]) for row in rows}
        return [by_number[int(number)] for number in numbers if int(number) in by_number]

    def every_album(self) -> Iterator[Album]:
        """All albums in the order of their numbers."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT album_id, title, artist, attributes, year FROM albums ORDER BY number"
            ).fetchall()
        yield from map(_album, rows)


def write_catalogue(path: Path, albums: Sequence[tuple[str, Album]]) -> Catalogue:
    """Write pairs of source and album as a catalogue file, replacing an older one when it is whole.

    Album ids have to be unique. Raises CatalogueError for no albums, and OSError.
    """
    if not albums:
        raise CatalogueError("There is no album to put into a catalogue.")
    catalogue = make_catalogue([album for _, album in albums])
    counts: dict[str, int] = {}
    for source, _ in albums:
        counts[source] = counts.get(source, 0) + 1
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial)) as connection, connection:
        connection.executescript(_TABLES)
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)", [("schema", str(SCHEMA)), ("sources", json.dumps(counts))]
        )
        connection.executemany(
            "INSERT INTO albums VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (number, a.album_id, source, a.artist, a.title, a.year, json.dumps(a.attributes.to_dict()))
                for number, (source, a) in enumerate(albums)
            ],
        )
        connection.executemany("INSERT INTO arrays VALUES (?, ?, ?, ?)", _to_arrays(catalogue))
    partial.replace(path)
    sync_directory(path.parent)
    return catalogue


def _album(row: Sequence[Any]) -> Album:
    album_id, title, artist, attributes, year = row
    return Album(album_id, title, artist, MeasuredAttributes.from_dict(json.loads(attributes)), year)


def _array(dtype: str, shape: str, data: bytes) -> Any:
    return data if dtype == "bytes" else np.frombuffer(data, dtype).reshape(json.loads(shape))


def _to_arrays(catalogue: Catalogue) -> Iterator[tuple[str, str, str, bytes]]:
    def row(name: str, array: Any) -> tuple[str, str, str, bytes]:
        return name, array.dtype.str, json.dumps(array.shape), np.ascontiguousarray(array).tobytes()

    for field in fields(catalogue):
        value: Any = getattr(catalogue, field.name)
        if isinstance(value, NameIndex):
            yield field.name, "bytes", "[]", value.to_bytes()
        elif isinstance(value, Lists):
            yield row(f"{field.name}.starts", value.starts)
            yield row(f"{field.name}.members", value.members)
        elif isinstance(value, np.ndarray):
            yield row(field.name, value)
        else:
            yield field.name, "bytes", "[]", json.dumps(list(value)).encode()


def _from_arrays(arrays: dict[str, Any]) -> Catalogue:
    values: dict[str, Any] = {}
    for field in fields(Catalogue):
        if f"{field.name}.starts" in arrays:
            values[field.name] = Lists(arrays[f"{field.name}.starts"], arrays[f"{field.name}.members"])
        elif field.name in ("names", "titles"):
            values[field.name] = NameIndex.from_bytes(arrays[field.name])
        elif isinstance(arrays[field.name], bytes):
            values[field.name] = json.loads(arrays[field.name])
        else:
            values[field.name] = arrays[field.name]
    return Catalogue(**values)
