"""P4KxSpotify: 18,403 albums reviewed by Pitchfork, with whole-album means of Spotify's features.

One CSV, `cleaned_data.csv` (Pinter et al., ICWSM 2020; CC BY 4.0). −1 means missing; "Missing" and
"none" are no genres; `key` is a mean over tracks, which is no key, so the key stays unknown.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.dataset.fields import (
    genre_or_none,
    number_or_none,
    plausible_tempo,
    plausible_year,
    text_or_none,
    unit_loudness,
)
from albumgen_core.dataset.records import AlbumRecord, Collector, Dataset, artist_key
from albumgen_core.errors import DatasetError

COLUMNS = ("artist", "album", "releaseyear", "genre", "tempo", *AUDIO_FEATURES)
COVER_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def read_p4kxspotify(path: Path, covers: Path | None = None) -> Dataset:
    """The albums of `cleaned_data.csv`; the second of two rows for one album is a problem.

    Args:
        path: the CSV, or a folder that holds it.
        covers: folder of pictures named `<artist> - <album>` or `<artist>_<album>`, or None.

    Raises DatasetError when the table cannot be read.
    """
    table = path / "cleaned_data.csv" if path.is_dir() else path
    pictures = _pictures(covers) if covers is not None else {}
    found = Collector()
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(f"{table} is no P4KxSpotify table: it lacks the column {missing[0]}.")
            for row in reader:
                where = f"{table.name} line {reader.line_num}"
                try:
                    album = _album(row)
                except ValueError as error:
                    found.reject(where, str(error))
                    continue
                found.add(AlbumRecord(album, cover=pictures.get(_name_key(album.artist, album.title))), where)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} cannot be read ({error}).") from error
    return found.dataset(f"P4KxSpotify at {table}")


def _album(row: Mapping[str, str | None]) -> Album:
    artist, title = (row["artist"] or "").strip(), (row["album"] or "").strip()
    if not artist or not title:
        raise ValueError("artist or album is empty")
    numbers = {name: number_or_none(row[name]) for name in (*AUDIO_FEATURES, "tempo")}
    # −1 dB is an ordinary loudness, so that column alone cannot tell that a row is empty; the others can.
    for name in AUDIO_FEATURES:
        if numbers[name] is None or (numbers[name] == -1 and name != "loudness"):
            raise ValueError(f"{name} is missing")
    features: dict[str, Any] = {name: numbers[name] for name in AUDIO_FEATURES}
    features["loudness"] = unit_loudness(features["loudness"])
    attributes = MeasuredAttributes(
        artist_name=artist,
        album_genre=genre_or_none(row["genre"]),
        raw_genre=text_or_none(row["genre"]),
        tempo=plausible_tempo(numbers["tempo"]),
        **features,
    )
    year = plausible_year(row["releaseyear"])
    return Album(
        album_id=f"p4k:{artist_key(artist)}:{artist_key(title)}:{year or 0}",
        title=title,
        artist=artist,
        attributes=attributes,
        year=year,
    )


def _name_key(artist: str, title: str) -> str:
    return artist_key(artist) + artist_key(title)


def _pictures(folder: Path) -> dict[str, Path]:
    """Picture files by the letters and digits of their names. Raises DatasetError without the folder."""
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in COVER_SUFFIXES)
    return {artist_key(path.stem): path for path in paths}
