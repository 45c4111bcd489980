"""Memory in huge pages is ordinary memory to whoever uses it."""

from __future__ import annotations

import gc

import pytest
import torch

from albumgen_core.engines.neural.musicgen.huge_pages import ALIGNMENT, CHUNK, Arena


def test_tensors_are_zeroed_apart_and_begin_with_a_cache_line() -> None:
    arena = Arena()
    tensors = [arena.empty((size, 3), torch.float32) for size in (1, 1000, 7, 250_000)]
    for number, tensor in enumerate(tensors):
        assert not tensor.any()
        assert tensor.data_ptr() % ALIGNMENT == 0
        tensor.fill_(number + 1)
    assert all((tensor == number + 1).all() for number, tensor in enumerate(tensors))


@pytest.mark.parametrize("size", [CHUNK // 4 + 1, CHUNK * 2])
def test_large_tensors_get_pages_of_their_own(size: int) -> None:
    arena = Arena()
    small, large = arena.empty((10,), torch.uint8), arena.empty((size,), torch.uint8)
    assert large.numel() == size
    large.fill_(9)
    assert not small.any()
    assert not arena.empty((10,), torch.uint8).any()


def test_a_copy_outlives_its_arena() -> None:
    source = torch.arange(24).view(2, 3, 4).transpose(0, 2)
    copied = Arena().copy(source)
    gc.collect()
    assert copied.is_contiguous()
    assert torch.equal(copied, source)
