from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.dataset.folder import read_folder
from albumgen_core.dataset.musicoset import read_musicoset
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.dataset.prepared import prepare
from albumgen_core.dataset.sources import SourceKind, read_source
from albumgen_core.dataset.statistics import describe_dataset, feature_matrix
from albumgen_core.errors import CoverError, DatasetError
from tests.albumgen_core.dataset.musicoset_tables import write_musicoset
from tests.albumgen_core.retrieval.helpers import a_row, draw_covers, write_csv


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = write_musicoset(tmp_path / "tables")
    (root / "covers").mkdir()
    for number, album in enumerate(("alb1", "alb2", "alb3")):
        Image.new("RGB", (900, 700 + number), "navy").save(root / "covers" / f"{album}.jpg")
    return root


def test_a_prepared_set_reads_back_as_it_was(source: Path, tmp_path: Path) -> None:
    before = read_source(source).with_covers()
    prepared = prepare(before, tmp_path / "out")
    after = read_folder(tmp_path / "out")
    assert len(prepared) == len(after) == 3
    for old, new in zip(before, after, strict=True):
        assert new.album.album_id == old.album.album_id
        assert (new.album.title, new.album.artist, new.album.year) == (
            old.album.title,
            old.album.artist,
            old.album.year,
        )
        assert new.artist_ids == old.artist_ids
        assert new.album.attributes == old.album.attributes
        assert new.cover is not None
        assert Image.open(new.cover).width == 640


def test_preparing_again_keeps_the_covers_and_replaces_changed_ones(source: Path, tmp_path: Path) -> None:
    prepare(read_source(source), tmp_path / "out")
    stamp = (tmp_path / "out" / "images" / "alb1.jpg").stat().st_mtime_ns
    changed = source / "covers" / "alb2.jpg"
    Image.new("RGB", (100, 100), "red").save(changed)
    prepare(read_source(source), tmp_path / "out")
    assert (tmp_path / "out" / "images" / "alb1.jpg").stat().st_mtime_ns == stamp
    assert Image.open(tmp_path / "out" / "images" / "alb2.jpg").size == (100, 100)


def test_unreadable_covers_are_left_out_and_told(source: Path, tmp_path: Path) -> None:
    (source / "covers" / "alb1.jpg").write_bytes(b"\xff\xd8 torn")
    prepared = prepare(read_source(source), tmp_path / "out")
    assert [record.album.album_id for record in prepared] == ["alb2", "alb3"]
    assert any("alb1.jpg: the picture cannot be decoded" in str(problem) for problem in prepared.problems)


def test_without_any_cover_there_is_nothing_to_prepare(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no album with a cover"):
        prepare(read_musicoset(write_musicoset(tmp_path)), tmp_path / "out")


def test_the_kind_of_a_source_is_seen(source: Path, tmp_path: Path) -> None:
    assert read_source(source).name.startswith("MusicOSet")
    covers = draw_covers(tmp_path / "covers", 2)
    assert len(read_source(covers)) == len(read_source(covers, SourceKind.FOLDER)) == 2
    assert len(read_source(covers, table=write_csv(tmp_path / "t.csv", [a_row("cover-0001.jpg")]))) == 1
    with pytest.raises(DatasetError, match=r"There is no .*nowhere"):
        read_source(tmp_path / "nowhere")


def test_statistics_say_what_is_there(source: Path) -> None:
    dataset = read_source(source)
    figures = describe_dataset(dataset)
    assert (figures.albums, figures.with_cover, figures.with_address) == (4, 3, 2)
    assert (figures.single_track, figures.with_key, figures.problems) == (3, 4, 3)
    assert figures.years == (1967, 2001)
    assert figures.genres[None] == 1
    matrix = feature_matrix(dataset.records)
    assert matrix.shape == (4, 8)
    assert figures.attributes["energy"].mean == pytest.approx(
        matrix[:, AUDIO_FEATURES.index("energy")].mean()
    )
    assert figures.attributes["tempo"].median == 100
    empty = describe_dataset(dataset.limited(0))
    assert (empty.albums, empty.years, dict(empty.attributes)) == (0, None, {})


def test_pictures_are_upright_opaque_and_deep_ones_keep_their_tones(tmp_path: Path) -> None:
    turned = Image.new("RGB", (40, 20), "red")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert load_cover(tmp_path / "turned.jpg").image.size == (20, 40)
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert load_cover(tmp_path / "clear.png").image.getpixel((0, 0)) == (255, 255, 255)
    ramp = (np.arange(64 * 64, dtype=np.uint32).reshape(64, 64) * 16).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    tones = np.asarray(load_cover(tmp_path / "deep.png").image)[..., 0]
    assert tones[0, 0] == 0
    assert tones[32, 0] == pytest.approx(128, abs=1)
    Image.new("CMYK", (4, 4)).save(tmp_path / "print.jpg")
    assert load_cover(tmp_path / "print.jpg").image.mode == "RGB"


def test_pictures_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "svg.jpg").write_text("<svg/>")
    (tmp_path / "large.jpg").write_bytes(b"\0" * (32 * 2**20 + 1))
    for name, message in (
        ("svg.jpg", "cannot be decoded"),
        ("large.jpg", "larger than 32 MiB"),
        ("no.jpg", "cannot be read"),
    ):
        with pytest.raises(CoverError, match=message):
            load_cover(tmp_path / name)
