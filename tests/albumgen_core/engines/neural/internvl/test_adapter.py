"""LoRA: the slides' number of parameters, on the language model alone, and an effect when loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import InternVLForConditionalGeneration

from albumgen_core.engines.neural.internvl.adapter import LORA_TARGETS, apply_adapter
from albumgen_core.engines.neural.internvl.chat import Chat
from albumgen_core.engines.neural.internvl.checkpoint import load_model, open_checkpoint
from albumgen_core.engines.neural.internvl.describer import InternVLDescriber
from albumgen_core.errors import EngineUnavailableError
from tests.albumgen_core.engines.neural.conftest import picture
from tests.checkpoints.internvl import full_size_config


def save_adapter(base: Path, folder: Path, *, trained: bool = True) -> Path:
    checkpoint = open_checkpoint(base)
    model = load_model(
        checkpoint, image_token=Chat(checkpoint).image_token, device=torch.device("cpu"), dtype=torch.float32
    )
    torch.manual_seed(0)
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=LORA_TARGETS))
    if trained:
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapter(internvl_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(internvl_folder, tmp_path_factory.mktemp("lora") / "adapter")


def test_rank_four_trains_2_199_552_parameters(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(full_size_config()))
    checkpoint = open_checkpoint(tmp_path)
    checkpoint.config.tie_word_embeddings = False
    with torch.device("meta"):
        model = InternVLForConditionalGeneration(checkpoint.config)
        adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=LORA_TARGETS))
    trained = {name: w.numel() for name, w in adapted.named_parameters() if w.requires_grad}
    assert sum(trained.values()) == 2_199_552
    assert all("language_model" in name for name in trained)


@pytest.mark.parametrize("merge", [True, False])
def test_an_adapter_changes_the_logits(internvl_folder: Path, adapter: Path, merge: bool) -> None:
    found = []
    for which in (None, adapter):
        checkpoint = open_checkpoint(internvl_folder)
        chat = Chat(checkpoint)
        model = load_model(
            checkpoint, image_token=chat.image_token, device=torch.device("cpu"), dtype=torch.float32
        )
        if which is not None:
            model = apply_adapter(model, str(which), merge=merge)
        ids = torch.tensor([chat.encode_text("How does this album sound?")])
        with torch.inference_mode():
            found.append(model(input_ids=ids).logits)
    assert (found[0] - found[1]).abs().max() > 0.05


def test_merged_and_unmerged_answer_alike(internvl_folder: Path, adapter: Path) -> None:
    answers = [
        InternVLDescriber(
            internvl_folder, device="cpu", dtype="float32", adapter=str(adapter), merge_adapter=merge
        )
        for merge in (True, False)
    ]
    assert answers[0].name == "InternVL (tiny-internvl + LoRA)"
    assert answers[0].describe(picture(1), None) == answers[1].describe(picture(1), None)


def test_merging_leaves_the_file_alone(internvl_folder: Path, adapter: Path) -> None:
    before = (internvl_folder / "model.safetensors").read_bytes()
    InternVLDescriber(internvl_folder, device="cpu", dtype="bfloat16", adapter=str(adapter))
    assert (internvl_folder / "model.safetensors").read_bytes() == before


def test_an_untrained_adapter_is_refused(internvl_folder: Path, tmp_path: Path) -> None:
    folder = save_adapter(internvl_folder, tmp_path / "new", trained=False)
    with pytest.raises(EngineUnavailableError, match="changes nothing"):
        InternVLDescriber(internvl_folder, device="cpu", dtype="float32", adapter=str(folder))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_bad_file_is_named(
    internvl_folder: Path, adapter: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    for file in adapter.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(EngineUnavailableError, match=str(folder)):
        InternVLDescriber(internvl_folder, device="cpu", dtype="float32", adapter=str(folder))


def test_an_adapter_that_is_not_there(internvl_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="neither a folder nor in the hub's cache"):
        InternVLDescriber(internvl_folder, device="cpu", dtype="float32", adapter=str(tmp_path / "none"))
