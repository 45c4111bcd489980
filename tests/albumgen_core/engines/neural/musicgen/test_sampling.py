from __future__ import annotations

import pytest
import torch
from transformers import TopKLogitsWarper, TopPLogitsWarper

from albumgen_core.engines.neural.musicgen.sampling import Sampler, uniforms


@pytest.fixture(scope="module")
def logits() -> torch.Tensor:
    return torch.randn(3, 4, 64, generator=torch.Generator().manual_seed(0)) * 2


def frequencies(sampler: Sampler, logits: torch.Tensor, draws: int = 20_000) -> torch.Tensor:
    # Evenly spread numbers instead of random ones: exact up to 1 / draws.
    spread = (torch.arange(draws) + 0.5) / draws
    tokens = sampler(logits.expand(draws, -1), spread)
    return torch.bincount(tokens, minlength=logits.shape[-1]) / draws


@pytest.mark.parametrize("k", [1, 5, 63])
def test_top_k_draws_from_the_distribution_of_transformers(logits: torch.Tensor, k: int) -> None:
    expected = TopKLogitsWarper(k)(None, logits[0]).softmax(-1)[0]
    assert torch.allclose(frequencies(Sampler(top_k=k), logits[0, 0]), expected, atol=2e-4)


@pytest.mark.parametrize("p", [0.1, 0.6, 0.95])
def test_top_p_draws_from_the_distribution_of_transformers(logits: torch.Tensor, p: float) -> None:
    expected = TopPLogitsWarper(p)(None, logits[0]).softmax(-1)[0]
    assert torch.allclose(frequencies(Sampler(top_p=p), logits[0, 0]), expected, atol=2e-4)


def test_temperature_flattens(logits: torch.Tensor) -> None:
    expected = (logits[0, 0] / 3).softmax(-1)
    assert torch.allclose(frequencies(Sampler(temperature=3.0, top_k=0), logits[0, 0]), expected, atol=2e-4)


def test_temperature_zero_takes_the_likeliest(logits: torch.Tensor) -> None:
    drawn = Sampler(temperature=0.0)(logits, torch.rand(3, 4))
    assert torch.equal(drawn, logits.argmax(-1))


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-24])
def test_extreme_numbers_draw_tokens_that_are_allowed(logits: torch.Tensor, number: float) -> None:
    drawn = Sampler(top_k=3)(logits, torch.full((3, 4), number))
    allowed = logits.topk(3).indices
    assert (allowed == drawn.unsqueeze(-1)).any(-1).all()


def test_a_longer_clip_draws_the_same_numbers_first() -> None:
    assert torch.equal(uniforms(7, 30, 4), uniforms(7, 500, 4)[:30])
    assert not torch.equal(uniforms(7, 30, 4), uniforms(8, 30, 4))
