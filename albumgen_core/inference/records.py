"""Rows of the journal as objects."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from albumgen_core.errors import JobSpecError
from albumgen_core.jobs.spec import ErrorParams, JobSpec, JobState, read_spec

log = logging.getLogger(__name__)

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
        attempts: runs that failed; interruptions: runs cut short by the death of the client.
        isolated: it must run alone in its batch.
        fence: number of runs that were given up; a result made under an earlier one is refused.
        error_code, error_params: which sentence `error` is ("" where it has no code), and what stands in its
            placeholders.
    """

    spec: JobSpec
    state: JobState
    stage: str
    result_dir: str | None
    error: str | None
    attempts: int
    interruptions: int
    isolated: bool
    request_key: str | None
    received_at: float
    queued_at: float | None
    started_at: float | None
    finished_at: float | None
    delivered_at: float | None
    fence: int = 0
    error_code: str = ""
    error_params: ErrorParams = field(default_factory=dict)

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
        """From a row of `SELECT * FROM jobs`. Raises JobSpecError."""
        try:
            origin = json.loads(row["origin"])
            params = json.loads(row["error_params"] or "{}")
        except ValueError as error:
            raise JobSpecError(str(error)) from error
        return cls(
            spec=read_spec(row["spec"]).replace(origin=origin, cover_path=row["cover_path"]),
            state=row["state"],
            stage=row["stage"],
            result_dir=row["result_dir"],
            error=row["error"],
            attempts=row["attempts"],
            interruptions=row["interruptions"],
            isolated=bool(row["solo"]),
            request_key=row["request_key"],
            received_at=row["received_at"],
            queued_at=row["queued_at"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            delivered_at=row["delivered_at"],
            fence=row["fence"],
            error_code=row["error_code"] or "",
            error_params=params,
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


def readable(rows: Iterable[sqlite3.Row]) -> list[JobRecord]:
    """The jobs of rows; rows that cannot be read are logged and left out."""
    records = []
    for row in rows:
        try:
            records.append(JobRecord.from_row(row))
        except JobSpecError as error:
            log.warning("job %s is left out: %s", row["job_id"], error)
    return records


def dumps(data: Mapping[str, Any]) -> str:
    """Compact JSON."""
    return json.dumps(dict(data), separators=(",", ":"))
