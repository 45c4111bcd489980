from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.engines.neural.musicgen.delay import TO_COMPOSE, DelayPattern


@given(st.integers(1, 40), st.integers(1, 4), st.sampled_from([1, 2]))
def test_columns_and_frames_are_inverse(frames: int, books: int, channels: int) -> None:
    pattern = DelayPattern(books * channels, channels, pad=-9)
    tokens = torch.arange(books * channels * frames).view(-1, frames)
    columns = pattern.to_columns(tokens, pattern.pad)
    assert columns.shape == (books * channels, pattern.columns(frames))
    assert torch.equal(pattern.to_frames(columns, frames), tokens)
    assert (columns == pattern.pad).sum() == columns.numel() - tokens.numel()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("known", [0, 1, 5])
def test_the_pattern_is_that_of_transformers(
    channels: int, known: int, reference: Any, stereo_reference: Any
) -> None:
    decoder = (reference, stereo_reference)[channels - 1].decoder
    books, frames = 4 * channels, 9
    pattern = DelayPattern(books, channels, pad=64)
    tokens = torch.randint(0, 64, (books, known))
    start = torch.full((books, 1), 64)
    theirs, mask = decoder.build_delay_pattern_mask(
        torch.cat([start, tokens], dim=1), pad_token_id=64, max_length=pattern.columns(frames)
    )
    ours = pattern.grid(tokens, frames)
    assert torch.equal(ours, mask)
    first = int((ours[0] == TO_COMPOSE).nonzero()[0])
    assert torch.equal(ours[:, :first], theirs)
