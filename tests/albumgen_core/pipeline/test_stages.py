"""The stages in order, with the real sketch engine and a real index: nothing in between is mocked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.encode import decode_mp3
from albumgen_core.cover.read import Cover, read_cover
from albumgen_core.dataset.sources import read_source
from albumgen_core.engines.base import Engine
from albumgen_core.engines.sketch import load_engine
from albumgen_core.errors import AlbumGenError, AttributeRangeError, IndexUnavailableError
from albumgen_core.jobs.artifacts import FolderArtifacts
from albumgen_core.jobs.spec import ClipOptions, JobOutcome, JobSpec, new_job_id
from albumgen_core.pipeline.stages import ClipRequest, Pipeline
from albumgen_core.result import Take, read_document
from albumgen_core.retrieval import AlbumIndex, build_index
from albumgen_core.vocabulary import STAGES
from albumgen_core.worker.runner import PipelineRunner
from tests.paths import EXAMPLE_COVERS, EXAMPLE_SHELF

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine()


@pytest.fixture(scope="module")
def index(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlbumIndex]:
    folder = tmp_path_factory.mktemp("index")
    build_index(read_source(EXAMPLE_SHELF).with_covers(), engine.embedder, folder)
    with AlbumIndex.open(folder, embedder_name=engine.embedder.name) as opened:
        yield opened


@pytest.fixture(scope="module")
def cover() -> Cover:
    return read_cover((EXAMPLE_COVERS / "low-tide.png").read_bytes())


def clip(cover: Cover, **options: Any) -> ClipRequest:
    return ClipRequest(cover, ClipOptions(**options))


def made(outcome: Take | Exception | None) -> Take:
    assert isinstance(outcome, Take), outcome
    return outcome


def test_a_cover_becomes_a_clip_with_its_neighbours(engine: Engine, index: AlbumIndex, cover: Cover) -> None:
    take = made(Pipeline(engine, index).run([clip(cover, seconds=3, seed=1)])[0])
    assert len(take.neighbours) == 5
    assert [n.distance for n in take.neighbours] == sorted(n.distance for n in take.neighbours)
    assert take.prompt
    assert abs(decode_mp3(take.mp3).seconds - 3) < 0.1
    assert take.card.startswith(b"\x89PNG")
    assert take.ogg.startswith(b"OggS")
    assert set(take.timings) == {"embed", "retrieve", "describe", "compose", "encode"}
    assert take.notices == []


def test_the_card_speaks_the_requests_language(engine: Engine, cover: Cover) -> None:
    requests = [clip(cover, rag=False, seconds=1, seed=1, language=each) for each in ("en", "de")]
    english, german = map(made, Pipeline(engine, None).run(requests))
    assert english.card != german.card
    assert english.document() | {"timings": {}} == german.document() | {"timings": {}}


def test_the_album_whose_cover_it_is_is_no_neighbour_and_no_evidence(
    engine: Engine, index: AlbumIndex
) -> None:
    (record, *_) = read_source(EXAMPLE_SHELF).with_covers()
    assert record.cover is not None
    own = read_cover(record.cover.read_bytes())
    alone, compared = (replace(clip(own, seconds=1, seed=1), compared=compared) for compared in (False, True))
    take, evidence = map(made, Pipeline(engine, index).run([alone, compared]))
    for each in (take, evidence):
        assert each.itself is not None
        assert each.itself.album.title == record.album.title
        assert record.album.album_id not in {near.album.album_id for near in each.neighbours}
        assert len(each.neighbours) == 5
        assert each.document()["album"]["album_id"] == record.album.album_id
    assert take.attributes.artist_name == record.album.artist
    measured = np.array(record.album.attributes.features())
    near, far = (np.abs(measured - each.attributes.features()).mean() for each in (take, evidence))
    assert near < 0.03 < 0.06 < far


def test_rag_changes_what_is_read(engine: Engine, index: AlbumIndex, cover: Cover) -> None:
    pipeline = Pipeline(engine, index)
    with_rag, *_ = pipeline.read(clip(cover, rag=True, seed=1))
    without, neighbours, *_ = pipeline.read(clip(cover, rag=False, seed=1))
    assert with_rag != without
    assert neighbours == ()


def test_the_same_seed_gives_the_same_clip(engine: Engine, cover: Cover) -> None:
    pipeline = Pipeline(engine, None)
    requests = [clip(cover, rag=False, seconds=2, seed=seed) for seed in (4, 4, 5)]
    first, again, other = (made(outcome) for outcome in pipeline.run(requests))
    assert np.array_equal(first.audio.samples, again.audio.samples)
    assert first.mp3 == again.mp3
    assert not np.array_equal(first.audio.samples, other.audio.samples)


def test_every_stage_is_reported_and_never_goes_back(engine: Engine, index: AlbumIndex, cover: Cover) -> None:
    seen: list[tuple[str, float]] = []
    Pipeline(engine, index).run(
        [clip(cover, seconds=2)],
        on_progress=lambda _, stage, fraction: seen.append((stage, fraction)),
    )
    order = [(STAGES.index(stage), fraction) for stage, fraction in seen]  # type: ignore[arg-type]
    assert order == sorted(order)
    assert {stage for stage, _ in seen} == set(STAGES)


def test_without_an_index_the_result_says_so(engine: Engine, cover: Cover) -> None:
    take = made(Pipeline(engine, None, index_problem="There is none.").run([clip(cover, seconds=1)])[0])
    assert take.notices == ["No retrieval: There is none."]
    refused = Pipeline(engine, None, require_index=True).run([clip(cover, seconds=1)])[0]
    assert isinstance(refused, IndexUnavailableError)


def test_one_bad_request_leaves_its_batch_mates_alone(engine: Engine, cover: Cover) -> None:
    good = clip(cover, rag=False, seconds=1)
    bad = replace(good, options=ClipOptions(rag=False, seconds=1, overrides={"tempo": 900}))
    first, second, third = Pipeline(engine, None).run([good, bad, good])
    made(first)
    made(third)
    assert isinstance(second, AttributeRangeError)


def test_overrides_replace_what_was_read(engine: Engine, cover: Cover) -> None:
    request = clip(cover, rag=False, seconds=1, overrides={"album_genre": "techno", "tempo": 131})
    take = made(Pipeline(engine, None).run([request])[0])
    assert (take.attributes.album_genre, take.attributes.tempo) == ("techno", 131)
    assert take.overridden == ["album_genre", "tempo"]


def test_cancelled_requests_come_back_as_none(engine: Engine, cover: Cover) -> None:
    requests = [clip(cover, rag=False, seconds=1)] * 2
    kept, dropped = Pipeline(engine, None).run(requests, is_cancelled=lambda position: position == 1)
    made(kept)
    assert dropped is None


def test_a_take_can_be_continued_from_its_folder(engine: Engine, cover: Cover, tmp_path: Path) -> None:
    runner = PipelineRunner(Pipeline(engine, None), FolderArtifacts(tmp_path))
    stored = tmp_path / "cover.png"
    stored.write_bytes(cover.to_png())
    first = JobSpec(new_job_id(), str(stored), rag=False, seconds=4, seed=9)
    (done,) = run(runner, first)
    assert done.status == "done", done
    earlier = read_document(tmp_path / first.job_id)
    longer = first.replace(
        job_id=new_job_id(),
        seconds=7.0,
        continue_from=done.result_dir,
        overrides=earlier["attributes"],
    )
    (continued,) = run(runner, longer)
    assert continued.status == "done", continued
    document = read_document(tmp_path / longer.job_id)
    assert document["attributes"] == earlier["attributes"]
    before = decode_mp3(tmp_path / first.job_id / "clip.mp3").samples[0, :44100]
    after = decode_mp3(tmp_path / longer.job_id / "clip.mp3")
    assert abs(after.seconds - 7) < 0.1
    assert np.corrcoef(before, after.samples[0, :44100])[0, 1] > 0.9


def test_a_finished_job_is_not_run_again(engine: Engine, cover: Cover, tmp_path: Path) -> None:
    runner = PipelineRunner(Pipeline(engine, None), FolderArtifacts(tmp_path))
    stored = tmp_path / "cover.png"
    stored.write_bytes(cover.to_png())
    job = JobSpec(new_job_id(), str(stored), rag=False, seconds=1)
    run(runner, job)
    written = (tmp_path / job.job_id / "result.json").stat().st_mtime_ns
    (again,) = run(runner, job)
    assert again.status == "done"
    assert (tmp_path / job.job_id / "result.json").stat().st_mtime_ns == written


def test_files_are_made_while_the_next_batch_composes(engine: Engine, cover: Cover, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    runner = PipelineRunner(Pipeline(engine, None), FolderArtifacts(results))
    stored = tmp_path / "cover.png"
    stored.write_bytes(cover.to_png())
    jobs = [JobSpec(new_job_id(), str(stored), rag=False, seconds=2, seed=seed) for seed in (1, 2, 3)]
    unwanted: set[str] = set()
    finish = runner.begin(jobs[:2], on_progress=lambda *_: None, is_cancelled=unwanted.__contains__)
    assert list(results.iterdir()) == []
    unwanted.add(jobs[1].job_id)
    with ThreadPoolExecutor(1) as thread:
        written = thread.submit(finish)
        (third,) = run(runner, jobs[2])
    assert [outcome.status for outcome in written.result()] == ["done", "cancelled"]
    assert third.status == "done"
    for job in (jobs[0], jobs[2]):
        alone = made(Pipeline(engine, None).run([clip(cover, rag=False, seconds=2, seed=job.seed)])[0])
        for name, expected in (("clip.mp3", alone.mp3), ("clip.ogg", alone.ogg), ("card.png", alone.card)):
            assert (results / job.job_id / name).read_bytes() == expected
    assert {path.name for path in results.iterdir()} == {jobs[0].job_id, jobs[2].job_id}


def test_a_cover_that_is_gone_fails_its_job_alone(engine: Engine, tmp_path: Path) -> None:
    runner = PipelineRunner(Pipeline(engine, None), FolderArtifacts(tmp_path))
    (outcome,) = run(runner, JobSpec(new_job_id(), str(tmp_path / "gone.png")))
    assert outcome.status == "failed"
    assert outcome.error
    assert not outcome.retryable


def test_reading_alone_raises_what_stopped_it(engine: Engine, cover: Cover) -> None:
    with pytest.raises(AlbumGenError):
        Pipeline(engine, None).read(clip(cover, rag=False, overrides={"key": "H"}))


def test_complete_overrides_need_no_reading(engine: Engine, cover: Cover) -> None:
    read, *_ = Pipeline(engine, None).read(clip(cover, rag=False, seed=2))
    again, *_ = Pipeline(engine, None).read(clip(cover, seed=3, overrides=read.to_dict()))
    assert again == read
    assert isinstance(again, MusicalAttributes)


def run(runner: PipelineRunner, *jobs: JobSpec) -> list[JobOutcome]:
    return runner.run(jobs, on_progress=lambda *_: None, is_cancelled=lambda _: False)
