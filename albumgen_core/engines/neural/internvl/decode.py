"""The decoding loop: one forward pass for each real choice, none for what the grammar dictates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from albumgen_core.engines.neural.internvl.adapter import bare
from albumgen_core.engines.neural.internvl.cache import PreallocatedCache
from albumgen_core.engines.neural.internvl.constraint import MAX_TOKENS, FreeGuide, GrammarError, Guide

FEW = 8192
"""Allowed tokens up to which only their rows of the output layer are multiplied, not all 151,655."""


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
    next real one (jump-ahead), and the output layer is asked about tokens that are allowed alone where they
    are few, as in numbers and genres. `on_token` sees the answer after each pass.
    """
    core = bare(model)
    head = core.get_output_embeddings()
    device = pixels.device
    generator = torch.Generator().manual_seed(seed)
    text = core.config.get_text_config()
    cache = PreallocatedCache(text.num_hidden_layers, len(prompt) + MAX_TOKENS)
    # What is forced at the start (`{"artist_name": "`) costs nothing beside the prompt.
    fed = [*prompt, *guide.forced()]
    inputs: dict[str, Any] = {"pixel_values": pixels}
    passes = 0
    while not guide.finished:
        if len(guide.tokens) > MAX_TOKENS:
            raise GrammarError("the answer is longer than its schema allows")
        hidden = core.model(
            input_ids=torch.tensor([fed], device=device), past_key_values=cache, **inputs
        ).last_hidden_state[0, -1]
        inputs = {}
        allowed = guide.allowed()
        place = _choose(_scores(head, hidden, allowed), temperature, generator)
        token = place if allowed is None else int(allowed[place])
        guide.take(token)
        fed = [token, *guide.forced()]
        passes += 1
        if on_token is not None:
            on_token(guide.tokens)
    return Answer(list(guide.tokens), passes - 1)


def _scores(head: Any, hidden: Tensor, allowed: Tensor | None) -> Tensor:
    """Logits float32 on the CPU: of the allowed tokens, in their order, or of all."""
    if allowed is None:
        logits: Tensor = head(hidden)
    elif len(allowed) <= FEW and type(head) is torch.nn.Linear:
        rows = allowed.to(hidden.device)
        bias = head.bias if head.bias is None else head.bias[rows]
        logits = F.linear(hidden, head.weight[rows], bias)
    else:
        logits = head(hidden)[allowed.to(hidden.device)]
    return logits.float().cpu()


def _choose(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    """The place of the likeliest or, at a temperature, of one drawn with a single random number."""
    if temperature <= 0:
        return int(logits.argmax())
    # From the largest down, so that a tiny temperature cannot overflow.
    summed = torch.softmax((logits - logits.max()) / temperature, dim=-1).double().cumsum(-1)
    target = torch.rand((), generator=generator, dtype=torch.float64) * summed[-1]
    return int(torch.searchsorted(summed, target, right=True).clamp(max=len(summed) - 1))
