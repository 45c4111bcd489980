from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from albumgen_core.cli.evaluate import app
from albumgen_core.retrieval.predictor import NeighbourPredictor
from tests.albumgen_core.retrieval.helpers import draw_covers

runner = CliRunner(env={"COLUMNS": "160", "NO_COLOR": "1"})


def test_the_retrieval_report_is_made_and_the_verdict_printed(tmp_path: Path) -> None:
    covers = draw_covers(tmp_path / "covers", 60)
    (covers / "cover-0000.jpg").write_bytes(b"torn")
    arguments = ["retrieval", str(covers), "-o", str(tmp_path / "report"), "-e", "sketch", "--splits", "3"]
    done = runner.invoke(app, [*arguments, "--save-calibration", str(tmp_path / "calibration.json")])
    assert done.exit_code == 0, done.output
    data = json.loads((tmp_path / "report" / "retrieval.json").read_text())
    assert (data["albums"], data["splits"], data["embedder"]) == (59, 3, "sketch-palette-v1")
    for sentence in data["verdict"]:
        assert sentence in done.stdout
    assert "cover-0000.jpg: the picture cannot be decoded" in done.stderr
    NeighbourPredictor.load(tmp_path / "calibration.json", embedder="sketch-palette-v1")


def test_too_few_covers_are_one_sentence(tmp_path: Path) -> None:
    covers = draw_covers(tmp_path / "covers", 5)
    failed = runner.invoke(app, ["retrieval", str(covers), "-e", "sketch"])
    assert failed.exit_code == 2
    assert "has 5 readable covers; 30 are the least" in failed.stderr
