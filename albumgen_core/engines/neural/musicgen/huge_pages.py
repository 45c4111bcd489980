"""Memory in huge pages, for what every step reads from end to end.

With pages of 4 KiB, translating addresses costs a step that waits for memory about an eighth of its time.
Linux gives pages of 2 MiB to whoever asks (`madvise`); elsewhere, or where it has none to give, the memory
is ordinary.
"""

from __future__ import annotations

import contextlib
import math
import mmap
from collections.abc import Sequence

import torch
from torch import Tensor

PAGE = 2 * 2**20
CHUNK = 32 * 2**20
"""Small tensors share a chunk, which lives as long as any of them."""
ALIGNMENT = 64
"""Tensors begin where cache lines do."""


class Arena:
    """Hands out zeroed tensors that lie side by side in huge pages."""

    def __init__(self) -> None:
        self._chunk: Tensor | None = None
        self._used = 0

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A tensor of zeros, like torch.zeros."""
        size = math.prod(shape) * dtype.itemsize
        if size > CHUNK // 4:
            return _pages(size)[:size].view(dtype).view(*shape)
        if self._chunk is None or self._used + size > self._chunk.numel():
            self._chunk, self._used = _pages(CHUNK), 0
        taken = self._chunk[self._used : self._used + size].view(dtype).view(*shape)
        self._used += -(-size // ALIGNMENT) * ALIGNMENT
        return taken

    def copy(self, tensor: Tensor) -> Tensor:
        """The same values, contiguous, in this arena."""
        return self.empty(tensor.shape, tensor.dtype).copy_(tensor)


def _pages(size: int) -> Tensor:
    """At least `size` bytes of zeros that begin with a page; the system's until they are written."""
    size = -(-size // PAGE) * PAGE + PAGE
    if not hasattr(mmap, "MAP_PRIVATE"):
        memory = mmap.mmap(-1, size)
    else:  # Python's default is shared memory, for which Linux has other rules and, mostly, no huge pages
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_HUGEPAGE)
    whole = torch.frombuffer(memory, dtype=torch.uint8)
    return whole[-whole.data_ptr() % PAGE :]
