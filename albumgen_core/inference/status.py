"""A snapshot of a client, for `/status` and for gauges."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from albumgen_core.inference.events import JobEvent
from albumgen_core.inference.supervisor import Slot, WorkerState


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker.

    Attributes:
        index: its place, from 0. pid: its process, None while there is none.
        state: what it is at; message: why, where something is wrong. seconds: since when.
        restarts: processes that came before this one.
        jobs: ids of those in its hands.
    """

    index: int
    pid: int | None
    state: WorkerState
    message: str
    seconds: float
    restarts: int
    jobs: tuple[str, ...]

    @classmethod
    def of(cls, slot: Slot) -> WorkerStatus:
        """The status of a supervisor's slot."""
        return cls(
            index=slot.index,
            pid=slot.backend.pid if slot.backend is not None else None,
            state=slot.state,
            message=slot.message,
            seconds=time.monotonic() - slot.since,
            restarts=max(0, slot.starts - 1),
            jobs=tuple(job.job_id for job in slot.jobs),
        )


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """The whole client.

    Attributes:
        accepting: whether new jobs are taken.
        not_ready: why no worker can run anything, None while one can or may soon.
        engine: what the worker said about its engine, {} before the first was ready.
        queued: jobs waiting. unreadable: unfinished jobs that were set aside, because a newer version wrote
            them or they are damaged. running: the newest event of each running job.
        owed_replies: outbox items not delivered yet.
        workers: one entry each.
    """

    accepting: bool
    not_ready: str | None
    engine: Mapping[str, Any]
    queued: int
    unreadable: int
    running: tuple[JobEvent, ...]
    owed_replies: int
    workers: tuple[WorkerStatus, ...]
