"""InternVL2 as its authors lay it out, in plain tensor operations on the original's tensor names.

Written from the architecture (InternViT with fused attention weights and layer scale, pixel shuffle of the
second kind, a two-layer projector, Qwen2 with grouped keys and rotary positions), without any of
transformers' classes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, gelu, layer_norm, linear, scaled_dot_product_attention, silu

Weights = dict[str, Tensor]


def logits(
    state: Weights, config: dict[str, Any], ids: list[int], pixels: Tensor, image_token: int
) -> Tensor:
    """Logits (tokens, vocabulary) for a prompt whose `image_token` places hold the tiles' features."""
    hidden = state["language_model.model.embed_tokens.weight"][ids].clone()
    features = image_features(state, config, pixels)
    hidden[torch.tensor(ids) == image_token] = features.reshape(-1, features.shape[-1])
    text = config["llm_config"]
    for i in range(text["num_hidden_layers"]):
        hidden = _language_layer(state, f"language_model.model.layers.{i}.", text, hidden)
    hidden = _rms(hidden, state["language_model.model.norm.weight"], text["rms_norm_eps"])
    return linear(hidden, state["language_model.lm_head.weight"])


def image_features(state: Weights, config: dict[str, Any], pixels: Tensor) -> Tensor:
    """Features (tiles, places, language width) of normalised tiles."""
    hidden = _vision(state, config["vision_config"], pixels)[:, 1:]
    side = int(hidden.shape[1] ** 0.5)
    hidden = _pixel_shuffle(hidden.reshape(len(pixels), side, side, -1))
    hidden = hidden.reshape(len(pixels), -1, hidden.shape[-1])
    hidden = layer_norm(hidden, hidden.shape[-1:], state["mlp1.0.weight"], state["mlp1.0.bias"])
    hidden = gelu(linear(hidden, state["mlp1.1.weight"], state["mlp1.1.bias"]))
    return linear(hidden, state["mlp1.3.weight"], state["mlp1.3.bias"])


def _vision(state: Weights, config: dict[str, Any], pixels: Tensor) -> Tensor:
    prefix = "vision_model.embeddings."
    patches = conv2d(
        pixels,
        state[prefix + "patch_embedding.weight"],
        state[prefix + "patch_embedding.bias"],
        stride=config["patch_size"],
    )
    patches = patches.flatten(2).transpose(1, 2)
    start = state[prefix + "class_embedding"].expand(len(pixels), 1, -1)
    hidden = torch.cat([start, patches], dim=1) + state[prefix + "position_embedding"]
    heads = config["num_attention_heads"]
    for i in range(config["num_hidden_layers"]):
        w = {
            name.removeprefix(f"vision_model.encoder.layers.{i}."): tensor
            for name, tensor in state.items()
            if name.startswith(f"vision_model.encoder.layers.{i}.")
        }
        eps = config["layer_norm_eps"]
        normed = layer_norm(hidden, hidden.shape[-1:], w["norm1.weight"], w["norm1.bias"], eps)
        hidden = hidden + _fused_attention(w, normed, heads) * w["ls1"]
        normed = layer_norm(hidden, hidden.shape[-1:], w["norm2.weight"], w["norm2.bias"], eps)
        inner = gelu(linear(normed, w["mlp.fc1.weight"], w["mlp.fc1.bias"]))
        hidden = hidden + linear(inner, w["mlp.fc2.weight"], w["mlp.fc2.bias"]) * w["ls2"]
    return hidden


def _fused_attention(w: Weights, x: Tensor, heads: int) -> Tensor:
    batch, places, width = x.shape
    fused = linear(x, w["attn.qkv.weight"], w["attn.qkv.bias"])
    q, k, v = fused.reshape(batch, places, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    weights = ((q * (width // heads) ** -0.5) @ k.transpose(-2, -1)).softmax(dim=-1)
    mixed = (weights @ v).transpose(1, 2).reshape(batch, places, width)
    return linear(mixed, w["attn.proj.weight"], w["attn.proj.bias"])


def _pixel_shuffle(x: Tensor) -> Tensor:
    """(n, w, h, c) → (n, w/2, h/2, 4c), the second version, which swaps the axes back at the end."""
    n, w, h, c = x.shape
    x = x.reshape(n, w, h // 2, c * 2).permute(0, 2, 1, 3)
    x = x.reshape(n, h // 2, w // 2, c * 4)
    return x.permute(0, 2, 1, 3)


def _language_layer(state: Weights, prefix: str, config: dict[str, Any], hidden: Tensor) -> Tensor:
    w = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    eps, heads, groups = config["rms_norm_eps"], config["num_attention_heads"], config["num_key_value_heads"]
    size = config["hidden_size"] // heads
    normed = _rms(hidden, w["input_layernorm.weight"], eps)

    def project(which: str, count: int) -> Tensor:
        flat = linear(normed, w[f"self_attn.{which}_proj.weight"], w[f"self_attn.{which}_proj.bias"])
        return flat.reshape(-1, count, size).transpose(0, 1)

    queries = _rotate(project("q", heads), config["rope_theta"])
    keys = _rotate(project("k", groups), config["rope_theta"]).repeat_interleave(heads // groups, dim=0)
    values = project("v", groups).repeat_interleave(heads // groups, dim=0)
    mixed = scaled_dot_product_attention(queries, keys, values, is_causal=True)
    hidden = hidden + linear(mixed.transpose(0, 1).flatten(1), w["self_attn.o_proj.weight"])
    normed = _rms(hidden, w["post_attention_layernorm.weight"], eps)
    gate = silu(linear(normed, w["mlp.gate_proj.weight"]))
    return hidden + linear(gate * linear(normed, w["mlp.up_proj.weight"]), w["mlp.down_proj.weight"])


def _rotate(x: Tensor, theta: float) -> Tensor:
    half = x.shape[-1] // 2
    frequencies = theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = torch.arange(x.shape[1], dtype=torch.float32)[:, None] * frequencies
    first, second = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def _rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight
