from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from albumgen_core.cli.main import app
from tests.albumgen_core.retrieval.text.drawn import cover_with
from tests.paths import EXAMPLE_SHELF

runner = CliRunner()


def run(*arguments: str | Path) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalogue") / "catalogue.db"
    assert "25 albums by 20 artists" in " ".join(
        run("catalogue", "build", EXAMPLE_SHELF / "albums.csv", "--catalogue", path).split()
    )
    return path


def test_query_by_words(catalogue: Path) -> None:
    found = json.loads(
        run("catalogue", "query", "NULL PARADE", "Collapse Theory", "--catalogue", catalogue, "--json")
    )
    assert found["matches"][0]["artist"] == "Null Parade"
    assert found["matches"][0]["album"] == "Collapse Theory"


@pytest.mark.slow
def test_query_by_cover(catalogue: Path, tmp_path: Path) -> None:
    cover_with(["Gravemark", "IRON PSALM"]).image.save(tmp_path / "cover.png")
    printed = run("catalogue", "query", "--cover", tmp_path / "cover.png", "--catalogue", catalogue)
    assert "Reads: Gravemark · IRON PSALM" in printed
    assert "Iron Psalm" in printed


def test_stats(catalogue: Path) -> None:
    found = json.loads(run("catalogue", "stats", "--catalogue", catalogue, "--json"))
    assert (found["albums"], found["artists"]) == (25, 20)


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    missing = runner.invoke(app, ["catalogue", "stats", "--catalogue", str(tmp_path / "none.db")])
    assert missing.exit_code == 2
    assert "There is no catalogue" in missing.output
    both = runner.invoke(app, ["catalogue", "query"])
    assert both.exit_code == 2
