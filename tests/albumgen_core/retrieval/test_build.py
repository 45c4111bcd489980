from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from albumgen_core.dataset.folder import read_folder
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.errors import DatasetError, IndexUnavailableError
from albumgen_core.retrieval import AlbumIndex, build_index
from tests.albumgen_core.retrieval.helpers import EMBEDDER, ColourEmbedder, a_row, draw_covers, write_csv
from tests.paths import REPOSITORY


def test_every_cover_finds_itself_first(tmp_path: Path) -> None:
    covers = draw_covers(tmp_path / "covers", 20)
    seen: list[tuple[int, int]] = []
    report = build_index(
        read_folder(covers),
        ColourEmbedder(),
        tmp_path / "index",
        batch_size=8,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert (report.total, report.added, report.indexed) == (20, 20, 20)
    assert seen == [(0, 20), (8, 20), (16, 20), (20, 20)]
    with AlbumIndex.open(tmp_path / "index", embedder_name=EMBEDDER) as index:
        for path in sorted(covers.glob("*.jpg")):
            nearest = index.nearest(ColourEmbedder().embed([load_cover(path)]), 1)[0]
            assert nearest.album.album_id == path.name
            assert nearest.distance == pytest.approx(0, abs=1e-3)


def test_a_second_build_does_only_what_changed(tmp_path: Path) -> None:
    covers, index = draw_covers(tmp_path / "covers", 10), tmp_path / "index"
    build_index(read_folder(covers), ColourEmbedder(), index)
    again = build_index(read_folder(covers), ColourEmbedder(), index)
    assert (again.added, again.unchanged) == (0, 10)
    rows = [a_row(f"cover-{n:04d}.jpg", n) for n in range(10)]
    rows[3]["album"] = "Renamed"
    write_csv(covers / "manifest.csv", rows)
    Image.new("RGB", (64, 64), "teal").save(covers / "cover-0007.jpg")
    changed = build_index(read_folder(covers), ColourEmbedder(), index)
    assert (changed.added, changed.unchanged, changed.indexed) == (2, 8, 10)
    anew = build_index(read_folder(covers), ColourEmbedder(), index, resume=False)
    assert (anew.added, anew.unchanged, anew.indexed) == (10, 0, 10)


def test_bad_covers_and_rows_are_told_and_left_out(tmp_path: Path) -> None:
    covers = draw_covers(tmp_path / "covers", 6)
    (covers / "cover-0001.jpg").write_bytes((covers / "cover-0001.jpg").read_bytes()[:300])
    (covers / "cover-0002.jpg").write_bytes(b"")
    (covers / "cover-0003.jpg").write_text("<svg/>")
    (covers / "cover-0004.jpg").unlink()
    Image.new("L", (8000, 7000)).save(covers / "cover-0005.jpg", quality=1)
    report = build_index(read_folder(covers), ColourEmbedder(), tmp_path / "index")
    assert (report.added, report.indexed) == (1, 1)
    told = {Path(problem.where).name: problem.reason for problem in report.problems}
    assert told["cover-0002.jpg"] == "the file is empty"
    assert told["cover-0005.jpg"] == "the picture has more than 50 million pixels"
    assert "cannot be decoded" in told["cover-0001.jpg"]
    assert "cannot be decoded" in told["cover-0003.jpg"]
    assert told["manifest.csv line 6"] == "there is no file 'cover-0004.jpg'"


def test_a_source_without_covers_is_an_error(tmp_path: Path) -> None:
    write_csv(tmp_path / "manifest.csv", [a_row("gone.jpg")])
    with pytest.raises(DatasetError, match=r"no album with a cover \(manifest.csv line 2: there is no file"):
        build_index(read_folder(tmp_path), ColourEmbedder(), tmp_path / "index")
    assert not (tmp_path / "index").exists()


SLOW_BUILD = """
import sys, time
from pathlib import Path
from albumgen_core.dataset.folder import read_folder
from albumgen_core.retrieval import build_index
from tests.albumgen_core.retrieval.helpers import ColourEmbedder

def on_progress(done, total):
    print(done, flush=True)
    time.sleep(0.05)

source, index = read_folder(Path(sys.argv[1])), Path(sys.argv[2])
build_index(source, ColourEmbedder(), index, batch_size=4, on_progress=on_progress)
"""


@pytest.mark.slow
def test_a_killed_build_is_finished_by_the_next(tmp_path: Path) -> None:
    covers, index = draw_covers(tmp_path / "covers", 120), tmp_path / "index"
    survived = 0
    for enough in (20, 64):  # kill it twice, at different depths
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW_BUILD, str(covers), str(index)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= enough:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        survived = enough
    with pytest.raises(IndexUnavailableError, match="was left unfinished"):
        AlbumIndex.open(index, embedder_name=EMBEDDER)
    report = build_index(read_folder(covers), ColourEmbedder(), index)
    assert report.unchanged >= survived
    assert report.added + report.unchanged == report.indexed == 120
    build_index(read_folder(covers), ColourEmbedder(), tmp_path / "whole")
    with (
        AlbumIndex.open(index, embedder_name=EMBEDDER) as resumed,
        AlbumIndex.open(tmp_path / "whole", embedder_name=EMBEDDER) as whole,
    ):
        for path in covers.glob("*.jpg"):
            vector = ColourEmbedder().embed([load_cover(path)])
            assert [n.album for n in resumed.nearest(vector)] == [n.album for n in whole.nearest(vector)]
            assert resumed.thumbnail(path.name) == whole.thumbnail(path.name) is not None


def test_thumbnails_are_small_square_jpegs_of_the_cover(tmp_path: Path) -> None:
    covers = tmp_path / "covers"
    covers.mkdir()
    wide = Image.new("RGB", (900, 300), "black")
    wide.paste("red", (300, 0, 600, 300))
    wide.save(covers / "wide.png")
    write_csv(covers / "albums.csv", [a_row("wide.png")])
    build_index(read_folder(covers), ColourEmbedder(), tmp_path / "index")
    with AlbumIndex.open(tmp_path / "index", embedder_name=EMBEDDER) as index:
        jpeg = index.thumbnail("wide.png")
        assert index.thumbnail("unknown") is None
    assert jpeg is not None
    picture = Image.open(io.BytesIO(jpeg))
    assert (picture.format, picture.size) == ("JPEG", (96, 96))
    assert np.asarray(picture).mean(axis=(0, 1)) == pytest.approx([254, 0, 0], abs=4)  # the middle third


def test_an_index_without_thumbnails_still_works(tmp_path: Path) -> None:
    build_index(read_folder(draw_covers(tmp_path / "covers", 3)), ColourEmbedder(), tmp_path / "index")
    (tmp_path / "index" / "thumbnails.sqlite3").write_bytes(b"torn" * 1000)
    with AlbumIndex.open(tmp_path / "index", embedder_name=EMBEDDER) as index:
        assert index.thumbnail("cover-0001.jpg") is None
        assert len(index.nearest(np.eye(512, dtype=np.float32)[0])) == 3
