"""From settings to an engine that is ready to work."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from albumgen_core.engines.base import Engine
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.settings import EngineSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine and, when it is not the one that was asked for, the sentence that says why.

    Attributes:
        engine: what will work.
        notice: None, or one sentence that belongs on every result made with this engine.
    """

    engine: Engine
    notice: str | None = None


def load_engine(settings: EngineSettings) -> LoadedEngine:
    """Load the family that `settings` names.

    Raises EngineUnavailableError when its weights or packages are missing, unless `fallback = "sketch"`
    allows the sketch engine to stand in, in which case the notice says so.
    """
    if settings.family == "sketch":
        return LoadedEngine(_load_sketch())
    try:
        return LoadedEngine(_load_neural(settings))
    except EngineUnavailableError as error:
        if settings.fallback != "sketch":
            raise
        log.warning("The neural engine is unavailable, the sketch engine stands in: %s", error)
        return LoadedEngine(
            _load_sketch(), f"Made with the sketch engine, because the neural one is unavailable: {error}"
        )


def _load_sketch() -> Engine:
    from albumgen_core.engines.sketch import load_engine as load

    return load()


def _load_neural(settings: EngineSettings) -> Engine:
    # Imported here: torch takes seconds, and a process that works with sketches never needs it.
    from albumgen_core.engines.neural.load import load_engine as load

    return load(settings)
