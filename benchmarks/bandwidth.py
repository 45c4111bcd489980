"""How fast this machine reads memory: the floor under everything that reads weights."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

SIZE = 2**29
"""Bytes that are read: far more than any cache holds."""


class MemoryReads:
    """Reads the same half gibibyte again and again, with as many threads as torch uses.

    Attributes:
        best: bytes a second, the most of all readings.
    """

    def __init__(self) -> None:
        data = torch.ones(SIZE // 4)
        number = data.view(torch.int32)
        # Which of them comes closest to what memory gives differs between builds of torch.
        self._ways: tuple[Callable[[], object], ...] = (
            data.sum, data.amax, number.amax, data.view(-1, 1024).any,
        )  # fmt: skip
        self.best = 0.0

    def read(self, passes: int = 1) -> float:
        """Bytes a second of the fastest way and pass."""
        fastest = float("inf")
        for _ in range(passes):
            for way in self._ways:
                start = time.perf_counter()
                way()
                fastest = min(fastest, time.perf_counter() - start)
        self.best = max(self.best, SIZE / fastest)
        return SIZE / fastest
