"""A full-size MusicGen-small checkpoint with random weights, in transformers' format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
    T5TokenizerFast,
)


def small_config() -> Any:
    """The configuration of facebook/musicgen-small: T5-base, 24 layers of 1024, EnCodec at 32 kHz."""
    text = T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
    codec = EncodecConfig(
        target_bandwidths=[2.2],
        sampling_rate=32_000,
        num_filters=64,
        upsampling_ratios=[8, 5, 4, 4],
        codebook_size=2048,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    return MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=MusicgenDecoderConfig())


def build_small(folder: Path) -> None:
    """Write config, weights (2.4 GB) and a tokenizer that spells prompts letter by letter."""
    folder.mkdir(parents=True, exist_ok=True)
    config = small_config()
    with torch.device("meta"):
        model = MusicgenForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: random_weight(name, tensor, generator)
        for name, tensor in model.state_dict().items()
        if not name.endswith("encoder.embed_tokens.weight")  # shared with the embedding
    }
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config.to_dict(), default=str), encoding="utf-8")
    write_tokenizer(folder)


def random_weight(name: str, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Weights that keep signals at about their size."""
    if not like.dtype.is_floating_point:
        return torch.zeros(like.shape, dtype=like.dtype)
    if like.ndim <= 1 or "original0" in name:
        return torch.full(like.shape, 0.0 if name.endswith("bias") else 1.0)
    fan_in = like[0].numel()
    return torch.randn(like.shape, generator=generator) * fan_in**-0.5


def write_tokenizer(folder: Path) -> None:
    """A unigram tokenizer of letters, in the format of T5's."""
    letters = [(chr(code), -5.0) for code in range(33, 127)]
    tokenizer = Tokenizer(
        models.Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -5.0), *letters], 2)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    marks = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    T5TokenizerFast(tokenizer_object=tokenizer, extra_ids=0, **marks).save_pretrained(folder)
