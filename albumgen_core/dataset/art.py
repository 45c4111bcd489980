"""Fetching album covers: politely, resumable, checked, and with an honest list of what is gone."""
# ruff: noqa: ASYNC240 - a command of its own, with nothing else on its loop; the slow parts use threads.

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp

from albumgen_core.dataset.http import FetchPolicy, persistently, request, session
from albumgen_core.dataset.pictures import MAX_BYTES, decode_picture
from albumgen_core.errors import CoverError, FetchError, GoneError

MANIFEST = "covers.jsonl"
"""One line a cover and outcome, appended as it happens; the last line of an album counts."""

_QUALITY = 92
_UNSAFE = frozenset('/\\\0:*?"<>|')

Outcome = Literal["saved", "gone", "failed"]
ArtProgress = Callable[[int, int], None]
"""Called with (covers dealt with, covers in all)."""


def ignore_art_progress(_done: int, _total: int) -> None:
    """An ArtProgress for callers who do not watch."""


@dataclass(frozen=True, slots=True)
class CoverEntry:
    """A line of the manifest.

    Attributes:
        album_id, url: what was asked for.
        outcome: saved; gone (the server has it no longer); failed (worth another run).
        detail: for gone and failed, why.
        sha256: for saved, of the stored file.
        width, height: for saved, in pixels, at most 640.
    """

    album_id: str
    url: str
    outcome: Outcome
    detail: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class ArtReport:
    """What a run of `fetch_covers` did: counts, and the covers that are not there."""

    saved: int
    already: int
    gone: list[CoverEntry]
    failed: list[CoverEntry]


async def fetch_covers(
    wanted: Iterable[tuple[str, str]],
    folder: Path,
    *,
    policy: FetchPolicy | None = None,
    ask_again: bool = False,
    on_progress: ArtProgress = ignore_art_progress,
) -> ArtReport:
    """Fetch covers as `<album_id>.jpg`, RGB, at most 640 pixels a side.

    A cover that is in the folder and matches its checksum in the manifest is not fetched again; one that
    was gone is not asked for again unless `ask_again`. A picture is stored whole or not at all.

    Args:
        wanted: (album_id, address) pairs.
        folder: made when missing.
        policy: concurrency, retries and waits.
        ask_again: ask for what was gone too.
        on_progress: told after every cover.
    """
    policy = policy or FetchPolicy()
    folder.mkdir(parents=True, exist_ok=True)
    queue = list(dict(wanted).items())
    manifest = read_manifest(folder)
    known = await asyncio.to_thread(_known, queue, manifest, folder, ask_again)
    todo = iter([pair for pair in queue if pair[0] not in known])
    entries: list[CoverEntry] = []
    on_progress(len(known), len(queue))
    with (folder / MANIFEST).open("a", encoding="utf-8") as book:

        async def work(client: aiohttp.ClientSession) -> None:
            for album_id, url in todo:  # shared between the workers: each takes the next
                entry = await _fetch(client, album_id, url, folder, policy)
                book.write(json.dumps(asdict(entry)) + "\n")
                book.flush()
                entries.append(entry)
                on_progress(len(known) + len(entries), len(queue))

        async with session(policy) as client, asyncio.TaskGroup() as group:
            for _ in range(policy.concurrency):
                group.create_task(work(client))
    everything = [*known.values(), *entries]
    return ArtReport(
        saved=sum(entry.outcome == "saved" for entry in entries),
        already=sum(entry.outcome == "saved" for entry in known.values()),
        gone=[entry for entry in everything if entry.outcome == "gone"],
        failed=[entry for entry in everything if entry.outcome == "failed"],
    )


def read_manifest(folder: Path) -> dict[str, CoverEntry]:
    """The latest entry of every album; a line torn by a kill is passed over."""
    entries: dict[str, CoverEntry] = {}
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return entries
    for line in lines:
        try:
            entry = CoverEntry(**json.loads(line))
        except (ValueError, TypeError):
            continue
        entries[entry.album_id] = entry
    return entries


def cover_path(folder: Path, album_id: str) -> Path:
    """Where an album's cover is kept. Raises FetchError for an id that is no file name."""
    if not album_id or album_id.startswith(".") or len(album_id) > 200 or _UNSAFE & set(album_id):
        raise FetchError("the album_id cannot be a file name")
    return folder / f"{album_id}.jpg"


def _known(
    queue: list[tuple[str, str]], manifest: Mapping[str, CoverEntry], folder: Path, ask_again: bool
) -> dict[str, CoverEntry]:
    """Entries of earlier runs that still hold for the same address."""
    known = {}
    for album_id, url in queue:
        entry = manifest.get(album_id)
        if entry is None or entry.url != url:
            continue
        intact = entry.outcome == "saved" and _sha256(folder / f"{album_id}.jpg") == entry.sha256
        if intact or (entry.outcome == "gone" and not ask_again):
            known[album_id] = entry
    return known


async def _fetch(
    client: aiohttp.ClientSession, album_id: str, url: str, folder: Path, policy: FetchPolicy
) -> CoverEntry:
    try:
        path = cover_path(folder, album_id)
        data = await persistently(lambda: _body(client, url), policy)
        stored = await asyncio.to_thread(_store, data, path)
    except GoneError as error:
        return CoverEntry(album_id, url, "gone", str(error))
    except (FetchError, CoverError) as error:
        return CoverEntry(album_id, url, "failed", str(error))
    return CoverEntry(album_id, url, "saved", **stored)


async def _body(client: aiohttp.ClientSession, url: str) -> bytes:
    async with request(client, url) as response:
        parts, size = [], 0
        async for chunk in response.content.iter_chunked(2**16):
            size += len(chunk)
            if size > MAX_BYTES:
                raise FetchError(f"the picture is larger than {MAX_BYTES // 2**20} MiB")
            parts.append(chunk)
    return b"".join(parts)


def _store(data: bytes, path: Path) -> dict[str, Any]:
    picture = decode_picture(data)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    jpeg = buffer.getvalue()
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(jpeg)
    partial.replace(path)
    return {
        "sha256": hashlib.sha256(jpeg).hexdigest(),
        "width": picture.width,
        "height": picture.height,
    }


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
