"""Where batches run: one interface, whether the models live in a child process, in this one or elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from albumgen_core.errors import JobError
from albumgen_core.jobs.spec import JobOutcome, JobProgress, JobSpec

EngineInfo = Mapping[str, Any]
"""What a runner says of its engine: family, models, number of albums, notices."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch came to: outcomes in order, seconds by stage, seconds in all."""

    outcomes: list[JobOutcome]
    timings: Mapping[str, float]
    elapsed: float


class BackendDiedError(Exception):
    """The backend ended, or was ended for hanging, with the batch in its hands; the text says how."""


class BatchFailedError(Exception):
    """The runner raised; the backend can run other batches."""

    def __init__(self, error: str, *, out_of_memory: bool) -> None:
        super().__init__(error)
        self.out_of_memory = out_of_memory


def ignore_progress(_job_id: str, _stage: str, _fraction: float) -> None:
    """A JobProgress for callers who do not watch."""


def ignore_free() -> None:
    """For callers of `Backend.run` who send one batch at a time."""


class Backend(Protocol):
    """One runner with its models.

    Attributes:
        dead: set once it can run nothing any more; another one must be made.
        pid: its process, None while it has none of its own.
    """

    dead: asyncio.Event
    pid: int | None

    async def start(self) -> EngineInfo:
        """Load the engine. Raises EngineNotReadyError or the engine's own AlbumGenError, BackendDiedError."""
        ...

    async def run(
        self,
        batch: Sequence[JobSpec],
        *,
        on_progress: JobProgress = ignore_progress,
        on_free: Callable[[], None] = ignore_free,
    ) -> BatchResult:
        """Run compatible jobs together. Raises BackendDiedError, BatchFailedError.

        Args:
            batch: the jobs.
            on_progress: told, on the event loop, how far each job is.
            on_free: called, if the backend can do so, once the next batch may be sent: its models are done
                with this one, whose files are still being made.
        """
        ...

    def cancel(self, job_id: str) -> None:
        """Nobody waits for this job of a running batch any more."""
        ...

    def kill(self, why: str) -> None:
        """End it now, if that is possible; `dead` is set soon after. Its batches raise BackendDiedError."""
        ...

    async def stop(self, grace: float) -> None:
        """End it: politely within `grace` seconds, then by force."""
        ...


ENGINE_STOPPED = JobError(
    "This clip could not be made: the engine stopped each time it tried.", "core.engine_stopped"
)
UNEXPECTED = JobError("Something went wrong while making this clip.", "ending.failed")
OUT_OF_MEMORY = JobError(
    "This clip needs more memory than the engine has; try a shorter one.", "core.out_of_memory"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a batch, or of half of it.

    Attributes:
        jobs: what was run.
        result: what came of it; an error where there is none.
        out_of_memory: memory ran out for the whole batch, and again for this half of it.
    """

    jobs: list[JobSpec]
    result: BatchResult | BackendDiedError | BatchFailedError
    out_of_memory: bool = False


def failure_of(attempt: Attempt) -> JobError:
    """What the members of a failed attempt are told."""
    if attempt.out_of_memory:
        return OUT_OF_MEMORY
    return ENGINE_STOPPED if isinstance(attempt.result, BackendDiedError) else UNEXPECTED


async def run_in_parts(
    backend: Backend,
    jobs: Sequence[JobSpec],
    *,
    on_progress: JobProgress = ignore_progress,
    on_free: Callable[[], None] = ignore_free,
    is_wanted: Callable[[str], bool] = lambda _job_id: True,
) -> AsyncIterator[Attempt]:
    """Run a batch; where memory runs out, run each half of it once more.

    Yields each run that ended the attempt of its jobs. After a yield with `out_of_memory` the rest of
    the batch follows, on a backend that the caller may have ended: then it is left out.
    """
    batch = [job for job in jobs if is_wanted(job.job_id)]
    if not batch:
        return
    whole = await _attempt(backend, batch, on_progress, on_free)
    if not (isinstance(whole.result, BatchFailedError) and whole.result.out_of_memory):
        yield whole
        return
    middle = (len(batch) + 1) // 2
    for half in (batch[:middle], batch[middle:]):
        wanted = [job for job in half if is_wanted(job.job_id)]
        if not wanted or backend.dead.is_set():
            continue
        part = await _attempt(backend, wanted, on_progress, ignore_free)
        failed = isinstance(part.result, BatchFailedError) and part.result.out_of_memory
        yield Attempt(part.jobs, part.result, out_of_memory=failed)


async def _attempt(
    backend: Backend, jobs: list[JobSpec], on_progress: JobProgress, on_free: Callable[[], None]
) -> Attempt:
    try:
        return Attempt(jobs, await backend.run(jobs, on_progress=on_progress, on_free=on_free))
    except (BackendDiedError, BatchFailedError) as error:
        return Attempt(jobs, error)
