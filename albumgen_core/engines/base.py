"""What an engine must offer, whichever family it belongs to.

A family bundles an Embedder, a Describer and a Composer. The pipeline calls nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.vocabulary import Family

EMBEDDING_DIMENSIONS = 512
"""Width of every embedder's output: that of CLIP ViT-B/16's projection."""

FractionCallback = Callable[[float], None]
"""Called with the share of a stage that is done, in [0, 1], never decreasing."""

CancelCheck = Callable[[int], bool]
"""Asked with a request's position in its batch; True once its member no longer wants it."""


def ignore_progress(_fraction: float) -> None:
    """A FractionCallback for callers who do not watch."""


def never_cancelled(_position: int) -> bool:
    """A CancelCheck for callers who never cancel."""
    return False


@dataclass(frozen=True, slots=True)
class ComposeRequest:
    """What a composer needs for one clip.

    Attributes:
        prompt: the text that describes the music (neural composers read this).
        attributes: the attributes the prompt was written from (the sketch composer reads these).
        seconds: length of the whole clip, > 0. With `continue_from` it includes the earlier part.
        seed: non-negative; the same request with the same seed gives the same audio.
        continue_from: an earlier clip to play on from, or None.
        checkpoint: file where a composer that takes long may keep what it has so far; when it is there
            already, composed for this very request, the composer goes on from it. The caller deletes it
            once the clip is safe.
        cover: the picture itself, for composers that look at it (the sketch composer plays its texture).
        stems: whether `Audio.stems` are wanted too, from composers that have them.
    """

    prompt: str
    attributes: MusicalAttributes
    seconds: float
    seed: int
    continue_from: Audio | None = None
    checkpoint: Path | None = None
    cover: Cover | None = None
    stems: bool = False


class Embedder(Protocol):
    """Turns covers into points of a space where kindred covers lie near each other."""

    @property
    def name(self) -> str:
        """Identity of the embedding space, stored with every index built in it."""
        ...

    def embed(self, covers: Sequence[Cover]) -> NDArray[np.float32]:
        """Embed covers: float32 (n, 512), each row of unit L2 norm; (0, 512) for no cover."""
        ...


class Describer(Protocol):
    """Reads musical attributes from a cover."""

    @property
    def name(self) -> str:
        """What is shown as the source of the attributes."""
        ...

    def describe(
        self,
        cover: Cover,
        neighbours: Sequence[Neighbour] | None,
        *,
        seed: int = 0,
        on_progress: FractionCallback = ignore_progress,
    ) -> MusicalAttributes:
        """Predict the cover's attributes, with neighbours as context (RAG) or, given None, without."""
        ...


class Composer(Protocol):
    """Writes and performs music."""

    @property
    def name(self) -> str:
        """What is shown as the source of the music."""
        ...

    @property
    def sample_rate(self) -> int:
        """Sample rate of what it composes, in Hz."""
        ...

    def compose(
        self,
        requests: Sequence[ComposeRequest],
        *,
        on_progress: FractionCallback = ignore_progress,
        is_cancelled: CancelCheck = never_cancelled,
    ) -> list[Audio | None]:
        """Compose a batch: one Audio a request, in order, None where the request was cancelled."""
        ...


class NoComposer:
    """The composer of an engine that was loaded to read covers only."""

    name = "none"
    sample_rate = 32_000

    def compose(
        self,
        requests: Sequence[ComposeRequest],
        *,
        on_progress: FractionCallback = ignore_progress,
        is_cancelled: CancelCheck = never_cancelled,
    ) -> list[Audio | None]:
        """Raises EngineUnavailableError."""
        raise EngineUnavailableError("This engine was loaded to read covers, not to compose.")


@dataclass(frozen=True, slots=True)
class Engine:
    """A family, ready to work.

    Attributes:
        family: "neural" or "sketch"; shown with every result.
        embedder, describer, composer: the three models.
    """

    family: Family
    embedder: Embedder
    describer: Describer
    composer: Composer
