"""The asyncio client: submit a job and it will be answered, whatever dies on the way.

    client = InferenceClient(ClientSettings(data_dir=Path("data")))
    await client.start()
    handle = await client.submit(spec, cover_bytes, request_key="interaction 42")
    async for event in handle.progress(): ...
    outcome = await handle.result()

One client owns the data directory. It keeps the journal and the fair queue, and hands batches to worker
processes; torch is never imported here. Replies are delivered from `client.outbox`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from albumgen_core.errors import (
    AlbumGenError,
    ClosingError,
    DiskFullError,
    EngineNotReadyError,
    InferenceError,
)
from albumgen_core.files import remove_paths, write_durably
from albumgen_core.inference.database import Database
from albumgen_core.inference.eta import DurationModel
from albumgen_core.inference.events import JobEvent, JobUpdates
from albumgen_core.inference.handle import JobHandle
from albumgen_core.inference.history import History
from albumgen_core.inference.journal import LEASE_SECONDS, Journal
from albumgen_core.inference.outbox import Outbox
from albumgen_core.inference.queue import FairQueue
from albumgen_core.inference.records import JobRecord
from albumgen_core.inference.scheduler import Scheduler
from albumgen_core.inference.settings import ClientSettings
from albumgen_core.inference.status import ClientStatus, WorkerStatus
from albumgen_core.inference.supervisor import Supervisor
from albumgen_core.jobs.layout import DataLayout
from albumgen_core.jobs.spec import JobOutcome, JobSpec
from albumgen_core.keyed_lock import KeyedLock

log = logging.getLogger(__name__)

_HOUSEKEEPING = 600.0
"""Seconds between two removals of what has expired."""


class InferenceClient:
    """Journal, fair queue and workers behind one interface. Call `start` first and `close` last.

    Attributes (after `start`):
        database: for tables of the caller's own (see `ClientSettings.migrations`).
        outbox: replies that are owed.
        history: lineages, bundles, a member's jobs.
    """

    database: Database
    outbox: Outbox
    history: History

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._layout = DataLayout(settings.data_dir)
        self._scheduler: Scheduler
        self._journal: Journal
        self._supervisor: Supervisor
        self._background: list[asyncio.Task[None]] = []
        self._submissions: set[asyncio.Future[Any]] = set()
        self._request_locks: KeyedLock[str] = KeyedLock()
        self._started = False
        self._accepting = False

    async def start(self) -> None:
        """Open the journal, put unfinished jobs back in line, start the workers (without waiting for them).

        Raises ConfigError, DataDirectoryError, AlreadyRunningError, JournalCorruptError, JournalVersionError,
        JournalBusyError.
        """
        settings = self.settings
        workers = settings.worker_options()
        self.database = await Database.open(
            settings.data_dir, migrations=settings.migrations, busy_timeout=settings.busy_timeout
        )
        try:
            self._journal, self.outbox = Journal(self.database), Outbox(self.database)
            self.history = History(self.database)
            self._scheduler = Scheduler(
                self._journal, self.outbox, FairQueue(settings.limits), max_attempts=settings.max_attempts
            )
            self._scheduler.durations = DurationModel(await self.history.timings())
            waiting = await self._journal.recover(
                max_interruptions=settings.max_interruptions, keep_received=settings.keep_received
            )
            for record in waiting:
                self._scheduler.restore(record)
            await self._sweep()
        except BaseException:
            await self.database.close()
            raise
        self._supervisor = Supervisor(self._scheduler, workers, settings.make_backend)
        self._supervisor.start()
        self._background = [asyncio.create_task(self._renew()), asyncio.create_task(self._tidy())]
        self._started = self._accepting = True
        self.outbox.wake()

    async def close(self, *, grace: float = 20.0) -> None:
        """Take nothing new, let running batches end within `grace` seconds, requeue the rest, close.

        What is queued stays in the journal for the next start. Harmless when called again.
        """
        if not self._started:
            return
        self._started = self._accepting = False
        await asyncio.gather(*self._submissions, return_exceptions=True)
        await self._supervisor.drain(grace)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._scheduler.settle()
        self._scheduler.fail_watchers(ClosingError())
        await self.database.close()

    async def receive(self, *specs: JobSpec, request_key: str | None = None) -> bool:
        """Journal a request (one job, or a bundle) before its cover has been read; False for a replayed key.

        Optional, for callers that promise an answer first: if the process dies before `submit` is called
        with the same job id (and key), the next start owes the member an apology through the outbox.
        """
        self._check_intake()
        return not await self._journal.add(specs, request_key=request_key, received_only=True)

    async def unread(self) -> list[JobRecord]:
        """Received jobs whose cover was never stored, oldest first: an earlier process died in between.

        To be asked for once, before anything new is received; see `ClientSettings.keep_received`.
        """
        return await self._journal.unread()

    async def refuse(self, job_id: str, problem: AlbumGenError | str) -> None:
        """End a received job whose cover was refused; the reason goes out through the outbox.

        A sentence without a code is shown as it is, in whatever language it was written.
        """
        outcome = (
            JobOutcome(job_id, "failed", error=problem)
            if isinstance(problem, str)
            else JobOutcome.failed(job_id, problem)
        )
        await self._journal.finish([outcome], patient=False)
        self.outbox.wake()

    async def submit(
        self, spec: JobSpec, cover: bytes | None = None, *, request_key: str | None = None
    ) -> JobHandle:
        """Accept one job; when this returns, it is on disk and will be answered.

        Args:
            spec: the request. With `cover`, its `cover_path` is set by this call.
            cover: the checked cover's bytes, to be stored; None where `spec.cover_path` names a stored file.
            request_key: whatever identifies the request (an interaction's id). A replay adds nothing and
                returns the first job's handle with `replayed` set.

        Raises QueueFullError, DiskFullError, EngineNotReadyError (by setting), JournalBusyError,
        ClosingError; then nothing was accepted.
        """
        return (await self.submit_bundle([spec], cover, request_key=request_key))[0]

    async def submit_bundle(
        self, specs: Sequence[JobSpec], cover: bytes | None = None, *, request_key: str | None = None
    ) -> list[JobHandle]:
        """Accept jobs that are all made from one cover, together or not at all; see `submit`.

        With a common `bundle_id` they are also delivered together: the outbox holds one item for all,
        once the last has ended.
        """
        # Shielded: a caller that is cancelled half-way must not leave a journalled job out of the queue.
        work = asyncio.ensure_future(self._accept(list(specs), cover, request_key))
        self._submissions.add(work)
        work.add_done_callback(self._submissions.discard)
        return await asyncio.shield(work)

    async def subscribe(self, job_id: str) -> JobHandle:
        """A handle on any journalled job, also after a restart. Raises UnknownJobError."""
        live = self._scheduler.live(job_id)
        return JobHandle(self, live.updates) if live else self._handle(await self.record(job_id))

    async def record(self, job_id: str) -> JobRecord:
        """A job as the journal has it. Raises UnknownJobError."""
        return await self._journal.get(job_id)

    async def cancel(self, job_id: str) -> bool:
        """Cancel a job, durably and at once, in every state until its delivery begins; False after that.

        Running batches go on without it; the worker stops when nobody of its batch is left. For a job that
        waits for its cover, `submit` returns a handle that says it was cancelled.
        """
        if self._scheduler.live(job_id) is not None:
            return await self._scheduler.cancel(job_id)
        cancelled, folder = await self._journal.cancel_early_or_late(job_id)
        if folder is not None:
            await asyncio.to_thread(remove_paths, [folder])
        if cancelled:
            self.outbox.wake()
        return cancelled

    def position(self, job_id: str) -> int | None:
        """Place in line from 1; None when the job is not waiting."""
        return self._scheduler.position(job_id)

    def eta(self, job_id: str) -> float | None:
        """Seconds until the clip is expected; None for ended jobs, or where nothing was learned yet."""
        return self._scheduler.eta(job_id)

    async def update_origin(self, job_id: str, **changes: Any) -> None:
        """Add to where the reply goes (the id of a message that was sent meanwhile). None removes a field."""
        await self._journal.update_origin(job_id, changes)

    def retry_engine(self) -> None:
        """Try at once to start workers that could not start (after weights were put in place)."""
        self._supervisor.retry()

    async def mark_delivered(self, delivery_id: str) -> bool:
        """The reply reached its reader; covers nobody needs any more go, where the setting is 0."""
        delivered = await self.outbox.mark_delivered(delivery_id)
        if delivered and self.settings.keep_covers == 0:
            await self._remove_covers()
        return delivered

    async def delete_member(self, member: str, *, group: str | None = None) -> int:
        """Forget a member: rows, results, covers; live jobs end without a reply. Returns jobs deleted."""
        forgotten = await self.history.delete_member(member, group=group)
        for job_id in forgotten.jobs:
            self._scheduler.forget(job_id)
        await asyncio.to_thread(remove_paths, forgotten.paths)
        for job_id in forgotten.jobs:
            await asyncio.to_thread(self._layout.remove_checkpoint, job_id)
        return len(forgotten.jobs)

    async def purge(self) -> None:
        """Remove what has expired: covers, results, rows older than both, and tokens of jobs that ended."""
        await self._remove_covers()
        await asyncio.to_thread(self._layout.remove_stray_checkpoints, self._scheduler.job_ids())
        if self.settings.keep_results is not None:
            expired = await self.history.expired_results(self.settings.keep_results)
            # Files first: should we die in between, the rows still name them for the next time.
            await asyncio.to_thread(remove_paths, [job.result_dir for job in expired if job.result_dir])
            await self.history.forget_results([job.job_id for job in expired])
        if self.settings.keep_rows is not None:
            await self.history.delete_rows(self.settings.keep_rows)

    async def status(self) -> ClientStatus:
        """A snapshot for humans and gauges."""
        slots = self._supervisor.slots
        return ClientStatus(
            accepting=self._accepting,
            not_ready=self._supervisor.not_ready,
            engine=dict(self._supervisor.engine),
            queued=len(self._scheduler.queue),
            unreadable=await self._journal.unreadable(),
            running=tuple(job.updates.event for job in self._scheduler.running()),
            owed_replies=await self.outbox.pending(),
            workers=tuple(WorkerStatus.of(slot) for slot in slots),
        )

    async def _accept(
        self, specs: list[JobSpec], cover: bytes | None, request_key: str | None
    ) -> list[JobHandle]:
        self._check_intake()
        first = specs[0]
        if len({(spec.group, spec.member, spec.bundle_id) for spec in specs}) != 1:
            raise InferenceError("The jobs of one request must share group, member and bundle.")
        # Jobs without a key are no replay of anything: each has a turn of its own.
        async with self._request_locks(request_key or first.job_id):
            if request_key is not None and (known := await self._replayed(request_key, specs)):
                return known
            self._check_room()
            self._scheduler.queue.reserve(first.group, first.member, len(specs))
            try:
                return await self._store(specs, cover, request_key)
            finally:
                self._scheduler.queue.release(first.group, first.member, len(specs))

    async def _store(
        self, specs: list[JobSpec], cover: bytes | None, request_key: str | None
    ) -> list[JobHandle]:
        stored = self._layout.cover(specs[0].job_id) if cover is not None else None
        if cover is not None and stored is not None:
            await asyncio.to_thread(write_durably, stored, cover)
            specs = [spec.replace(cover_path=str(stored)) for spec in specs]
        try:
            known = await self._journal.add(specs, request_key=request_key)
        except BaseException:
            if stored is not None:
                remove_paths([str(stored)])
            raise
        left = {record.job_id for record in known}
        mine = [spec for spec in specs if spec.job_id not in left]
        if known and len(mine) == len(specs):  # a replay, of other jobs
            return [self._handle(record, replayed=True) for record in known]
        if not mine and stored is not None:
            await asyncio.to_thread(remove_paths, [str(stored)])
        ended = {record.job_id: self._handle(record, replayed=True) for record in known}
        entered = iter(await self._scheduler.enter(mine))
        return [ended.get(spec.job_id) or JobHandle(self, next(entered)) for spec in specs]

    async def _replayed(self, request_key: str, specs: Sequence[JobSpec]) -> list[JobHandle] | None:
        known = await self._journal.find_request(request_key)
        ours = {job.job_id for job in known} == {spec.job_id for spec in specs}
        if not known or (ours and any(job.state == "received" for job in known)):
            return None
        return [self._handle(record, replayed=True) for record in known]

    def _handle(self, record: JobRecord, *, replayed: bool = False) -> JobHandle:
        live = self._scheduler.live(record.job_id)
        if live is not None:
            return JobHandle(self, live.updates, replayed=replayed)
        event = JobEvent(
            record.job_id,
            record.state,
            stage=record.stage,
            fraction=1.0 if record.state in ("done", "delivered") else 0.0,
            error=record.error,
            result_dir=record.result_dir,
            code=record.error_code,
            params=record.error_params,
        )
        return JobHandle(self, JobUpdates(event), replayed=replayed)

    def _check_intake(self) -> None:
        if not self._accepting:
            raise ClosingError
        reason = self._supervisor.not_ready
        if reason is not None and self.settings.when_not_ready == "refuse":
            raise EngineNotReadyError(reason)

    def _check_room(self) -> None:
        if self.settings.free_bytes(self.settings.data_dir) < self.settings.min_free_bytes:
            raise DiskFullError(self.settings.data_dir)

    async def _remove_covers(self) -> None:
        if self.settings.keep_covers is None:
            return
        # A cover that a caller keeps somewhere else is the caller's to remove.
        expired = await self.history.expired_covers(self.settings.keep_covers)
        expired = [path for path in expired if Path(path).parent == self._layout.covers]
        await asyncio.to_thread(remove_paths, expired)
        await self.history.forget_covers(expired)

    async def _sweep(self) -> None:
        """Remove what earlier processes left unfinished when they died."""
        known = await self.history.known_covers()
        live = self._scheduler.job_ids()
        await asyncio.to_thread(self._layout.remove_strays, known_covers=known, live=live)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            await self._scheduler.renew_leases()

    async def _tidy(self) -> None:
        while True:
            with contextlib.suppress(InferenceError):  # a busy journal: next time
                await self.purge()
            await asyncio.sleep(_HOUSEKEEPING)
