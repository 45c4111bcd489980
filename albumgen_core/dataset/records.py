"""The shape every data set is read into: albums, where their covers are, and what could not be read."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from albumgen_core.albums import Album


@dataclass(frozen=True, slots=True)
class AlbumRecord:
    """One album of a data set.

    Attributes:
        album: the album with its measured attributes.
        cover: file of its cover, or None when the data set has none (yet).
        image_url: where its cover can be fetched, or None.
        artist_ids: the data set's ids of its artists; () when it has none.
    """

    album: Album
    cover: Path | None = None
    image_url: str | None = None
    artist_ids: tuple[str, ...] = ()

    @property
    def artist_keys(self) -> tuple[str, ...]:
        """What makes two albums "by the same artist": an id in common, else a name.

        Without ids, "A feat. B" and "A, B" count as A's and as B's too. A band whose name holds a comma
        gets more keys than it needs, which errs on the side of keeping related albums together.
        """
        if self.artist_ids:
            return self.artist_ids
        names = [self.album.artist, *_JOINED_NAMES.split(self.album.artist)]
        return tuple(dict.fromkeys(artist_key(name) for name in names if name.strip()))


_JOINED_NAMES = re.compile(r"\s*[,&;]\s*|\s+/\s+|\s+(?:feat\.?|ft\.?|featuring|vs\.?)\s+", re.IGNORECASE)


def artist_key(name: str) -> str:
    """An artist's name by its letters and digits alone: "AC/DC", "AC_DC" and "ac dc" are one.

    A name without any ("!!!") is kept as it is.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if char.isalnum()) or folded.strip()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was left out, and why.

    Attributes:
        where: row, album or file.
        reason: what is wrong with it, in a few words.
    """

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Albums of one source, unique by album_id, in the source's order.

    Attributes:
        name: what the source is called.
        records: the albums that could be read.
        problems: the rows that could not.
    """

    name: str
    records: Sequence[AlbumRecord]
    problems: Sequence[Problem] = field(default=())

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[AlbumRecord]:
        return iter(self.records)

    def with_covers(self) -> Dataset:
        """Only the albums whose cover is at hand."""
        return Dataset(self.name, [record for record in self.records if record.cover], self.problems)

    def with_addresses(self) -> Dataset:
        """Only the albums whose cover can be fetched."""
        return Dataset(self.name, [record for record in self.records if record.image_url], self.problems)

    def limited(self, count: int | None, seed: int = 0) -> Dataset:
        """A random sample of `count` albums, in the source's order; all of them for None.

        Samples of one seed are nested: the first 500 albums chosen are among the first 1,000.
        """
        if count is None or count >= len(self.records):
            return self
        drawn = sorted(self.records, key=lambda record: _lot(record.album.album_id, seed))[:count]
        chosen = {record.album.album_id for record in drawn}
        kept = [record for record in self.records if record.album.album_id in chosen]
        return Dataset(self.name, kept, self.problems)


def _lot(album_id: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{album_id}".encode()).digest()


class Collector:
    """Gathers records, keeps ids unique and files the rest under problems."""

    def __init__(self) -> None:
        self.records: list[AlbumRecord] = []
        self.problems: list[Problem] = []
        self._seen: set[str] = set()

    def add(self, record: AlbumRecord, where: str) -> None:
        """Take a record, unless its album_id was taken before."""
        if record.album.album_id in self._seen:
            self.reject(where, f"album_id {record.album.album_id!r} appears twice")
            return
        self._seen.add(record.album.album_id)
        self.records.append(record)

    def reject(self, where: str, reason: str) -> None:
        """Note a row that is left out."""
        self.problems.append(Problem(where, reason))

    def dataset(self, name: str) -> Dataset:
        """What was gathered."""
        return Dataset(name, self.records, self.problems)
