"""The parts of the decoding loop, each against what it replaces."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import DynamicCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from albumgen_core.engines.neural.internvl import decode
from albumgen_core.engines.neural.internvl.attention import FEW, grouped_attention
from albumgen_core.engines.neural.internvl.cache import PreallocatedCache
from albumgen_core.engines.neural.internvl.describer import InternVLDescriber
from tests.albumgen_core.engines.neural.conftest import neighbour, picture


@pytest.mark.parametrize("capacity", [100, 8])
def test_the_cache_holds_what_a_growing_one_holds(capacity: int) -> None:
    ours, growing = PreallocatedCache(2, capacity), DynamicCache()
    for count in (7, 1, 1, 5, 1, 30):  # beyond a capacity of 8 it grows
        for layer in range(2):
            keys, values = torch.randn(2, 1, 3, count, 4)
            expected = growing.update(keys, values, layer)
            assert all(map(torch.equal, ours.update(keys, values, layer), expected))
        assert ours.get_seq_length() == growing.get_seq_length()
        assert ours.get_mask_sizes(3, 0) == growing.get_mask_sizes(3, 0)
    ours.reset()
    assert ours.get_seq_length() == 0


@pytest.mark.parametrize("length", [1, 2, FEW, FEW + 1])
@pytest.mark.parametrize("heads", [2, 14])
def test_grouped_queries_attend_as_others_do(length: int, heads: int) -> None:
    generator = torch.Generator().manual_seed(length)
    query = torch.randn(1, heads, length, 16, generator=generator)
    key, value = torch.randn(2, 1, 2, 90, 16, generator=generator)
    mask = torch.ones(length, 90, dtype=torch.bool).tril(90 - length)[None, None]
    module: Any = SimpleNamespace(num_key_value_groups=heads // 2, is_causal=True)
    for shown in [mask, None] if length == 1 else [mask]:
        expected, _ = sdpa_attention_forward(module, query, key, value, shown, scaling=0.25)
        found, _ = grouped_attention(module, query, key, value, shown, scaling=0.25)
        assert torch.allclose(found, expected, atol=1e-5)


def test_a_prompt_is_heard_from_left_to_right() -> None:
    query = torch.randn(1, 4, 6, 16, generator=torch.Generator().manual_seed(0))
    key, value = torch.randn(2, 1, 2, 6, 16, generator=torch.Generator().manual_seed(1))
    module: Any = SimpleNamespace(num_key_value_groups=2, is_causal=True)
    short = query[:, :, :2], key[:, :, :2], value[:, :, :2]
    first, _ = grouped_attention(module, *short, None)
    whole, _ = grouped_attention(module, query, key, value, None)
    assert torch.allclose(whole[:, :2], first, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("tiles", [1, 4])
def test_asking_about_allowed_tokens_alone_changes_no_answer(
    internvl_folder: Path, monkeypatch: pytest.MonkeyPatch, temperature: float, tiles: int
) -> None:
    describer = InternVLDescriber(internvl_folder, dtype="float32", temperature=temperature, max_tiles=tiles)
    covers = [(picture(1), None), (picture(2), [neighbour("One"), neighbour("Two")])]
    few = [describer.describe(cover, known, seed=7) for cover, known in covers]
    monkeypatch.setattr(decode, "FEW", -1)
    assert [describer.describe(cover, known, seed=7) for cover, known in covers] == few


def test_draws_follow_the_chances() -> None:
    logits = torch.tensor([0.0, -torch.inf, 1.0, 2.0])
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor([decode._choose(logits, 0.5, generator) for _ in range(4000)])
    shares = torch.bincount(drawn, minlength=4) / 4000
    assert shares[1] == 0
    assert (shares - (logits / 0.5).softmax(0)).abs().max() < 0.03
    assert decode._choose(logits, 0.0, generator) == 3
    assert decode._choose(logits, 1e-6, generator) == 3
