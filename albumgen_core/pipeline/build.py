"""From settings to a pipeline: the one place where engine, index and stages are put together."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from albumgen_core.engines.base import Engine
from albumgen_core.engines.load import load_engine
from albumgen_core.engines.sketch.genre_means import USUAL_FEATURES
from albumgen_core.errors import CalibrationError, CatalogueError, ConfigError, IndexUnavailableError
from albumgen_core.pipeline.stages import Pipeline
from albumgen_core.retrieval import AlbumIndex
from albumgen_core.retrieval.calibrated import CalibratedDescriber
from albumgen_core.retrieval.catalogue.store import CatalogueStore
from albumgen_core.retrieval.cover_words import WordsOnCovers, nothing_read
from albumgen_core.retrieval.describing import WordsDescriber
from albumgen_core.retrieval.predictor import NO_SIGNAL, NeighbourPredictor
from albumgen_core.settings import Settings

log = logging.getLogger(__name__)


def open_pipeline(settings: Settings, *, composing: bool = True) -> Pipeline:
    """Load the engine and open the album index; without `composing`, the pipeline can only `read`.

    Raises EngineUnavailableError when the engine cannot start, IndexUnavailableError when the index cannot
    be opened and `index.on_failure = "refuse"`, and ConfigError when `index.calibration` cannot be used.
    """
    loaded = load_engine(settings.engine, composing=composing)
    index: AlbumIndex | None = None
    problem = ""
    try:
        index = AlbumIndex.open(settings.index_dir, embedder_name=loaded.engine.embedder.name)
    except IndexUnavailableError as error:
        if settings.index.on_failure == "refuse":
            raise
        log.warning("Working without retrieval: %s", error)
        problem = str(error)
    engine, notices = loaded.engine, [loaded.notice] if loaded.notice else []
    words = _words(settings)
    engine = _with_words(engine, words)
    if settings.index.calibration and index is not None:
        engine, notice = _calibrated(engine, index, Path(settings.index.calibration))
        notices += [notice] if notice else []
        if words is not None:  # a recognised album is known better than any neighbour
            engine = replace(engine, describer=WordsDescriber(engine.describer, words.read))
    return Pipeline(
        engine,
        index,
        clip=settings.clip,
        k=settings.index.k,
        notices=notices,
        index_problem=problem,
        require_index=settings.index.on_failure == "refuse",
        words=words,
        rag=settings.index.rag,
        name_share=settings.index.name_share,
    )


def _words(settings: Settings) -> WordsOnCovers | None:
    """What reads covers and looks their words up; None without a catalogue, or where names are not wanted."""
    if settings.index.rag == "look" or not settings.catalogue_path.is_file():
        return None
    try:
        return WordsOnCovers(CatalogueStore(settings.catalogue_path))
    except CatalogueError as error:
        log.warning("Working without the words on covers: %s", error)
        return None


def _with_words(engine: Engine, words: WordsOnCovers | None) -> Engine:
    """The engine with a describer that knows the words. The sketch's claims start from their prediction."""
    sketch = engine.family == "sketch"
    if words is None and not sketch:
        return engine
    read = words.read if words is not None else nothing_read
    describer = WordsDescriber(engine.describer, read, USUAL_FEATURES if sketch else None)
    return replace(engine, describer=describer)


def _calibrated(engine: Engine, index: AlbumIndex, path: Path) -> tuple[Engine, str]:
    """The engine with a calibrated describer, and the sentence that belongs on its results, or ""."""
    try:
        predictor = NeighbourPredictor.load(path, embedder=engine.embedder.name)
    except CalibrationError as error:
        raise ConfigError("index.calibration", str(error)) from error
    describer = CalibratedDescriber(engine.describer, predictor, engine.embedder, index)
    return replace(engine, describer=describer), "" if predictor.has_signal else NO_SIGNAL
