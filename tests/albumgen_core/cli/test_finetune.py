"""`albumgen finetune` on tiny checkpoints: a plan first, then an adapter, errors as one sentence."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.cli.finetune import finetune
from tests.albumgen_core.training.conftest import make_albums
from tests.checkpoints import clip, internvl

app = typer.Typer()
app.command()(finetune)
SMALL = ["--batch", "4", "--micro-batch", "2", "--device", "cpu", "--neighbours", "2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of covers with its CSV, and a configuration that points to tiny checkpoints."""
    root = tmp_path_factory.mktemp("finetune")
    (root / "data").mkdir()
    with (root / "data" / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "artist", "album", "tempo", "genre", *AUDIO_FEATURES))
        for record in make_albums(root / "data", 20):
            measured, album = record.album.attributes, record.album
            assert record.cover is not None
            values = (record.cover.name, album.artist, album.title, measured.tempo, measured.album_genre)
            writer.writerow((*values, *measured.features()))
    models = clip.build(root / "clip"), internvl.build(root / "internvl")
    (root / "config.toml").write_text(
        f'[engine]\nfamily = "neural"\ndevice = "cpu"\n[engine.clip]\nmodel = "{models[0]}"\n'
        f'[engine.internvl]\nmodel = "{models[1]}"\n'
    )
    return root


def run(place: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(
        app, [str(place / "data"), "--config", str(place / "config.toml"), *SMALL, *arguments]
    )
    return result.exit_code, result.output


def test_a_plan_alone_writes_nothing(place: Path, tmp_path: Path) -> None:
    code, words = run(place, "--out", str(tmp_path / "run"), "--dry-run")
    assert code == 0
    assert "16 examples" in words
    assert "4 steps" in words
    assert "estimated on cpu" in words
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_adapter_from_a_folder_of_covers(place: Path, tmp_path: Path) -> None:
    code, words = run(place, "--out", str(tmp_path / "run"))
    assert code == 0, words
    assert "4 steps" in words
    assert "adapter = " in words
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
    code, words = run(place, "--out", str(tmp_path / "run"), "--rank", "8")
    assert code == 2
    assert "another recipe" in words


def test_wrong_options_are_named(place: Path, tmp_path: Path) -> None:
    code, words = run(place, "--out", str(tmp_path / "run"), "--contexts", "all")
    assert code == 2
    assert "mixed, both, rag, plain" in words
    code, words = run(place, "--out", str(tmp_path / "run"), "--micro-batch", "3")
    assert code == 2
    assert "micro-batches of 3" in words
