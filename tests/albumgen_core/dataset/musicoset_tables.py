"""A small MusicOSet with the quirks of the real one, made up from scratch."""

from __future__ import annotations

from pathlib import Path

FEATURE_COLUMNS = [
    "song_id",
    "duration_ms",
    "key",
    "mode",
    "time_signature",
    "acousticness",
    "danceability",
    "energy",
    "instrumentalness",
    "liveness",
    "loudness",
    "speechiness",
    "valence",
    "tempo",
]


def write_table(path: Path, header: list[str], *rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(cells) for cells in [header, *rows]]
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())


def song(song_id: str, **changes: str) -> list[str]:
    plain = dict.fromkeys(FEATURE_COLUMNS, "0.5")
    plain |= {"song_id": song_id, "duration_ms": "1", "key": "0", "mode": "1", "time_signature": "4"}
    plain |= {"loudness": "-12", "tempo": "100"}
    return [(plain | changes)[name] for name in FEATURE_COLUMNS]


def write_musicoset(root: Path, *, albums: bool = True) -> Path:
    meta, sounds = root / "musicoset_metadata", root / "musicoset_songfeatures"
    if albums:
        write_table(
            meta / "albums.csv",
            [
                "album_id",
                "name",
                "billboard",
                "artists",
                "popularity",
                "total_tracks",
                "album_type",
                "image_url",
            ],
            ["alb1", 'A "Q" title', "-", "{'a1': 'First'}", "1", "2", "album", "https://covers.test/1"],
            ["alb2", "?", "-", "{u'a2': u'Zwei', 'a1': \"Fir's\"}", "1", "1", "single", "-"],
            ["alb3", "17", "-", "not a dict", "1", "1", "album", "https://covers.test/3"],
        )
    write_table(
        meta / "artists.csv",
        ["artist_id", "name", "followers", "popularity", "artist_type", "main_genre", "genres", "image_url"],
        ["a1", "First", "1", "1", "singer", "dance pop", "['dance pop']", "-"],
        ["a2", "Zwei", "1", "1", "-", "-", "[]", "-"],
        ["a3", 'The "Thirds', "1", "1", "band", "album rock", "[]", "-"],
    )
    write_table(
        meta / "releases.csv",
        ["artist_id", "album_id", "release_date", "release_date_precision"],
        ["a1", "alb1", "1967-03", "month"],
        ["a3", "alb3", "1981", "year"],
    )
    write_table(
        meta / "songs.csv",
        ["song_id", "song_name", "billboard", "artists", "popularity", "explicit", "song_type"],
        ["s1", "One", "('One', 'First')", "{'a1': 'First'}", "1", "True", "Solo"],
        ["s5", 'Five "open', "-", "{'a2': 'Zwei'}", "1", "False", "Solo"],
        ["s6", "Six", "-", "{'a2': 'Zwei'}", "1", "False", "Solo"],
    )
    write_table(
        meta / "tracks.csv",
        ["song_id", "album_id", "track_number", "release_date", "release_date_precision"],
        ["s1", "alb1", "1", "1999-01-01", "day"],
        ["s2", "alb1", "2", "1999-01-01", "day"],
        ["s3", "alb2", "1", "2001-05-06", "day"],
        ["s4", "alb3", "1", "1990", "year"],
        ["s5", "alb4", "1", "1975-12-01", "day"],
        ["s6", "alb5", "1", "1975", "year"],
        ["s-without-features", "alb6", "1", "1975", "year"],
        ["torn", "row"],
    )
    write_table(
        sounds / "acoustic_features.csv",
        FEATURE_COLUMNS,
        song("s1", energy="0.2", key="9", mode="0", tempo="80"),
        song("s2", energy="0.4", key="9", mode="0", tempo="120", loudness="3.44"),
        song("s3", key="11", time_signature="3"),
        song("s4"),
        song("s5"),
        song("s6", tempo="0", danceability="0", valence="0", speechiness="0", time_signature="0"),
    )
    return root
