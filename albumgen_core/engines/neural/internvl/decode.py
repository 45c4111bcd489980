"""The decoding loop: one forward pass for each real choice, none for what the grammar dictates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from albumgen_core.engines.neural.internvl.constraint import MAX_TOKENS, FreeGuide, GrammarError, Guide


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written.

    Attributes:
        tokens: ids of the answer, in order.
        passes: forward passes of the language model after the prompt's own.
    """

    tokens: list[int]
    passes: int


@torch.inference_mode()
def write_answer(
    model: Any,
    prompt: list[int],
    pixels: Tensor,
    guide: Guide | FreeGuide,
    *,
    temperature: float = 0.0,
    seed: int = 0,
    on_token: Callable[[list[int]], None] | None = None,
) -> Answer:
    """Answer `prompt` about the picture in `pixels`, within what `guide` allows.

    At temperature 0 the likeliest allowed token is taken; above, one is drawn with `seed` (on the CPU, so
    that the draw does not depend on the device). Tokens that the grammar forces are fed together with the
    next real one (jump-ahead). `on_token` sees the answer after each pass.
    """
    device = pixels.device
    generator = torch.Generator().manual_seed(seed)
    cache = DynamicCache(config=model.config.get_text_config())
    # What is forced at the start (`{"artist_name": "`) costs nothing beside the prompt.
    fed = [*prompt, *guide.forced()]
    inputs: dict[str, Any] = {"pixel_values": pixels}
    passes = 0
    while not guide.finished:
        if len(guide.tokens) > MAX_TOKENS:
            raise GrammarError("the answer is longer than its schema allows")
        output = model(
            input_ids=torch.tensor([fed], device=device), past_key_values=cache, logits_to_keep=1, **inputs
        )
        inputs = {}
        token = _choose(guide.mask(output.logits[0, -1].float().cpu()), temperature, generator)
        guide.take(token)
        fed = [token, *guide.forced()]
        passes += 1
        if on_token is not None:
            on_token(guide.tokens)
    return Answer(list(guide.tokens), passes - 1)


def _choose(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature <= 0:
        return int(logits.argmax())
    # From the largest down, so that a tiny temperature cannot overflow.
    chances = torch.softmax((logits - logits.max()) / temperature, dim=-1)
    return int(torch.multinomial(chances, 1, generator=generator))
