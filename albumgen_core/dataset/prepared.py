"""A prepared data set: one folder with resized covers and one manifest, whatever it was made from.

    <folder>/manifest.csv       columns of `dataset.folder`, loudness on the unit scale
    <folder>/images/*.jpg       RGB, at most 640 pixels a side
    <folder>/split.csv          album_id, part

It is read by `dataset.folder.read_folder`, and so by everything that reads a folder of covers.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.dataset.records import AlbumRecord, Dataset, Problem
from albumgen_core.errors import CoverError, DatasetError
from albumgen_core.files import write_durably

MANIFEST = "manifest.csv"
IMAGES = "images"
COLUMNS = (
    "file",
    "album_id",
    "artist",
    "artist_ids",
    "album",
    "genre",
    "year",
    *AUDIO_FEATURES,
    "tempo",
    "key",
    "mode",
    "time_signature",
    "tracks",
)

_QUALITY = 92
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}")

PrepareProgress = Callable[[int, int], None]
"""Called with (covers done, covers in all)."""


def ignore_prepare_progress(_done: int, _total: int) -> None:
    """A PrepareProgress for callers who do not watch."""


def prepare(
    source: Dataset, folder: Path, *, on_progress: PrepareProgress = ignore_prepare_progress
) -> Dataset:
    """Write `source`'s albums that have a readable cover to `folder`; covers already there are kept.

    Returns the prepared albums, with the problems of the source and of the covers. Raises DatasetError
    when there is no cover at all, or the folder cannot be written.
    """
    records = list(source.with_covers())
    if not records:
        raise DatasetError(f"{source.name} has no album with a cover.")
    try:
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
        kept, problems = _store_covers(records, folder, on_progress)
        _write_manifest(folder / MANIFEST, kept, folder)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written ({error.strerror or error}).") from error
    return Dataset(str(folder), kept, [*source.problems, *problems])


def _store_covers(
    records: Sequence[AlbumRecord], folder: Path, on_progress: PrepareProgress
) -> tuple[list[AlbumRecord], list[Problem]]:
    kept: list[AlbumRecord] = []
    problems: list[Problem] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda record: _store_cover(record, folder / IMAGES), records)
        for done, (record, outcome) in enumerate(zip(records, outcomes, strict=True), 1):
            if isinstance(outcome, Path):
                kept.append(AlbumRecord(record.album, outcome, record.image_url, record.artist_ids))
            else:
                problems.append(Problem(str(record.cover), str(outcome)))
            on_progress(done, len(records))
    return kept, problems


def _store_cover(record: AlbumRecord, images: Path) -> Path | CoverError:
    assert record.cover is not None
    target = images / f"{_file_stem(record.album.album_id)}.jpg"
    try:
        if target.exists() and target.stat().st_mtime_ns >= record.cover.stat().st_mtime_ns:
            return target
        picture = load_cover(record.cover).image
    except CoverError as error:
        return error
    partial = target.with_suffix(".partial")
    picture.save(partial, "JPEG", quality=_QUALITY)
    partial.replace(target)
    return target


def _file_stem(album_id: str) -> str:
    """The id where it is a safe file name, else a hash of it."""
    if _SAFE.fullmatch(album_id):
        return album_id
    return hashlib.sha256(album_id.encode()).hexdigest()[:24]


def _write_manifest(path: Path, records: Sequence[AlbumRecord], folder: Path) -> None:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, restval="")
    writer.writeheader()
    for record in records:
        writer.writerow(_row(record, folder))
    write_durably(path, file.getvalue().encode(), private=False)


def _row(record: AlbumRecord, folder: Path) -> dict[str, object]:
    assert record.cover is not None
    album = record.album
    measured = {k: "" if v is None else v for k, v in album.attributes.to_dict().items() if k in COLUMNS}
    return measured | {
        "file": record.cover.relative_to(folder).as_posix(),
        "album_id": album.album_id,
        "artist": album.artist,
        "artist_ids": " ".join(record.artist_ids),
        "album": album.title,
        "genre": album.attributes.raw_genre or "",
        "year": album.year or "",
    }
