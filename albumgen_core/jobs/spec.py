"""What a job is: one versioned type for the journal, the wire to the worker, and the pipeline."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from albumgen_core.errors import AlbumGenError, CoverError, JobSpecError
from albumgen_core.vocabulary import PromptStyle, Stage

SPEC_VERSION = 1

JobState = Literal["received", "queued", "running", "done", "delivered", "failed", "cancelled"]
ErrorParams = Mapping[str, str | int | float]


def new_job_id() -> str:
    """A fresh job id: 26 lowercase hex characters that sort by time of making (48-bit ms, 56 random bits)."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(7)}"


class ClipOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a clip is made with, besides its cover.

    Attributes:
        rag: describe with the nearest albums as context, or from the cover alone.
        seconds: length of the clip; where an earlier one is continued, of the whole.
        seed: non-negative, below 2**31.
        prompt_style: the slides' template, or short captions like MusicGen's training text.
        name_artist: whether the prompt may name the predicted artist.
        language: of the words on the card, "en" or "de".
        overrides: attribute fields set by hand; they replace what is predicted. Where they cover every
            field, nothing is predicted.
    """

    rag: bool = True
    seconds: float = 10.0
    seed: int = 0
    prompt_style: PromptStyle = "concise"
    name_artist: bool = False
    language: str = "en"
    overrides: Mapping[str, Any] = {}


class JobSpec(ClipOptions, frozen=True, forbid_unknown_fields=True):
    """One request for one clip: everything the worker needs, and who asked.

    Attributes:
        job_id: from `new_job_id`.
        cover_path: the checked cover, stored by the client before the job was accepted.
        continue_from: folder of an earlier result that this clip continues.
        parent_id, root_id: lineage: the take this one was made from, and the first of its line.
        bundle_id: shared by jobs that are delivered together (a comparison).
        group, member: whom the queue is fair to: guild (or "dm:<user>", "cli"), then user.
        origin: where the reply goes: a JSON object that only the client's caller reads, journalled with the
            job and never sent to the worker.
        version: of this type; a larger one is refused.
    """

    job_id: str
    cover_path: str = ""
    continue_from: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    bundle_id: str | None = None
    group: str = "cli"
    member: str = "cli"
    origin: Mapping[str, Any] = {}
    version: int = SPEC_VERSION

    def replace(self, **changes: Any) -> JobSpec:
        """A copy with other values."""
        return msgspec.structs.replace(self, **changes)

    def without_origin(self) -> JobSpec:
        """The job as the worker may know it."""
        return msgspec.structs.replace(self, origin={})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    def to_json(self) -> str:
        """Without `origin`; `read_spec` inverts it."""
        return msgspec.json.encode(self.without_origin()).decode()


_SPEC = msgspec.json.Decoder(JobSpec)


class _Version(msgspec.Struct):
    version: int = SPEC_VERSION


def read_spec(text: str) -> JobSpec:
    """A job from `JobSpec.to_json`, by this version or an earlier one.

    Raises JobSpecError for unknown fields, wrong types and later versions.
    """
    try:
        spec = _SPEC.decode(text)
        version = spec.version
    except msgspec.MsgspecError as error:
        spec, problem = None, str(error)
        try:
            version = msgspec.json.decode(text, type=_Version).version
        except msgspec.MsgspecError:
            version = 0
    if version > SPEC_VERSION:
        raise JobSpecError(f"it was written by a newer AlbumGen (job version {version})")
    if spec is None:
        raise JobSpecError(problem)
    return spec


class JobOutcome(msgspec.Struct, frozen=True):
    """What became of one job in a batch.

    Attributes:
        job_id: which.
        status: "done", "failed" or "cancelled".
        result_dir: the finished folder (see `albumgen_core.result`), whole on disk before this is said; only
            with "done".
        error: one sentence for the member; only with "failed".
        code, params: which sentence it is ("" where it has no code) and what stands in its placeholders, so
            that it can be said in another language.
        retryable: whether another attempt could help (out of memory: yes; an unreadable cover: no).
        resumed: an interrupted attempt had composed part of the clip, so this one's timing teaches nothing.
    """

    job_id: str
    status: Literal["done", "failed", "cancelled"]
    result_dir: str | None = None
    error: str | None = None
    code: str = ""
    params: ErrorParams = {}
    retryable: bool = False
    resumed: bool = False

    @classmethod
    def failed(cls, job_id: str, error: AlbumGenError, *, retryable: bool = False) -> JobOutcome:
        """A job that an error has ended."""
        return cls(
            job_id,
            "failed",
            error=str(error),
            code=f"cover.{error.code}" if isinstance(error, CoverError) else error.code,
            params=dict(error.params),
            retryable=retryable,
        )


JobProgress = Callable[[str, Stage, float], None]
"""(job id, stage, fraction of that stage in [0, 1])."""

JobCancelCheck = Callable[[str], bool]
"""Asked with a job id."""


class BatchRunner(Protocol):
    """What a backend runs: the pipeline, or a test's runner with the same shape."""

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        """Run compatible jobs together; one outcome a job, in order. May raise MemoryError."""
        ...


@runtime_checkable
class TwoPhaseRunner(BatchRunner, Protocol):
    """A runner that can begin with the next batch while it finishes the one before."""

    def begin(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> Callable[[], list[JobOutcome]]:
        """Do what needs the models; returns what does the rest, and then returns what `run` returns.

        The rest is called once, on another thread; the next batch may have begun meanwhile. Both may raise
        MemoryError.
        """
        ...


RunnerFactory = Callable[[Path | None], BatchRunner]
"""Builds a BatchRunner inside the worker from the path of a config file (None: defaults)."""
