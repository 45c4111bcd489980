"""Original checkpoints in native classes: every tensor used, and the mathematics unchanged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import InternVLForConditionalGeneration

from albumgen_core.engines.neural.checkpoints.tensors import TensorFolder
from albumgen_core.engines.neural.internvl.chat import Chat
from albumgen_core.engines.neural.internvl.checkpoint import (
    SPEC,
    load_model,
    native_name,
    native_tensors,
    open_checkpoint,
)
from albumgen_core.engines.neural.internvl.tiling import pixel_values
from albumgen_core.errors import EngineUnavailableError
from tests.albumgen_core.engines.neural.conftest import picture
from tests.albumgen_core.engines.neural.internvl import original
from tests.checkpoints.internvl import full_size_config

CPU = torch.device("cpu")


def load(folder: Path) -> tuple[Any, Chat]:
    checkpoint = open_checkpoint(folder)
    chat = Chat(checkpoint)
    return load_model(checkpoint, image_token=chat.image_token, device=CPU, dtype=torch.float32), chat


def state_of(folder: Path) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}


def both(state: dict[str, Tensor], folder: Path) -> tuple[Tensor, Tensor]:
    """Logits of the loaded model, and of the original's mathematics over `state`."""
    model, chat = load(folder)
    config = json.loads((folder / "config.json").read_text())
    pixels = pixel_values(picture(1, 300, 120).image, max_tiles=6, tile=56)
    ids = chat.encode("How does this album sound?", len(pixels))
    with torch.inference_mode():
        ours = model(input_ids=torch.tensor([ids]), pixel_values=pixels).logits[0]
        theirs = original.logits(state, config, ids, pixels, chat.image_token)
    return ours, theirs


def test_logits_are_the_originals(internvl_folder: Path) -> None:
    ours, theirs = both(state_of(internvl_folder), internvl_folder)
    assert ours.shape == theirs.shape
    assert theirs.std() > 0.5  # not equal because nothing happens
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (2, 1, 0)])
def test_the_comparison_would_notice_another_order_of_queries_keys_and_values(
    internvl_folder: Path, order: tuple[int, ...]
) -> None:
    state = state_of(internvl_folder)
    for name in [name for name in state if ".attn.qkv." in name]:
        parts = state[name].chunk(3)
        state[name] = torch.cat([parts[i] for i in order])
    ours, theirs = both(state, internvl_folder)
    assert (ours - theirs).abs().max() > 0.05


def test_every_tensor_has_a_place_and_every_place_a_tensor(internvl_folder: Path) -> None:
    tensors = TensorFolder(SPEC, internvl_folder)
    pairs = list(native_tensors(tensors))
    names = [name for name, _ in pairs]
    model, _ = load(internvl_folder)
    assert sorted(names) == sorted(model.state_dict())
    assert sum(tensor.numel() for _, tensor in pairs) == sum(tensors.get(name).numel() for name in tensors)


def test_nothing_is_left_on_the_meta_device_and_rotation_is_the_configurations(internvl_folder: Path) -> None:
    model, _ = load(internvl_folder)
    assert not any(t.is_meta for t in (*model.parameters(), *model.buffers()))
    expected = 1_000_000.0 ** (-torch.arange(6, dtype=torch.float32) / 6)
    torch.testing.assert_close(model.model.language_model.rotary_emb.inv_freq, expected)
    assert model.config.tie_word_embeddings is False


def test_full_size_configuration_gives_the_published_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(full_size_config()))
    checkpoint = open_checkpoint(tmp_path)
    assert (checkpoint.tile, checkpoint.tokens_per_tile, checkpoint.template) == (448, 256, "Hermes-2")
    checkpoint.config.tie_word_embeddings = False
    with torch.device("meta"):
        model = InternVLForConditionalGeneration(checkpoint.config)
    assert sum(weight.numel() for weight in model.parameters()) == 938_158_976


def test_native_layout_loads_as_it_is(native_folder: Path) -> None:
    model, chat = load(native_folder)
    assert model.config.image_token_id == chat.image_token
    state = load_file(native_folder / "model.safetensors")
    loaded = model.state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == sum(
        tensor.numel() for tensor in loaded.values()
    )
    head = next(tensor for name, tensor in state.items() if name.endswith("lm_head.weight"))
    assert torch.equal(loaded["lm_head.weight"], head)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("mlp1.0.weight", "model.multi_modal_projector.layer_norm.weight"),
        ("mlp1.3.bias", "model.multi_modal_projector.linear_2.bias"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        (
            "language_model.model.layers.23.mlp.gate_proj.weight",
            "model.language_model.layers.23.mlp.gate_proj.weight",
        ),
        ("vision_model.encoder.layers.10.ls2", "model.vision_tower.encoder.layer.10.lambda_2"),
        (
            "vision_model.encoder.layers.3.attn.proj.weight",
            "model.vision_tower.encoder.layer.3.attention.projection_layer.weight",
        ),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert native_name(theirs) == ours


def lose_a_tensor(state: dict[str, Tensor]) -> None:
    del state["mlp1.1.bias"]


def add_a_tensor(state: dict[str, Tensor]) -> None:
    state["vision_model.head.weight"] = torch.zeros(2)


def reshape_a_tensor(state: dict[str, Tensor]) -> None:
    state["mlp1.1.bias"] = torch.zeros(7)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lose_a_tensor, "lacks 1 tensors (model.multi_modal_projector.linear_1.bias"),
        (add_a_tensor, "has no place in the model (vision_model.head.weight)"),
        (reshape_a_tensor, "linear_1.bias with the shape (7,) instead of (48,)"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    internvl_folder: Path, tmp_path: Path, spoil: Callable[[dict[str, Tensor]], None], words: str
) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(internvl_folder, folder)
    state = load_file(folder / "model.safetensors")
    spoil(state)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(EngineUnavailableError) as caught:
        load(folder)
    assert words in str(caught.value)


def test_shards_are_read_together(internvl_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    shutil.copytree(internvl_folder, folder)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, mine in halves.items():
        save_file({name: state[name] for name in mine}, folder / file)
    index = {name: file for file, mine in halves.items() for name in mine}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    model, _ = load(folder)
    whole, _ = load(internvl_folder)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "llava"}, "type 'llava'"),
        ({"ps_version": "v1"}, "pixel shuffle v1"),
        ({"llm_config": {"model_type": "internlm2"}}, "language model internlm2"),
        ({"vision_config": {}}, "config.json is damaged"),
    ],
)
def test_another_architecture_is_refused(
    internvl_folder: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    values = json.loads((internvl_folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, **change}))
    with pytest.raises(EngineUnavailableError) as caught:
        open_checkpoint(tmp_path)
    assert words in str(caught.value)


def test_a_truncated_file_is_named(internvl_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(internvl_folder, folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(EngineUnavailableError, match=r"model\.safetensors is damaged"):
        load(folder)
