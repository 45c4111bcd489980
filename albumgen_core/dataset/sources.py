"""The kinds of data sets AlbumGen reads, behind one function."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from albumgen_core.dataset.folder import MANIFEST_NAMES, read_folder
from albumgen_core.dataset.musicoset import FEATURES, find_table, read_musicoset
from albumgen_core.dataset.p4kxspotify import read_p4kxspotify
from albumgen_core.dataset.records import Dataset
from albumgen_core.errors import DatasetError

COVERS = "covers"
"""Where `albumgen dataset fetch` puts the covers, below the tables."""


class SourceKind(StrEnum):
    """How a data set is laid out."""

    AUTO = "auto"
    FOLDER = "folder"
    MUSICOSET = "musicoset"
    P4KXSPOTIFY = "p4kxspotify"


def read_source(
    path: Path, kind: SourceKind = SourceKind.AUTO, *, covers: Path | None = None, table: Path | None = None
) -> Dataset:
    """Read the data set at `path`.

    Args:
        path: a folder of covers with its CSV, a folder with MusicOSet's tables, or P4KxSpotify's CSV.
        kind: AUTO looks at what is there.
        covers: folder of covers, for MusicOSet (`<album_id>.jpg`; by default `covers` below `path`) and
            P4KxSpotify (`<artist> - <album>.jpg`).
        table: for a folder, its CSV where it has another name than the usual ones.

    Raises DatasetError in one sentence.
    """
    if not path.exists():
        raise DatasetError(f"There is no {path}.")
    chosen = _look(path) if kind is SourceKind.AUTO and table is None else kind
    if chosen is SourceKind.MUSICOSET:
        fetched = path / COVERS
        return read_musicoset(path, covers or (fetched if fetched.is_dir() else None))
    if chosen is SourceKind.P4KXSPOTIFY:
        return read_p4kxspotify(path, covers)
    return read_folder(path, table)


def _look(path: Path) -> SourceKind:
    if path.is_file() or (path / "cleaned_data.csv").is_file():
        return SourceKind.P4KXSPOTIFY
    if any((path / name).is_file() for name in MANIFEST_NAMES[:1]):
        return SourceKind.FOLDER
    return SourceKind.MUSICOSET if find_table(path, FEATURES) is not None else SourceKind.FOLDER
