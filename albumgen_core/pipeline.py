"""The stages in order: embed → retrieve → describe → prompt → compose → encode.

A batch of requests goes through each stage together, so that a model reads its weights once for all of
them. What fails for one request fails that request alone; the rest of the batch goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from albumgen_core.attributes import MusicalAttributes
from albumgen_core.audio import Audio
from albumgen_core.card import CardContent, render_card
from albumgen_core.clip import ClipTags, encode_clip
from albumgen_core.cover import Cover
from albumgen_core.engines.base import ComposeRequest, Engine, Neighbour, never_cancelled
from albumgen_core.errors import AlbumGenError, IndexUnavailableError
from albumgen_core.inference.jobs import PromptStyle, Stage
from albumgen_core.prompt import compose_prompt
from albumgen_core.result import Take
from albumgen_core.retrieval import AlbumIndex
from albumgen_core.settings import ClipSettings

log = logging.getLogger(__name__)

ENCODERS = 4
"""Most clips encoded at a time: each needs its samples in memory several times over."""

BatchProgress = Callable[[int, Stage, float], None]
"""(position in the batch, stage, fraction of that stage in [0, 1])."""


def ignore_batch_progress(_position: int, _stage: Stage, _fraction: float) -> None:
    """A BatchProgress for callers who do not watch."""


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


@dataclass(slots=True)
class _Work:
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
        return self.outcome is None and not self.cancelled


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
    ) -> None:
        self.engine = engine
        self.index = index
        self.clip = clip if clip is not None else ClipSettings()
        self.k = k
        self.notices = tuple(notices)
        self.index_problem = index_problem
        self.require_index = require_index

    def run(
        self,
        requests: Sequence[ClipRequest],
        *,
        on_progress: BatchProgress = ignore_batch_progress,
        is_cancelled: Callable[[int], bool] = never_cancelled,
    ) -> list[Take | Exception | None]:
        """Take every request through all stages.

        Returns, in order: a Take, the exception that stopped this one request, or None where it was
        cancelled. Raises MemoryError (and torch's CUDA equivalent) for the batch as a whole.
        """
        batch = [_Work(request, notices=list(self.notices)) for request in requests]

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
        self._retrieve(batch, report)
        mark_cancelled()
        self._describe(batch, report, is_cancelled)
        self._write_prompts(batch, report)
        self._compose(batch, report, is_cancelled)
        mark_cancelled()
        self._encode(batch, report)
        return [None if work.cancelled else work.outcome for work in batch]

    def read(self, request: ClipRequest) -> tuple[MusicalAttributes, Sequence[Neighbour], str, Sequence[str]]:
        """Only read the cover: attributes, neighbours, prompt and notices, with no music.

        Raises what stopped the reading.
        """
        work = _Work(request, notices=list(self.notices))
        batch = [work]
        self._retrieve(batch, _unwatched)
        self._describe(batch, _unwatched, never_cancelled)
        self._write_prompts(batch, _unwatched)
        if isinstance(work.outcome, Exception):
            raise work.outcome
        if work.attributes is None:
            raise AlbumGenError("The cover could not be read.")
        return work.attributes, work.neighbours, work.prompt, work.notices

    def _retrieve(self, batch: list[_Work], report: _Reporter) -> None:
        wanted = [work for work in batch if work.live and work.request.rag and not _is_complete(work.request)]
        if not wanted:
            return
        if self.index is None:
            for work in wanted:
                self._go_without(work, self.index_problem)
            return
        with _timed(wanted, "embed"):
            report("embed")(0.0)
            try:
                vectors = self.engine.embedder.embed([work.request.cover for work in wanted])
            except AlbumGenError as error:
                _fail(wanted, error)
                return
            report("embed")(1.0)
        with _timed(wanted, "retrieve"):
            for work, vector in zip(wanted, vectors, strict=True):
                try:
                    work.neighbours = self.index.nearest(vector, self.k)
                except IndexUnavailableError as error:
                    self._go_without(work, str(error))
            report("retrieve")(1.0)

    def _go_without(self, work: _Work, problem: str) -> None:
        """RAG was asked for and cannot be had: refuse or say so, as configured."""
        if self.require_index:
            work.outcome = IndexUnavailableError(problem)
        else:
            work.notices.append(f"No retrieval: {problem}")

    def _describe(self, batch: list[_Work], report: _Reporter, is_cancelled: Callable[[int], bool]) -> None:
        for position, work in enumerate(batch):
            if not work.live:
                continue
            if is_cancelled(position):
                work.cancelled = True
                continue
            with _timed([work], "describe"), _isolated(work):
                work.attributes = self._attributes_of(work, report("describe"))
        report("describe")(1.0)

    def _attributes_of(self, work: _Work, on_progress: Callable[[float], None]) -> MusicalAttributes:
        request = work.request
        if _is_complete(request):
            return MusicalAttributes.from_dict(request.overrides)
        neighbours = work.neighbours if work.neighbours else None
        predicted = self.engine.describer.describe(
            request.cover, neighbours, seed=request.seed, on_progress=on_progress
        )
        return predicted.replace_fields(request.overrides) if request.overrides else predicted

    def _write_prompts(self, batch: list[_Work], report: _Reporter) -> None:
        for work in batch:
            if work.live and work.attributes is not None:
                with _isolated(work):
                    work.prompt = compose_prompt(
                        work.attributes,
                        style=work.request.prompt_style,
                        name_artist=work.request.name_artist,
                    )
        report("prompt")(1.0)

    def _compose(self, batch: list[_Work], report: _Reporter, is_cancelled: Callable[[int], bool]) -> None:
        chosen = [(position, work) for position, work in enumerate(batch) if work.live]
        if not chosen:
            return
        requests = [_compose_request(work) for _, work in chosen]
        works = [work for _, work in chosen]
        with _timed(works, "compose"):
            try:
                clips = self.engine.composer.compose(
                    requests,
                    on_progress=report("compose"),
                    is_cancelled=lambda position: is_cancelled(chosen[position][0]),
                )
            except AlbumGenError as error:
                _fail(works, error)
                return
        for work, audio in zip(works, clips, strict=True):
            work.audio = audio
            work.cancelled = audio is None

    def _encode(self, batch: list[_Work], report: _Reporter) -> None:
        report("encode")(0.0)
        ready = [work for work in batch if work.live and work.audio is not None]
        # MP3 is made by another process and most of the rest outside the interpreter's lock.
        with ThreadPoolExecutor(max_workers=max(1, min(len(ready), ENCODERS))) as pool:
            list(pool.map(self._finish, ready))

    def _finish(self, work: _Work) -> None:
        with _isolated(work):
            if work.attributes is None or work.audio is None:
                raise RuntimeError("encoding comes after composing")
            work.outcome = self._take(work, work.attributes, work.audio)

    def _take(self, work: _Work, attributes: MusicalAttributes, audio: Audio) -> Take:
        request = work.request
        started = time.perf_counter()
        cover_jpeg = request.cover.to_jpeg()
        clip = encode_clip(
            audio,
            ClipTags(
                title=_title(attributes),
                engine=self.engine.family,
                genre=attributes.album_genre,
                tempo=attributes.tempo,
                key=attributes.key,
                mode=attributes.mode,
                cover_jpeg=cover_jpeg,
                prompt=work.prompt,
                seed=request.seed,
            ),
            max_bytes=int(self.clip.max_megabytes * 1024 * 1024),
            loudness_lufs=self.clip.loudness_lufs,
        )
        take = Take(
            attributes=attributes,
            neighbours=work.neighbours,
            rag=request.rag,
            prompt=work.prompt,
            seed=request.seed,
            seconds=audio.seconds,
            audio=audio,
            mp3=clip.mp3,
            ogg=clip.ogg,
            card=b"",
            cover_jpeg=cover_jpeg,
            cover_sha256=request.cover.sha256,
            family=self.engine.family,
            describer=self.engine.describer.name,
            composer=self.engine.composer.name,
            overridden=sorted(request.overrides) if not _is_complete(request) else (),
            notices=work.notices,
            timings=work.timings,
            lineage=request.lineage,
        )
        card = render_card(self.card_content(take, request))
        work.timings["encode"] = time.perf_counter() - started
        return replace(take, card=card)

    def card_content(self, take: Take, request: ClipRequest) -> CardContent:
        """What the card of a take shows, with the kindred albums' covers from the index."""
        return CardContent(
            cover=request.cover,
            attributes=take.attributes,
            neighbours=take.neighbours,
            thumbnails=self._thumbnails(take.neighbours),
            audio=take.audio,
            family=take.family,
            seed=take.seed,
            seconds=take.seconds,
            prompt=take.prompt,
            rag=bool(take.neighbours),
        )

    def _thumbnails(self, neighbours: Sequence[Neighbour]) -> list[bytes | None]:
        if self.index is None:
            return [None] * len(neighbours)
        return [self.index.thumbnail(neighbour.album.album_id) for neighbour in neighbours]


_Reporter = Callable[[Stage], Callable[[float], None]]


def _unwatched(_stage: Stage) -> Callable[[float], None]:
    return lambda _fraction: None


def _is_complete(request: ClipRequest) -> bool:
    """Whether every attribute is given, as when an earlier take is continued."""
    return set(MusicalAttributes.required_fields()) <= set(request.overrides)


def _compose_request(work: _Work) -> ComposeRequest:
    if work.attributes is None:
        raise RuntimeError("composing comes after describing")
    return ComposeRequest(
        prompt=work.prompt,
        attributes=work.attributes,
        seconds=work.request.seconds,
        seed=work.request.seed,
        continue_from=work.request.continue_from,
        checkpoint=work.request.checkpoint,
    )


def _title(attributes: MusicalAttributes) -> str:
    mode = f" {attributes.mode}" if attributes.mode else ""
    return f"{attributes.album_genre} in {attributes.key}{mode}, {attributes.tempo:.0f} BPM"


def _fail(works: Sequence[_Work], error: Exception) -> None:
    for work in works:
        work.outcome = error


@contextmanager
def _timed(works: Sequence[_Work], stage: Stage) -> Iterator[None]:
    """Charge a stage's time to the requests that shared it, in equal parts."""
    started = time.perf_counter()
    try:
        yield
    finally:
        share = (time.perf_counter() - started) / max(1, len(works))
        for work in works:
            work.timings[stage] = work.timings.get(stage, 0.0) + share


@contextmanager
def _isolated(work: _Work) -> Iterator[None]:
    """Keep one request's failure from the rest of its batch; only exhausted memory concerns them all."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if not isinstance(error, AlbumGenError):
            log.exception("A request failed unexpectedly")
        work.outcome = error
