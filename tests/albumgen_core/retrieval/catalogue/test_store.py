from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from albumgen_core.albums import Album
from albumgen_core.errors import CatalogueError
from albumgen_core.retrieval.catalogue.build import build_catalogue, read_albums
from albumgen_core.retrieval.catalogue.store import CatalogueStore, write_catalogue
from albumgen_core.retrieval.text.names import name_key
from tests.albumgen_core.retrieval.helpers import an_album

CSV = """artist,album,genre,year,acousticness,danceability,energy,instrumentalness,liveness,loudness,\
speechiness,valence,tracks
The Pale Kites,Low Tide,indie rock,2004,.1,.5,.6,.1,.1,-8,.04,.5,1
"Pale Kites, The",Low Tide (Deluxe Edition),indie rock,2004,.2,.5,.6,.1,.1,-8,.04,.5,12
Mara Quist & The Pale Kites,Duets,folk,2010,.7,.4,.3,.1,.1,-12,.04,.4,9
Mara Quist,Salt Meridian,folk,2008,.8,.4,.2,.1,.1,-14,.04,.3,10
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "albums.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


def test_a_csv_becomes_a_catalogue(table: Path, tmp_path: Path) -> None:
    report = build_catalogue(tmp_path / "catalogue.db", [read_albums(table)])
    assert (report.albums, report.artists, report.merged, list(report.problems)) == (3, 3, 1, [])
    with CatalogueStore(tmp_path / "catalogue.db") as store:
        kept = {album.title: album for album in store.every_album()}
        assert kept["Low Tide (Deluxe Edition)"].attributes.tracks == 12, "the one measured over more tracks"
        held = store.catalogue
        quist = [name_key(name) for name in held.artists].index("maraquist")
        titles = [store.album(int(number)).title for number in held.artist_albums[quist]]
        assert titles == ["Salt Meridian", "Duets"], "her own first, then the one with others"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    albums = [an_album(number) for number in range(60)]
    made = write_catalogue(tmp_path / "catalogue.db", [("made up", album) for album in albums])
    with CatalogueStore(tmp_path / "catalogue.db") as store:
        assert list(store.every_album()) == albums
        assert store.albums([7, 3, 99]) == [albums[7], albums[3]]
        assert store.sources == {"made up": 60}
        read = store.catalogue
        np.testing.assert_array_equal(read.features, made.features)
        assert read.names.names == made.names.names
        assert list(read.artists) == list(made.artists)
        assert [list(row) for row in read.title_albums] == [list(row) for row in made.title_albums]
        with pytest.raises(CatalogueError, match="no album 99"):
            store.album(99)


def test_an_artist_with_one_name_and_an_album_with_many_namesakes(tmp_path: Path) -> None:
    same = [Album(f"a{n}", "Greatest Hits", f"Singer {n}", an_album(n).attributes) for n in range(5)]
    held = write_catalogue(tmp_path / "catalogue.db", [("made up", album) for album in same])
    assert len(held.title_albums[held.titles.position["greatesthits"]]) == 5


def test_a_catalogue_that_cannot_be_used_says_so(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "catalogue.db"
    with pytest.raises(CatalogueError, match="There is no catalogue"):
        CatalogueStore(path)
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(CatalogueError, match="no catalogue of AlbumGen"):
        CatalogueStore(path)
    path.unlink()
    build_catalogue(path, [read_albums(table)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'schema'")
    with pytest.raises(CatalogueError, match="build it again"):
        CatalogueStore(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '1' WHERE name = 'schema'")
        connection.execute("UPDATE arrays SET data = x'00' WHERE name = 'names'")
    with CatalogueStore(path) as store, pytest.raises(CatalogueError, match="damaged"):
        _ = store.catalogue
    with pytest.raises(CatalogueError, match="no album"):
        write_catalogue(tmp_path / "empty.db", [])
    assert not (tmp_path / "empty.db").exists()


def test_a_failed_build_leaves_the_old_catalogue(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "catalogue.db"
    build_catalogue(path, [read_albums(table)])
    twice = [("made up", an_album(1)), ("made up", an_album(1))]
    with pytest.raises(sqlite3.IntegrityError):
        write_catalogue(path, twice)
    with CatalogueStore(path) as store:
        assert store.catalogue.albums == 3
