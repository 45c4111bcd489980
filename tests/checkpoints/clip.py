"""Tiny CLIP checkpoints with random weights, in the files of openai/clip-vit-base-patch16."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPConfig, CLIPModel

from tests.checkpoints import bpe

WIDTH = 512
"""The width of CLIP's shared space; the one size that is not made smaller."""


def build(folder: Path, *, seed: int = 0, pickled: bool = False) -> Path:
    """Write a checkpoint; `pickled` in PyTorch's own format, as the hub's main revision has it."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder)
    config = CLIPConfig(
        text_config={
            "vocab_size": len(vocabulary),
            "hidden_size": 24,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 77,
            "bos_token_id": 0,
            "eos_token_id": 2,  # wrong in the original files, too: the end is then found by its high id
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": 64,
            "patch_size": 16,
        },
        projection_dim=WIDTH,
    )
    torch.manual_seed(seed)
    model = CLIPModel(config)
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=weight.shape[-1] ** -0.5)
    config.architectures = ["CLIPModel"]
    config.save_pretrained(folder)
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    # Checkpoints of that age also hold the position numbers.
    state["vision_model.embeddings.position_ids"] = torch.arange(17).unsqueeze(0)
    state["text_model.embeddings.position_ids"] = torch.arange(77).unsqueeze(0)
    if pickled:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    preprocessor = {
        "crop_size": 64,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": 64,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def _write_tokenizer(folder: Path) -> dict[str, int]:
    """CLIP's own order: the bytes, the bytes that end a word, the merges, then the two special tokens."""
    _, merges = bpe.train(600, "</w>")
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    tokens = list(dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"]))
    vocabulary = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text(bpe.merges_text(merges))
    special = {
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**special, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"})
    )
    return vocabulary
