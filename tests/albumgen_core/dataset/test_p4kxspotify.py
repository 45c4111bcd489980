from __future__ import annotations

import csv
from pathlib import Path

import pytest

from albumgen_core.dataset.p4kxspotify import COLUMNS, read_p4kxspotify
from albumgen_core.errors import DatasetError
from tests.albumgen_core.dataset.test_musicoset import DEVELOPMENT_DATA


def table(path: Path, *rows: dict[str, str]) -> Path:
    plain = dict.fromkeys(COLUMNS, "0.5") | {"artist": "A", "album": "B", "genre": "Rock", "tempo": "120"}
    plain |= {"releaseyear": "2007.0", "loudness": "-6"}
    with (path / "cleaned_data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(plain | row for row in rows)
    return path


def test_rows_become_albums_and_minus_one_is_missing(tmp_path: Path) -> None:
    empty = dict.fromkeys(("acousticness", "danceability", "energy", "loudness", "tempo", "valence"), "-1.0")
    dataset = read_p4kxspotify(
        table(tmp_path, {}, {"album": "Loud", "loudness": "-1.0", "genre": "Missing"}, empty | {"album": "C"})
    )
    first, loud = (record.album for record in dataset)
    assert (first.year, first.attributes.loudness, first.attributes.album_genre) == (2007, 0.9, "rock")
    assert loud.attributes.loudness == pytest.approx(59 / 60)
    assert loud.attributes.album_genre is None
    assert [str(problem) for problem in dataset.problems] == [
        "cleaned_data.csv line 4: acousticness is missing"
    ]


def test_two_albums_of_one_name_are_told_apart_by_the_year(tmp_path: Path) -> None:
    dataset = read_p4kxspotify(table(tmp_path, {}, {"releaseyear": "2016.0"}, {}))
    assert (len(dataset), len(dataset.problems)) == (2, 1)


def test_covers_are_found_by_name(tmp_path: Path) -> None:
    covers = tmp_path / "covers"
    covers.mkdir()
    for name in ("AC_DC - Back in Black.jpg", "motörhead_aceofspades.png", "notes.txt"):
        (covers / name).touch()
    dataset = read_p4kxspotify(
        table(
            tmp_path,
            {"artist": "AC/DC", "album": "Back In Black"},
            {"artist": "Motörhead", "album": "Ace of Spades"},
            {},
        ),
        covers,
    )
    assert [record.cover is not None for record in dataset] == [True, True, False]


def test_other_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cleaned_data.csv").write_text("artist,album\n")
    with pytest.raises(DatasetError, match="is no P4KxSpotify table: it lacks the column releaseyear"):
        read_p4kxspotify(tmp_path)
    with pytest.raises(DatasetError, match="There is no folder"):
        read_p4kxspotify(table(tmp_path, {}), tmp_path / "nowhere")


@pytest.mark.skipif(
    not (DEVELOPMENT_DATA / "p4kxspotify").is_dir(), reason="the development data is not on this machine"
)
def test_the_real_table() -> None:
    dataset = read_p4kxspotify(DEVELOPMENT_DATA / "p4kxspotify")
    assert len(dataset) + len(dataset.problems) == 18_403
    assert sum("missing" in problem.reason for problem in dataset.problems) == 8
