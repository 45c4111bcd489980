from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.dataset.musicoset import find_table, parse_artists, parse_billboard, read_musicoset
from albumgen_core.errors import DatasetError
from tests.albumgen_core.dataset.musicoset_tables import FEATURE_COLUMNS, song, write_musicoset, write_table
from tests.paths import DEVELOPMENT_DATA


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    return write_musicoset(tmp_path)


def test_an_album_is_the_mean_of_its_tracks_and_counts_them(tables: Path) -> None:
    first = read_musicoset(tables).records[0]
    measured = first.album.attributes
    assert measured.energy == pytest.approx(0.3)
    assert measured.tempo == pytest.approx(100)
    assert measured.loudness == pytest.approx((0.8 + 1.0) / 2)  # 3.44 dB is clipped
    assert (measured.key, measured.mode, measured.time_signature, measured.tracks) == ("A", "minor", 4, 2)


def test_titles_artists_genres_and_years(tables: Path) -> None:
    albums = {record.album.album_id: record for record in read_musicoset(tables)}
    assert list(albums) == ["alb1", "alb2", "alb3", "alb4"]
    quoted, python2, released, by_song = albums.values()
    assert (quoted.album.title, quoted.album.artist, quoted.album.year) == ('A "Q" title', "First", 1967)
    assert (python2.album.title, python2.album.artist) == ("?", "Zwei, Fir's")
    assert python2.artist_ids == ("a2", "a1")
    assert python2.album.attributes.raw_genre == "dance pop"  # Zwei's is "-", the next artist's is taken
    assert python2.image_url is None
    assert (released.album.title, released.album.artist, released.album.year) == ("17", 'The "Thirds', 1981)
    assert released.image_url == "https://covers.test/3"
    assert (by_song.album.artist, by_song.album.year) == ("Zwei", 1975)
    assert by_song.album.attributes.album_genre is None


def test_what_is_left_out_is_told(tables: Path) -> None:
    problems = sorted(str(problem) for problem in read_musicoset(tables).problems)
    assert problems == [
        "album alb5: danceability is unknown for every track",
        "tracks.csv line 9: 2 fields, not 5",
        "tracks.csv song s-without-features: it has no acoustic features",
    ]


def test_without_albums_csv_the_id_stands_in_for_the_title(tmp_path: Path) -> None:
    dataset = read_musicoset(write_musicoset(tmp_path, albums=False))
    assert dataset.records[0].album.title == "alb1"
    assert dataset.records[0].album.artist == "First"
    assert str(dataset.problems[0]).startswith("albums.csv: the table is missing")


def test_covers_are_found_by_album_id(tables: Path, tmp_path: Path) -> None:
    covers = tmp_path / "covers"
    covers.mkdir()
    (covers / "alb1.jpg").touch()
    (covers / "alb3.png").touch()
    found = read_musicoset(tables, covers).with_covers()
    assert [record.cover for record in found] == [covers / "alb1.jpg", covers / "alb3.png"]


def test_tables_that_are_missing_or_others(tables: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no acoustic_features.csv; get the tables with"):
        read_musicoset(tmp_path / "musicoset_metadata")
    (tables / "musicoset_metadata" / "tracks.csv").write_bytes(b"song,album\r\n")
    with pytest.raises(DatasetError, match="is no MusicOSet table: it lacks the column song_id"):
        read_musicoset(tables)
    (tables / "musicoset_metadata" / "tracks.csv").write_bytes(b"song_id\talbum_id\r\n\xff\xfe\r\n")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_musicoset(tables)


def test_a_track_out_of_range_is_left_out(tables: Path) -> None:
    path = find_table(tables, "acoustic_features.csv")
    assert path is not None
    write_table(
        path, FEATURE_COLUMNS, song("s1"), song("s2", energy="1.5"), song("s3", valence="-"), song("s4")
    )
    dataset = read_musicoset(tables)
    assert dataset.records[0].album.attributes.tracks == 1
    assert "acoustic_features.csv song s2: energy is 1.5, outside 0 to 1" in map(str, dataset.problems)


def test_chart_names() -> None:
    assert parse_billboard("('Thank U', 'Ariana')") == ("Thank U", "Ariana")
    assert (
        parse_billboard("('torn")
        == parse_billboard("-")
        == parse_billboard("")
        == parse_billboard(None)
        == ()
    )


@given(st.text())
def test_no_text_can_break_the_parsers_of_python_literals(text: str) -> None:
    assert isinstance(parse_artists(text), dict)
    assert isinstance(parse_billboard(text), tuple)


@pytest.mark.skipif(
    not (DEVELOPMENT_DATA / "musicoset").is_dir(), reason="the development data is not on this machine"
)
def test_the_real_tables() -> None:
    dataset = read_musicoset(DEVELOPMENT_DATA / "musicoset")
    assert len(dataset) == 12_741
    singles = sum(record.album.attributes.tracks == 1 for record in dataset)
    assert singles / len(dataset) == pytest.approx(0.67, abs=0.005)
    assert all(record.album.year is None or 1890 < record.album.year < 2020 for record in dataset)
    assert max(record.album.attributes.loudness for record in dataset) <= 1
    assert all(record.artist_ids and record.album.artist for record in dataset)
