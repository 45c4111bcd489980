from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from albumgen_core.errors import IndexUnavailableError
from albumgen_core.retrieval import AlbumIndex, ExactIndex
from albumgen_core.retrieval.lock import one_opening
from albumgen_core.retrieval.store import DATABASE_NAME
from albumgen_core.retrieval.writer import Entry, IndexWriter
from tests.albumgen_core.retrieval.helpers import (
    EMBEDDER,
    an_album,
    clustered_vectors,
    random_vectors,
    write_index,
)
from tests.paths import REPOSITORY

COUNT = 2_500
Filled = tuple[AlbumIndex, ExactIndex, NDArray[np.float32]]


@pytest.fixture(scope="module", params=["random", "clustered"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    vectors = random_vectors(COUNT) if request.param == "random" else clustered_vectors(COUNT)
    directory = tmp_path_factory.mktemp(request.param)
    albums = write_index(directory, vectors)
    with AlbumIndex.open(directory, embedder_name=EMBEDDER) as index:
        yield index, ExactIndex(albums, vectors), vectors


@pytest.mark.slow
def test_it_finds_what_an_exhaustive_search_finds(filled: Filled) -> None:
    index, exact, vectors = filled
    queries = [*random_vectors(40, seed=9), *vectors[:40]]
    for query in queries:
        found, true = index.nearest(query, 5), exact.nearest(query, 5)
        assert [n.album.album_id for n in found] == [n.album.album_id for n in true]
        assert np.allclose([n.distance for n in found], [n.distance for n in true], atol=1e-5)


def test_chroma_alone_misses_nothing_at_this_size(filled: Filled) -> None:
    assert filled[0].stats().recall == 1.0


def test_distances_are_rooted_l2(filled: Filled) -> None:
    index, _, vectors = filled
    opposite = index.nearest(-vectors[3], COUNT)[-1]
    assert opposite.album.album_id == "album-00003"
    assert opposite.distance == pytest.approx(2.0, abs=1e-5)
    assert index.nearest(vectors[3], 1)[0].distance == pytest.approx(0.0, abs=1e-5)


def test_chroma_s_own_distances_are_rooted_too(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    index, _, vectors = filled
    checked = index.nearest(vectors[8], 6)
    monkeypatch.setattr("albumgen_core.retrieval.index.EXACT_LIMIT", 10)
    unchecked = index.nearest(vectors[8], 6)
    assert [n.album.album_id for n in unchecked] == [n.album.album_id for n in checked]
    # Chroma's squared distance is float32: near zero its root is off by up to 1e-3.
    assert np.allclose([n.distance for n in unchecked], [n.distance for n in checked], atol=2e-3)


@pytest.mark.parametrize("limit", [10, 100_000], ids=["chroma alone", "checked"])
def test_excluded_albums_and_artists_stay_out(
    filled: Filled,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
) -> None:
    index, _, vectors = filled
    monkeypatch.setattr("albumgen_core.retrieval.index.EXACT_LIMIT", limit)
    own = index.nearest(vectors[10], 5)
    without = index.nearest(vectors[10], 4, exclude={own[0].album.album_id})
    assert [n.album for n in without] == [n.album for n in own[1:]]
    strangers = index.nearest(vectors[10], 20, exclude_artists={"  ARTIST 3"})
    assert len(strangers) == 20
    assert all(n.album.artist != "Artist 3" for n in strangers)


def test_fewer_come_back_when_there_are_no_more(tmp_path: Path) -> None:
    vectors = random_vectors(3)
    write_index(tmp_path, vectors)
    with AlbumIndex.open(tmp_path, embedder_name=EMBEDDER) as index:
        assert len(index) == 3
        assert len(index.nearest(vectors[0], 5)) == 3
        assert index.nearest(vectors[0], 0) == []
        assert index.nearest(vectors[0], 5, exclude={f"album-0000{n}" for n in range(3)}) == []


def test_identical_covers_are_ordered_by_id(tmp_path: Path) -> None:
    vectors = np.repeat(random_vectors(1), 12, axis=0)
    write_index(tmp_path, vectors)
    with AlbumIndex.open(tmp_path, embedder_name=EMBEDDER) as index:
        found = [n.album.album_id for n in index.nearest(vectors[0], 5)]
    assert found == [f"album-{n:05d}" for n in range(5)]


@pytest.mark.parametrize("bad", [np.zeros(511), np.zeros((2, 512)), np.full(512, math.nan)])
def test_a_query_of_the_wrong_kind_is_refused(filled: Filled, bad: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="a query"):
        filled[0].nearest(bad)


def test_albums_come_back_as_they_went_in(tmp_path: Path) -> None:
    full, bare = an_album(1), an_album(2, year=None, title="?", artist="17")
    vectors = random_vectors(2)
    with IndexWriter(tmp_path, EMBEDDER) as writer:
        writer.upsert([Entry(full, vectors[0]), Entry(bare, vectors[1])])
    with AlbumIndex.open(tmp_path, embedder_name=EMBEDDER) as index:
        found = index.nearest(vectors[1], 2)
    assert found[0].album.title == "?"
    assert found[0].album.year is None
    assert found[0].attributes.key is None
    again = found[1].album
    assert (again.title, again.artist, again.year) == ("Title 1", "Artist 1", 1961)
    # Chroma's store may change the last bit of a float.
    assert again.attributes.features() == pytest.approx(full.attributes.features(), rel=1e-14)
    assert again.attributes.tempo == full.attributes.tempo


def test_an_album_written_again_is_replaced(tmp_path: Path) -> None:
    vectors = random_vectors(2)
    for title in ("Before", "After"):
        with IndexWriter(tmp_path, EMBEDDER) as writer:
            writer.upsert([Entry(an_album(1, title=title), vectors[0])])
    with AlbumIndex.open(tmp_path, embedder_name=EMBEDDER) as index:
        assert [n.album.title for n in index.nearest(vectors[0])] == ["After"]


def test_more_albums_than_chroma_takes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("albumgen_core.retrieval.store.MAX_BATCH", 7)
    monkeypatch.setattr("albumgen_core.retrieval.index._PAGE", 11)
    vectors = random_vectors(40)
    write_index(tmp_path, vectors)
    with AlbumIndex.open(tmp_path, embedder_name=EMBEDDER) as index:
        assert len(index.exact()) == 40
        assert all(index.nearest(v, 1)[0].album.title == f"Title {n}" for n, v in enumerate(vectors))


def test_a_vector_that_is_no_direction_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    good = random_vectors(1)[0]
    with IndexWriter(tmp_path, EMBEDDER) as writer:
        for bad in (np.zeros(512, np.float32), good * 2, good[:100], np.full(512, np.nan, np.float32)):
            with pytest.raises(ValueError, match="a vector"):
                writer.upsert([Entry(an_album(1), good), Entry(an_album(2), bad)])
        assert writer.count() == 0


def vector_file(directory: Path) -> Path:
    found = [path for path in directory.rglob("data_level0.bin") if path.stat().st_size > 0]
    assert found, "Chroma keeps its vectors elsewhere now: `seal` has to follow"
    return found[0]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough for Chroma to have written vector files."""
    directory = tmp_path_factory.mktemp("large") / "index"
    write_index(directory, random_vectors(1_100))
    return directory


class TestUnavailable:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(IndexUnavailableError, match=r"no album index.*albumgen index build"):
            AlbumIndex.open(tmp_path / "nowhere", embedder_name=EMBEDDER)
        assert not (tmp_path / "nowhere").exists()

    def test_empty(self, tmp_path: Path) -> None:
        IndexWriter(tmp_path, EMBEDDER).close()
        with pytest.raises(IndexUnavailableError, match="empty"):
            AlbumIndex.open(tmp_path, embedder_name=EMBEDDER)

    def test_another_embedder(self, tmp_path: Path) -> None:
        write_index(tmp_path, random_vectors(2))
        with pytest.raises(IndexUnavailableError, match="built with test-colours, not with openai/clip"):
            AlbumIndex.open(tmp_path, embedder_name="openai/clip-vit-base-patch16")

    def test_two_embedders_share_a_folder(self, tmp_path: Path) -> None:
        vectors = random_vectors(3)
        write_index(tmp_path, vectors)
        write_index(tmp_path, vectors[:2], embedder="another")
        for name, count in ((EMBEDDER, 3), ("another", 2)):
            with AlbumIndex.open(tmp_path, embedder_name=name) as index:
                assert len(index) == count

    def test_short_memory_condemns_no_index(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise MemoryError

        write_index(tmp_path, random_vectors(2))
        monkeypatch.setattr("chromadb.PersistentClient", full)
        with pytest.raises(IndexUnavailableError, match="memory ran out") as told:
            AlbumIndex.open(tmp_path, embedder_name=EMBEDDER)
        assert "move the folder away" not in str(told.value)
        monkeypatch.undo()
        with AlbumIndex.open(tmp_path, embedder_name=EMBEDDER) as index:
            assert len(index) == 2

    def test_overwritten_database(self, tmp_path: Path) -> None:
        write_index(tmp_path, random_vectors(2))
        (tmp_path / DATABASE_NAME).write_bytes(b"not a database at all" * 100)
        with pytest.raises(IndexUnavailableError, match=r"damaged.*move the folder away"):
            AlbumIndex.open(tmp_path, embedder_name=EMBEDDER)
        with pytest.raises(IndexUnavailableError, match="damaged"):
            IndexWriter(tmp_path, EMBEDDER)
        assert (tmp_path / DATABASE_NAME).read_bytes().startswith(b"not a database")

    def test_torn_database(self, tmp_path: Path) -> None:
        write_index(tmp_path, random_vectors(50))
        database = tmp_path / DATABASE_NAME
        data = database.read_bytes()
        database.write_bytes(data[:100] + b"\xff" * (len(data) // 2) + data[100 + len(data) // 2 :])
        with pytest.raises(IndexUnavailableError, match=r"The album index at .* (cannot be read|damaged)"):
            AlbumIndex.open(tmp_path, embedder_name=EMBEDDER)
        assert database.exists()

    @pytest.mark.parametrize("tear", ["emptied", "cut", "bit rot", "gone"])
    def test_torn_vectors_never_reach_chroma(self, large: Path, tmp_path: Path, tear: str) -> None:
        """Chroma would crash the process, not raise."""
        shutil.copytree(large, tmp_path / "index")
        path = vector_file(tmp_path / "index")
        data = path.read_bytes()
        middle = len(data) // 2
        if tear == "gone":
            path.unlink()
        else:
            rotten = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            path.write_bytes({"emptied": b"", "cut": data[:middle], "bit rot": rotten}[tear])
        with pytest.raises(
            IndexUnavailableError, match=r"damaged \(.*data_level0.bin is not as it was written"
        ):
            AlbumIndex.open(tmp_path / "index", embedder_name=EMBEDDER)
        with pytest.raises(IndexUnavailableError, match="damaged"):
            IndexWriter(tmp_path / "index", EMBEDDER)

    @pytest.mark.slow
    def test_vectors_torn_by_a_kill_are_found_out_in_a_child(self, large: Path, tmp_path: Path) -> None:
        shutil.copytree(large, tmp_path / "index")
        (tmp_path / "index" / "seal.json").unlink()
        with pytest.raises(IndexUnavailableError, match="was left unfinished; run the same"):
            AlbumIndex.open(tmp_path / "index", embedder_name=EMBEDDER)
        IndexWriter(tmp_path / "index", EMBEDDER).close()  # whole after all: sealed again
        AlbumIndex.open(tmp_path / "index", embedder_name=EMBEDDER).close()
        (tmp_path / "index" / "seal.json").unlink()
        vector_file(tmp_path / "index").write_bytes(b"")
        with pytest.raises(IndexUnavailableError, match="an interrupted build tore its vectors"):
            IndexWriter(tmp_path / "index", EMBEDDER)

    @pytest.mark.parametrize("count", [5, 1_100])
    def test_reading_leaves_the_seal_whole(self, large: Path, tmp_path: Path, count: int) -> None:
        if count == 1_100:
            shutil.copytree(large, tmp_path / "index")
        else:
            write_index(tmp_path / "index", random_vectors(count))
        for _ in range(3):
            with AlbumIndex.open(tmp_path / "index", embedder_name=EMBEDDER) as index:
                assert len(index.nearest(random_vectors(1)[0])) == 5


HOLD = """
import sys
from collections.abc import Iterator
from pathlib import Path
from albumgen_core.retrieval import AlbumIndex
from albumgen_core.retrieval.writer import IndexWriter
kind, directory = sys.argv[1], Path(sys.argv[2])
held = (
    IndexWriter(directory, "test-colours")
    if kind == "writer"
    else AlbumIndex.open(directory, embedder_name="test-colours")
)
print("held", flush=True)
sys.stdin.read()
"""


class TestOneWriter:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        write_index(tmp_path, random_vectors(5))
        return tmp_path

    def hold(self, kind: str, directory: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, kind, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    @pytest.mark.slow
    def test_nobody_enters_while_another_process_writes_until_it_is_killed(self, directory: Path) -> None:
        other = self.hold("writer", directory)
        with pytest.raises(IndexUnavailableError, match="in use by another process"):
            IndexWriter(directory, EMBEDDER)
        with pytest.raises(IndexUnavailableError, match="being built by another process"):
            AlbumIndex.open(directory, embedder_name=EMBEDDER)
        other.kill()
        other.communicate()
        IndexWriter(directory, EMBEDDER).close()

    def test_a_reader_stuck_at_the_door_is_not_waited_for_forever(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("albumgen_core.retrieval.lock.OPENING_SECONDS", 0.1)
        with one_opening(directory), pytest.raises(IndexUnavailableError, match="still being opened"):
            AlbumIndex.open(directory, embedder_name=EMBEDDER)
        AlbumIndex.open(directory, embedder_name=EMBEDDER).close()

    def test_readers_share_and_keep_the_writer_out(self, directory: Path) -> None:
        other = self.hold("reader", directory)
        with AlbumIndex.open(directory, embedder_name=EMBEDDER) as index:
            assert len(index.nearest(random_vectors(1)[0])) == 5
        with pytest.raises(IndexUnavailableError, match="in use by another process"):
            IndexWriter(directory, EMBEDDER)
        other.communicate()
        IndexWriter(directory, EMBEDDER).close()
