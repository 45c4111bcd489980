"""Building an index: covers decoded in parallel, embedded in batches, stored so that a kill loses little."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from albumgen_core.cover.read import Cover
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.dataset.records import AlbumRecord, Dataset, Problem
from albumgen_core.engines.base import Embedder
from albumgen_core.errors import CoverError, DatasetError
from albumgen_core.retrieval.thumbnails import make_thumbnail
from albumgen_core.retrieval.writer import Entry, IndexWriter

BuildProgress = Callable[[int, int], None]
"""Called with (albums dealt with, albums in all), never decreasing."""

_Decoded = tuple[Cover, bytes]


def ignore_build_progress(_done: int, _total: int) -> None:
    """A BuildProgress for callers who do not watch."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """How a build went.

    Attributes:
        total: albums with a cover in the source.
        added: stored in this run, new or changed.
        unchanged: stored by an earlier run, and left alone.
        without_cover: albums of the source that have no cover file.
        problems: rows and covers that were left out.
        indexed: albums in the index now, those of other sources included.
        seconds: duration of this run.
    """

    total: int
    added: int
    unchanged: int
    without_cover: int
    problems: Sequence[Problem]
    indexed: int
    seconds: float


def build_index(
    source: Dataset,
    embedder: Embedder,
    index_dir: Path,
    *,
    on_progress: BuildProgress = ignore_build_progress,
    batch_size: int = 32,
    resume: bool = True,
    workers: int | None = None,
) -> BuildReport:
    """Embed every cover of `source` into the index at `index_dir`.

    Run it again after a kill, or after the source has changed: what is stored and unchanged is left
    alone. Albums of the index that the source does not hold stay.

    Args:
        source: albums and where their covers are.
        embedder: whose space the index lives in; an index folder may hold several, apart.
        index_dir: made when missing.
        on_progress: told after every batch.
        batch_size: covers embedded and stored at a time, ≥ 1; a kill loses at most one batch.
        resume: False embeds everything again.
        workers: decoding threads; None for one a core.

    Raises IndexUnavailableError when the index is in use, damaged or cannot be written, and DatasetError
    when the source has no cover at all.
    """
    started = time.monotonic()
    albums = [record for record in source if record.cover is not None]
    if not albums:
        raise DatasetError(f"{source.name} has no album with a cover{_first(source.problems)}.")
    problems = list(source.problems)
    with IndexWriter(index_dir, embedder.name) as writer:
        known = writer.fingerprints() if resume else {}
        todo = [
            (record, mark)
            for record in albums
            if known.get(record.album.album_id) != (mark := _fingerprint(record))
        ]
        unchanged = done = len(albums) - len(todo)
        added = 0
        on_progress(done, len(albums))
        for batch in _decoded(todo, batch_size, workers, problems):
            entries = _embed(batch, embedder)
            writer.upsert(entries)
            added += len(entries)
            done += batch.size
            on_progress(done, len(albums))
        indexed = writer.count()
    return BuildReport(
        total=len(albums),
        added=added,
        unchanged=unchanged,
        without_cover=len(source) - len(albums),
        problems=problems,
        indexed=indexed,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """Decoded covers, and how many albums they stand for (the undecodable ones included)."""

    size: int
    ready: list[tuple[AlbumRecord, str, Cover, bytes]]


def _decoded(
    todo: Sequence[tuple[AlbumRecord, str]], batch_size: int, workers: int | None, problems: list[Problem]
) -> Iterator[_Batch]:
    """Batches in order; while one is embedded, the threads decode the next."""
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, below 1")
    chunks = [todo[start : start + batch_size] for start in range(0, len(todo), batch_size)]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:

        def submit(index: int) -> list[Future[_Decoded]]:
            return (
                [pool.submit(_decode, record) for record, _ in chunks[index]] if index < len(chunks) else []
            )

        pending = submit(0)
        for index, chunk in enumerate(chunks):
            current, pending = pending, submit(index + 1)
            ready = []
            for (record, mark), future in zip(chunk, current, strict=True):
                try:
                    ready.append((record, mark, *future.result()))
                except CoverError as error:
                    problems.append(Problem(str(record.cover), str(error)))
            yield _Batch(len(chunk), ready)


def _decode(record: AlbumRecord) -> _Decoded:
    assert record.cover is not None
    cover = load_cover(record.cover)
    return cover, make_thumbnail(cover.image)


def _embed(batch: _Batch, embedder: Embedder) -> list[Entry]:
    if not batch.ready:
        return []
    vectors = embedder.embed([cover for _, _, cover, _ in batch.ready])
    return [
        Entry(record.album, vectors[row], mark, thumbnail)
        for row, (record, mark, _, thumbnail) in enumerate(batch.ready)
    ]


def _fingerprint(record: AlbumRecord) -> str:
    """Changes with the album's data or the cover file, without reading the file."""
    assert record.cover is not None
    try:
        status = record.cover.stat()
        file = [status.st_size, status.st_mtime_ns]
    except OSError:
        file = []  # the decoder will say what is wrong with it
    album = record.album
    data = [album.title, album.artist, album.year, album.attributes.to_dict(), file]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def _first(problems: Sequence[Problem]) -> str:
    if not problems:
        return ""
    more = f" and {len(problems) - 1} more problems" if len(problems) > 1 else ""
    return f" ({problems[0]}{more})"
