"""From data sets to a catalogue: every album once, the best measured version of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from albumgen_core.albums import Album
from albumgen_core.dataset.folder import read_albums_table
from albumgen_core.dataset.p4kxspotify import COLUMNS, read_p4kxspotify
from albumgen_core.dataset.records import Dataset, Problem
from albumgen_core.dataset.sources import SourceKind, read_source
from albumgen_core.errors import DatasetError
from albumgen_core.retrieval.catalogue.store import write_catalogue
from albumgen_core.retrieval.text.names import letters, name_key, plain_title, words


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """What a build did.

    Attributes:
        albums, artists: in the catalogue.
        merged: rows left out because another row is the same album.
        problems: rows that could not be read.
    """

    albums: int
    artists: int
    merged: int
    problems: Sequence[Problem]


def read_albums(path: Path, kind: SourceKind = SourceKind.AUTO) -> Dataset:
    """Albums of a source; unlike `read_source`, covers are not needed. Raises DatasetError."""
    if kind is SourceKind.AUTO and path.is_file():
        try:
            header = path.open(encoding="utf-8-sig").readline().casefold()
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{path} cannot be read ({error}).") from error
        if all(name in header for name in ("reviewauthor", *COLUMNS)):
            return read_p4kxspotify(path)
        return read_albums_table(path)
    return read_source(path, kind)


def build_catalogue(path: Path, sources: Sequence[Dataset]) -> CatalogueReport:
    """Write the albums of `sources` to `path`.

    Two rows are one album when artist and title are, in whatever spelling. Kept is the one measured over
    the most tracks; a whole album (tracks unknown) counts as more than any number. The earlier source wins
    a tie. Raises CatalogueError when there is no album at all.
    """
    chosen: dict[tuple[str, str], tuple[str, Album]] = {}
    problems: list[Problem] = []
    rows = 0
    for source in sources:
        problems += source.problems
        for record in source.records:
            rows += 1
            album = record.album
            key = (name_key(album.artist), letters(words(plain_title(album.title))) or album.title)
            before = chosen.get(key)
            if before is None or _tracks(album) > _tracks(before[1]):
                chosen[key] = (source.name, album)
    catalogue = write_catalogue(path, _unique(list(chosen.values())))
    return CatalogueReport(catalogue.albums, len(catalogue.artists), rows - len(chosen), problems)


def _tracks(album: Album) -> float:
    tracks = album.attributes.tracks
    return float("inf") if tracks is None else tracks


def _unique(albums: Sequence[tuple[str, Album]]) -> list[tuple[str, Album]]:
    """Albums with ids that no two sources share."""
    seen: set[str] = set()
    kept: list[tuple[str, Album]] = []
    for source, album in albums:
        album_id, number = album.album_id, 2
        while album_id in seen:
            album_id, number = f"{album.album_id}#{number}", number + 1
        seen.add(album_id)
        kept.append((source, replace(album, album_id=album_id)))
    return kept
