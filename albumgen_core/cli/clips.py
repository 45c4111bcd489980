"""Clips made in this process, through the same backend interface as the bot's jobs.

So batches are capped, run in halves where memory runs out, and a cover that fails costs no other its clip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from albumgen_core.audio.types import Audio
from albumgen_core.cli.console import file_problem, progress_bar
from albumgen_core.cover.read import Cover
from albumgen_core.errors import ForeignFolderError
from albumgen_core.inference.in_process_backend import InProcessBackend
from albumgen_core.inference.run_jobs import batches, run_jobs
from albumgen_core.jobs.artifacts import Artifacts
from albumgen_core.jobs.spec import BatchRunner, ClipOptions, JobSpec, new_job_id
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.pipeline.request import ClipRequest
from albumgen_core.pipeline.stages import Pipeline
from albumgen_core.result import Take, write_take
from albumgen_core.settings import Settings
from albumgen_core.vocabulary import STAGES, Stage
from albumgen_core.worker.runner import PipelineRunner

STAGE_WORDS: dict[Stage, str] = {
    "embed": "embedding the cover",
    "retrieve": "finding similar albums",
    "describe": "predicting the attributes",
    "prompt": "writing the prompt",
    "compose": "composing",
    "encode": "encoding",
}
STAGE_WEIGHTS: dict[Stage, float] = {
    "embed": 5,
    "retrieve": 2,
    "describe": 15,
    "prompt": 1,
    "compose": 70,
    "encode": 7,
}


@dataclass(slots=True)
class Clip:
    """One clip to be made.

    Attributes:
        label: shown beside its progress.
        cover, options: what it is made from.
        folder: where its take goes.
        checkpoint: where the composer keeps what it has, so that an interrupted run can go on; or None.
        take: set once it is made and written.
        problem: what went wrong instead, as a sentence.
    """

    label: str
    cover: Cover
    options: ClipOptions
    folder: Path
    checkpoint: Path | None = None
    take: Take | None = None
    problem: str = ""
    job_id: str = field(default_factory=new_job_id)


class _ClipFolders:
    """Artifacts of clips whose covers are at hand and whose takes go where each says."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self._clips = {clip.job_id: clip for clip in clips}

    def cover(self, job: JobSpec) -> Cover:
        return self._clips[job.job_id].cover

    def earlier_take(self, job: JobSpec) -> Audio | None:
        return None

    def embedding(self, job: JobSpec, cover: Cover, embedder: str) -> NDArray[np.float32] | None:
        return None

    def checkpoint(self, job_id: str) -> Path | None:
        path = self._clips[job_id].checkpoint
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def remove_checkpoint(self, job_id: str) -> None:
        path = self._clips[job_id].checkpoint
        if path is not None:
            path.unlink(missing_ok=True)

    def finished(self, job_id: str) -> str | None:
        return None

    def put(self, job_id: str, take: Take) -> str:
        """Write the take; a folder that cannot be written concerns this clip alone."""
        clip = self._clips[job_id]
        try:
            write_take(take, clip.folder)
            clip.take = take
        except ForeignFolderError as error:
            clip.problem = str(error)
        except OSError as error:
            clip.problem = f"{clip.folder} cannot be written: {file_problem(error)}"
        return str(clip.folder)


class _ClipRunner(PipelineRunner):
    def __init__(self, pipeline: Pipeline, artifacts: Artifacts, *, stems: bool) -> None:
        super().__init__(pipeline, artifacts)
        self._stems = stems

    def _request(self, job: JobSpec) -> ClipRequest:
        return replace(super()._request(job), stems=self._stems)


def make_clips(
    settings: Settings,
    clips: Sequence[Clip],
    on_batch: Callable[[Sequence[Clip]], None],
    *,
    stems: bool = False,
) -> Pipeline:
    """Make clips and write their takes; returns the pipeline that did.

    Args:
        settings: the configuration.
        clips: `take` or `problem` of each is set.
        on_batch: called after each batch with its clips.
        stems: whether the groups of players are wanted apart too, from composers that can.

    Raises what keeps the engine from starting: EngineUnavailableError, ConfigError, IndexUnavailableError.
    """
    pipelines: list[Pipeline] = []

    def make_runner() -> BatchRunner:
        pipelines.append(open_pipeline(settings))
        return _ClipRunner(pipelines[0], _ClipFolders(clips), stems=stems)

    asyncio.run(_run(InProcessBackend(make_runner), clips, settings.inference.max_batch, on_batch))
    return pipelines[0]


async def _run(
    backend: InProcessBackend,
    clips: Sequence[Clip],
    max_batch: int,
    on_batch: Callable[[Sequence[Clip]], None],
) -> None:
    await backend.start()
    by_id = {clip.job_id: clip for clip in clips}
    jobs = [JobSpec(job_id=clip.job_id, **msgspec.structs.asdict(clip.options)) for clip in clips]
    for batch in batches(jobs, max_batch):
        with progress_bar() as progress:
            whole = sum(STAGE_WEIGHTS.values())
            bars = {job.job_id: progress.add_task(by_id[job.job_id].label, total=whole) for job in batch}

            def on_progress(job_id: str, stage: Stage, fraction: float) -> None:
                before = sum(STAGE_WEIGHTS[earlier] for earlier in STAGES[: STAGES.index(stage)])
                progress.update(
                    bars[job_id],  # noqa: B023
                    completed=before + STAGE_WEIGHTS[stage] * fraction,
                    description=f"{by_id[job_id].label} {STAGE_WORDS[stage]}",
                )

            for outcome in await run_jobs(backend, batch, max_batch=max_batch, on_progress=on_progress):
                clip = by_id[outcome.job_id]
                if outcome.status != "done":
                    clip.problem = f"{clip.label}: {outcome.error}"
                ended = "done" if clip.take is not None else "failed"
                progress.update(bars[outcome.job_id], completed=whole, description=f"{clip.label} {ended}")
        on_batch([by_id[job.job_id] for job in batch])
