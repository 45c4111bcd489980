from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.dataset.records import AlbumRecord, Dataset, artist_key
from albumgen_core.dataset.split import PARTS, part_sizes, parts_of, read_split, split_albums, write_split
from albumgen_core.errors import DatasetError
from tests.albumgen_core.retrieval.helpers import an_album


def record(number: int, *artists: str) -> AlbumRecord:
    return AlbumRecord(an_album(number), artist_ids=artists)


def by_artist(count: int, artists: int) -> list[AlbumRecord]:
    return [record(number, f"artist-{number % artists}") for number in range(count)]


def test_shares_are_met() -> None:
    sizes = part_sizes(split_albums(by_artist(1_000, 300), seed=3))
    assert sizes["train"] == pytest.approx(800, abs=6)
    assert sizes["validation"] == pytest.approx(100, abs=4)
    assert sizes["test"] == pytest.approx(100, abs=4)


def test_the_seed_decides_and_the_order_does_not() -> None:
    albums = by_artist(200, 60)
    assert split_albums(albums, 1) == split_albums(albums[::-1], 1)
    assert split_albums(albums, 1) != split_albums(albums, 2)


@given(
    st.lists(st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=3), max_size=40),
    st.integers(0, 9),
)
def test_no_artist_is_on_two_sides(credits: list[list[str]], seed: int) -> None:
    albums = [record(number, *artists) for number, artists in enumerate(credits)]
    parts = split_albums(albums, seed)
    assert set(parts) == {album.album.album_id for album in albums}
    sides: dict[str, set[str]] = {}
    for album in albums:
        for artist in album.artist_ids:
            sides.setdefault(artist, set()).add(parts[album.album.album_id])
    assert all(len(side) == 1 for side in sides.values())


def test_one_giant_group_goes_to_training() -> None:
    giant = [record(number, "various") for number in range(60)]
    single = [record(100 + number, f"s{number}") for number in range(40)]
    parts = split_albums([*giant, *single])
    assert {parts[album.album.album_id] for album in giant} == {"train"}
    assert part_sizes(parts)["test"] == pytest.approx(10, abs=1)


def test_a_few_large_groups_still_leave_something_to_test_on() -> None:
    for seed in range(20):
        sizes = part_sizes(split_albums(by_artist(60, 7), seed))
        assert min(sizes.values()) >= 8
        assert sizes["train"] >= 40


def test_names_stand_in_for_ids() -> None:
    def named(artist: str) -> AlbumRecord:
        return AlbumRecord(an_album(1, artist=artist))

    assert artist_key("AC/DC") == artist_key("ac_dc") == artist_key(" Ac Dc")
    assert artist_key("!!!") == "!!!"
    assert set(named("Jay-Z feat. Beyoncé").artist_keys) > {"jayz", "beyoncé"}
    assert set(named("Simon & Garfunkel").artist_keys) & set(named("Garfunkel").artist_keys)
    assert not set(named("Feature").artist_keys) & set(named("ture").artist_keys)


def test_it_is_written_and_read_back(tmp_path: Path) -> None:
    albums = by_artist(30, 10)
    parts = split_albums(albums)
    write_split(tmp_path / "split.csv", parts)
    assert read_split(tmp_path / "split.csv") == parts
    chosen = parts_of(Dataset("x", albums), parts)
    assert [len(chosen[part]) for part in PARTS] == list(part_sizes(parts).values())
    with pytest.raises(DatasetError, match="lacks the album album-00099"):
        parts_of(Dataset("x", [record(99)]), parts)


def test_other_files_are_no_splits(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no split at"):
        read_split(tmp_path / "none.csv")
    (tmp_path / "s.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="is no split of AlbumGen"):
        read_split(tmp_path / "s.csv")
    (tmp_path / "s.csv").write_text("album_id,part\n1,exam\n")
    with pytest.raises(DatasetError, match="names a part 'exam'"):
        read_split(tmp_path / "s.csv")


def test_samples_are_nested_and_seeded() -> None:
    albums = Dataset("x", by_artist(100, 100))
    ten, twenty = albums.limited(10), albums.limited(20)
    assert {r.album.album_id for r in ten} < {r.album.album_id for r in twenty}
    assert albums.limited(10) == ten
    assert albums.limited(10, seed=1) != ten
    assert albums.limited(None) is albums.limited(500) is albums
