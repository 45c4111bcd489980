"""The pipeline as a backend runs it: jobs in, stored results out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from albumgen_core.errors import AlbumGenError, IndexUnavailableError, JobError
from albumgen_core.jobs.artifacts import Artifacts, FolderArtifacts
from albumgen_core.jobs.layout import DataLayout
from albumgen_core.jobs.spec import JobCancelCheck, JobOutcome, JobProgress, JobSpec, TwoPhaseRunner
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.pipeline.request import ClipRequest
from albumgen_core.pipeline.stages import Pipeline
from albumgen_core.result import Take
from albumgen_core.settings import load_settings
from albumgen_core.vocabulary import Stage

log = logging.getLogger(__name__)

UNEXPECTED = JobError("Something went wrong while making this clip.", "ending.failed")
"""Of a job that fails in a batch whose other jobs do not."""


class PipelineRunner:
    """A TwoPhaseRunner over a Pipeline.

    Args:
        pipeline: the engine, the index and the stages.
        artifacts: where covers come from and results go.
    """

    def __init__(self, pipeline: Pipeline, artifacts: Artifacts) -> None:
        self.pipeline = pipeline
        self.artifacts = artifacts

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
        """Compose a batch; what is returned encodes it and stores it, on any thread.

        A job whose result is already stored is not run a second time. What is composed is kept while it
        grows and until the result is whole, so that a worker that takes over from one that was killed goes
        on where that one stopped.
        """
        outcomes: dict[str, JobOutcome] = {}
        requests: list[ClipRequest] = []
        running: list[JobSpec] = []
        for job in jobs:
            if (reference := self.artifacts.finished(job.job_id)) is not None:
                # An earlier attempt finished and died before it could say so.
                outcomes[job.job_id] = self._final(JobOutcome(job.job_id, "done", result_dir=reference))
                continue
            try:
                requests.append(self._request(job))
                running.append(job)
            except AlbumGenError as error:
                outcomes[job.job_id] = self._final(JobOutcome.failed(job.job_id, error))
        resumed = {
            job.job_id
            for job, request in zip(running, requests, strict=True)
            if request.checkpoint is not None and request.checkpoint.exists()
        }

        def report(position: int, stage: Stage, fraction: float) -> None:
            on_progress(running[position].job_id, stage, fraction)

        finish = self.pipeline.begin(
            requests,
            on_progress=report,
            is_cancelled=lambda position: is_cancelled(running[position].job_id),
        )

        def encode() -> list[JobOutcome]:
            for job, take in zip(running, finish(), strict=True):
                outcome = self._outcome(job, take)
                outcome = msgspec.structs.replace(outcome, resumed=job.job_id in resumed)
                outcomes[job.job_id] = self._final(outcome)
            return [outcomes[job.job_id] for job in jobs]

        return encode

    def _request(self, job: JobSpec) -> ClipRequest:
        cover = self.artifacts.cover(job)
        return ClipRequest(
            cover,
            job,
            continue_from=self.artifacts.earlier_take(job),
            embedding=self.artifacts.embedding(job, cover, self.pipeline.engine.embedder.name),
            compared=job.bundle_id is not None,
            lineage={
                "job": job.job_id,
                "parent": job.parent_id,
                "root": job.root_id or job.job_id,
                "bundle": job.bundle_id,
            },
            checkpoint=self.artifacts.checkpoint(job.job_id),
        )

    def _final(self, outcome: JobOutcome) -> JobOutcome:
        """The outcome, with the checkpoint gone unless another attempt may want it."""
        if not outcome.retryable:
            self.artifacts.remove_checkpoint(outcome.job_id)
        return outcome

    def _outcome(self, job: JobSpec, take: Take | Exception | None) -> JobOutcome:
        if take is None:
            return JobOutcome(job.job_id, "cancelled")
        if isinstance(take, AlbumGenError):
            # A refused picture stays refused; an index that is locked or away may come back.
            return JobOutcome.failed(job.job_id, take, retryable=isinstance(take, IndexUnavailableError))
        if isinstance(take, Exception):
            return JobOutcome.failed(job.job_id, UNEXPECTED, retryable=True)
        try:
            return JobOutcome(job.job_id, "done", result_dir=self.artifacts.put(job.job_id, take))
        except AlbumGenError as error:
            return JobOutcome.failed(job.job_id, error)
        except OSError:
            log.exception("the result of %s cannot be stored", job.job_id)
            return JobOutcome.failed(job.job_id, UNEXPECTED, retryable=True)


def build_runner(config: Path | None) -> TwoPhaseRunner:
    """The worker's default RunnerFactory. Raises ConfigError, EngineUnavailableError."""
    settings = load_settings(config)
    return PipelineRunner(open_pipeline(settings), FolderArtifacts(DataLayout(settings.data_dir).results))
