"""`albumgen generate` where something is wrong: what is refused, what is left alone, what goes on."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from albumgen_core.cli import clips
from albumgen_core.cli.main import app
from albumgen_core.dataset.folder import REQUIRED
from albumgen_core.pipeline.stages import Pipeline
from albumgen_core.result import read_document, write_take

pytestmark = pytest.mark.slow

runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})


def generate(*arguments: object) -> Result:
    return runner.invoke(app, ["generate", *map(str, arguments), "--no-rag", "--seconds", "1"])


@pytest.fixture
def cover(example_covers: list[Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(example_covers[0], tmp_path / f"tortoise{example_covers[0].suffix}"))


def sentence(result: Result) -> str:
    """The one line of stderr, of a command that refused."""
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_folder_that_is_not_a_take_is_left_alone(cover: Path, tmp_path: Path) -> None:
    mine = tmp_path / "tortoise"
    mine.mkdir()
    (mine / "thesis.txt").write_text("all my work")
    assert "tortoise is there already and is not a take" in sentence(generate(cover, "--out", tmp_path))
    (mine / "result.json").write_text('{"schema": 1, "attributes": {}, "files": {}}')
    assert "left alone" in sentence(generate(cover, "--out", tmp_path))
    assert (mine / "thesis.txt").read_text() == "all my work"


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("/tmp")])
def test_nothing_else_of_that_name_is_removed_either(make: Any, cover: Path, tmp_path: Path) -> None:
    make(tmp_path / "tortoise")
    assert "left alone" in sentence(generate(cover, "--out", tmp_path))
    assert (tmp_path / "tortoise").exists()


def test_a_folder_beside_the_take_is_left_alone_too(cover: Path, tmp_path: Path) -> None:
    (tmp_path / "tortoise.partial").mkdir()
    (tmp_path / "tortoise.partial" / "mine.txt").touch()
    done = generate(cover, "--out", tmp_path)
    assert done.exit_code == 2
    assert "tortoise.partial is there already" in done.stderr
    assert (tmp_path / "tortoise.partial" / "mine.txt").exists()


def test_an_earlier_take_is_replaced(cover: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        assert generate(cover, "--out", tmp_path, "--seed", seed).exit_code == 0
    assert read_document(tmp_path / "tortoise")["seed"] == 2
    assert sorted(path.name for path in tmp_path.iterdir() if "tortoise" in path.name) == [
        "tortoise",
        cover.name,
    ]


@pytest.mark.parametrize(
    "name", ["( ) [bold]", "[red] herring", "[link=x]b", "back\\slash [b]", ":smile: [[x]]"]
)
def test_names_are_printed_as_they_are(name: str, cover: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(cover, tmp_path / f"{name}{cover.suffix}"))
    done = generate(path, "--out", tmp_path / "[out]")
    assert done.exit_code == 0, done.output
    assert path.name in done.stdout
    assert str(tmp_path / "[out]" / name / "clip.mp3") in done.stdout
    missing = generate(tmp_path / f"{name} gone.png")
    assert f"{name} gone.png" in sentence(missing)


def test_titles_of_albums_are_printed_as_they_are(
    cover: Path, example_covers: list[Path], tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copy(cover, shelf / "one.png")
    header = ",".join(REQUIRED)
    shutil.copy(example_covers[1], shelf / "two.png")
    rows = ("one.png,[dim]Sigur,( ) [/bold]", "two.png,[red]Rós,Takk [/x]")
    (shelf / "manifest.csv").write_text("\n".join([header, *(row + ",0.5" * 8 for row in rows)]))
    assert runner.invoke(app, ["index", "build", str(shelf)]).exit_code == 0
    done = runner.invoke(app, ["generate", str(cover), "--seconds", "1", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "this album  ( ) [/bold] — [dim]Sigur" in done.stdout
    assert "Takk [/x] — [red]Rós" in done.stdout


def test_a_bad_cover_does_not_stop_the_others(cover: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    done = generate(bad, cover, tmp_path / "gone.png", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "bad.png" in done.stderr
    assert "gone.png" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tortoise"]


def test_a_cover_that_fails_while_it_is_made_does_not_stop_the_others(
    example_covers: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / f"{example_covers[1].stem}.partial").mkdir(parents=True)
    (out / f"{example_covers[1].stem}.partial" / "mine").touch()
    done = generate(*example_covers, "--out", out)
    assert done.exit_code == 2
    made = {path.name for path in out.iterdir() if (path / "clip.mp3").exists()}
    assert made == {path.stem for path in example_covers if path != example_covers[1]}


def test_batches_are_capped_and_halved_when_memory_runs_out(
    example_covers: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = Pipeline.begin

    def begin(self: Pipeline, requests: Any, **options: Any) -> Any:
        sizes.append(len(requests))
        if len(requests) > 2:
            raise MemoryError
        return real(self, requests, **options)

    monkeypatch.setattr(Pipeline, "begin", begin)
    monkeypatch.setenv("ALBUMGEN_INFERENCE__MAX_BATCH", "3")
    covers = (example_covers * 2)[:4]
    done = generate(*covers, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert sizes == [3, 2, 1, 1]
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_clips_that_do_not_fit_even_alone_are_said_to_be_too_long(
    example_covers: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: Any, **__: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Pipeline, "begin", begin)
    done = generate(*example_covers[:2], "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert done.stderr.count("needs more memory than the engine has; try a shorter one") == 2


def test_out_that_names_a_file_is_said_before_anything_is_made(cover: Path, tmp_path: Path) -> None:
    said = sentence(generate(cover, "--out", cover))
    assert "is a file; name a folder" in said
    assert "is a file" in sentence(generate(cover, "--out", cover / "deeper"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_out_that_cannot_be_written_is_said_before_anything_is_made(cover: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "cannot be written to" in sentence(generate(cover, "--out", tmp_path / "closed" / "out"))


def test_a_file_system_that_takes_no_folders_is_one_sentence(cover: Path) -> None:
    assert sentence(generate(cover, "--out", "/proc/out")).startswith("Error: --out /proc/out: ")


def test_a_full_disk_is_said_before_anything_is_made(
    cover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert "1 MB are free there" in sentence(generate(cover, "--out", tmp_path / "out"))


def command(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "albumgen_core.cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_disk_that_fills_up_on_the_way_is_one_sentence(
    cover: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_small_files(take: Any, folder: Path) -> Path:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        try:
            return write_take(take, folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    monkeypatch.setattr(clips, "write_take", write_small_files)
    done = generate(cover, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "tortoise cannot be written: File too large." in done.stderr
    assert "Traceback" not in done.output
    assert list((tmp_path / "out").iterdir()) == []


def test_ctrl_c_ends_it_at_once_and_says_so(cover: Path, tmp_path: Path) -> None:
    process = command(
        *("generate", *[cover] * 40, "--no-rag", "--seconds", 60, "--out", tmp_path / "out"),
        env=os.environ | {"ALBUMGEN_INFERENCE__MAX_BATCH": "20"},
    )
    time.sleep(4)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, said = process.communicate(timeout=30)
    took = time.monotonic() - started
    assert process.returncode == 130
    assert said.count("Cancelled.") == 1
    assert "Traceback" not in said
    assert "Abort" not in said
    assert took < 3, "half a second on a machine that does nothing else"


def test_longer_than_the_configuration_allows_is_refused(cover: Path) -> None:
    done = runner.invoke(app, ["generate", str(cover), "--seconds", "100"])
    assert "--seconds 100 is more than clip.max_seconds allows (60 s)" in sentence(done)


def test_attributes_can_be_set_by_hand(cover: Path, tmp_path: Path) -> None:
    done = generate(
        *(cover, "--out", tmp_path / "out", "--genre", "hip-hop", "--key", "Bb minor", "--tempo", "93"),
        *("--metre", "3/4", "--set", "energy=0.8", "--set", "Artist Name=Nobody"),
    )
    assert done.exit_code == 0, done.output
    read = read_document(tmp_path / "out" / "tortoise")["attributes"]
    assert (read["album_genre"], read["key"], read["mode"]) == ("hip hop", "A#", "minor")
    assert (read["tempo"], read["time_signature"], read["energy"]) == (93.0, 3, 0.8)
    assert read["artist_name"] == "Nobody"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--genre", "electonic"), "did you mean electronic?"),
        (("--set", "enrgy=1"), "did you mean energy?"),
        (("--set", "energy=2"), "2 is outside 0 to 1"),
        (("--set", "energy"), "write NAME=VALUE"),
        (("--tempo", "fast"), "--tempo: 'fast' is not a number"),
        (("--tempo", "1000"), "40 to 220 BPM"),
        (("--key", "H#b"), "--key"),
        (("--metre", "9"), "3 to 7"),
    ],
)
def test_a_wrong_attribute_names_the_option_and_what_was_meant(
    arguments: tuple[str, str], said: str, cover: Path
) -> None:
    assert said in sentence(generate(cover, *arguments))


def test_warnings_are_said_once(example_covers: list[Path], tmp_path: Path) -> None:
    covers = [str(path) for path in example_covers]
    done = runner.invoke(app, ["generate", *covers, "--seconds", "1", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert (done.stdout + done.stderr).count("There is no album index") == 1
