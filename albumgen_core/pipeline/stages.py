"""The stages in order: embed → retrieve → describe → prompt → compose → encode.

A batch of requests goes through each stage together, so that a model reads its weights once for all of
them. What fails for one request fails that request alone; the rest of the batch goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import SAME_COVER, Neighbour, is_named
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.card import CardContent
from albumgen_core.engines.base import ComposeRequest, Engine, never_cancelled
from albumgen_core.errors import AlbumGenError, CatalogueError, IndexUnavailableError, JobError
from albumgen_core.pipeline.finish import Finisher
from albumgen_core.pipeline.request import ClipRequest, Description, Work, fail, isolated, timed
from albumgen_core.prompt.template import compose_prompt
from albumgen_core.result import Take
from albumgen_core.retrieval import AlbumIndex
from albumgen_core.retrieval.cover_words import WordsOnCovers, fuse
from albumgen_core.settings import ClipSettings
from albumgen_core.vocabulary import RagMode, Stage

log = logging.getLogger(__name__)

__all__ = ["BatchProgress", "ClipRequest", "Pipeline", "ignore_batch_progress"]

ENCODERS = 4
"""Most clips encoded at a time: each needs its samples in memory several times over."""

BatchProgress = Callable[[int, Stage, float], None]
"""(position in the batch, stage, fraction of that stage in [0, 1])."""


def ignore_batch_progress(_position: int, _stage: Stage, _fraction: float) -> None:
    """A BatchProgress for callers who do not watch."""


class Pipeline:
    """An engine, an album index and the order of the stages.

    Args:
        engine: the models.
        index: the album index, or None when there is none; then every RAG result says so.
        clip: encoding settings.
        k: how many albums to retrieve.
        notices: sentences put on every result (another engine stands in, say).
        index_problem: why `index` is None, as a sentence.
        require_index: refuse RAG requests instead, when retrieval fails.
        words: reads covers and looks their words up, or None where there is no catalogue.
        rag: how neighbours are found.
        name_share: share of the k places that albums found by name take first.
    """

    def __init__(
        self,
        engine: Engine,
        index: AlbumIndex | None,
        *,
        clip: ClipSettings | None = None,
        k: int = 5,
        notices: Sequence[str] = (),
        index_problem: str = "There is no album index yet.",
        require_index: bool = False,
        words: WordsOnCovers | None = None,
        rag: RagMode = "both",
        name_share: float = 0.6,
    ) -> None:
        self.engine = engine
        self.index = index
        self._finisher = Finisher(engine, index, clip if clip is not None else ClipSettings())
        self.k = k
        self.notices = tuple(notices)
        self.index_problem = index_problem
        self.require_index = require_index
        self.words = words if rag != "look" else None
        self.by_look = words is None or rag != "name"
        self.name_share = name_share

    def run(
        self,
        requests: Sequence[ClipRequest],
        *,
        on_progress: BatchProgress = ignore_batch_progress,
        is_cancelled: Callable[[int], bool] = never_cancelled,
    ) -> list[Take | Exception | None]:
        """Take every request through all stages: `begin`, and what is left.

        Returns, in order: a Take, the exception that stopped this one request, or None where it was
        cancelled. Raises MemoryError (and torch's CUDA equivalent) for the batch as a whole.
        """
        return self.begin(requests, on_progress=on_progress, is_cancelled=is_cancelled)()

    def begin(
        self,
        requests: Sequence[ClipRequest],
        *,
        on_progress: BatchProgress = ignore_batch_progress,
        is_cancelled: Callable[[int], bool] = never_cancelled,
    ) -> Callable[[], list[Take | Exception | None]]:
        """Take every request through all stages that need the models.

        Returns what does the rest: called once, on any thread and while the models work on other requests
        already, it encodes and returns what `run` returns. Raises as `run` does.
        """
        batch = [Work(request, notices=list(self.notices)) for request in requests]

        def mark_cancelled() -> None:
            for position, work in enumerate(batch):
                if work.live and is_cancelled(position):
                    work.cancelled = True

        def report(stage: Stage) -> Callable[[float], None]:
            def tell(fraction: float) -> None:
                for position, work in enumerate(batch):
                    if work.live:
                        on_progress(position, stage, fraction)

            return tell

        mark_cancelled()
        self._read_words(batch)
        self._retrieve(batch, report)
        mark_cancelled()
        self._describe(batch, report, is_cancelled)
        self._write_prompts(batch, report)
        self._compose(batch, report, is_cancelled)

        def finish() -> list[Take | Exception | None]:
            mark_cancelled()
            self._encode(batch, report)
            return [None if work.cancelled else work.outcome for work in batch]

        return finish

    def read(self, request: ClipRequest) -> Description:
        """Only read the cover, with no music.

        Raises what stopped the reading.
        """
        work = Work(request, notices=list(self.notices))
        batch = [work]
        self._read_words(batch)
        self._retrieve(batch, _unwatched)
        self._describe(batch, _unwatched, never_cancelled)
        self._write_prompts(batch, _unwatched)
        if isinstance(work.outcome, Exception):
            raise work.outcome
        if work.attributes is None:
            raise JobError("The cover could not be read.", "core.cover_unread")
        return Description(work.attributes, work.neighbours, work.prompt, work.notices, work.itself)

    def _read_words(self, batch: list[Work]) -> None:
        """Read covers, with or without RAG: words are on the cover. What fails costs the words alone."""
        if self.words is None:
            return
        for work in batch:
            if not work.live or work.request.is_complete:
                continue
            with timed([work], "retrieve"):
                try:
                    work.reading = self.words.read(work.request.cover)
                except MemoryError:
                    raise
                except CatalogueError as error:
                    work.notices.append(f"The words on the cover were not looked up: {error}")
                except Exception:
                    log.exception("The words on a cover could not be read")
                    work.notices.append("The words on the cover could not be read.")
            if work.reading is not None and work.request.options.rag:
                work.neighbours = fuse((), work.reading.neighbours, self.k, 1.0)

    def _retrieve(self, batch: list[Work], report: _Reporter) -> None:
        wanted = [
            work for work in batch if work.live and work.request.options.rag and not work.request.is_complete
        ]
        if not wanted or not self.by_look:
            return
        if self.index is None:
            for work in wanted:
                self._go_without(work, self.index_problem)
            return
        with timed(wanted, "embed"):
            report("embed")(0.0)
            try:
                vectors = self._embed(wanted)
            except AlbumGenError as error:
                fail(wanted, error)
                return
            report("embed")(1.0)
        with timed(wanted, "retrieve"):
            for work, vector in zip(wanted, vectors, strict=True):
                try:
                    work.itself, alike = _nearest(self.index, vector, self.k)
                    named = work.reading.neighbours if work.reading is not None else ()
                    work.neighbours = fuse(alike, named, self.k, self.name_share, without=work.itself)
                except IndexUnavailableError as error:
                    self._go_without(work, str(error))
            report("retrieve")(1.0)

    def _embed(self, works: list[Work]) -> list[NDArray[np.float32]]:
        """Each cover's vector: the one that its request came with, or a new one."""
        new = [work for work in works if work.request.embedding is None]
        made = iter(self.engine.embedder.embed([work.request.cover for work in new])) if new else iter(())
        vectors: list[NDArray[np.float32]] = []
        for work in works:
            known = work.request.embedding
            work.embedding = next(made) if known is None else known
            vectors.append(work.embedding)
        return vectors

    def _go_without(self, work: Work, problem: str) -> None:
        """RAG was asked for and cannot be had: refuse or say so, as configured."""
        if self.require_index:
            work.outcome = IndexUnavailableError(problem)
        else:
            work.notices.append(f"No retrieval: {problem}")

    def _describe(self, batch: list[Work], report: _Reporter, is_cancelled: Callable[[int], bool]) -> None:
        for position, work in enumerate(batch):
            if not work.live:
                continue
            if is_cancelled(position):
                work.cancelled = True
                continue
            with timed([work], "describe"), isolated(work):
                work.attributes = self._attributes_of(work, report("describe"))
        report("describe")(1.0)

    def _attributes_of(self, work: Work, on_progress: Callable[[float], None]) -> MusicalAttributes:
        request, options = work.request, work.request.options
        if request.is_complete:
            return MusicalAttributes.from_dict(options.overrides)
        neighbours = work.neighbours
        if work.itself is not None and not request.compared:
            neighbours = (work.itself, *neighbours)[: self.k]
        predicted = self.engine.describer.describe(
            request.cover, neighbours or None, seed=options.seed, on_progress=on_progress
        )
        if work.itself is not None and not request.compared and is_named(work.itself.album.artist):
            predicted = predicted.replace_fields({"artist_name": work.itself.album.artist})
        return predicted.replace_fields(options.overrides) if options.overrides else predicted

    def _write_prompts(self, batch: list[Work], report: _Reporter) -> None:
        for work in batch:
            if work.live and work.attributes is not None:
                with isolated(work):
                    work.prompt = compose_prompt(
                        work.attributes,
                        style=work.request.options.prompt_style,
                        name_artist=work.request.options.name_artist,
                    )
        report("prompt")(1.0)

    def _compose(self, batch: list[Work], report: _Reporter, is_cancelled: Callable[[int], bool]) -> None:
        chosen = [(position, work) for position, work in enumerate(batch) if work.live]
        if not chosen:
            return
        requests = [_compose_request(work) for _, work in chosen]
        works = [work for _, work in chosen]
        with timed(works, "compose"):
            try:
                clips = self.engine.composer.compose(
                    requests,
                    on_progress=report("compose"),
                    is_cancelled=lambda position: is_cancelled(chosen[position][0]),
                )
            except AlbumGenError as error:
                fail(works, error)
                return
        for work, audio in zip(works, clips, strict=True):
            work.audio = audio
            work.cancelled = audio is None

    def _encode(self, batch: list[Work], report: _Reporter) -> None:
        report("encode")(0.0)
        ready = [work for work in batch if work.live and work.audio is not None]
        with ThreadPoolExecutor(max_workers=max(1, min(len(ready), ENCODERS))) as pool:
            for done, _ in enumerate(pool.map(self._finish, ready), start=1):
                report("encode")(done / len(ready))

    def _finish(self, work: Work) -> None:
        with isolated(work):
            work.outcome = self._finisher.finish(work)

    def card_content(self, take: Take, request: ClipRequest) -> CardContent:
        """What the card of a take shows, with the kindred albums' covers from the index."""
        return self._finisher.card_content(take, request)


def _nearest(
    index: AlbumIndex, vector: NDArray[np.float32], k: int
) -> tuple[Neighbour | None, Sequence[Neighbour]]:
    """The album whose cover a vector is, if the index holds it, and the k nearest others.

    Raises IndexUnavailableError.
    """
    found = index.nearest(vector, k)
    same = [near for near in found if near.distance is not None and near.distance <= SAME_COVER]
    if not same:
        return None, found
    return same[0], index.nearest(vector, k, exclude={neighbour.album.album_id for neighbour in same})


_Reporter = Callable[[Stage], Callable[[float], None]]


def _unwatched(_stage: Stage) -> Callable[[float], None]:
    return lambda _fraction: None


def _compose_request(work: Work) -> ComposeRequest:
    if work.attributes is None:
        raise RuntimeError("composing comes after describing")
    return ComposeRequest(
        prompt=work.prompt,
        attributes=work.attributes,
        seconds=work.request.options.seconds,
        seed=work.request.options.seed,
        continue_from=work.request.continue_from,
        checkpoint=work.request.checkpoint,
        cover=work.request.cover,
        stems=work.request.stems,
    )
