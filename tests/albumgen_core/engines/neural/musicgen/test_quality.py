"""Whether int8 may be the default: how it fares on weights that have learnt something."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from albumgen_core.engines.neural.musicgen import native
from benchmarks.musicgen_quality import Motifs, compare, native_kernel, train
from tests.checkpoints.musicgen import tiny_config

WIDTH, STEPS = 64, 200

Judged = tuple[Any, list[torch.Tensor], torch.Tensor]
"""Weights, prompts, and columns to hear."""


@pytest.fixture(scope="module")
def judged() -> Judged:
    motifs = Motifs(WIDTH)
    trained = train(motifs, tiny_config(hidden=WIDTH), STEPS, loud=True)
    prompts, columns = motifs.clips(16, 60)
    return trained, list(prompts), columns


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [False, True], ids=["on PyTorch alone", "native"])
def test_int8_draws_what_float32_draws(
    judged: tuple[Any, list[torch.Tensor], torch.Tensor], kernel: bool
) -> None:
    with native_kernel(kernel):
        if kernel and native.library() is None:
            pytest.skip("the native kernel is not built, or not for this CPU")
        agreed, nats = compare(judged[0], "int8", *judged[1:])
    assert agreed.mean() > 0.99
    assert nats.mean() < 1e-3
