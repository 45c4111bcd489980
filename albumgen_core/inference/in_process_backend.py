"""A backend in this process, for programs that do nothing else meanwhile, such as the command line."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from albumgen_core.inference.backend import (
    BackendDiedError,
    BatchFailedError,
    BatchResult,
    EngineInfo,
    ignore_free,
    ignore_progress,
)
from albumgen_core.jobs.running import describe_error, engine_info, is_out_of_memory, release_memory
from albumgen_core.jobs.spec import BatchRunner, JobOutcome, JobProgress, JobSpec
from albumgen_core.vocabulary import Stage

T = TypeVar("T")


class InProcessBackend:
    """A Backend whose runner works on a thread of this process, one batch at a time.

    A batch that is under way cannot be ended by force: `kill` only cancels its jobs, and a caller that is
    cancelled leaves it running on a daemon thread, which does not keep the process from exiting.

    Args:
        make_runner: builds the runner, in `start`.
    """

    def __init__(self, make_runner: Callable[[], BatchRunner]) -> None:
        self._make_runner = make_runner
        self._runner: BatchRunner | None = None
        self._cancelled: set[str] = set()
        self._running: set[str] = set()
        self._turn = asyncio.Lock()
        self.dead = asyncio.Event()
        self.pid: int | None = None

    async def start(self) -> EngineInfo:
        """Load the engine; its own errors (EngineUnavailableError, ConfigError, …) are raised as they are."""
        self._runner = await _in_daemon_thread(self._make_runner)
        return engine_info(self._runner)

    async def run(
        self,
        batch: Sequence[JobSpec],
        *,
        on_progress: JobProgress = ignore_progress,
        on_free: Callable[[], None] = ignore_free,
    ) -> BatchResult:
        """See Backend. `timings` is empty."""
        runner, loop, jobs = self._runner, asyncio.get_running_loop(), list(batch)
        if runner is None or self.dead.is_set():
            raise BackendDiedError("it is not running")

        def report(job_id: str, stage: Stage, fraction: float) -> None:
            loop.call_soon_threadsafe(on_progress, job_id, stage, fraction)

        def work() -> list[JobOutcome]:
            try:
                return runner.run(jobs, on_progress=report, is_cancelled=self._cancelled.__contains__)
            except Exception as error:
                # The traceback holds the tensors of the failed batch; only without it can memory be freed.
                error.__traceback__ = None
                release_memory()
                raise BatchFailedError(
                    describe_error(error), out_of_memory=is_out_of_memory(error)
                ) from error

        job_ids = {job.job_id for job in jobs}
        async with self._turn:
            started = time.monotonic()
            self._running = job_ids
            try:
                outcomes = await _in_daemon_thread(work)
            except asyncio.CancelledError:
                self._cancelled |= job_ids
                raise
            finally:
                self._running = set()
        self._cancelled -= job_ids
        on_free()
        return BatchResult(outcomes, {}, time.monotonic() - started)

    def cancel(self, job_id: str) -> None:
        """See Backend."""
        self._cancelled.add(job_id)

    def kill(self, why: str) -> None:
        """Take no other batch, and cancel the one under way."""
        self._cancelled |= self._running
        self.dead.set()

    async def stop(self, grace: float) -> None:
        """Take no other batch; wait up to `grace` seconds for the one under way."""
        self.dead.set()
        try:
            async with asyncio.timeout(grace), self._turn:
                pass
        except TimeoutError:
            self._cancelled |= self._running


def _in_daemon_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """The result of `work`, on a thread that ends with the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result, error = work(), None
        except BaseException as raised:
            result, error = None, raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="batch", daemon=True).start()
    return future
