"""Jobs run to their end on one backend, without a journal: what the command line does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albumgen_core.errors import JobError
from albumgen_core.inference.backend import (
    Attempt,
    Backend,
    BatchResult,
    failure_of,
    ignore_progress,
    run_in_parts,
)
from albumgen_core.inference.queue import batch_key
from albumgen_core.jobs.spec import JobOutcome, JobProgress, JobSpec


def ignore_outcome(_outcome: JobOutcome) -> None:
    """For callers who only want the list at the end."""


async def run_jobs(
    backend: Backend,
    jobs: Sequence[JobSpec],
    *,
    max_batch: int,
    on_progress: JobProgress = ignore_progress,
    on_outcome: Callable[[JobOutcome], None] = ignore_outcome,
) -> list[JobOutcome]:
    """Run jobs in batches of those that fit together; one outcome a job, in order.

    A batch for which memory runs out is halved. Jobs of a batch that fails are run once more, each alone, so
    that one of them does not cost the others.

    Args:
        backend: started.
        jobs: with distinct ids.
        max_batch: most jobs in a batch, ≥ 1.
        on_progress: told how far each job is.
        on_outcome: told each outcome as soon as it is known.
    """
    outcomes: dict[str, JobOutcome] = {}

    def note(found: Sequence[JobOutcome]) -> None:
        for outcome in found:
            outcomes[outcome.job_id] = outcome
            on_outcome(outcome)

    async def run(batch: Sequence[JobSpec], *, last: bool) -> list[JobSpec]:
        """Returns the jobs that are to be run alone."""
        again: list[JobSpec] = []
        async for attempt in run_in_parts(backend, batch, on_progress=on_progress):
            if isinstance(attempt.result, BatchResult):
                note(attempt.result.outcomes)
            elif last or len(attempt.jobs) == 1:
                note(_failed(attempt, failure_of(attempt)))
            else:
                again += attempt.jobs
        return again

    for batch in batches(jobs, max_batch):
        for job in await run(batch, last=False):
            await run([job], last=True)
    return [outcomes[job.job_id] for job in jobs]


def batches(jobs: Sequence[JobSpec], max_batch: int) -> list[list[JobSpec]]:
    """Jobs that can run together, at most `max_batch` of them, in the order in which they came."""
    groups: dict[tuple[float, bool], list[JobSpec]] = {}
    for job in jobs:
        groups.setdefault(batch_key(job), []).append(job)
    return [
        group[start : start + max_batch]
        for group in groups.values()
        for start in range(0, len(group), max_batch)
    ]


def _failed(attempt: Attempt, problem: JobError) -> list[JobOutcome]:
    return [JobOutcome.failed(job.job_id, problem) for job in attempt.jobs]
