# ruff: noqa: ASYNC240 - a test may look at a folder between its requests
from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web

from albumgen_core.dataset.http import FetchPolicy
from albumgen_core.dataset.musicoset import read_musicoset
from albumgen_core.dataset.zenodo import ARCHIVES, fetch_tables
from albumgen_core.errors import FetchError
from tests.albumgen_core.dataset.loopback import Site, serving
from tests.albumgen_core.dataset.musicoset_tables import write_musicoset

HASTY = FetchPolicy(attempts=3, first_delay=0.001, longest_delay=0.01, timeout=5)


@pytest.fixture
def archives(tmp_path: Path) -> dict[str, bytes]:
    """The two archives as on Zenodo: tables in a folder, the lyrics among them."""
    root = write_musicoset(tmp_path / "upstream")
    made = {}
    for name, tables in ARCHIVES.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in tables:
                archive.write(root / Path(name).stem / table, f"{Path(name).stem}/{table}")
            archive.writestr("../../lyrics.csv", "not wanted")
        made[name] = buffer.getvalue()
    return made


def publish(site: Site, archives: Mapping[str, bytes], *, md5: str | None = None) -> None:
    files = []
    for name, body in archives.items():
        address = f"/api/records/4904639/files/{name}/content"
        site.always(address, body)
        checksum = f"md5:{md5 or hashlib.md5(body, usedforsecurity=False).hexdigest()}"
        links = {"self": f"{site.url}{address}"}
        files.append({"key": name, "size": len(body), "checksum": checksum, "links": links})
    record = json.dumps({"id": 4904639, "files": files}).encode()
    site.always("/api/records/4904639", record, **{"Content-Type": "application/json"})


async def test_the_tables_arrive_and_can_be_read(tmp_path: Path, archives: dict[str, bytes]) -> None:
    folder = tmp_path / "musicoset"
    async with serving() as site:
        publish(site, archives)
        paths = await fetch_tables(folder, api=f"{site.url}/api", policy=HASTY)
        assert [path.name for path in paths] == [table for tables in ARCHIVES.values() for table in tables]
        assert len(read_musicoset(folder)) == 4
        site.asked.clear()
        await fetch_tables(folder, api=f"{site.url}/api", policy=HASTY)
        assert site.asked == {}
    assert not list(tmp_path.rglob("lyrics.csv"))


async def test_a_broken_download_goes_on_where_it_was(tmp_path: Path, archives: dict[str, bytes]) -> None:
    name = "musicoset_metadata.zip"
    body, ranges = archives[name], []
    async with serving() as site:
        publish(site, archives)

        async def cut_at_first(request: web.Request, before: int) -> web.StreamResponse:
            ranges.append(request.headers.get("Range"))
            start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
            response = web.StreamResponse(status=206 if start else 200)
            response.content_length = len(body) - start
            await response.prepare(request)
            await response.write(body[start:] if before else body[:700])
            if not before and request.transport is not None:
                request.transport.close()
            return response

        site.answers[f"/api/records/4904639/files/{name}/content"] = cut_at_first
        await fetch_tables(tmp_path / "m", api=f"{site.url}/api", policy=HASTY)
    assert ranges == [None, "bytes=700-"]
    assert (tmp_path / "m" / "downloads" / name).read_bytes() == body


async def test_a_server_that_does_not_resume_sends_all_of_it(
    tmp_path: Path, archives: dict[str, bytes]
) -> None:
    part = tmp_path / "m" / "downloads" / "musicoset_metadata.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"the beginning of something else")
    async with serving() as site:
        publish(site, archives)
        await fetch_tables(tmp_path / "m", api=f"{site.url}/api", policy=HASTY)
    assert len(read_musicoset(tmp_path / "m")) == 4


async def test_a_wrong_checksum_is_never_unpacked(tmp_path: Path, archives: dict[str, bytes]) -> None:
    async with serving() as site:
        publish(site, archives, md5="0" * 32)
        with pytest.raises(FetchError, match=r"musicoset_metadata.zip arrived damaged .*, 3 times"):
            await fetch_tables(tmp_path / "m", api=f"{site.url}/api", policy=HASTY)
    assert not list(tmp_path.joinpath("m").rglob("*.csv"))


async def test_other_answers_are_one_sentence(tmp_path: Path, archives: dict[str, bytes]) -> None:
    async with serving() as site:
        with pytest.raises(FetchError, match="the server answered 404"):
            await fetch_tables(tmp_path / "m", api=f"{site.url}/api", policy=HASTY)
        site.always("/api/records/4904639", b"<html>", **{"Content-Type": "text/html"})
        with pytest.raises(FetchError, match="does not answer like a record of Zenodo"):
            await fetch_tables(tmp_path / "m", api=f"{site.url}/api", policy=HASTY)
        publish(site, {"musicoset_metadata.zip": archives["musicoset_metadata.zip"]})
        with pytest.raises(FetchError, match=r"holds no musicoset_songfeatures.zip any more"):
            await fetch_tables(tmp_path / "m", api=f"{site.url}/api", policy=HASTY)
        publish(site, dict.fromkeys(ARCHIVES, b"no archive"))
        with pytest.raises(FetchError, match="is no readable archive"):
            await fetch_tables(tmp_path / "n", api=f"{site.url}/api", policy=HASTY)
