"""MusicOSet: hit songs of the US charts with Spotify's features (Silva et al., 2019; Zenodo 4904639).

The tables are tab-separated UTF-8 with CRLF and stray quotes inside fields, so quoting is off. "-" means
missing. Columns of artists hold a Python dict as text, some of them in Python 2's spelling. An album's
features here are the means over those of its tracks that the data set holds, which for two albums in
three is a single hit: the count is kept with every album.
"""

from __future__ import annotations

import ast
import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar, cast

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES, KEYS
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.attributes.predicted import Mode
from albumgen_core.dataset.fields import (
    genre_or_none,
    plausible_tempo,
    text_or_none,
    unit_loudness,
    year_or_none,
)
from albumgen_core.dataset.records import AlbumRecord, Collector, Dataset, Problem
from albumgen_core.errors import DatasetError

ALBUMS, ARTISTS, RELEASES = "albums.csv", "artists.csv", "releases.csv"
SONGS, TRACKS, FEATURES = "songs.csv", "tracks.csv", "acoustic_features.csv"
COVER_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Track:
    """One track's features: unit-scale features by name, None where Spotify could not tell."""

    song_id: str
    features: Mapping[str, float | None]
    tempo: float | None
    key: str | None
    mode: Mode | None
    time_signature: int | None


@dataclass(frozen=True, slots=True)
class Artist:
    """One artist: name and main genre as written, None where it is missing."""

    name: str
    genre: str | None


def read_musicoset(folder: Path, covers: Path | None = None) -> Dataset:
    """Every album with at least one track, in the order of their first appearance in tracks.csv.

    Args:
        folder: holds the tables, at any depth. tracks, acoustic_features and artists are needed; albums
            gives titles and cover addresses, releases and songs fill in artists and years.
        covers: folder of `<album_id>.jpg`, or None.

    Raises DatasetError when a needed table is missing or is another table.
    """
    found = Collector()
    tracks = _read_tracks(folder, found)
    artists = read_artists(folder)
    titles = {row["album_id"]: row for row in _rows(folder, ALBUMS, ("album_id", "name"), found)}
    releases = {row["album_id"]: row for row in _rows(folder, RELEASES, ("album_id", "artist_id"), found)}
    songs = {row["song_id"]: row for row in _rows(folder, SONGS, ("song_id", "artists"), found)}
    years: dict[str, str] = {}
    members: dict[str, list[Track]] = {}
    for row in _rows(folder, TRACKS, ("song_id", "album_id"), found, needed=True):
        track = tracks.get(row["song_id"])
        if track is None:
            found.reject(f"{TRACKS} song {row['song_id']}", "it has no acoustic features")
            continue
        members.setdefault(row["album_id"], []).append(track)
        years.setdefault(row["album_id"], row.get("release_date", ""))
    for album_id, own in members.items():
        release, title = releases.get(album_id, {}), titles.get(album_id, {})
        credited = (
            parse_artists(title.get("artists"))
            or _released_by(release, artists)
            or parse_artists(songs.get(own[0].song_id, {}).get("artists"))
        )
        date = release.get("release_date") or years[album_id]
        try:
            album = _album(
                album_id, title.get("name") or album_id, credited, artists, own, year_or_none(date)
            )
        except ValueError as error:
            found.reject(f"album {album_id}", str(error))
            continue
        found.add(
            AlbumRecord(
                album,
                cover=_cover(covers, album_id),
                image_url=text_or_none(title.get("image_url")),
                artist_ids=tuple(credited),
            ),
            f"album {album_id}",
        )
    return found.dataset(f"MusicOSet at {folder}")


def read_artists(folder: Path) -> dict[str, Artist]:
    """artists.csv by artist_id. Raises DatasetError when the table is missing."""
    return {
        row["artist_id"]: Artist(row["name"], text_or_none(row["main_genre"]))
        for row in _rows(folder, ARTISTS, ("artist_id", "name", "main_genre"), Collector(), needed=True)
    }


def parse_artists(text: str | None) -> dict[str, str]:
    """`{'46SH…': 'Kodak Black'}` as id → name, Python 2 spelling included; {} when it is anything else."""
    if not text:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {str(key): str(name) for key, name in value.items()}


def parse_billboard(text: str | None) -> tuple[str, ...]:
    """`('Title', 'Artist')`, the chart's own words; () when it cannot be parsed (2 rows upstream)."""
    try:
        value = ast.literal_eval(text or "")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple(str(part) for part in value) if isinstance(value, tuple) else ()


def find_table(folder: Path, name: str) -> Path | None:
    """The table below `folder`, the shallowest where there are several."""
    return min(folder.rglob(name), key=lambda path: (len(path.parts), path), default=None)


def _rows(
    folder: Path, name: str, columns: Sequence[str], found: Collector, *, needed: bool = False
) -> Iterator[dict[str, str]]:
    """Rows of a table by column name. Rows of the wrong width are filed under problems."""
    path = find_table(folder, name)
    if path is None:
        if needed:
            raise DatasetError(f"{folder} holds no {name}; get the tables with `albumgen dataset fetch`.")
        found.problems.append(Problem(name, "the table is missing, so what only it knows is left out"))
        return
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            header = next(reader, [])
            missing = [column for column in columns if column not in header]
            if missing:
                raise DatasetError(f"{path} is no MusicOSet table: it lacks the column {missing[0]}.")
            for cells in reader:
                if len(cells) == len(header):
                    yield dict(zip(header, cells, strict=True))
                elif cells:
                    found.reject(f"{name} line {reader.line_num}", f"{len(cells)} fields, not {len(header)}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read ({error}).") from error


def _read_tracks(folder: Path, found: Collector) -> dict[str, Track]:
    columns = ("song_id", "key", "mode", "time_signature", "tempo", *AUDIO_FEATURES)
    tracks = {}
    for row in _rows(folder, FEATURES, columns, found, needed=True):
        try:
            tracks[row["song_id"]] = _track(row)
        except ValueError as error:
            found.reject(f"{FEATURES} song {row['song_id']}", str(error))
    return tracks


def _track(row: Mapping[str, str]) -> Track:
    """One row. Where Spotify finds no beat it writes 0 for the tempo and for all that rests on it."""
    numbers = {name: float(row[name]) for name in ("key", "mode", "time_signature", "tempo", *AUDIO_FEATURES)}
    features: dict[str, float | None] = {name: numbers[name] for name in AUDIO_FEATURES}
    features["loudness"] = unit_loudness(numbers["loudness"])
    if numbers["tempo"] <= 0:
        features |= dict.fromkeys(("danceability", "speechiness", "valence"))
    for name, value in features.items():
        if value is not None and not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is {value:g}, outside 0 to 1")
    key, metre = int(numbers["key"]), int(numbers["time_signature"])
    return Track(
        song_id=row["song_id"],
        features=features,
        tempo=plausible_tempo(numbers["tempo"]),
        key=KEYS[key] if 0 <= key < len(KEYS) else None,
        mode=_mode(numbers["mode"]),
        time_signature=metre if metre > 0 else None,
    )


def _mode(number: float) -> Mode | None:
    names: dict[float, Mode] = {0.0: "minor", 1.0: "major"}
    return names.get(number)


def _released_by(release: Mapping[str, str], artists: Mapping[str, Artist]) -> dict[str, str]:
    artist_id = release.get("artist_id", "")
    return {artist_id: artists[artist_id].name} if artist_id in artists else {}


def _album(
    album_id: str,
    title: str,
    credited: Mapping[str, str],
    artists: Mapping[str, Artist],
    tracks: Sequence[Track],
    year: int | None,
) -> Album:
    if not credited:
        raise ValueError("its artist is unknown")
    means = {name: _mean([track.features[name] for track in tracks]) for name in AUDIO_FEATURES}
    for name, value in means.items():
        if value is None:
            raise ValueError(f"{name} is unknown for every track")
    genres = (artists[key].genre for key in credited if key in artists)
    genre = next((genre for genre in genres if genre is not None), None)
    key, mode = _majority([(track.key, track.mode) for track in tracks if track.key is not None]) or (
        None,
        None,
    )
    attributes = MeasuredAttributes(
        artist_name=", ".join(credited.values()),
        album_genre=genre_or_none(genre),
        raw_genre=genre,
        key=key,
        mode=mode,
        time_signature=_majority([t.time_signature for t in tracks if t.time_signature is not None]),
        tempo=_mean([track.tempo for track in tracks]),
        tracks=len(tracks),
        **cast("dict[str, float]", means),
    )
    return Album(album_id, title, ", ".join(credited.values()), attributes, year)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _majority(values: Sequence[T]) -> T | None:
    """The most frequent value, the earliest of equals; None for no value."""
    return Counter(values).most_common(1)[0][0] if values else None


def _cover(folder: Path | None, album_id: str) -> Path | None:
    if folder is None:
        return None
    return next((p for suffix in COVER_SUFFIXES if (p := folder / f"{album_id}{suffix}").is_file()), None)
