"""The live jobs of one client: every change of state passes here, journal first, watchers after."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from albumgen_core.errors import AlbumGenError
from albumgen_core.files import is_folder, remove_paths
from albumgen_core.inference.eta import DurationModel
from albumgen_core.inference.events import JobEvent, JobUpdates
from albumgen_core.inference.journal import Journal, StageTiming
from albumgen_core.inference.outbox import RESULT_MISSING, Outbox
from albumgen_core.inference.queue import FairQueue, QueuedJob
from albumgen_core.inference.records import JobRecord
from albumgen_core.jobs.spec import JobOutcome, JobSpec
from albumgen_core.vocabulary import Stage

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 0.05
_REFRESH_SECONDS_A_JOB = 0.002


@dataclass(slots=True, eq=False)
class LiveJob:
    """A job that is queued or running.

    Attributes:
        spec: the request. updates: what its watchers are told. queued: its place in the queue.
        attempts: runs that failed.
        fence: raised each time a run is given up; only the run that began under it can end the job.
        cancelling: its cancellation is being written.
    """

    spec: JobSpec
    updates: JobUpdates
    queued: QueuedJob
    attempts: int = 0
    fence: int = 0
    cancelling: bool = False

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.spec.job_id


class Scheduler:
    """Keeps journal, queue and watchers in step."""

    def __init__(self, journal: Journal, outbox: Outbox, queue: FairQueue, *, max_attempts: int) -> None:
        self.journal = journal
        self.outbox = outbox
        self.queue = queue
        self.durations = DurationModel()
        self.arrived = asyncio.Condition()
        self.workers = 1
        self.cancel_running: Callable[[str], None] = lambda _job_id: None
        self._max_attempts = max_attempts
        self._live: dict[str, LiveJob] = {}
        self._running: dict[str, int] = {}  # job id -> size of the batch it runs in
        self._background: set[asyncio.Task[Any]] = set()
        self._refreshing = False

    def live(self, job_id: str) -> LiveJob | None:
        """A job that is queued or running, else None."""
        return self._live.get(job_id)

    def job_ids(self) -> frozenset[str]:
        """The jobs that are queued or running."""
        return frozenset(self._live)

    def running(self) -> list[LiveJob]:
        """The jobs in workers' hands."""
        return [self._live[job_id] for job_id in self._running if job_id in self._live]

    def restore(self, record: JobRecord) -> None:
        """Put a journalled job in line after a restart."""
        self._enter(record.spec, attempts=record.attempts, isolated=record.isolated, fence=record.fence)

    async def enter(self, specs: Sequence[JobSpec]) -> list[JobUpdates]:
        """Put freshly journalled jobs in line, all at once, and wake a worker."""
        updates = [self._enter(spec) for spec in specs]
        await self._wake()
        return updates

    def next_batch(self) -> list[LiveJob]:
        """The jobs to run next, or []; they count as running from now on."""
        batch = [self._live[queued.job_id] for queued in self.queue.next_batch()]
        for job in batch:
            self._running[job.job_id] = len(batch)
            job.updates.update(JobEvent(job.job_id, "running", eta=self._eta_running(job)))
        if batch:
            fences = {job.job_id: job.fence for job in batch}
            self._spawn(self.journal.mark_running(list(fences), fences))
            self.refresh()
        return batch

    def progress(self, job_id: str, stage: Stage, fraction: float) -> None:
        """A worker's report."""
        job = self._live.get(job_id)
        if job is not None and job_id in self._running:
            event = JobEvent(job_id, "running", stage, fraction)
            job.updates.update(replace(event, eta=self._eta_running(job, event)))

    async def on_result(
        self,
        outcomes: Sequence[JobOutcome],
        fences: Mapping[str, int],
        *,
        timings: Mapping[str, float] | None = None,
        elapsed: float = 0.0,
    ) -> None:
        """A worker has answered for a batch: journal it, pay for it, tell the watchers.

        Args:
            outcomes: one a job.
            fences: the fence of each job when its run began; outcomes of runs that were given up are refused.
            timings: seconds by stage. elapsed: seconds of work on the batch.
        """
        jobs: dict[str, LiveJob] = {}
        unclaimed: list[str] = []
        for outcome in outcomes:
            job = self._live.get(outcome.job_id)
            if job is None and outcome.result_dir:
                # A member who has cancelled has had the answer; what was finished all the same is nobody's.
                unclaimed.append(outcome.result_dir)
            elif job is not None and job.fence == fences[outcome.job_id]:
                jobs[outcome.job_id] = job
            elif job is not None:
                log.warning("a late result of job %s is refused", outcome.job_id)
        if unclaimed:
            await asyncio.to_thread(remove_paths, unclaimed)
        final, again = [], []
        for outcome in (_checked(outcome) for outcome in outcomes if outcome.job_id in jobs):
            job = jobs[outcome.job_id]
            if outcome.retryable and job.attempts + 1 < self._max_attempts:
                again.append(job)
            else:
                final.append(outcome)
        learned = [
            StageTiming(stage, job.spec.seconds, len(outcomes), seconds)
            for job in list(jobs.values())[:1]
            for stage, seconds in (timings or {}).items()
        ]
        if all(outcome.status == "done" and not outcome.resumed for outcome in outcomes):
            for timing in learned:
                self.durations.observe(timing)
        else:
            learned = []  # a batch that lost members, or began half-way, says little about the next one
        await self._finish(final, learned, elapsed / max(1, len(outcomes)), fences)
        if again:
            await self._requeue(again, counted=True, isolated=len(outcomes) > 1)

    async def on_failure(
        self, jobs: Sequence[LiveJob], problem: AlbumGenError, *, counted: bool = True
    ) -> None:
        """A run of these jobs failed (crash, hang, exception): again one by one, or the end with `problem`.

        Args:
            jobs: those of the run.
            problem: what their members are told when no attempt is left.
            counted: whether it was an attempt of theirs.
        """
        jobs = self.wanted(jobs)
        lost = [job for job in jobs if counted and job.attempts + 1 >= self._max_attempts]
        again = [job for job in jobs if job not in lost]
        await self._finish([JobOutcome.failed(job.job_id, problem) for job in lost])
        if again:
            await self._requeue(again, counted=counted, isolated=counted)

    async def requeue(self, jobs: Sequence[LiveJob], *, isolated: bool = False) -> None:
        """A run was called off through no fault of these jobs: back in line, nothing counted."""
        if jobs := self.wanted(jobs):
            await self._requeue(jobs, counted=False, isolated=isolated)

    def wanted(self, jobs: Sequence[LiveJob]) -> list[LiveJob]:
        """Those that have not been cancelled meanwhile."""
        return [job for job in jobs if not job.cancelling and self._live.get(job.job_id) is job]

    def is_current(self, job: LiveJob, fence: int) -> bool:
        """Whether a run that began under `fence` is still wanted."""
        return job.fence == fence and bool(self.wanted([job]))

    async def cancel(self, job_id: str) -> bool:
        """Cancel a live job, durably and at once; False if it had ended (or is being cancelled already).

        A worker that has it hears of it and stops between two steps; its answer is no longer waited for.
        """
        job = self._live.get(job_id)
        if job is None or job.cancelling:
            return False
        ended = await self._finish([JobOutcome(job_id, "cancelled")], cost=self._withdraw(job))
        return job_id in ended

    def forget(self, job_id: str) -> None:
        """The job's row was deleted: it leaves without a reply."""
        job = self._live.get(job_id)
        if job is not None:
            self._retire(job, JobEvent(job_id, "cancelled"), cost=self._withdraw(job))

    def _withdraw(self, job: LiveJob) -> float:
        """Keep a job from running (on); returns what it is billed: GPU time that was begun is not free."""
        job.cancelling = True
        if self.queue.cancel(job.job_id):
            return 0.0
        self.cancel_running(job.job_id)
        return job.queued.cost

    async def renew_leases(self) -> None:
        """Extend the leases of the running jobs in the journal."""
        jobs = self.running()
        if jobs:
            await self.journal.renew([(job.job_id, job.updates.event.stage) for job in jobs])

    def fail_watchers(self, error: Exception) -> None:
        """The client cannot go on: whoever waits for a job is told."""
        for job in self._live.values():
            job.updates.fail(error)

    async def settle(self) -> None:
        """Wait for the notes that are still on their way to the journal."""
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    def position(self, job_id: str) -> int | None:
        """Place in line from 1; None when not waiting."""
        return self.queue.positions().get(job_id)

    def eta(self, job_id: str) -> float | None:
        """Seconds until a live job's clip is expected; None where nothing was learned."""
        job = self._live.get(job_id)
        if job is None:
            return None
        return self._eta_running(job) if job_id in self._running else self._forecast().get(job_id)

    def refresh(self) -> None:
        """The line has moved: give watchers their new place, soon (many moves, one look)."""
        if not self._refreshing and any(
            self._live[job.job_id].updates.followers for job in self.queue.waiting()
        ):
            self._refreshing = True
            # Planning takes longer the longer the line is; a long one is looked at less often.
            delay = _REFRESH_SECONDS + _REFRESH_SECONDS_A_JOB * len(self.queue)
            asyncio.get_running_loop().call_later(delay, self._refresh_now)

    def _refresh_now(self) -> None:
        self._refreshing = False
        positions, etas = self.queue.positions(), self._forecast()
        for job_id, position in positions.items():
            job = self._live[job_id]
            if job.updates.followers:
                job.updates.update(JobEvent(job_id, "queued", position=position, eta=etas.get(job_id)))

    def _enter(
        self, spec: JobSpec, *, attempts: int = 0, isolated: bool = False, fence: int = 0
    ) -> JobUpdates:
        cost = self.durations.batch(spec.seconds) or spec.seconds
        job = LiveJob(
            spec,
            JobUpdates(JobEvent(spec.job_id, "queued")),
            QueuedJob.from_spec(spec, max(cost, 0.001), isolated=isolated),
            attempts=attempts,
            fence=fence,
        )
        self._live[spec.job_id] = job
        self.queue.push(job.queued)
        self.refresh()
        return job.updates

    async def _finish(
        self,
        outcomes: Sequence[JobOutcome],
        timings: Sequence[StageTiming] = (),
        cost: float = 0.0,
        fences: Mapping[str, int] | None = None,
    ) -> set[str]:
        if not outcomes:
            return set()
        try:
            ended = await self.journal.finish(outcomes, timings, fences=fences)
        except Exception as error:
            # The rows still say "running": the next start makes these clips again, none is lost.
            for outcome in outcomes:
                if (job := self._live.get(outcome.job_id)) is not None:
                    job.updates.fail(error)
            raise
        for outcome in outcomes:
            if self._is_late(outcome.job_id, fences):
                continue  # given up while this was written; its next run answers
            cancelled = outcome.status == "cancelled" or outcome.job_id not in ended
            if cancelled and outcome.result_dir is not None:
                await asyncio.to_thread(remove_paths, [outcome.result_dir])
            job = self._live.get(outcome.job_id)
            if job is None or (outcome.status == "cancelled" and outcome.job_id not in ended):
                continue  # a cancel and a result met: whichever was committed first tells the watchers
            event = (
                JobEvent(outcome.job_id, "cancelled")
                if cancelled
                else JobEvent(
                    outcome.job_id,
                    outcome.status,
                    stage=job.updates.event.stage,
                    fraction=1.0 if outcome.status == "done" else job.updates.event.fraction,
                    error=outcome.error,
                    result_dir=outcome.result_dir,
                    code=outcome.code,
                    params=outcome.params,
                )
            )
            self._retire(job, event, cost)
        self.outbox.wake()
        self.refresh()
        return ended

    def _is_late(self, job_id: str, fences: Mapping[str, int] | None) -> bool:
        job = self._live.get(job_id)
        return job is not None and fences is not None and fences.get(job_id, job.fence) != job.fence

    def _retire(self, job: LiveJob, event: JobEvent, cost: float) -> None:
        self.queue.settle(job.job_id, cost)
        self._running.pop(job.job_id, None)
        self._live.pop(job.job_id, None)
        job.updates.update(event)

    async def _requeue(self, jobs: Sequence[LiveJob], *, counted: bool, isolated: bool) -> None:
        await self.journal.requeue([job.job_id for job in jobs], counted=counted, isolated=isolated)
        for job in self.wanted(jobs):
            job.attempts += int(counted)
            job.fence += 1
            job.queued = replace(job.queued, isolated=job.queued.isolated or isolated)
            self._running.pop(job.job_id, None)
            self.queue.requeue(job.queued)
            job.updates.update(JobEvent(job.job_id, "queued"))
        self.refresh()
        await self._wake()

    async def _wake(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a note to the journal was lost", exc_info=task.exception())

    def _eta_running(self, job: LiveJob, event: JobEvent | None = None) -> float | None:
        event = event or job.updates.event
        size = self._running.get(job.job_id, 1)
        return self.durations.remaining(event.stage, event.fraction, job.spec.seconds, size)

    def _forecast(self) -> dict[str, float]:
        """Seconds until each waiting job should be done, given the plan and what the workers are at."""
        free: list[float] = []
        for job_id in self._running:
            if job_id in self._live:
                free.append(self._eta_running(self._live[job_id]) or 0.0)
        # Jobs of one batch end together, so the distinct ends are the busy workers' (to rounding).
        busy = sorted({round(end, 3) for end in free}, reverse=True)[: self.workers]
        heap = busy + [0.0] * (self.workers - len(busy))
        heapq.heapify(heap)
        forecast: dict[str, float] = {}
        for batch in self.queue.plan():
            length = self._live[batch[0]].spec.seconds
            took = self.durations.batch(length, len(batch))
            if took is None:
                return {}
            end = heapq.heappop(heap) + took
            heapq.heappush(heap, end)
            forecast.update(dict.fromkeys(batch, end))
        return forecast


def _checked(outcome: JobOutcome) -> JobOutcome:
    """Believe "done" only where the folder is there."""
    if outcome.status == "done" and not is_folder(outcome.result_dir):
        return JobOutcome.failed(outcome.job_id, RESULT_MISSING, retryable=True)
    return outcome
