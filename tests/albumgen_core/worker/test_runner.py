"""Takes made from takes: the cover and its vector are kept, and used again bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from albumgen_core.cover.read import Cover, load_checked_cover, read_cover
from albumgen_core.dataset.folder import read_folder
from albumgen_core.engines.base import Engine
from albumgen_core.engines.sketch import load_engine
from albumgen_core.jobs.artifacts import FolderArtifacts
from albumgen_core.jobs.spec import JobOutcome, JobSpec, new_job_id
from albumgen_core.pipeline.stages import Pipeline
from albumgen_core.result import EXACT_COVER, exact_cover_path, read_document, read_embedding
from albumgen_core.retrieval import AlbumIndex, build_index
from albumgen_core.worker.runner import PipelineRunner

EXAMPLES = Path(__file__).parents[3] / "examples"
COVERS = 20


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine()


@pytest.fixture(scope="module")
def index(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlbumIndex]:
    folder = tmp_path_factory.mktemp("index")
    build_index(read_folder(EXAMPLES / "shelf").with_covers(), engine.embedder, folder)
    with AlbumIndex.open(folder, embedder_name=engine.embedder.name) as opened:
        yield opened


def picture(seed: int, path: Path) -> Cover:
    """Noise in a few colours: what a JPEG of it shows is something else."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(small).resize((120, 120), Image.Resampling.NEAREST).save(path, "PNG")
    return read_cover(path.read_bytes())


def run(runner: PipelineRunner, *jobs: JobSpec) -> list[JobOutcome]:
    outcomes = runner.run(jobs, on_progress=lambda *_: None, is_cancelled=lambda _: False)
    assert [outcome.status for outcome in outcomes] == ["done"] * len(jobs), outcomes
    return outcomes


@pytest.mark.slow
def test_the_same_seed_from_a_take_gives_the_same_clip(
    engine: Engine, index: AlbumIndex, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    runner = PipelineRunner(Pipeline(engine, index), FolderArtifacts(results))
    first: list[JobSpec] = []
    for number in range(COVERS):
        stored = tmp_path / f"{number}.cover"
        stored.write_bytes(picture(number, tmp_path / f"{number}.png").to_png())
        first.append(JobSpec(new_job_id(), str(stored), seconds=1.0, seed=number))
    run(runner, *first)
    again: list[JobSpec] = []
    for job in first:
        kept = exact_cover_path(results / job.job_id)
        assert kept is not None
        stored = tmp_path / f"again-{job.seed}.cover"
        stored.write_bytes(kept.read_bytes())
        again.append(
            job.replace(job_id=new_job_id(), cover_path=str(stored), parent_id=job.job_id, root_id=job.job_id)
        )
    run(runner, *again)
    for before, after in zip(first, again, strict=True):
        folders = results / before.job_id, results / after.job_id
        old, new = (read_document(folder) for folder in folders)
        for name in ("attributes", "neighbours", "prompt", "cover_sha256"):
            assert old[name] == new[name]
        for name in ("clip.mp3", "clip.ogg", EXACT_COVER, "cover.jpg"):
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


class CountingEmbedder:
    """An embedder that counts the covers it is given."""

    def __init__(self, engine: Engine) -> None:
        self._embedder = engine.embedder
        self.covers = 0

    @property
    def name(self) -> str:
        return self._embedder.name

    def embed(self, covers: Sequence[Cover]) -> NDArray[np.float32]:
        self.covers += len(covers)
        return self._embedder.embed(covers)


def test_the_vector_of_a_take_is_used_again(engine: Engine, index: AlbumIndex, tmp_path: Path) -> None:
    embedder = CountingEmbedder(engine)
    results = tmp_path / "results"
    runner = PipelineRunner(Pipeline(replace(engine, embedder=embedder), index), FolderArtifacts(results))
    cover = picture(1, tmp_path / "a.png")
    stored, other = tmp_path / "a.cover", tmp_path / "b.cover"
    stored.write_bytes(cover.to_png())
    other.write_bytes(picture(2, tmp_path / "b.png").to_png())
    job = JobSpec(new_job_id(), str(stored), seconds=1.0)
    run(runner, job)
    assert embedder.covers == 1
    vector = read_embedding(results / job.job_id, cover.sha256, embedder.name)
    assert vector is not None
    np.testing.assert_array_equal(vector, engine.embedder.embed([cover])[0])
    child = job.replace(job_id=new_job_id(), parent_id=job.job_id, root_id=job.job_id)
    run(runner, child)
    assert embedder.covers == 1
    kept = read_embedding(results / child.job_id, cover.sha256, embedder.name)
    np.testing.assert_array_equal(kept, vector)
    run(runner, child.replace(job_id=new_job_id(), cover_path=str(other)))
    assert embedder.covers == 2, "another picture has another vector"
    assert read_embedding(results / job.job_id, cover.sha256, "another space") is None
    run(runner, child.replace(job_id=new_job_id(), parent_id="gone", root_id=None))
    assert embedder.covers == 3, "the take that it was kept with has expired"


def test_a_result_that_cannot_be_stored_costs_its_own_job_alone(engine: Engine, tmp_path: Path) -> None:
    results = tmp_path / "results"
    runner = PipelineRunner(Pipeline(engine, None), FolderArtifacts(results))
    stored = tmp_path / "a.cover"
    stored.write_bytes(picture(1, tmp_path / "a.png").to_png())
    good, foreign, blocked = (
        JobSpec(job_id, str(stored), rag=False, seconds=1.0) for job_id in ("good", "foreign", "blocked")
    )
    (results / "foreign").mkdir(parents=True)
    (results / "foreign" / "diary.txt").write_text("mine")
    (results / "blocked.partial").write_text("a file where a folder is to be made")
    outcomes = runner.run([foreign, good, blocked], on_progress=lambda *_: None, is_cancelled=lambda _: False)
    assert [outcome.status for outcome in outcomes] == ["failed", "done", "failed"]
    assert "foreign" in str(outcomes[0].error)
    assert (results / "foreign" / "diary.txt").read_text() == "mine"


def test_old_takes_are_recognised(tmp_path: Path) -> None:
    """Schema 1 kept the JPEG alone."""
    assert exact_cover_path(tmp_path) is None
    cover = picture(1, tmp_path / "a.png")
    (tmp_path / EXACT_COVER).write_bytes(cover.to_png())
    kept = exact_cover_path(tmp_path)
    assert kept is not None
    assert load_checked_cover(kept).sha256 == cover.sha256
    assert read_embedding(tmp_path, cover.sha256, "any") is None
