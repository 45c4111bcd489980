"""What watchers of a job are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from albumgen_core.inference.records import TERMINAL
from albumgen_core.jobs.spec import ErrorParams, JobState


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Where a job stands.

    Attributes:
        job_id: which.
        state: its state.
        stage: "queued", or the pipeline's stage it is in.
        fraction: share of that stage that is done, in [0, 1].
        position: place in line from 1 while queued, else None.
        eta: seconds until the clip is expected, None where nothing has been learned yet.
        error: the sentence for the member, when failed; code, params: see JobOutcome.
        result_dir: the finished folder, when done.
    """

    job_id: str
    state: JobState
    stage: str = "queued"
    fraction: float = 0.0
    position: int | None = None
    eta: float | None = None
    error: str | None = None
    result_dir: str | None = None
    code: str = ""
    params: ErrorParams = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether no other event follows."""
        return self.state in TERMINAL


class JobUpdates:
    """The newest event of one job. Slow watchers skip events in between; none misses the last."""

    def __init__(self, event: JobEvent) -> None:
        self.event = event
        self.followers = 0
        self._changed = asyncio.Event()
        self._failure: Exception | None = None

    def update(self, event: JobEvent) -> None:
        """Tell the watchers, if anything is new. Nothing follows a final event."""
        if event == self.event or self.event.is_final:
            return
        self.event = event
        self._notify()

    def fail(self, error: Exception) -> None:
        """The client itself cannot go on with this job: watchers get the error."""
        self._failure = error
        self._notify()

    async def follow(self) -> AsyncIterator[JobEvent]:
        """The current event and each later one; ends after the final one."""
        self.followers += 1
        try:
            while True:
                # Taken before the yield: what changes while the consumer works is not slept through.
                changed = self._changed
                event = self.event
                yield event
                if event.is_final:
                    return
                if self._failure is not None:
                    raise self._failure
                await changed.wait()
        finally:
            self.followers -= 1

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
