"""From settings to an engine that is ready to work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from albumgen_core.engines.base import Embedder, Engine
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.settings import EngineSettings

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine and, when it is not the one that was asked for, the sentence that says why.

    Attributes:
        engine: what will work.
        notice: None, or one sentence that belongs on every result made with this engine.
    """

    engine: Engine
    notice: str | None = None


def load_engine(settings: EngineSettings, *, composing: bool = True) -> LoadedEngine:
    """Load the family that `settings` names; without `composing`, only what reads covers.

    Raises EngineUnavailableError when its weights or packages are missing, unless `fallback = "sketch"`
    allows the sketch engine to stand in, in which case the notice says so.
    """
    return LoadedEngine(
        *_neural_or_sketch(
            settings, partial(_load_neural, composing=composing), partial(_load_sketch, settings)
        )
    )


def load_embedder(settings: EngineSettings) -> tuple[Embedder, str | None]:
    """The embedder of the family that `settings` names, alone, and the notice of a `LoadedEngine`.

    An album index needs no more: neither the memory of the other models nor their weights. Raises
    EngineUnavailableError as `load_engine` does.
    """
    return _neural_or_sketch(settings, _load_neural_embedder, _load_sketch_embedder)


def _neural_or_sketch(
    settings: EngineSettings, neural: Callable[[EngineSettings], T], sketch: Callable[[], T]
) -> tuple[T, str | None]:
    if settings.family == "sketch":
        return sketch(), None
    try:
        return neural(settings), None
    except EngineUnavailableError as error:
        if settings.fallback != "sketch":
            raise
        log.warning("The neural engine is unavailable, the sketch engine stands in: %s", error)
        return sketch(), f"Made with the sketch engine, because the neural one is unavailable: {error}"


def _load_sketch(settings: EngineSettings) -> Engine:
    from albumgen_core.engines.sketch import load_engine as load

    return load(settings.sketch.soundfont)


def _load_neural(settings: EngineSettings, *, composing: bool) -> Engine:
    # Imported here: torch takes seconds, and a process that works with sketches never needs it.
    from albumgen_core.engines.neural.load import load_engine as load

    return load(settings, composing=composing)


def _load_sketch_embedder() -> Embedder:
    from albumgen_core.engines.sketch.embedding import PaletteEmbedder

    return PaletteEmbedder()


def _load_neural_embedder(settings: EngineSettings) -> Embedder:
    from albumgen_core.engines.neural.load import load_embedder as load

    return load(settings)
