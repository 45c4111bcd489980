"""A folder of covers and a CSV that tells what the albums sound like.

Columns, in any order, any case; comma, semicolon or tab between them:

    file                    cover, relative to the folder (required)
    artist, album           names as you want them shown (required)
    acousticness, danceability, energy, instrumentalness, liveness, speechiness, valence   0–1 (required)
    loudness                dB, −60 to about 0, or already 0–1 (required; told apart by most of the column)
    tempo                   beats a minute
    genre, year             any words; 2007, 2007.0 or 2007-03-10
    key, mode               0–11 or C…B; 0/1 or minor/major
    time_signature          beats a bar
    tracks                  how many tracks the means are over
    album_id                unique; the file's path where there is none
    artist_ids              of all its artists, with spaces between; tells artists apart in splits

A row is left out where its loudness, tempo or year is beyond all reason (1e308 BPM, -400 dB, 99999).
Further columns are ignored. Empty, "-" and "Missing" mean that a value is not known.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES, KEYS
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.attributes.predicted import Mode
from albumgen_core.dataset.fields import (
    genre_or_none,
    number_or_none,
    plausible_tempo,
    plausible_year,
    text_or_none,
    unit_loudness,
)
from albumgen_core.dataset.records import AlbumRecord, Collector, Dataset
from albumgen_core.errors import DatasetError

log = logging.getLogger(__name__)

WITHOUT_COVERS = ("artist", "album", *AUDIO_FEATURES)
REQUIRED = ("file", *WITHOUT_COVERS)
MANIFEST_NAMES = ("manifest.csv", "albums.csv", "metadata.csv")
MAX_CSV_BYTES = 512 * 2**20


def read_folder(folder: Path, csv_path: Path | None = None) -> Dataset:
    """Read a folder of covers by its CSV (None: manifest.csv, albums.csv or metadata.csv inside it).

    A row that cannot be used is a Problem with its line number. Raises DatasetError when the table
    itself cannot be read: no file, not UTF-8, no header, a required column missing.
    """
    path = csv_path if csv_path is not None else _find_manifest(folder)
    rows = read_table(path)
    decibels = _loudness_in_decibels([row for _, row in rows], path)
    found = Collector()
    for line, row in rows:
        where = f"{path.name} line {line}"
        try:
            found.add(_record(row, folder, decibels=decibels), where)
        except ValueError as error:
            found.reject(where, str(error))
    return found.dataset(str(folder))


def read_albums_table(path: Path) -> Dataset:
    """Albums of a CSV without their covers: the same columns, of which `file` is not needed.

    Raises DatasetError as `read_folder` does.
    """
    rows = read_table(path, required=WITHOUT_COVERS)
    decibels = _loudness_in_decibels([row for _, row in rows], path)
    found = Collector()
    for line, row in rows:
        where = f"{path.name} line {line}"
        try:
            artist, title = _names(row)
            attributes = _attributes(row, artist, decibels=decibels)
            year = plausible_year(row.get("year"))
        except ValueError as error:
            found.reject(where, str(error))
            continue
        album_id = (row.get("album_id") or row.get("file") or "").strip() or f"{path.stem}:{line}"
        found.add(AlbumRecord(Album(album_id, title, artist, attributes, year)), where)
    return found.dataset(str(path))


def read_table(path: Path, required: Sequence[str] = REQUIRED) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV with their line numbers; column names lower-cased. Raises DatasetError."""
    text = _read_text(path)
    header = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    try:
        names = [name.strip().casefold() for name in next(reader, [])]
        _check_header(names, path, required)
        rows = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                padded = cells + [""] * (len(names) - len(cells))
                rows.append((reader.line_num, dict(zip(names, padded, strict=False))))
    except csv.Error as error:
        raise DatasetError(f"{path} is not a readable CSV ({error}).") from error
    return rows


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_CSV_BYTES:
            raise DatasetError(f"{path} is larger than {MAX_CSV_BYTES // 2**20} MiB.")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror or error}).") from error


def _check_header(names: list[str], path: Path, required: Sequence[str]) -> None:
    missing = [name for name in required if name not in names]
    if missing:
        columns = "column" if len(missing) == 1 else "columns"
        raise DatasetError(f"{path} lacks the {columns} {', '.join(missing)}.")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DatasetError(f"{path} names the column {twice[0]} twice.")


def _find_manifest(folder: Path) -> Path:
    for name in MANIFEST_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(f"{folder} holds no {', '.join(MANIFEST_NAMES[:-1])} or {MANIFEST_NAMES[-1]}.")


def _loudness_in_decibels(rows: Sequence[Mapping[str, str]], path: Path) -> bool:
    """Whether the loudness column is in dB: true unless more of its values lie in 0-1 than below 0.

    One album's 0.4 may be either; a column is one. So a few wrong values do not change how the others are
    read: they are said, and their rows are left out.
    """
    values = []
    for row in rows:
        try:
            value = number_or_none(row["loudness"])
        except ValueError:
            continue
        if value is not None:
            values.append(value)
    outside = sum(not 0.0 <= value <= 1.0 for value in values)
    decibels = outside > 0 and sum(value < 0 for value in values) >= len(values) - outside
    if outside and not decibels:
        log.warning(
            "%s: loudness is read as 0 to 1, as %d of %d values are; the others are left out.",
            path,
            len(values) - outside,
            len(values),
        )
    return decibels


def _record(row: Mapping[str, str], folder: Path, *, decibels: bool) -> AlbumRecord:
    cover = _cover_path(row["file"], folder)
    artist, title = _names(row)
    album = Album(
        album_id=(row.get("album_id") or "").strip() or cover.relative_to(folder).as_posix(),
        title=title,
        artist=artist,
        attributes=_attributes(row, artist, decibels=decibels),
        year=plausible_year(row.get("year")),
    )
    return AlbumRecord(album, cover=cover, artist_ids=tuple((row.get("artist_ids") or "").split()))


def _names(row: Mapping[str, str]) -> tuple[str, str]:
    artist, title = row["artist"].strip(), row["album"].strip()
    if not artist or not title:
        raise ValueError("artist or album is empty")
    return artist, title


def _cover_path(name: str, folder: Path) -> Path:
    """The cover's path, which has to lie inside the folder."""
    relative = name.strip().replace("\\", "/")
    if not relative or "\0" in relative:
        raise ValueError("file is empty or not a file name")
    parts = Path(relative).parts
    if Path(relative).is_absolute() or ".." in parts:
        raise ValueError(f"file {relative!r} leaves the folder")
    path = folder / relative
    try:
        there = path.is_file()
    except OSError:  # a name too long for the file system
        there = False
    if not there:
        raise ValueError(f"there is no file {relative[:200]!r}")
    return path


def _attributes(row: Mapping[str, str], artist: str, *, decibels: bool) -> MeasuredAttributes:
    features: dict[str, float] = {}
    for name in AUDIO_FEATURES:
        value = _number(row, name)
        if value is None:
            raise ValueError(f"{name} is missing")
        features[name] = unit_loudness(value) if name == "loudness" and decibels else value
    tracks = _number(row, "tracks")
    return MeasuredAttributes(
        artist_name=artist,
        album_genre=genre_or_none(row.get("genre")),
        raw_genre=text_or_none(row.get("genre")),
        key=_key(row.get("key")),
        mode=_mode(row.get("mode")),
        time_signature=_time_signature(row),
        tempo=plausible_tempo(_number(row, "tempo")),
        tracks=int(tracks) if tracks is not None and tracks >= 1 else None,
        **features,
    )


def _number(row: Mapping[str, str], name: str) -> float | None:
    """A number of a row; −1 in a column that cannot be negative means "missing"."""
    try:
        value = number_or_none(row.get(name))
    except ValueError as error:
        raise ValueError(f"{name} is {row.get(name, '')[:40]!r}, not a number") from error
    return None if value == -1 and name != "loudness" else value


def _key(text: str | None) -> str | None:
    """C…B, or Spotify's 0–11; None for −1, for fractions (a mean of keys is no key) and for the rest."""
    known = text_or_none(text)
    if known is None:
        return None
    if known.upper() in KEYS:
        return known.upper()
    try:
        number = float(known)
    except ValueError:
        return None
    return KEYS[int(number)] if number.is_integer() and 0 <= number < len(KEYS) else None


def _mode(text: str | None) -> Mode | None:
    known = (text_or_none(text) or "").casefold()
    if known in ("major", "1", "1.0"):
        return "major"
    return "minor" if known in ("minor", "0", "0.0") else None


def _time_signature(row: Mapping[str, str]) -> int | None:
    value = _number(row, "time_signature")
    return int(value) if value is not None and value.is_integer() and 1 <= value <= 16 else None
