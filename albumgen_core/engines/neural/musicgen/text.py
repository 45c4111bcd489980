"""Prompts to conditioning: T5's encoder and the projection into the decoder's width."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import AutoTokenizer, T5EncoderModel

from albumgen_core.engines.neural.checkpoints.hub import damaged, unusable
from albumgen_core.engines.neural.musicgen.checkpoint import SPEC, Checkpoint

PREFIX = "text_encoder."
REMEMBERED = 64
"""Prompts whose conditioning is kept: regenerating a clip re-reads the same prompt."""


class TextEncoder:
    """Encodes one prompt at a time, so that its conditioning never depends on the prompts around it."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        if checkpoint.config.text_encoder.model_type != "t5":
            raise unusable(
                SPEC,
                checkpoint.folder,
                f"uses a {checkpoint.config.text_encoder.model_type} text encoder, not T5",
            )
        self._device = device
        self._model = _load_t5(checkpoint, device)
        self._tokenizer = _load_tokenizer(checkpoint)
        self._projection: tuple[Tensor, Tensor] | None = None
        if "enc_to_dec_proj.weight" in checkpoint:
            weight, bias = (checkpoint.get(f"enc_to_dec_proj.{part}").float() for part in ("weight", "bias"))
            self._projection = weight.to(device), bias.to(device)
        self._remembered: OrderedDict[str, Tensor] = OrderedDict()

    def tokenize(self, prompt: str) -> Tensor:
        """The prompt's token ids, int64 (1, tokens), end mark included."""
        ids: Tensor = self._tokenizer(prompt, return_tensors="pt").input_ids.to(self._device)
        return ids

    @torch.inference_mode()
    def encode(self, prompt: str) -> Tensor:
        """Conditioning for `prompt`: float32 (tokens, decoder width), on the device."""
        if prompt in self._remembered:
            self._remembered.move_to_end(prompt)
            return self._remembered[prompt]
        hidden: Tensor = self._model(input_ids=self.tokenize(prompt)).last_hidden_state[0].float()
        if self._projection is not None:
            hidden = F.linear(hidden, *self._projection)
        self._remembered[prompt] = hidden
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return hidden


def _load_t5(checkpoint: Checkpoint, device: torch.device) -> Any:
    with torch.device("meta"):
        model: Any = T5EncoderModel(checkpoint.config.text_encoder)
    weights = {
        name: tensor.float() for name, tensor in checkpoint.section(PREFIX) if not name.startswith("decoder.")
    }
    shared = weights.get("shared.weight", weights.get("encoder.embed_tokens.weight"))
    if shared is not None:  # one matrix under two names; files carry either
        weights["shared.weight"] = weights["encoder.embed_tokens.weight"] = shared
    try:
        result = model.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        raise damaged(SPEC, checkpoint.folder, error) from error
    if result.missing_keys:
        raise unusable(SPEC, checkpoint.folder, f"lacks the tensor {PREFIX}{result.missing_keys[0]}")
    return model.eval().requires_grad_(False).to(device)


def _load_tokenizer(checkpoint: Checkpoint) -> Any:
    folder = checkpoint.tokenizer_folder
    if not any((folder / name).exists() for name in ("tokenizer.json", "spiece.model")):
        raise unusable(SPEC, folder / "tokenizer.json", "is missing")
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise damaged(SPEC, folder / "tokenizer.json", error) from error
