"""A clip that was half composed when its worker was killed, through the whole product."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from albumgen_core.errors import AlbumGenError, JobCancelledError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.jobs.artifacts import FolderArtifacts
from albumgen_core.jobs.layout import DataLayout, checkpoint_path
from albumgen_core.jobs.spec import JobSpec, new_job_id
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.result import read_tokens
from albumgen_core.settings import Settings, load_settings
from albumgen_core.vocabulary import Stage
from albumgen_core.worker.runner import PipelineRunner
from tests.albumgen_core.engines.neural.conftest import picture
from tests.checkpoints import musicgen
from tests.waiting import eventually

MORTAL = "tests.albumgen_core.engines.neural.mortal"
SECONDS = 8.0


@pytest.fixture(scope="module")
def config(clip_folder: Path, internvl_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("product")
    music = musicgen.build(home / "tiny-musicgen")
    path = home / "config.toml"
    path.write_text(
        f"""
        data_dir = "{home / "data"}"
        [engine]
        family = "neural"
        device = "cpu"
        dtype = "float32"
        threads = 1
        clip.model = "{clip_folder}"
        internvl.model = "{internvl_folder}"
        musicgen.model = "{music}"
        """
    )
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return load_settings(config)


@pytest.fixture(scope="module")
def runner(config: Path, tmp_path_factory: pytest.TempPathFactory) -> PipelineRunner:
    """The same engine in this process, with result folders of its own: what nobody interrupts."""
    return PipelineRunner(
        open_pipeline(load_settings(config)), FolderArtifacts(tmp_path_factory.mktemp("uninterrupted"))
    )


@pytest.fixture(scope="module")
def cover(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cover") / "cover.jpg"
    path.write_bytes(picture(1).to_jpeg())
    return path


def spec(cover: Path, seed: int, seconds: float = SECONDS) -> JobSpec:
    return JobSpec(new_job_id(), str(cover), rag=False, seconds=seconds, seed=seed)


class Killed(BaseException):
    """As sudden as a signal: nothing on the way catches it."""


class Watcher:
    """Fractions of composing, as they are told; may put an end to it."""

    def __init__(self, kill_at: float = 2.0) -> None:
        self.kill_at = kill_at
        self.fractions: list[float] = []

    def __call__(self, _job_id: str, stage: Stage, fraction: float) -> None:
        if stage == "compose":
            self.fractions.append(fraction)
            if fraction >= self.kill_at:
                raise Killed


def tokens_of(folder: str | Path | None) -> NDArray[np.int16]:
    assert folder is not None
    tokens = read_tokens(Path(folder))
    assert tokens is not None
    return tokens


def compose(runner: PipelineRunner, *jobs: JobSpec, kill_at: float = 2.0) -> tuple[list[float], list[str]]:
    watcher = Watcher(kill_at)
    outcomes = runner.run(jobs, on_progress=watcher, is_cancelled=lambda _: False)
    assert [outcome.status for outcome in outcomes] == ["done"] * len(jobs)
    return watcher.fractions, [str(outcome.result_dir) for outcome in outcomes]


def left_over(results: Path) -> list[str]:
    return sorted(path.name for path in results.glob("*.part*"))


@pytest.mark.slow
async def test_a_worker_killed_while_composing_is_followed_by_one_that_goes_on(
    config: Path, settings: Settings, runner: PipelineRunner, cover: Path
) -> None:
    DataLayout(settings.data_dir).results.mkdir(parents=True)
    checkpoint_path(DataLayout(settings.data_dir).results, "nobody").touch()
    mortal = ClientSettings(settings.data_dir, config=config, runner=f"{MORTAL}:build", min_free_bytes=0)
    client = InferenceClient(mortal)
    await client.start()
    try:
        jobs = [spec(cover, seed) for seed in (1, 2)]
        handles = await client.submit_bundle([job.replace(bundle_id="both") for job in jobs])
        results = [await handle.result() for handle in handles]

        _, expected = compose(runner, *jobs)
        lives = composed(config.parent / "composed.txt")
        first, second = dict.fromkeys(worker for worker, _ in lives)
        for job, result, folder in zip(jobs, results, expected, strict=True):
            assert np.array_equal(tokens_of(result.result_dir), tokens_of(folder))
            before, after = lives[first, job.job_id], lives[second, job.job_id]
            assert 0.45 < before[-1] < 0.55
            # At most the steps since the last save were taken twice.
            steps = SECONDS * 50
            assert after[0] > before[-1] - 130 / steps
            assert len(before) + len(after) < steps + 130
            assert after == sorted(after)
            assert after[-1] == 1.0
        assert left_over(DataLayout(settings.data_dir).results) == []

        gone = await client.submit(spec(cover, 3, 120.0))
        path = checkpoint_path(DataLayout(settings.data_dir).results, gone.job_id)
        await eventually(path.exists, 120)
        await client.cancel(gone.job_id)
        with pytest.raises(JobCancelledError):
            await gone.result()
        await eventually(lambda: not path.exists(), 120)
        assert left_over(DataLayout(settings.data_dir).results) == []
    finally:
        await client.close(grace=0.0)


def composed(diary: Path) -> dict[tuple[str, str], list[float]]:
    """What each worker process reported of composing each job."""
    reports: dict[tuple[str, str], list[float]] = {}
    for line in diary.read_text().splitlines():
        worker, job_id, fraction = line.split()
        reports.setdefault((worker, job_id), []).append(float(fraction))
    return reports


@pytest.mark.slow
def test_an_interrupted_batch_goes_on_whoever_is_in_the_next_one(
    runner: PipelineRunner, cover: Path, tmp_path: Path
) -> None:
    interrupted = PipelineRunner(runner.pipeline, FolderArtifacts(tmp_path / "results"))
    first, second, third = (spec(cover, seed, seconds) for seed, seconds in ((4, 6.0), (5, 6.0), (6, 2.0)))
    with pytest.raises(Killed):
        compose(interrupted, first, second, kill_at=0.75)
    fractions, folders = compose(interrupted, first, third)
    assert fractions[0] > 0.5
    _, expected = compose(runner, first, second, third)
    assert np.array_equal(tokens_of(folders[0]), tokens_of(expected[0]))
    assert np.array_equal(tokens_of(folders[1]), tokens_of(expected[2]))
    [kept] = left_over(tmp_path / "results")
    assert kept == checkpoint_path(Path(), second.job_id).name
    [outcome] = interrupted.run([second], on_progress=Watcher(), is_cancelled=lambda _: False)
    assert outcome.resumed
    assert np.array_equal(tokens_of(outcome.result_dir), tokens_of(expected[1]))
    assert left_over(tmp_path / "results") == []


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "noise", "other"])
def test_a_damaged_checkpoint_begins_anew(
    runner: PipelineRunner, cover: Path, tmp_path: Path, damage: str
) -> None:
    interrupted = PipelineRunner(runner.pipeline, FolderArtifacts(tmp_path))
    job = spec(cover, 7, 4.0)
    with pytest.raises(Killed):
        compose(interrupted, job, kill_at=0.8)
    path = checkpoint_path(tmp_path, job.job_id)
    whole = path.read_bytes()
    if damage == "other":  # whole, but of another job
        buffer = BytesIO()
        np.savez(buffer, identity=np.array("another"), tokens=np.zeros((4, 200), np.int16))
        path.write_bytes(buffer.getvalue())
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"\x00" * len(whole))
    fractions, [folder] = compose(interrupted, job)
    assert fractions[0] < 0.01
    assert np.array_equal(tokens_of(folder), tokens_of(compose(runner, job)[1][0]))
    assert left_over(tmp_path) == []


@pytest.mark.slow
def test_what_failed_for_good_leaves_nothing(
    runner: PipelineRunner, cover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted = PipelineRunner(runner.pipeline, FolderArtifacts(tmp_path))
    job = spec(cover, 8, 4.0)
    with pytest.raises(Killed):
        compose(interrupted, job, kill_at=0.8)

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("the encoder is away")

    with monkeypatch.context() as patch:
        patch.setattr("albumgen_core.pipeline.finish.begin_clip", full)
        [again] = interrupted.run([job], on_progress=Watcher(), is_cancelled=lambda _: False)
    assert (again.status, again.retryable) == ("failed", True)
    assert left_over(tmp_path) == [checkpoint_path(tmp_path, job.job_id).name]

    def refuse(*_: object, **__: object) -> None:
        raise AlbumGenError("No.")

    with monkeypatch.context() as patch:
        patch.setattr("albumgen_core.pipeline.finish.begin_clip", refuse)
        watcher = Watcher()
        [ended] = interrupted.run([job], on_progress=watcher, is_cancelled=lambda _: False)
    assert (ended.status, ended.retryable) == ("failed", False)
    assert watcher.fractions == []  # every token was there
    assert left_over(tmp_path) == []
