"""The neural engine from the command line: tiny checkpoints in the upstream formats, JPEG in, MP3 out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from albumgen_core.attributes.genres import GENRES
from albumgen_core.audio.encode import decode_mp3
from albumgen_core.cli.main import app
from albumgen_core.result import read_document, read_tokens
from tests.checkpoints import clip, internvl, musicgen

runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration that names the three tiny checkpoints."""
    root = tmp_path_factory.mktemp("weights")
    folders = {
        "clip": clip.build(root / "clip"),
        "internvl": internvl.build(root / "internvl"),
        "musicgen": musicgen.build(root / "musicgen"),
    }
    path = root / "config.toml"
    lines = ['[engine]\nfamily = "neural"\ndevice = "cpu"\ndtype = "float32"\n']
    lines += [f'[engine.{role}]\nmodel = "{folder}"\n' for role, folder in folders.items()]
    path.write_text("".join(lines))
    return path


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    path = tmp_path / "sleeve.jpg"
    Image.effect_mandelbrot((200, 200), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(path)
    return path


@pytest.mark.slow
def test_from_a_jpeg_to_an_mp3(config: Path, jpeg: Path, example_shelf: Path, tmp_path: Path) -> None:
    built = runner.invoke(
        app, ["index", "build", str(example_shelf), "--config", str(config), "--limit", "8"]
    )
    assert built.exit_code == 0, built.output
    out = tmp_path / "out"
    options = ["--seconds", "1", "--seed", "3", "--config", str(config)]
    done = runner.invoke(app, ["generate", str(jpeg), "--engine", "neural", *options, "--out", str(out)])
    assert done.exit_code == 0, done.output
    document = read_document(out / "sleeve")
    assert document["engine"]["family"] == "neural"
    assert len(document["neighbours"]) == 5
    assert abs(decode_mp3(out / "sleeve" / "clip.mp3").seconds - 1) < 0.1
    tokens = read_tokens(out / "sleeve")
    assert tokens is not None
    assert tokens.shape[0] == 4

    again = runner.invoke(app, ["generate", str(jpeg), *options, "--out", str(tmp_path / "again")])
    assert again.exit_code == 0, again.output
    kept = read_tokens(tmp_path / "again" / "sleeve")
    assert kept is not None
    assert (kept == tokens).all()


def test_covers_are_read_without_the_composers_weights(config: Path, jpeg: Path, tmp_path: Path) -> None:
    text = config.read_text().replace("/musicgen", "/nowhere")
    (tmp_path / "config.toml").write_text(text)
    arguments = ["describe", str(jpeg), "--no-rag", "--json", "--config", str(tmp_path / "config.toml")]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["attributes"]["album_genre"] in GENRES


def test_without_weights_one_clear_error(jpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    done = runner.invoke(app, ["generate", str(jpeg), "--engine", "neural", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "albumgen weights pull" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_damaged_weight_is_named(config: Path, jpeg: Path, tmp_path: Path) -> None:
    damaged = clip.build(tmp_path / "clip")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    changed = tmp_path / "config.toml"
    healthy = config.parent / "clip"
    changed.write_text(config.read_text().replace(str(healthy), str(damaged)))
    done = runner.invoke(
        app, ["generate", str(jpeg), "--config", str(changed), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert "model.safetensors" in done.stderr.replace("\n", "")


def test_the_sketch_stands_in_only_where_it_is_allowed_and_says_so(
    jpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("ALBUMGEN_ENGINE__FALLBACK", "sketch")
    options = ["--engine", "neural", "--no-rag", "--seconds", "1", "--out", str(tmp_path / "out")]
    done = runner.invoke(app, ["generate", str(jpeg), *options])
    assert done.exit_code == 0, done.output
    document = read_document(tmp_path / "out" / "sleeve")
    assert document["engine"]["family"] == "sketch"
    assert any("sketch" in notice for notice in document["notices"])
    assert "sketch" in done.stdout
