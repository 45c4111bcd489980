"""Rounding weights to int8."""

from __future__ import annotations

import torch
from torch import Tensor

INT8_LEVELS = 127
"""Symmetric int8: weights and activations become integers in [-127, 127]."""


def balanced_int8(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Round a weight (out, in) to int8: (integers, output scales, input balance).

    weight is about integers * scales[:, None] * balance; the balance makes every input channel's largest
    weight 1 before rounding.
    """
    weight = weight.float()
    balance = weight.abs().amax(0).clamp_min(1e-12)
    weight = weight / balance
    scales = weight.abs().amax(1).clamp_min(1e-12) / INT8_LEVELS
    return (weight / scales[:, None]).round_().to(torch.int8), scales, balance
