from __future__ import annotations

import asyncio
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from albumgen_core.cli.dataset import MISSING_REPORT, app
from albumgen_core.dataset.split import read_split
from albumgen_core.dataset.zenodo import ARCHIVES
from tests.albumgen_core.dataset.loopback import Site, serving
from tests.albumgen_core.dataset.musicoset_tables import write_musicoset
from tests.albumgen_core.retrieval.helpers import draw_covers

runner = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"})


@pytest.fixture
def zenodo(tmp_path: Path) -> Iterator[Site]:
    """Zenodo and a cover server in a thread: the command runs a loop of its own."""
    ready, box = threading.Event(), []

    async def serve() -> None:
        async with serving() as site:
            stop = asyncio.Event()
            box.extend((site, asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(10)
    site, loop, stop = box
    publish(site, tmp_path / "upstream")
    yield site
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def publish(site: Site, root: Path) -> None:
    write_musicoset(root)
    albums = root / "musicoset_metadata" / "albums.csv"
    albums.write_bytes(albums.read_bytes().replace(b"https://covers.test", site.url.encode()))
    files = []
    for name, tables in ARCHIVES.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for table in tables:
                archive.write(root / Path(name).stem / table, f"{Path(name).stem}/{table}")
        body = buffer.getvalue()
        site.always(f"/files/{name}", body)
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        links = {"self": f"{site.url}/files/{name}"}
        files.append({"key": name, "size": len(body), "checksum": f"md5:{digest}", "links": links})
    site.always(
        "/api/records/4904639", json.dumps({"files": files}).encode(), **{"Content-Type": "application/json"}
    )
    picture = io.BytesIO()
    Image.new("RGB", (700, 700), "olive").save(picture, "JPEG")
    site.always("/1", picture.getvalue())


def test_from_zenodo_to_a_prepared_set(zenodo: Site, tmp_path: Path) -> None:
    folder, prepared = tmp_path / "musicoset", tmp_path / "prepared"
    fetched = runner.invoke(app, ["fetch", str(folder), "--api", f"{zenodo.url}/api"])
    assert fetched.exit_code == 0, fetched.output
    assert "4 albums in the tables, 2 covers to have" in fetched.stdout
    assert "1 covers at hand (1 new), 1 gone, 0 failed" in fetched.stdout
    assert "alb3," in (folder / MISSING_REPORT).read_text()
    again = runner.invoke(app, ["fetch", str(folder), "--api", f"{zenodo.url}/api"])
    assert "1 covers at hand (0 new), 1 gone" in again.stdout
    made = runner.invoke(app, ["prepare", str(folder), str(prepared)])
    assert made.exit_code == 0, made.output
    assert "1 albums in " in made.stdout
    assert (prepared / "images" / "alb1.jpg").is_file()
    assert read_split(prepared / "split.csv") == {"alb1": "train"}
    shown = json.loads(runner.invoke(app, ["stats", str(prepared), "--json"]).stdout)
    assert (shown["albums"], shown["with_cover"]) == (1, 1)


def test_a_folder_is_prepared_split_and_described(tmp_path: Path) -> None:
    covers, out = draw_covers(tmp_path / "covers", 30), tmp_path / "out"
    made = runner.invoke(app, ["prepare", str(covers), str(out), "--limit", "20"])
    assert "20 albums in" in made.stdout
    first = read_split(out / "split.csv")
    assert len(first) == 20
    done = runner.invoke(app, ["split", str(out), "--seed", "4", "-o", str(tmp_path / "other.csv")])
    assert done.exit_code == 0
    assert read_split(tmp_path / "other.csv").keys() == first.keys()
    shown = runner.invoke(app, ["stats", str(out)])
    assert "20 albums by 7 artists" in shown.stdout
    assert "danceability" in shown.stdout


def test_errors_are_one_sentence_and_exit_code_2(zenodo: Site, tmp_path: Path) -> None:
    zenodo.answers.clear()
    cases = [
        (["stats", str(tmp_path / "gone")], "There is no "),
        (["prepare", str(write_musicoset(tmp_path / "m")), str(tmp_path / "o")], "has no album with a cover"),
        (["fetch", str(tmp_path / "f"), "--api", f"{zenodo.url}/api"], "the server answered 404"),
    ]
    for arguments, sentence in cases:
        failed = runner.invoke(app, arguments)
        assert failed.exit_code == 2, failed.output
        assert sentence in failed.stderr
