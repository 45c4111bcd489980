# ruff: noqa: ASYNC240 - a test may look at a folder between its requests
from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
from aiohttp import web
from PIL import Image

from albumgen_core.dataset.art import MANIFEST, fetch_covers, read_manifest
from albumgen_core.dataset.http import FetchPolicy
from tests.albumgen_core.dataset.loopback import serving

HASTY = FetchPolicy(concurrency=3, attempts=3, first_delay=0.001, longest_delay=0.01, timeout=5)


def jpeg(size: tuple[int, int] = (800, 600), colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


async def test_covers_arrive_resized_checked_and_reported(tmp_path: Path) -> None:
    async with serving() as site:
        site.always("/big", jpeg((1200, 900)))
        site.always("/small", jpeg((64, 64)))
        site.always("/text", b"<html>not a picture</html>")
        wanted = [(name, f"{site.url}/{name}") for name in ("big", "small", "text", "gone")]
        report = await fetch_covers(wanted, tmp_path, policy=HASTY)
    assert (report.saved, report.already) == (2, 0)
    assert [(e.album_id, e.detail) for e in report.gone] == [("gone", "the server answered 404")]
    assert [e.album_id for e in report.failed] == ["text"]
    assert Image.open(tmp_path / "big.jpg").size == (640, 480)
    assert Image.open(tmp_path / "small.jpg").size == (64, 64)
    assert {path.name for path in tmp_path.iterdir()} == {"big.jpg", "small.jpg", MANIFEST}


async def test_a_busy_server_is_asked_again_and_a_broken_one_given_up(tmp_path: Path) -> None:
    async with serving() as site:
        site.first(2, "/busy", 503, jpeg())
        site.always("/broken", status=500)
        report = await fetch_covers(
            [("busy", f"{site.url}/busy"), ("broken", f"{site.url}/broken")], tmp_path, policy=HASTY
        )
        assert site.asked == {"/busy": 3, "/broken": 3}
    assert report.saved == 1
    assert report.failed[0].detail == "the server answered 500, 3 times"


async def test_the_server_s_wish_to_wait_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr("albumgen_core.dataset.http.asyncio.sleep", note)
    patient = FetchPolicy(concurrency=1, attempts=3, first_delay=1, longest_delay=60)
    async with serving() as site:
        site.first(1, "/a", 429, jpeg(), **{"Retry-After": "7"})
        site.first(1, "/b", 429, jpeg(), **{"Retry-After": "9999"})
        site.first(2, "/c", 503, jpeg())
        await fetch_covers([(name, f"{site.url}/{name}") for name in "abc"], tmp_path, policy=patient)
    asked = [wait for wait in waits if wait > 0.5]
    assert asked[:2] == [7, 60]
    assert 0.75 <= asked[2] <= 1.25
    assert 1.5 <= asked[3] <= 2.5


async def test_a_connection_cut_in_the_middle_is_tried_again(tmp_path: Path) -> None:
    async with serving() as site:

        async def cut_once(request: web.Request, before: int) -> web.StreamResponse:
            body = jpeg()
            response = web.StreamResponse(headers={"Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body if before else body[:100])
            if not before and request.transport is not None:
                request.transport.close()
            return response

        site.answers["/cut"] = cut_once
        report = await fetch_covers([("cut", f"{site.url}/cut")], tmp_path, policy=HASTY)
    assert report.saved == 1


async def test_no_more_connections_than_allowed_and_a_name_in_each(tmp_path: Path) -> None:
    async with serving() as site:

        async def slow(_request: web.Request, _before: int) -> web.StreamResponse:
            await asyncio.sleep(0.01)
            return web.Response(body=jpeg((32, 32)))

        names = [str(number) for number in range(12)]
        site.answers = {f"/{name}": slow for name in names}
        seen: list[tuple[int, int]] = []
        await fetch_covers(
            [(name, f"{site.url}/{name}") for name in names],
            tmp_path,
            policy=HASTY,
            on_progress=lambda done, total: seen.append((done, total)),
        )
        assert site.most_in_flight == 3
        assert all(headers["User-Agent"].startswith("AlbumGen/") for headers in site.headers)
    assert seen == [(done, 12) for done in range(13)]


async def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    async with serving() as site:
        for name in ("a", "b", "c"):
            site.always(f"/{name}", jpeg((32, 32)))
        wanted = [(name, f"{site.url}/{name}") for name in ("a", "b", "c", "gone")]
        await fetch_covers(wanted, tmp_path, policy=HASTY)
        site.asked.clear()
        (tmp_path / "b.jpg").write_bytes(b"bit rot")
        (tmp_path / "c.jpg").unlink()
        with (tmp_path / MANIFEST).open("a") as manifest:
            manifest.write('{"album_id": "a", "torn by a ki')
        report = await fetch_covers(wanted, tmp_path, policy=HASTY)
        assert site.asked == {"/b": 1, "/c": 1}
        assert (report.saved, report.already, len(report.gone)) == (2, 1, 1)
        site.always("/gone", jpeg((32, 32)))
        again = await fetch_covers(wanted, tmp_path, policy=HASTY, ask_again=True)
        assert (again.saved, again.already, again.gone) == (1, 3, [])


async def test_a_cancelled_run_leaves_whole_files_and_goes_on(tmp_path: Path) -> None:
    async with serving() as site:
        enough = asyncio.Event()

        async def slow(_request: web.Request, _before: int) -> web.StreamResponse:
            await asyncio.sleep(0.005)
            return web.Response(body=jpeg())

        names = [str(number) for number in range(20)]
        site.answers = {f"/{name}": slow for name in names}
        wanted = [(name, f"{site.url}/{name}") for name in names]
        run = asyncio.create_task(
            fetch_covers(
                wanted,
                tmp_path,
                policy=HASTY,
                on_progress=lambda done, _: enough.set() if done >= 6 else None,
            )
        )
        await enough.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        stored = len(read_manifest(tmp_path))
        report = await fetch_covers(wanted, tmp_path, policy=HASTY)
    assert report.already == stored >= 6
    assert report.saved + report.already == 20
    for name in names:
        Image.open(tmp_path / f"{name}.jpg").load()


@pytest.mark.parametrize("album_id", ["../escape", "", ".hidden", "a/b", "x" * 300, "nul\0"])
async def test_an_id_that_is_no_file_name_stays_inside(tmp_path: Path, album_id: str) -> None:
    async with serving() as site:
        report = await fetch_covers([(album_id, f"{site.url}/x")], tmp_path / "in", policy=HASTY)
        assert site.asked == {}
    assert report.failed[0].detail == "the album_id cannot be a file name"
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("url", ["ftp://host/x", "not an address", "file:///etc/passwd", "http://"])
async def test_an_address_that_is_none_fails_alone(tmp_path: Path, url: str) -> None:
    report = await fetch_covers([("a", url)], tmp_path, policy=HASTY)
    assert len(report.failed) == 1


async def test_the_ledger_is_plain_json_lines(tmp_path: Path) -> None:
    async with serving() as site:
        site.always("/a", jpeg((700, 700)))
        await fetch_covers([("a", f"{site.url}/a")], tmp_path, policy=HASTY)
    line = json.loads((tmp_path / MANIFEST).read_text())
    assert (line["outcome"], line["width"], line["height"], len(line["sha256"])) == ("saved", 640, 640, 64)
