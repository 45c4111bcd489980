"""What the pipeline works on: a request, what it has become so far, and whom to charge for the time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover
from albumgen_core.errors import AlbumGenError
from albumgen_core.jobs.spec import ClipOptions
from albumgen_core.result import Take
from albumgen_core.retrieval.cover_words import CoverReading
from albumgen_core.vocabulary import Stage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """One cover, and what its clip is made with.

    Attributes:
        cover: the checked picture.
        options: see ClipOptions; a JobSpec is one.
        continue_from: an earlier take that the clip continues.
        embedding: the cover's vector, float32 (512,), where it is known from an earlier take; the cover is
            not embedded again then.
        compared: whether the clip is one of two that show what similar albums are worth. The album whose
            cover this is, should the index hold it, then has no say.
        lineage: ids that tell where this take comes from; kept in result.json.
        checkpoint: file where the composer keeps what it has; see `ComposeRequest.checkpoint`.
        stems: whether the groups of players are wanted apart too, from composers that can.
    """

    cover: Cover
    options: ClipOptions = field(default_factory=ClipOptions)
    continue_from: Audio | None = None
    embedding: NDArray[np.float32] | None = None
    compared: bool = False
    lineage: Mapping[str, str | None] = field(default_factory=dict)
    checkpoint: Path | None = None
    stems: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether every attribute is given, as when an earlier take is continued."""
        return set(MusicalAttributes.required_fields()) <= set(self.options.overrides)


class Description(NamedTuple):
    """A cover read without music.

    Attributes:
        attributes: what was read. neighbours: the albums it was read with; () without RAG.
        prompt: for the composer. notices: sentences the reader must see.
        itself: the album whose cover this is, where the index holds it; its values are the answer.
    """

    attributes: MusicalAttributes
    neighbours: Sequence[Neighbour]
    prompt: str
    notices: Sequence[str]
    itself: Neighbour | None = None


@dataclass(slots=True)
class Work:
    """What a request has become so far.

    Attributes:
        embedding: the cover's vector, where one was needed.
        neighbours: the retrieved albums; not the one whose cover this is.
        itself: the album whose cover this is, where the index holds it.
    """

    request: ClipRequest
    embedding: NDArray[np.float32] | None = None
    attributes: MusicalAttributes | None = None
    neighbours: Sequence[Neighbour] = ()
    itself: Neighbour | None = None
    reading: CoverReading | None = None
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
