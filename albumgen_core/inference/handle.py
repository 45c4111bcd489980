"""A caller's grip on one job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from albumgen_core.errors import JobCancelledError, JobFailedError
from albumgen_core.inference.events import JobEvent, JobUpdates
from albumgen_core.jobs.spec import JobOutcome


class JobOwner(Protocol):
    """What a handle asks of its client."""

    async def cancel(self, job_id: str) -> bool:
        """See InferenceClient."""
        ...

    def position(self, job_id: str) -> int | None:
        """See InferenceClient."""
        ...

    def eta(self, job_id: str) -> float | None:
        """See InferenceClient."""
        ...


class JobHandle:
    """Made by the client; any number may exist for one job, and none is needed for it to run.

    Attributes:
        replayed: the request had been submitted before, and this is the job of its first time.
    """

    def __init__(self, owner: JobOwner, updates: JobUpdates, *, replayed: bool = False) -> None:
        self.replayed = replayed
        self._owner = owner
        self._updates = updates

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self._updates.event.job_id

    @property
    def now(self) -> JobEvent:
        """Where the job stands, as last told."""
        return self._updates.event

    async def progress(self) -> AsyncIterator[JobEvent]:
        """Events until the final one, which is included. A slow reader skips some, never the last.

        Raises ClosingError when the client closes first: the job goes on after its next start.
        """
        event = self._updates.event
        if event.state == "queued":
            self._updates.update(replace(event, position=self.position(), eta=self.eta()))
        async for event in self._updates.follow():
            yield event

    async def result(self) -> JobOutcome:
        """Wait for the end. Raises JobFailedError, JobCancelledError, ClosingError."""
        event = self._updates.event
        async for latest in self._updates.follow():
            event = latest
        if event.state == "failed":
            raise JobFailedError(
                event.job_id, event.error or "This clip could not be made.", event.code, event.params
            )
        if event.state == "cancelled":
            raise JobCancelledError(event.job_id)
        return JobOutcome(event.job_id, "done", result_dir=event.result_dir)

    async def cancel(self) -> bool:
        """True once the job is cancelled, on disk and for good; False if it had ended."""
        return await self._owner.cancel(self.job_id)

    def position(self) -> int | None:
        """Place in line from 1; None when not waiting."""
        return self._owner.position(self.job_id)

    def eta(self) -> float | None:
        """Seconds until the clip is expected; None where nothing was learned yet."""
        return self._owner.eta(self.job_id)
