"""Tiny InternVL2 checkpoints with random weights, in the files and tensor names of OpenGVLab/InternVL2-1B.

The names are written out here, so that the code which renames them is held against something else than
itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.checkpoints import bpe

SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<quad>",
    "</quad>",
    "<ref>",
    "</ref>",
    "<box>",
    "</box>",
)
"""The added tokens, in the original's order."""

SPARE_ROWS = 9
"""How many more rows the output layer has than the tokenizer has tokens."""

VISION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
}
TILE, PATCH = 56, 14


def full_size_config() -> dict[str, Any]:
    """What shapes InternVL2-1B, as its config.json has it."""
    vision = {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    }
    text = {
        "hidden_size": 896,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
    }
    return config(151655, vision=vision, text=text, tile=448)


def config(
    vocabulary: int, *, vision: dict[str, int] = VISION, text: dict[str, int] = TEXT, tile: int = TILE
) -> dict[str, Any]:
    """A config.json of the original layout."""
    return {
        "architectures": ["InternVLChatModel"],
        "auto_map": {"AutoModel": "modeling_internvl_chat.InternVLChatModel"},
        "model_type": "internvl_chat",
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "force_image_size": tile,
        "llm_config": {
            **text,
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "vocab_size": vocabulary,
            "hidden_act": "silu",
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0,
            "sliding_window": 32768,
            "max_window_layers": 24,
            "use_sliding_window": False,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "tie_word_embeddings": False,
            "_attn_implementation_internal": "flash_attention_2",
            "torch_dtype": "bfloat16",
        },
        "max_dynamic_patch": 12,
        "min_dynamic_patch": 1,
        "ps_version": "v2",
        "select_layer": -1,
        "template": "Hermes-2",
        "torch_dtype": "bfloat16",
        "use_thumbnail": True,
        "vision_config": {
            **vision,
            "architectures": ["InternVisionModel"],
            "model_type": "intern_vit_6b",
            "hidden_act": "gelu",
            "image_size": tile,
            "layer_norm_eps": 1e-06,
            "norm_type": "layer_norm",
            "patch_size": PATCH,
            "qk_normalization": False,
            "qkv_bias": True,
            "use_flash_attn": True,
        },
    }


def tensors(values: dict[str, Any], *, seed: int = 0) -> dict[str, Tensor]:
    """Random weights under the original's names."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, gain: float = 1.0) -> Tensor:
        return torch.randn(*shape, generator=generator) * gain * shape[-1] ** -0.5

    def layer_norm(prefix: str, width: int) -> dict[str, Tensor]:
        return {f"{prefix}.weight": 1 + normal(width), f"{prefix}.bias": normal(width)}

    def linear(prefix: str, out: int, into: int, *, bias: bool = True) -> dict[str, Tensor]:
        found = {f"{prefix}.weight": normal(out, into)}
        return {**found, f"{prefix}.bias": normal(out)} if bias else found

    vision, text = values["vision_config"], values["llm_config"]
    wide, narrow = vision["hidden_size"], text["hidden_size"]
    patches = (values["force_image_size"] // PATCH) ** 2
    state = {
        "vision_model.embeddings.class_embedding": normal(1, 1, wide),
        "vision_model.embeddings.position_embedding": normal(1, patches + 1, wide),
        "vision_model.embeddings.patch_embedding.weight": normal(wide, 3, PATCH, PATCH, gain=0.3),
        "vision_model.embeddings.patch_embedding.bias": normal(wide),
    }
    for i in range(vision["num_hidden_layers"]):
        layer = f"vision_model.encoder.layers.{i}"
        state |= linear(f"{layer}.attn.qkv", 3 * wide, wide) | linear(f"{layer}.attn.proj", wide, wide)
        state |= linear(f"{layer}.mlp.fc1", vision["intermediate_size"], wide)
        state |= linear(f"{layer}.mlp.fc2", wide, vision["intermediate_size"])
        state |= layer_norm(f"{layer}.norm1", wide) | layer_norm(f"{layer}.norm2", wide)
        state |= {f"{layer}.ls1": 0.5 + normal(wide), f"{layer}.ls2": 0.5 + normal(wide)}
    state |= layer_norm("mlp1.0", 4 * wide)
    state |= linear("mlp1.1", narrow, 4 * wide) | linear("mlp1.3", narrow, narrow)
    head = narrow // text["num_attention_heads"]
    keys = head * text["num_key_value_heads"]
    for i in range(text["num_hidden_layers"]):
        layer = f"language_model.model.layers.{i}"
        state |= linear(f"{layer}.self_attn.q_proj", narrow, narrow)
        state |= linear(f"{layer}.self_attn.k_proj", keys, narrow)
        state |= linear(f"{layer}.self_attn.v_proj", keys, narrow)
        state |= linear(f"{layer}.self_attn.o_proj", narrow, narrow, bias=False)
        state |= linear(f"{layer}.mlp.gate_proj", text["intermediate_size"], narrow, bias=False)
        state |= linear(f"{layer}.mlp.up_proj", text["intermediate_size"], narrow, bias=False)
        state |= linear(f"{layer}.mlp.down_proj", narrow, text["intermediate_size"], bias=False)
        state |= {f"{layer}.input_layernorm.weight": 1 + normal(narrow)}
        state |= {f"{layer}.post_attention_layernorm.weight": 1 + normal(narrow)}
    state["language_model.model.embed_tokens.weight"] = normal(text["vocab_size"], narrow, gain=3.0)
    state["language_model.model.norm.weight"] = 1 + normal(narrow)
    state["language_model.lm_head.weight"] = normal(text["vocab_size"], narrow, gain=2.0)
    return state


def build(folder: Path, *, seed: int = 0) -> Path:
    """Write a checkpoint in the original layout, its weights in bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    values = config(write_tokenizer(folder) + SPARE_ROWS)
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [151644, 151645, 151643]}))
    state = {name: tensor.to(torch.bfloat16) for name, tensor in tensors(values, seed=seed).items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def build_native(folder: Path, *, seed: int = 0) -> Path:
    """Write a checkpoint in transformers' layout, as the repositories named …-hf have it."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    folder.mkdir(parents=True, exist_ok=True)
    tokens = write_tokenizer(folder, template=NATIVE_TEMPLATE)
    shape = InternVLConfig(
        vision_config={
            **VISION,
            "attention_bias": True,
            "image_size": [TILE, TILE],
            "patch_size": [PATCH, PATCH],
        },
        text_config={**TEXT, "model_type": "qwen2", "vocab_size": tokens + SPARE_ROWS},
        image_seq_length=(TILE // PATCH // 2) ** 2,
        image_token_id=7,  # deliberately wrong: the tokenizer knows better
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    InternVLForConditionalGeneration(shape).save_pretrained(folder)
    preprocessor = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


NATIVE_TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{{'<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"
)


def write_tokenizer(folder: Path, *, template: str | None = None, english: bool = False) -> int:
    """Qwen2's tokenizer files with InternVL's added tokens; returns the number of tokens.

    With `english`, a text has about as many tokens as for Qwen2; without, far more, of fewer kinds.
    """
    vocabulary, merges = bpe.train_on_english() if english else bpe.train(420)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text(bpe.merges_text(merges))
    added = {token: len(vocabulary) + i for i, token in enumerate(SPECIALS)}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    plain = dict.fromkeys(("lstrip", "rstrip", "normalized", "single_word"), False)
    decoder = {str(i): {"content": token, **plain, "special": True} for token, i in added.items()}
    values = {
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": list(SPECIALS[1:]),
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 8192,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    if template is not None:
        values["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    (folder / "special_tokens_map.json").write_text(
        json.dumps({"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"})
    )
    return len(vocabulary) + len(added)
