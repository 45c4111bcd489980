"""Keeps workers alive and busy: respawn with backoff, one retry on less memory, nothing runs for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from albumgen_core.errors import AlbumGenError, EngineNotReadyError
from albumgen_core.inference.backend import (
    Attempt,
    Backend,
    BackendDiedError,
    BatchResult,
    EngineInfo,
    failure_of,
    run_in_parts,
)
from albumgen_core.inference.scheduler import LiveJob, Scheduler
from albumgen_core.inference.subprocess_backend import WorkerOptions

log = logging.getLogger(__name__)

WorkerState = Literal["starting", "idle", "busy", "waiting to restart", "not ready", "stopped"]

STARTS_BEFORE_GIVING_UP = 3
"""Crashes in a row, before the engine was ever loaded, after which it counts as not ready."""

_FIRST_BACKOFF = 0.25
_LONGEST_BACKOFF = 30.0
_UNAVAILABLE_RETRY = 60.0


@dataclass(slots=True, eq=False)
class RunningBatch:
    """A batch that a worker runs.

    Attributes:
        jobs: what is in it. task: what waits for its end.
        excused: the worker is ended for the memory that another batch took.
    """

    jobs: list[LiveJob]
    task: asyncio.Task[None]
    excused: bool = False


@dataclass(slots=True)
class Slot:
    """A place for one worker, whichever process fills it at the moment."""

    index: int
    options: WorkerOptions
    state: WorkerState = "starting"
    message: str = ""
    backend: Backend | None = None
    batches: list[RunningBatch] = field(default_factory=list)
    starts: int = 0
    failures: int = 0
    since: float = field(default_factory=time.monotonic)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def jobs(self) -> list[LiveJob]:
        """Those in the worker's hands: of the batch it composes, and of the one it writes the files of."""
        return [job for batch in self.batches for job in batch.jobs]

    def set_state(self, state: WorkerState, message: str = "") -> None:
        """Change the state that is shown."""
        self.state, self.message, self.since = state, message, time.monotonic()


class Supervisor:
    """Runs the scheduler's batches in as many worker processes as there are options."""

    def __init__(
        self,
        scheduler: Scheduler,
        options: Sequence[WorkerOptions],
        make_backend: Callable[[WorkerOptions], Backend],
    ) -> None:
        self.slots = [Slot(index, each) for index, each in enumerate(options)]
        self.engine: EngineInfo = {}
        self._make_backend = make_backend
        self._scheduler = scheduler
        self._draining = False
        self._tasks: list[asyncio.Task[None]] = []
        scheduler.workers = len(self.slots)
        scheduler.cancel_running = self._cancel

    def start(self) -> None:
        """Begin to serve."""
        self._tasks = [
            asyncio.create_task(self._serve(slot), name=f"worker-{slot.index}") for slot in self.slots
        ]

    @property
    def not_ready(self) -> str | None:
        """Why no worker can run anything, or None while at least one can, or may soon."""
        reasons = [slot.message for slot in self.slots if slot.state == "not ready"]
        return reasons[0] if len(reasons) == len(self.slots) else None

    def retry(self) -> None:
        """Try again at once to start workers that are waiting to."""
        for slot in self.slots:
            slot.wake.set()

    async def drain(self, grace: float) -> None:
        """Start nothing new, give running batches `grace` seconds, then put their jobs back in line."""
        self._draining = True
        self.retry()
        async with self._scheduler.arrived:
            self._scheduler.arrived.notify_all()
        for slot in self.slots:
            if slot.state == "starting" and slot.backend is not None:
                slot.backend.kill("AlbumGen is stopping")
        _, late = await asyncio.wait(self._tasks, timeout=grace) if self._tasks else (set(), set())
        for task in late:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("the supervision of a worker failed", exc_info=outcome)

    async def _serve(self, slot: Slot) -> None:
        try:
            while not self._draining:
                _remove_ended(slot)
                backend = await self._running_backend(slot)
                if backend is None or not await self._work_waits(slot, backend):
                    continue
                if jobs := self._scheduler.next_batch():
                    slot.set_state("busy")
                    await self._send(slot, backend, jobs)
            await self._finish_batches(slot)
        except asyncio.CancelledError:
            jobs = slot.jobs
            await _cancel_batches(slot)
            if slot.backend is not None:
                slot.backend.kill("AlbumGen is stopping")
            await self._scheduler.requeue(jobs)
            raise
        except Exception as error:
            # The journal itself failed (damaged, removed): nothing can be promised any more.
            slot.set_state("stopped", str(error))
            self._scheduler.fail_watchers(error)
            raise
        finally:
            await _cancel_batches(slot)
            if slot.backend is not None:
                await slot.backend.stop(grace=2.0)
            slot.backend = None
            if slot.state != "stopped":
                slot.set_state("stopped")

    async def _send(self, slot: Slot, backend: Backend, jobs: list[LiveJob]) -> None:
        """Send a batch; returns once the worker may have the next one."""
        free = asyncio.Event()
        task = asyncio.create_task(self._run(slot, backend, jobs, on_free=free.set))
        slot.batches.append(RunningBatch(jobs, task))
        waiting = asyncio.create_task(free.wait())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def _finish_batches(self, slot: Slot) -> None:
        """Wait until every batch has come to its end."""
        while slot.batches:
            await asyncio.wait([batch.task for batch in slot.batches])
            _remove_ended(slot)

    async def _running_backend(self, slot: Slot) -> Backend | None:
        """The slot's live worker; None after a failed start (the pause is over by then)."""
        if slot.backend is not None and not slot.backend.dead.is_set():
            state: WorkerState = "busy" if slot.batches else "idle"
            if slot.state != state:
                slot.set_state(state)
            return slot.backend
        if slot.backend is not None:
            await self._finish_batches(slot)  # what it had is back in line before another one begins
            await self._on_end(slot, slot.backend)
            await self._pause(slot, _backoff(slot.failures - 1))
        if self._draining:
            return None
        slot.set_state("starting")
        slot.starts += 1
        slot.backend = self._make_backend(slot.options)
        try:
            self.engine = await slot.backend.start()
        except AlbumGenError as error:
            reason = error.reason if isinstance(error, EngineNotReadyError) else str(error)
            await self._on_end(slot, slot.backend)
            slot.set_state("not ready", reason)
            log.error("worker %d cannot start: %s", slot.index, reason)
            await self._pause(slot, _UNAVAILABLE_RETRY)
            return None
        except BackendDiedError as error:
            await self._on_end(slot, slot.backend)
            log.error("worker %d died while it started: %s", slot.index, error)
            gave_up = slot.failures >= STARTS_BEFORE_GIVING_UP
            slot.set_state(
                "not ready" if gave_up else "waiting to restart", f"the worker does not start: {error}"
            )
            await self._pause(slot, _backoff(slot.failures))
            return None
        slot.set_state("idle")
        return slot.backend

    async def _on_end(self, slot: Slot, backend: Backend) -> None:
        slot.failures += 1
        await backend.stop(grace=0.0)
        slot.backend = None

    async def _pause(self, slot: Slot, seconds: float) -> None:
        if seconds <= 0 or self._draining:
            return
        if slot.state != "not ready":
            slot.set_state("waiting to restart", slot.message)
        slot.wake.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(slot.wake.wait(), seconds)

    async def _work_waits(self, slot: Slot, backend: Backend) -> bool:
        """Sleep until there is work for this worker (True), or it died, a batch ended or we are draining."""
        if len(self._scheduler.queue):
            return not self._draining and not backend.dead.is_set()
        death = asyncio.ensure_future(backend.dead.wait())
        work = asyncio.ensure_future(self._arrival())
        try:
            await asyncio.wait(
                {death, work, *(batch.task for batch in slot.batches)}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            death.cancel()
            work.cancel()
            await asyncio.gather(death, work, return_exceptions=True)
        return not self._draining and not backend.dead.is_set() and len(self._scheduler.queue) > 0

    async def _arrival(self) -> None:
        async with self._scheduler.arrived:
            await self._scheduler.arrived.wait_for(lambda: self._draining or len(self._scheduler.queue) > 0)

    async def _run(
        self, slot: Slot, backend: Backend, jobs: list[LiveJob], *, on_free: Callable[[], None]
    ) -> None:
        """Run jobs to whatever end; what a failed run leaves is back in line, or politely failed."""
        live = {job.job_id: job for job in jobs}
        fences = {job.job_id: job.fence for job in jobs}
        attempts = run_in_parts(
            backend,
            [job.spec for job in jobs],
            on_progress=self._scheduler.progress,
            on_free=on_free,
            is_wanted=lambda job_id: self._scheduler.is_current(live[job_id], fences[job_id]),
        )
        async for attempt in attempts:
            await self._settle(slot, backend, attempt, [live.pop(job.job_id) for job in attempt.jobs], fences)
        # Memory ran out for the half before these, and its process was ended: no fault of theirs.
        left = [job for job in live.values() if self._scheduler.is_current(job, fences[job.job_id])]
        await self._scheduler.requeue(left, isolated=True)

    async def _settle(
        self, slot: Slot, backend: Backend, attempt: Attempt, jobs: list[LiveJob], fences: Mapping[str, int]
    ) -> None:
        """Journal what a run came to."""
        result = attempt.result
        if isinstance(result, BatchResult):
            slot.failures = 0
            await self._scheduler.on_result(
                result.outcomes, fences, timings=result.timings, elapsed=result.elapsed
            )
            return
        log.warning("worker %d failed on %d job(s): %s", slot.index, len(jobs), result)
        if not attempt.out_of_memory:
            blamed = self._blamed(slot, jobs) if isinstance(result, BackendDiedError) else True
            await self._scheduler.on_failure(jobs, failure_of(attempt), counted=blamed)
            return
        # Fragmented or leaked memory comes back only with the process. The batch that it works on at the same
        # time is not to blame for its end.
        for batch in slot.batches:
            batch.excused = batch.excused or not any(job in batch.jobs for job in jobs)
        backend.kill("it ran out of memory twice")
        await backend.dead.wait()
        await self._scheduler.on_failure(jobs, failure_of(attempt))

    @staticmethod
    def _blamed(slot: Slot, jobs: list[LiveJob]) -> bool:
        """Whether the death of a worker counts as an attempt of these jobs."""
        return not any(batch.excused for batch in slot.batches if any(job in batch.jobs for job in jobs))

    def _cancel(self, job_id: str) -> None:
        for slot in self.slots:
            if slot.backend is not None and any(job.job_id == job_id for job in slot.jobs):
                slot.backend.cancel(job_id)


def _remove_ended(slot: Slot) -> None:
    """Forget the batches that have come to their end. Raises what broke the keeping of one."""
    ended = [batch for batch in slot.batches if batch.task.done()]
    slot.batches = [batch for batch in slot.batches if batch not in ended]
    for batch in ended:
        batch.task.result()


async def _cancel_batches(slot: Slot) -> None:
    """Wait for no batch any more."""
    for batch in slot.batches:
        batch.task.cancel()
    await asyncio.gather(*(batch.task for batch in slot.batches), return_exceptions=True)
    slot.batches = []


def _backoff(failures: int) -> float:
    """No pause after the first death, so that a stray kill costs nothing; then doubling."""
    return 0.0 if failures <= 0 else min(_FIRST_BACKOFF * 2.0 ** (failures - 1), _LONGEST_BACKOFF)
