"""MusicOSet's tables from Zenodo: found through the record, resumed, checked against its MD5 sums."""
# ruff: noqa: ASYNC240 - a command of its own, with nothing else on its loop; the slow parts use threads.

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from albumgen_core.dataset.http import FetchPolicy, TransientError, persistently, request, session
from albumgen_core.dataset.musicoset import ALBUMS, ARTISTS, FEATURES, RELEASES, SONGS, TRACKS, find_table
from albumgen_core.errors import FetchError

API = "https://zenodo.org/api"
RECORD = "4904639"
ARCHIVES = {
    "musicoset_metadata.zip": (ALBUMS, ARTISTS, RELEASES, SONGS, TRACKS),
    "musicoset_songfeatures.zip": (FEATURES,),
}
"""Archives of the record and the tables wanted from them; the lyrics, 149 MB, are left inside."""

MAX_TABLE_BYTES = 256 * 2**20
_CHUNK = 2**18

BytesProgress = Callable[[str, int, int], None]
"""Called with (file name, bytes so far, bytes in all)."""


def ignore_bytes(_name: str, _done: int, _total: int) -> None:
    """A BytesProgress for callers who do not watch."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a record: its name, address, size in bytes and hex MD5."""

    name: str
    url: str
    size: int
    md5: str


async def fetch_tables(
    folder: Path,
    *,
    api: str = API,
    record: str = RECORD,
    policy: FetchPolicy | None = None,
    on_progress: BytesProgress = ignore_bytes,
) -> list[Path]:
    """Bring MusicOSet's tables into `folder`; those that are there already are left alone.

    Returns the paths of all wanted tables. Run again after an interruption, it goes on within a file.
    Raises FetchError in one sentence.
    """
    policy = policy or FetchPolicy()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: tables for name, tables in ARCHIVES.items() if _lacking(folder, tables)}
    if wanted:
        async with session(policy) as client:
            try:
                files = await persistently(lambda: _list_files(client, f"{api}/records/{record}"), policy)
            except FetchError as error:
                raise FetchError(
                    f"MusicOSet's tables could not be fetched ({error}); run the same command again once "
                    f"the connection is there, or put the archives' tables from zenodo.org/records/{record} "
                    f"into {folder} yourself."
                ) from error
            for name, tables in wanted.items():
                if name not in files:
                    raise FetchError(f"Zenodo's record {record} holds no {name} any more.")
                archive = await _download(client, files[name], folder / "downloads", policy, on_progress)
                await asyncio.to_thread(_extract, archive, tables, folder / archive.stem)
    return [path for tables in ARCHIVES.values() for table in tables if (path := find_table(folder, table))]


def _lacking(folder: Path, tables: tuple[str, ...]) -> bool:
    return any(find_table(folder, table) is None for table in tables)


async def _list_files(client: aiohttp.ClientSession, url: str) -> dict[str, RemoteFile]:
    async with request(client, url) as response:
        try:
            answer: Any = await response.json()
            files = [
                RemoteFile(f["key"], f["links"]["self"], int(f["size"]), f["checksum"].removeprefix("md5:"))
                for f in answer["files"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError, aiohttp.ContentTypeError) as error:
            raise FetchError(f"{url} does not answer like a record of Zenodo.") from error
    return {file.name: file for file in files}


async def _download(
    client: aiohttp.ClientSession,
    file: RemoteFile,
    folder: Path,
    policy: FetchPolicy,
    on_progress: BytesProgress,
) -> Path:
    """The file, checked. An unfinished `.part` is continued; one with the wrong sum is begun anew."""
    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / file.name, folder / f"{file.name}.part"
    if target.exists() and await asyncio.to_thread(_md5, target) == file.md5:
        return target

    async def attempt() -> None:
        await _continue(client, file, part, on_progress)
        if await asyncio.to_thread(_md5, part) != file.md5:
            part.unlink()
            raise TransientError(f"{file.name} arrived damaged (its MD5 sum is wrong)")

    await persistently(attempt, policy)
    part.replace(target)
    return target


async def _continue(
    client: aiohttp.ClientSession, file: RemoteFile, part: Path, on_progress: BytesProgress
) -> None:
    done = part.stat().st_size if part.exists() else 0
    if done > file.size:
        part.unlink()
        done = 0
    if done == file.size:
        return
    headers = {"Range": f"bytes={done}-"} if done else None
    async with request(client, file.url, headers) as response:
        if response.status != 206:  # the server does not resume: from the start, then
            done = 0
        with part.open("ab" if done else "wb") as sink:
            async for chunk in response.content.iter_chunked(_CHUNK):
                done += len(chunk)
                if done > file.size:
                    raise FetchError(f"{file.name} is larger than its record says.")
                sink.write(chunk)
                on_progress(file.name, done, file.size)
    if done < file.size:
        raise TransientError(f"{file.name} ended after {done:,} of {file.size:,} bytes")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _extract(archive: Path, tables: tuple[str, ...], folder: Path) -> None:
    """Take the wanted tables out by name, whatever folders the archive keeps them in."""
    try:
        with zipfile.ZipFile(archive) as opened:
            for table in tables:
                inside = [info for info in opened.infolist() if Path(info.filename).name == table]
                if not inside:
                    raise FetchError(f"{archive.name} holds no {table}.")
                if inside[0].file_size > MAX_TABLE_BYTES:
                    raise FetchError(
                        f"{table} in {archive.name} is larger than {MAX_TABLE_BYTES // 2**20} MiB."
                    )
                folder.mkdir(parents=True, exist_ok=True)
                partial = folder / f"{table}.partial"
                partial.write_bytes(opened.read(inside[0]))
                partial.replace(folder / table)
    except zipfile.BadZipFile as error:
        raise FetchError(f"{archive} is no readable archive ({error}).") from error
