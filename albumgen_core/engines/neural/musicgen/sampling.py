"""From logits to tokens, for every row and codebook at once.

The rules are audiocraft's (`LMModel._sample_next_token`): temperature, then nucleus (top-p) or top-k.
Randomness comes in from outside as one uniform number a token, so that a clip depends on its own seed
alone, never on the clips it shares a batch with, and a clip that is resumed draws the very numbers it
would have drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


def uniforms(seed: int, frames: int, codebooks: int) -> Tensor:
    """The clip's random numbers: float32 (frames, codebooks) in [0, 1).

    Row-major from a counter-based generator (Philox): a longer clip of the same seed begins with the very
    same numbers.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    return torch.from_numpy(generator.random((frames, codebooks), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Sampler:
    """How tokens are drawn.

    Attributes:
        temperature: logits are divided by it; 0 takes the likeliest token.
        top_k: only the k likeliest tokens may be drawn; 0 allows all. Ignored with top_p.
        top_p: only the likeliest tokens that together reach this probability; 0 turns it off.
    """

    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0

    def __call__(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Draw one token for each leading index: logits (..., vocabulary), uniform (...) → int64 (...)."""
        if self.temperature <= 0:
            return logits.argmax(-1)
        logits = logits.float() / self.temperature
        if self.top_p > 0:
            logits = self._nucleus(logits)
        elif 0 < self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k, dim=-1, sorted=False).values.amin(-1, keepdim=True)
            logits = logits.masked_fill(logits < least, -torch.inf)
        # Inverse transform in the vocabulary's order: unlike the order of likelihood, it does not
        # change when two nearly equal logits change places in the last bit.
        summed = logits.softmax(-1).cumsum(-1)
        target = uniform.unsqueeze(-1) * summed[..., -1:]
        # The first token whose cumulative probability exceeds the target always has some probability.
        token = (summed <= target).sum(-1)
        last = logits.shape[-1] - 1 - (logits > -torch.inf).flip(-1).int().argmax(-1)
        return torch.minimum(token, last)

    def _nucleus(self, logits: Tensor) -> Tensor:
        ranked, order = logits.softmax(-1).sort(dim=-1, descending=True)
        # The token that crosses the threshold stays.
        beyond = ranked.cumsum(-1) - ranked > self.top_p
        return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), -torch.inf)
