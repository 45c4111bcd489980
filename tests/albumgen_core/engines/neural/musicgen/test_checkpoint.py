from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from albumgen_core.engines.neural.musicgen import load_composer
from albumgen_core.errors import EngineUnavailableError
from tests.albumgen_core.engines.neural.musicgen.helpers import request
from tests.checkpoints import musicgen


@pytest.fixture
def copy(mono: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mono, tmp_path / "copy"))


def compose(folder: Path) -> Any:
    return load_composer(folder, dtype="float32").compose([request(seconds=0.4, seed=4)])[0]


@pytest.mark.parametrize("channels", [1, 2])
def test_audiocrafts_layout_makes_the_same_music(
    channels: int, mono: Path, stereo: Path, tmp_path: Path
) -> None:
    theirs = musicgen.build_audiocraft(tmp_path / "audiocraft", channels)
    expected, heard = compose((mono, stereo)[channels - 1]), compose(theirs)
    assert np.array_equal(heard.tokens, expected.tokens)
    assert np.allclose(heard.samples, expected.samples, atol=1e-6)


def test_weights_in_several_files_make_the_same_music(mono: Path, tmp_path: Path) -> None:
    sharded = musicgen.build(tmp_path / "sharded", shard="100KB")
    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    assert np.array_equal(compose(sharded).samples, compose(mono).samples)


def test_torchs_old_names_of_weight_normalisation_are_understood(copy: Path, mono: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    renamed = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in weights.items()
    }
    assert renamed.keys() != weights.keys()
    save_file(renamed, copy / "model.safetensors", {"format": "pt"})
    assert np.array_equal(compose(copy).samples, compose(mono).samples)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named_with_the_fix(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(EngineUnavailableError, match=rf"{name} is missing; run .* pull musicgen`"):
        load_composer(copy)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_truncated_file_is_named_with_the_fix(copy: Path, name: str) -> None:
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineUnavailableError, match=rf"{name} is damaged .*run .* pull musicgen`"):
        load_composer(copy)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="nowhere is missing"):
        load_composer(tmp_path / "nowhere")


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    sharded = musicgen.build(tmp_path / "sharded", shard="100KB")
    shard = min(sharded.glob("model-*.safetensors"))
    shard.unlink()
    with pytest.raises(EngineUnavailableError, match=shard.name):
        load_composer(sharded)


@pytest.mark.parametrize(
    "lost",
    [
        "decoder.lm_heads.2.weight",
        "decoder.model.decoder.layers.1.fc1.weight",
        "text_encoder.encoder.final_layer_norm.weight",
        "audio_encoder.decoder.layers.0.conv.bias",
        "audio_encoder.quantizer.layers.3.codebook.embed",
    ],
)
@pytest.mark.parametrize("backend", ["transformers", "own"])
def test_a_missing_tensor_is_named(copy: Path, lost: str, backend: str) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights[lost]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(EngineUnavailableError, match=lost.replace(".", r"\.")):
        load_composer(copy, backend=backend)


def test_a_melody_checkpoint_is_refused_with_the_reason(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "musicgen_melody"}))
    with pytest.raises(EngineUnavailableError, match="wants a tune"):
        load_composer(copy)


def test_another_kind_of_model_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "bark"}')
    with pytest.raises(EngineUnavailableError, match="'bark', not musicgen"):
        load_composer(copy)


def test_audiocrafts_files_cannot_run_code(tmp_path: Path) -> None:
    import pickle

    folder = musicgen.build_audiocraft(tmp_path / "audiocraft")
    (folder / "state_dict.bin").write_bytes(pickle.dumps(print))
    with pytest.raises(EngineUnavailableError, match=r"state_dict\.bin is damaged"):
        load_composer(folder)


@pytest.mark.parametrize("name", ["compression_state_dict.bin", "t5-base"])
def test_a_missing_part_of_audiocrafts_layout_is_named(tmp_path: Path, name: str) -> None:
    folder = musicgen.build_audiocraft(tmp_path / "audiocraft")
    part = folder / name
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    with pytest.raises(EngineUnavailableError, match=rf"{name} is missing"):
        load_composer(folder)
