"""Rows of the journal as objects."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from albumgen_core.jobs.spec import JobSpec, JobState

TERMINAL: frozenset[str] = frozenset({"done", "delivered", "failed", "cancelled"})
"""States in which nothing more will run."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the journal knows it. Times are seconds since the epoch, None where not reached.

    Attributes:
        spec: the request, its origin included.
        state: where it stands. A failed or cancelled job keeps that state when it has been answered.
        stage: the last stage the journal heard of (only roughly current while running).
        result_dir: the finished folder; None when not done, or expired since.
        error: the sentence for the member, when failed.
        attempts: runs that broke; interruptions: runs cut short by the death of the client.
        solo: it must run without batch mates.
    """

    spec: JobSpec
    state: JobState
    stage: str
    result_dir: str | None
    error: str | None
    attempts: int
    interruptions: int
    solo: bool
    request_key: str | None
    received_at: float
    queued_at: float | None
    started_at: float | None
    finished_at: float | None
    delivered_at: float | None

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.spec.job_id

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will run."""
        return self.state in TERMINAL

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> JobRecord:
        """From a row of `SELECT * FROM jobs`."""
        spec = JobSpec.from_dict(json.loads(row["spec"]))
        return cls(
            spec=replace(spec, origin=json.loads(row["origin"]), cover_path=row["cover_path"]),
            state=row["state"],
            stage=row["stage"],
            result_dir=row["result_dir"],
            error=row["error"],
            attempts=row["attempts"],
            interruptions=row["interruptions"],
            solo=bool(row["solo"]),
            request_key=row["request_key"],
            received_at=row["received_at"],
            queued_at=row["queued_at"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            delivered_at=row["delivered_at"],
        )


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One reply that is owed: for a job, or for all jobs of a bundle.

    Attributes:
        delivery_id: the bundle's id, or the job's. Use it as the message's nonce.
        jobs: what became of each, in the order of the bundle.
        attempt: 1 on the first try. Above 1 an earlier try may have reached its reader: look for the
            message before sending a new one.
        attempted_at: when the previous try began; None on the first.
        created_at: when the reply became due.
    """

    delivery_id: str
    jobs: tuple[JobRecord, ...]
    attempt: int
    attempted_at: float | None
    created_at: float


def spec_columns(spec: JobSpec) -> tuple[str, str]:
    """(spec as JSON without its origin, origin as JSON)."""
    data = spec.to_dict()
    origin = data.pop("origin")
    return json.dumps(data, separators=(",", ":")), dumps(origin)


def dumps(data: Mapping[str, Any]) -> str:
    """Compact JSON."""
    return json.dumps(dict(data), separators=(",", ":"))
