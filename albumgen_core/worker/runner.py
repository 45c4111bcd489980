"""The pipeline as the worker process runs it: jobs in, result folders out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from albumgen_core.audio.encode import decode_mp3
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import load_checked_cover
from albumgen_core.errors import AlbumGenError, IndexUnavailableError
from albumgen_core.jobs.layout import checkpoint_path, remove_checkpoint
from albumgen_core.jobs.spec import JobCancelCheck, JobOutcome, JobProgress, JobSpec, TwoPhaseRunner
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.pipeline.stages import ClipRequest, Pipeline
from albumgen_core.result import CLIP_MP3, Take, is_whole, read_tokens, write_take
from albumgen_core.settings import load_settings
from albumgen_core.vocabulary import Stage

log = logging.getLogger(__name__)


class PipelineRunner:
    """A TwoPhaseRunner over a Pipeline.

    Args:
        pipeline: what does the work.
        results_dir: where result folders are made, one a job, named by its id.
    """

    def __init__(self, pipeline: Pipeline, results_dir: Path) -> None:
        self.pipeline = pipeline
        self.results_dir = results_dir

    def engine_info(self) -> dict[str, Any]:
        """What the worker says of itself when it is ready."""
        engine = self.pipeline.engine
        return {
            "family": engine.family,
            "embedder": engine.embedder.name,
            "describer": engine.describer.name,
            "composer": engine.composer.name,
            "albums": len(self.pipeline.index) if self.pipeline.index is not None else 0,
            "notices": list(self.pipeline.notices),
        }

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        """Run a batch: `begin`, and what is left."""
        return self.begin(jobs, on_progress=on_progress, is_cancelled=is_cancelled)()

    def begin(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> Callable[[], list[JobOutcome]]:
        """Compose a batch; what is returned encodes it and writes it to disk, on any thread.

        A job whose result is already whole on disk is not run a second time. What is composed is kept beside
        the results while it grows and until they are whole, so that a worker that takes over from one that
        was killed goes on where that one stopped.
        """
        self.results_dir.mkdir(parents=True, exist_ok=True)  # the first checkpoint comes before any result
        outcomes: dict[str, JobOutcome] = {}
        requests: list[ClipRequest] = []
        running: list[JobSpec] = []
        for job in jobs:
            folder = self.results_dir / job.job_id
            if is_whole(folder):
                # An earlier attempt finished and died before it could say so.
                outcomes[job.job_id] = self._kept(JobOutcome(job.job_id, "done", result_dir=str(folder)))
                continue
            try:
                requests.append(self._request(job))
                running.append(job)
            except AlbumGenError as error:
                outcomes[job.job_id] = self._kept(JobOutcome(job.job_id, "failed", error=str(error)))
        resumed = {job.job_id for job in running if checkpoint_path(self.results_dir, job.job_id).exists()}

        def tell(position: int, stage: Stage, fraction: float) -> None:
            on_progress(running[position].job_id, stage, fraction)

        finish = self.pipeline.begin(
            requests,
            on_progress=tell,
            is_cancelled=lambda position: is_cancelled(running[position].job_id),
        )

        def encode() -> list[JobOutcome]:
            for job, take in zip(running, finish(), strict=True):
                outcome = replace(self._outcome(job, take), resumed=job.job_id in resumed)
                outcomes[job.job_id] = self._kept(outcome)
            return [outcomes[job.job_id] for job in jobs]

        return encode

    def _request(self, job: JobSpec) -> ClipRequest:
        return replace(_request(job), checkpoint=checkpoint_path(self.results_dir, job.job_id))

    def _kept(self, outcome: JobOutcome) -> JobOutcome:
        """The outcome, with the checkpoint gone unless another attempt may want it."""
        if not outcome.retryable:
            remove_checkpoint(self.results_dir, outcome.job_id)
        return outcome

    def _outcome(self, job: JobSpec, take: Take | Exception | None) -> JobOutcome:
        if take is None:
            return JobOutcome(job.job_id, "cancelled")
        if isinstance(take, AlbumGenError):
            # A refused picture stays refused; an index that is locked or away may come back.
            return JobOutcome(
                job.job_id, "failed", error=str(take), retryable=isinstance(take, IndexUnavailableError)
            )
        if isinstance(take, Exception):
            return JobOutcome(
                job.job_id, "failed", error="Something went wrong while making this clip.", retryable=True
            )
        folder = write_take(take, self.results_dir / job.job_id)
        return JobOutcome(job.job_id, "done", result_dir=str(folder))


def build_runner(config: Path | None) -> TwoPhaseRunner:
    """The worker's default RunnerFactory. Raises ConfigError, EngineUnavailableError."""
    settings = load_settings(config)
    return PipelineRunner(open_pipeline(settings), settings.results_dir)


def _request(job: JobSpec) -> ClipRequest:
    return ClipRequest(
        cover=load_checked_cover(Path(job.cover_path)),
        rag=job.rag,
        seconds=job.seconds,
        seed=job.seed,
        prompt_style=job.prompt_style,
        name_artist=job.name_artist,
        overrides=job.overrides,
        continue_from=_earlier_clip(Path(job.continue_from)) if job.continue_from else None,
        lineage={
            "job": job.job_id,
            "parent": job.parent_id,
            "root": job.root_id or job.job_id,
            "bundle": job.bundle_id,
        },
    )


def _earlier_clip(folder: Path) -> Audio:
    """The take to play on from, with its tokens when they were kept. Raises AlbumGenError when it is gone."""
    try:
        audio = decode_mp3(folder / CLIP_MP3)
        tokens = read_tokens(folder)
    except OSError as error:
        raise AlbumGenError("The earlier clip is no longer kept, so it cannot be continued.") from error
    return Audio(audio.samples, audio.sample_rate, tokens)
