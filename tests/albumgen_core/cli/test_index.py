from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from albumgen_core.cli.index import app
from albumgen_core.retrieval import AlbumIndex
from tests.albumgen_core.dataset.musicoset_tables import write_musicoset
from tests.albumgen_core.retrieval.helpers import draw_covers
from tests.checkpoints import clip

runner = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of covers and the index built from it by the command."""
    root = tmp_path_factory.mktemp("cli")
    covers = draw_covers(root / "covers", 12)
    done = runner.invoke(app, ["build", str(covers), "--index", str(root / "index"), "-e", "sketch"])
    assert done.exit_code == 0, done.output
    assert "12 albums in the index" in done.stdout
    assert "12 added, 0 unchanged, 0 left out" in done.stdout
    return covers, root / "index"


def test_building_again_changes_nothing(built: tuple[Path, Path]) -> None:
    covers, index = built
    again = runner.invoke(app, ["build", str(covers), "--index", str(index), "-e", "sketch"])
    assert "0 added, 12 unchanged" in again.stdout


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    covers = draw_covers(tmp_path / "covers", 14)
    for number in range(12):
        (covers / f"cover-{number:04d}.jpg").write_bytes(b"torn")
    done = runner.invoke(app, ["build", str(covers), "--index", str(tmp_path / "index"), "-e", "sketch"])
    assert done.exit_code == 0
    assert "2 added, 0 unchanged, 12 left out" in done.stdout
    assert done.stderr.count("left out  ") == 10
    assert "… and 2 more" in done.stderr


def test_stats_as_table_and_json(built: tuple[Path, Path]) -> None:
    shown = runner.invoke(app, ["stats", "--index", str(built[1]), "-e", "sketch"])
    assert "12 by 7 artists" in shown.stdout
    assert "100.0% of the true 5 nearest found by Chroma alone" in shown.stdout
    data = json.loads(
        runner.invoke(app, ["stats", "--index", str(built[1]), "-e", "sketch", "--json"]).stdout
    )
    assert (data["albums"], data["artists"], data["with_key"], data["recall"]) == (12, 7, 0, 1.0)


def test_a_cover_of_the_index_finds_itself(built: tuple[Path, Path]) -> None:
    covers, index = built
    cover = covers / "cover-0003.jpg"
    shown = runner.invoke(app, ["query", str(cover), "--index", str(index), "-e", "sketch", "-k", "3"])
    assert shown.exit_code == 0, shown.output
    assert "Title 3" in shown.stdout
    answer = json.loads(
        runner.invoke(app, ["query", str(cover), "--index", str(index), "-e", "sketch", "--json"]).stdout
    )
    assert [len(entry["neighbours"]) for entry in answer] == [5]
    first = answer[0]["neighbours"][0]
    assert (first["title"], first["album_id"]) == ("Title 3", "cover-0003.jpg")
    assert first["distance"] == pytest.approx(0, abs=0.02)


def test_errors_are_one_sentence_and_exit_code_2(tmp_path: Path, built: tuple[Path, Path]) -> None:
    (tmp_path / "plain").mkdir()
    cases = [
        (["stats", "--index", str(tmp_path / "none")], "There is no album index at"),
        (["build", str(tmp_path / "gone"), "--index", str(tmp_path / "i")], "There is no "),
        (["build", str(tmp_path / "plain"), "--index", str(tmp_path / "i")], "holds no manifest.csv"),
        (
            ["build", str(write_musicoset(tmp_path / "m")), "--index", str(tmp_path / "i")],
            "no album with a cover",
        ),
        (["query", str(tmp_path / "no.jpg"), "--index", str(built[1])], "cannot be read"),
    ]
    for arguments, sentence in cases:
        failed = runner.invoke(app, [*arguments, "-e", "sketch"])
        assert failed.exit_code == 2, failed.output
        assert "Error: " in failed.stderr
        assert sentence in failed.stderr
        assert "Traceback" not in failed.output


def test_a_build_waits_for_nobody(built: tuple[Path, Path]) -> None:
    covers, index = built
    with AlbumIndex.open(index, embedder_name="sketch-palette-v1"):
        failed = runner.invoke(app, ["build", str(covers), "--index", str(index), "-e", "sketch"])
    assert failed.exit_code == 2
    assert "is in use by another process" in failed.stderr


def test_an_index_for_the_neural_engine_needs_clip_alone(tmp_path: Path) -> None:
    covers = draw_covers(tmp_path / "covers", 4)
    config = tmp_path / "config.toml"
    model = clip.build(tmp_path / "clip")
    config.write_text(
        f'[engine]\nfamily = "neural"\ndevice = "cpu"\n[engine.clip]\nmodel = "{model}"\n'
        '[engine.internvl]\nmodel = "/nowhere/internvl"\n[engine.musicgen]\nmodel = "/nowhere/musicgen"\n'
    )
    place = ["--index", str(tmp_path / "index"), "--config", str(config)]
    built = runner.invoke(app, ["build", str(covers), *place])
    assert built.exit_code == 0, built.output
    asked = runner.invoke(app, ["query", str(covers / "cover-0002.jpg"), "--json", *place])
    assert json.loads(asked.stdout)[0]["neighbours"][0]["album_id"] == "cover-0002.jpg"
