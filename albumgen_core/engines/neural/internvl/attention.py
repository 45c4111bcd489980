"""Attention of a few new tokens where several query heads share a key head.

Queries that share a key head become rows of one query: so keys are read once instead of once a head, and
nothing is repeated. torch's own way with such heads (`enable_gqa`) takes ten times as long on a CPU in
bfloat16 where a single token asks, which is nearly all that decoding does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_utils import AttentionInterface

from albumgen_core.engines.neural.internvl.adapter import bare

NAME = "albumgen_grouped"
FEW = 32
"""New tokens up to which queries are grouped; longer ones, prompts, are torch's own matter."""


def grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: query (batch, heads, n, size) → (batch, n, heads, size)."""
    batch, heads, length, size = query.shape
    groups = heads // key.shape[1]
    if groups == 1 or length > FEW or (length > 1 and attention_mask is None):
        result: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **options
        )
        return result
    if attention_mask is not None:
        attention_mask = attention_mask.repeat(1, 1, groups, 1)
    packed = query.reshape(batch, heads // groups, groups * length, size)
    y = F.scaled_dot_product_attention(packed, key, value, attention_mask, dropout, scale=scaling)
    return y.reshape(batch, heads, length, -1).transpose(1, 2).contiguous(), None


def group_queries(model: Any) -> None:
    """Let the language model inside `model` attend this way."""
    AttentionInterface.register(NAME, grouped_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    bare(model).config.get_text_config()._attn_implementation = NAME
