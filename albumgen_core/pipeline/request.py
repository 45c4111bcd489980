"""What the pipeline works on: a request, what it has become so far, and whom to charge for the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover
from albumgen_core.errors import AlbumGenError
from albumgen_core.result import Take
from albumgen_core.vocabulary import PromptStyle, Stage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """One cover to be heard.

    Attributes:
        cover: the checked picture.
        rag: reason from the nearest albums too.
        seconds: length wanted; with `continue_from`, of the whole.
        seed: non-negative.
        prompt_style, name_artist: see `prompt.compose_prompt`.
        overrides: fields set by hand. When they cover every field, the cover is not read again.
        continue_from: an earlier take to play on from.
        lineage: ids that tell where this take comes from; kept in result.json.
        checkpoint: file where the composer keeps what it has; see `ComposeRequest.checkpoint`.
    """

    cover: Cover
    rag: bool = True
    seconds: float = 10.0
    seed: int = 0
    prompt_style: PromptStyle = "concise"
    name_artist: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    continue_from: Audio | None = None
    lineage: Mapping[str, str | None] = field(default_factory=dict)
    checkpoint: Path | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every attribute is given, as when an earlier take is continued."""
        return set(MusicalAttributes.required_fields()) <= set(self.overrides)


@dataclass(slots=True)
class Work:
    """What a request has become so far."""

    request: ClipRequest
    attributes: MusicalAttributes | None = None
    neighbours: Sequence[Neighbour] = ()
    prompt: str = ""
    audio: Audio | None = None
    outcome: Take | Exception | None = None
    cancelled: bool = False
    notices: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether it is still wanted and still without an answer."""
        return self.outcome is None and not self.cancelled


def fail(works: Sequence[Work], error: Exception) -> None:
    """End requests with one error."""
    for work in works:
        work.outcome = error


@contextmanager
def timed(works: Sequence[Work], stage: Stage) -> Iterator[None]:
    """Charge a stage's time to the requests that shared it, in equal parts."""
    started = time.perf_counter()
    try:
        yield
    finally:
        share = (time.perf_counter() - started) / max(1, len(works))
        for work in works:
            work.timings[stage] = work.timings.get(stage, 0.0) + share


@contextmanager
def isolated(work: Work) -> Iterator[None]:
    """Keep one request's failure from the rest of its batch; only exhausted memory concerns them all."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if not isinstance(error, AlbumGenError):
            log.exception("A request failed unexpectedly")
        work.outcome = error
