"""From settings to a pipeline: the one place where engine, index and stages are put together."""

from __future__ import annotations

import logging

from albumgen_core.engines.load import load_engine
from albumgen_core.errors import IndexUnavailableError
from albumgen_core.pipeline import Pipeline
from albumgen_core.retrieval import AlbumIndex
from albumgen_core.settings import Settings

log = logging.getLogger(__name__)


def open_pipeline(settings: Settings) -> Pipeline:
    """Load the engine and open the album index.

    Raises EngineUnavailableError when the engine cannot start, and IndexUnavailableError when the index
    cannot be opened and `index.on_failure = "refuse"`.
    """
    loaded = load_engine(settings.engine)
    index: AlbumIndex | None = None
    problem = ""
    try:
        index = AlbumIndex.open(settings.index_dir, embedder_name=loaded.engine.embedder.name)
    except IndexUnavailableError as error:
        if settings.index.on_failure == "refuse":
            raise
        log.warning("Working without retrieval: %s", error)
        problem = str(error)
    return Pipeline(
        loaded.engine,
        index,
        clip=settings.clip,
        k=settings.index.k,
        notices=[loaded.notice] if loaded.notice else [],
        index_problem=problem,
        require_index=settings.index.on_failure == "refuse",
    )
