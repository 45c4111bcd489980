"""Will it fit? An estimate of the device's memory at its fullest, from the shapes alone.

The formula, in bytes, for T tokens of a micro-batch of which A have logits, V vocabulary rows, a language
model of L layers, width d and feed-forward width f, an image tower of width v and feed-forward width g with
P patches in all tiles, frozen weights of W parameters at b bytes and adapters of N parameters:

    weights       W · b
    adapters      N · 16              fp32: weight, gradient and AdamW's two moments
    checkpoints   L · T · d · b       one input a layer is kept; the rest is computed again
    one layer     T · (12·d + 5·f) · b + T · (4·d) · 4
                                      what autograd holds of the layer it is in, its norms in fp32
    logits        A · V · (b + 3·4)   the logits, their fp32 copy, the softmax and its gradient
    image tower   P · (6·v + 2·g) · b one layer at a time, no gradient
    slack         10 % of the above, and 0.6 GiB of the device's own libraries

The image tower and the logits are not there at the same time as one another; the larger is counted.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from transformers import InternVLForConditionalGeneration

GIB = 2**30
LIBRARIES = int(0.6 * GIB)
_SLACK = 0.10
_MODEL: Any = InternVLForConditionalGeneration


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes by purpose.

    Attributes:
        parts: what is counted, by name.
        parameters: the model's weights in number.
        trainable: the adapters' weights in number.
    """

    parts: dict[str, int]
    parameters: int
    trainable: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return sum(self.parts.values())

    def fits(self, available: int) -> bool:
        """Whether `available` bytes are enough."""
        return self.total <= available


def estimate_memory(
    config: Any, *, rank: int, tokens: int, answer: int, tiles: int, micro_batch: int, width: int
) -> MemoryEstimate:
    """Estimate the peak for a training step.

    Args:
        config: transformers' InternVLConfig.
        rank: of the adapters.
        tokens: of the longest example. answer: of the longest answer.
        tiles: pictures that the image tower sees for one example.
        micro_batch: examples on the device at a time.
        width: bytes of a frozen weight: 2 for bf16, 4 for fp32.
    """
    text, vision = config.text_config, config.vision_config
    weights, trainable = count_parameters(config, rank)
    d, f, layers = text.hidden_size, text.intermediate_size, text.num_hidden_layers
    batch_tokens = tokens * micro_batch
    patches = (vision.image_size[0] // vision.patch_size[0]) ** 2 + 1
    logits = (answer + 1) * micro_batch * text.vocab_size * (width + 12)
    tower = tiles * micro_batch * patches * (6 * vision.hidden_size + 2 * vision.intermediate_size) * width
    parts = {
        "weights": weights * width,
        "adapters, gradients, AdamW": trainable * 16,
        "checkpointed activations": layers * batch_tokens * d * width,
        "one layer in full": batch_tokens * ((12 * d + 5 * f) * width + 16 * d),
        "logits or image tower": max(logits, tower),
    }
    parts["slack"] = int(_SLACK * sum(parts.values()))
    parts["the device's libraries"] = LIBRARIES
    return MemoryEstimate(parts, weights, trainable)


def count_parameters(config: Any, rank: int) -> tuple[int, int]:
    """Weights of the model and of rank-`rank` adapters, counted on a model that takes no memory."""
    from peft import LoraConfig, get_peft_model

    from albumgen_core.engines.neural.internvl.adapter import LORA_TARGETS

    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is going away
        model = _MODEL._from_config(config)
        weights = sum(weight.numel() for weight in model.parameters())
        adapted = get_peft_model(model, LoraConfig(r=rank, target_modules=LORA_TARGETS))
    return weights, sum(w.numel() for w in adapted.parameters() if w.requires_grad)
