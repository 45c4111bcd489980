"""`albumgen evaluate audio` with the sketch engine, on drawn requests and on covers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from albumgen_core.cli.evaluate_audio import audio
from tests.albumgen_core.cli.test_finetune import place

__all__ = ["place"]  # a fixture

app = typer.Typer()
app.command()(audio)
SHORT = ["--engine", "sketch", "--clips", "10", "--seconds", "3"]


@pytest.mark.slow
def test_requests_read_from_covers(place: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=22_050 * 60)
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", np.roll(noise, number), 22_050)
    result = CliRunner().invoke(
        app, [str(place / "data"), *SHORT, "--reference", str(tmp_path), "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    assert "Of 10 clips by sketch-band-v3" in result.output
    data = json.loads((tmp_path / "audio.json").read_text())
    assert len({clip["asked"]["tempo"] for clip in data["clips"]}) > 5
    assert data["frechet"]["reference"] == 3
    assert data["frechet"]["value"] > data["frechet"]["between_halves"]


def test_a_reference_without_music_is_noticed_first(place: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*SHORT, "--reference", str(place), "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds 0 seconds of sound" in result.output
    assert not list(tmp_path.iterdir())
