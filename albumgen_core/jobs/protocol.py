"""What client and worker say to each other: one JSON object a line, large things by file path.

`Hello` starts the loading of the engine; nothing is said before it. `Free` says that the models are done
with a batch whose files are still being made: the next batch may be sent, and is begun meanwhile. A worker
that reads end-of-file exits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from albumgen_core.errors import ProtocolError
from albumgen_core.jobs.spec import JobOutcome, JobSpec
from albumgen_core.vocabulary import Stage

PROTOCOL = 2

EXIT_UNAVAILABLE = 2
"""Exit status of a worker whose engine cannot start; it has said why before."""

LINE_LIMIT = 4 * 2**20
"""Bytes a line may have: a batch of specs is a few kilobytes."""


class _Message(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    pass


class Hello(_Message, frozen=True):
    """Client → worker: load the engine."""

    protocol: int = PROTOCOL


class Run(_Message, frozen=True):
    """Client → worker: run these jobs together; their origins are empty."""

    batch: str
    jobs: list[JobSpec]


class Cancel(_Message, frozen=True):
    """Client → worker: nobody waits for this job any more."""

    job_id: str


class Stop(_Message, frozen=True):
    """Client → worker: exit after the batches sent before."""


class Ready(_Message, frozen=True):
    """Worker → client: the engine is loaded."""

    pid: int
    engine: Mapping[str, Any]
    load_seconds: float


class Unavailable(_Message, frozen=True):
    """Worker → client: the engine cannot be loaded; the worker exits."""

    error: str


class Progress(_Message, frozen=True):
    """Worker → client: `fraction` of a job's stage, in [0, 1], is done."""

    job_id: str
    stage: Stage
    fraction: float


class Free(_Message, frozen=True):
    """Worker → client: the models are done with a batch."""

    batch: str


class Beat(_Message, frozen=True):
    """Worker → client: this process is alive."""


class Finished(_Message, frozen=True):
    """Worker → client: what became of a batch.

    Attributes:
        batch: its name.
        outcomes: one a job, in the order of the batch.
        timings: seconds by stage.
        elapsed: seconds of work on the batch, without waiting for another batch's files.
    """

    batch: str
    outcomes: list[JobOutcome]
    timings: Mapping[str, float]
    elapsed: float


class Broken(_Message, frozen=True):
    """Worker → client: the runner raised."""

    batch: str
    kind: Literal["out_of_memory", "error"]
    error: str


Request = Hello | Run | Cancel | Stop
Reply = Ready | Unavailable | Progress | Free | Beat | Finished | Broken

_ENCODER = msgspec.json.Encoder()
_REQUESTS = msgspec.json.Decoder(Request)
_REPLIES = msgspec.json.Decoder(Reply)


def encode(message: Request | Reply) -> bytes:
    """One message as a line, newline included."""
    return _ENCODER.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Inverse of `encode`, in the worker. Raises ProtocolError."""
    try:
        request: Request = _REQUESTS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{error}: {line[:80]!r}") from error
    return request


def decode_reply(line: bytes) -> Reply:
    """Inverse of `encode`, in the client. Raises ProtocolError."""
    try:
        reply: Reply = _REPLIES.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{error}: {line[:80]!r}") from error
    return reply


def check_outcomes(outcomes: Sequence[JobOutcome], job_ids: Sequence[str]) -> None:
    """Raise ProtocolError unless there is one outcome for each job, in order."""
    if [outcome.job_id for outcome in outcomes] != list(job_ids):
        raise ProtocolError("the runner did not answer each job of the batch once, in order")
