"""`albumgen evaluate attributes` with the sketch engine and with a tiny neural one, fine-tuned on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from albumgen_core.cli import evaluate_attributes
from albumgen_core.cli.evaluate_attributes import attributes
from albumgen_core.cli.finetune import finetune
from tests.albumgen_core.cli.test_finetune import SMALL, place

__all__ = ["place"]  # a fixture

app = typer.Typer()
app.command()(attributes)
app.command()(finetune)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.mark.slow
def test_the_sketch_engine(place: Path, tmp_path: Path) -> None:
    source, config = str(place / "data"), str(place / "config.toml")
    code, words = run(
        "attributes", source, "--config", config, "--engine", "sketch", "--all", "--out", str(tmp_path)
    )
    assert code == 0, words
    data = json.loads((tmp_path / "attributes.json").read_text())
    assert set(data["conditions"]) == {"sketch, cover alone", "sketch, with neighbours"}
    assert data["albums"] == 20
    code, words = run("attributes", source, "--config", config, "--engine", "sketch", "--out", str(tmp_path))
    assert code == 2
    assert "10 of each are the least" in words


@pytest.mark.slow
def test_pretrained_beside_fine_tuned(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_attributes, "LEAST", 3)  # ten would take the test half a minute
    source, config = str(place / "data"), str(place / "config.toml")
    adapter = tmp_path / "run"
    code, words = run("finetune", source, "--config", config, "--out", str(adapter), *SMALL, "--epochs", "2",
                      "--learning-rate", "0.03", "--rank", "8")  # fmt: skip
    assert code == 0, words
    code, words = run("attributes", source, "--config", config, "--adapter", str(adapter / "adapter"),
                      "--all", "--limit", "3", "--no-free", "--out", str(tmp_path / "report"))  # fmt: skip
    assert code == 0, words
    found = json.loads((tmp_path / "report" / "attributes.json").read_text())["conditions"]
    names = [f"{r}, {n}" for r in ("pretrained", "fine-tuned") for n in ("cover alone", "with neighbours")]
    assert list(found) == names
    assert {values["valid"] for values in found.values()} == {1.0}
    # All its albums sound alike, and that is what it has learned.
    before, after = (found[names[i]]["overall"]["mean"] for i in (0, 2))
    assert after < before / 2
