"""What client and worker say to each other: one JSON object a line, large things by file path.

    client → worker   hello, run(batch, jobs), cancel(job_id), stop
    worker → client   ready(engine, load_seconds) | unavailable(error), progress(job_id, stage, fraction),
                      free(batch), beat,
                      finished(batch, outcomes, timings, elapsed) | broken(batch, kind, error)

`hello` starts the loading of the engine; nothing is said before it. `free` says that the models are done
with a batch whose files are still being made: the next batch may be sent, and is begun meanwhile. A worker
that reads end-of-file exits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from albumgen_core.errors import ProtocolError
from albumgen_core.jobs.spec import JobOutcome, JobSpec

PROTOCOL = 1

EXIT_UNAVAILABLE = 2
"""Exit status of a worker whose engine cannot start; it has said why before."""

LINE_LIMIT = 4 * 2**20
"""Bytes a line may have: a batch of specs is a few kilobytes."""

BrokenKind = Literal["out_of_memory", "error"]
Message = dict[str, Any]


def encode(message: Mapping[str, Any]) -> bytes:
    """One message as a line, newline included."""
    return json.dumps(message, separators=(",", ":")).encode("utf-8") + b"\n"


def decode(line: bytes) -> Message:
    """Inverse of `encode`. Raises ProtocolError."""
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError(f"not a message: {line[:80]!r}")
    return message


def spec_to_wire(spec: JobSpec) -> Message:
    """A job without its origin, which is none of the worker's business."""
    data = spec.to_dict()
    data["origin"] = {}
    return data


def outcome_to_wire(outcome: JobOutcome) -> Message:
    """A JobOutcome as JSON values."""
    return asdict(outcome)


def outcomes_from_wire(data: Any, job_ids: list[str]) -> list[JobOutcome]:
    """The outcomes of a batch, one a job and in order. Raises ProtocolError if they are not."""
    try:
        outcomes = [JobOutcome(**item) for item in data]
    except TypeError as error:
        raise ProtocolError(f"malformed outcomes: {error}") from error
    if [outcome.job_id for outcome in outcomes] != job_ids:
        raise ProtocolError("the runner did not answer each job of the batch once, in order")
    if any(outcome.status not in ("done", "failed", "cancelled") for outcome in outcomes):
        raise ProtocolError("the runner answered with an unknown status")
    return outcomes
