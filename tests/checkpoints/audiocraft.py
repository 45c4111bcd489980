"""audiocraft's own classes, in the shape of a checkpoint; only where `audiocraft` is installed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any


def language_model(config: Any, conditioners: Mapping[str, Any], guidance: float) -> Any:
    """An LMModel such as audiocraft's builders make for the published checkpoints.

    Args:
        config: transformers' configuration of the decoder. guidance: the scale it composes with.
        conditioners: by name; `description` is what the decoder listens to.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from audiocraft.models.lm import LMModel
        from audiocraft.modules.codebooks_patterns import DelayedPatternProvider
        from audiocraft.modules.conditioners import ConditionFuser, ConditioningProvider
    return LMModel(
        DelayedPatternProvider(n_q=config.num_codebooks),
        ConditioningProvider(dict(conditioners)),
        ConditionFuser({"cross": ["description"], "prepend": [], "sum": [], "input_interpolate": []}),
        n_q=config.num_codebooks, card=config.vocab_size, dim=config.hidden_size,
        num_heads=config.num_attention_heads, num_layers=config.num_hidden_layers,
        hidden_scale=config.ffn_dim // config.hidden_size, cfg_coef=guidance,
        norm_first=True, bias_proj=False, bias_ff=False, bias_attn=False, activation="gelu",
        memory_efficient=True, cross_attention=True, causal=True,
    )  # fmt: skip
