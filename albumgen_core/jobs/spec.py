"""What a job is, on both sides of the worker's pipe."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from albumgen_core.vocabulary import PromptStyle, Stage

"""The pipeline's stages, in order; "queued" comes before them."""

JobState = Literal["received", "queued", "running", "done", "delivered", "failed", "cancelled"]


def new_job_id() -> str:
    """A fresh job id: 26 lowercase hex characters that sort by time of making (48-bit ms, 56 random bits)."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(7)}"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One request for one clip: everything the worker needs, and who asked.

    Attributes:
        job_id: from `new_job_id`.
        cover_path: the checked cover, stored by the client before the job was accepted.
        rag: describe with the nearest albums as context, or from the cover alone.
        seconds: length of the clip; with `continue_from`, of the whole including the earlier part.
        seed: non-negative, below 2**31.
        prompt_style: the slides' template, or short captions like MusicGen's training text.
        name_artist: whether the prompt may name the predicted artist.
        overrides: attribute fields that a member set by hand; they replace what is predicted.
        continue_from: folder of an earlier result that this clip plays on from.
        parent_id, root_id: lineage: the take this one was made from, and the first of its line.
        bundle_id: shared by jobs that are delivered together (a comparison).
        group, member: whom the queue is fair to: guild (or "dm:<user>", "cli"), then user.
        origin: where the reply goes; opaque to the core, journalled with the job, never sent to the worker.
    """

    job_id: str
    cover_path: str
    rag: bool = True
    seconds: float = 10.0
    seed: int = 0
    prompt_style: PromptStyle = "concise"
    name_artist: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    continue_from: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    bundle_id: str | None = None
    group: str = "cli"
    member: str = "cli"
    origin: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` inverts it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobSpec:
        """Inverse of `to_dict`. Raises TypeError on unknown or missing fields."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What became of one job in a batch.

    Attributes:
        job_id: which.
        status: "done", "failed" or "cancelled".
        result_dir: the finished folder (clip.mp3, clip.ogg, card.png, result.json and, from composers that
            work in tokens, tokens.npz), whole on disk before this is said; only with "done".
        error: one sentence for the member; only with "failed".
        retryable: whether another attempt could help (out of memory: yes; an unreadable cover: no).
        resumed: an interrupted attempt had composed part of the clip, so this one's timing teaches nothing.
    """

    job_id: str
    status: Literal["done", "failed", "cancelled"]
    result_dir: str | None = None
    error: str | None = None
    retryable: bool = False
    resumed: bool = False


JobProgress = Callable[[str, Stage, float], None]
"""(job id, stage, fraction of that stage in [0, 1])."""

JobCancelCheck = Callable[[str], bool]
"""Asked with a job id."""


class BatchRunner(Protocol):
    """What the worker process runs: the pipeline, or a test's stand-in with the same shape."""

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
