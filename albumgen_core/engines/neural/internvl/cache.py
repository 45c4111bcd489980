"""Keys and values of one answer, in memory that is there from the beginning.

transformers' DynamicCache copies all it holds whenever a token is added; its StaticCache attends over its
whole length, empty places under a mask. This one writes in place and shows attention what is filled, nothing
else.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class PreallocatedLayer(CacheLayerMixin):
    """One layer's keys and values, (batch, heads, capacity, size); room doubles should it not suffice."""

    is_sliding = False

    def __init__(self, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._capacity, self._filled = capacity, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Lay out room like what is to be kept first."""
        self.dtype, self.device = key_states.dtype, key_states.device
        batch, heads = key_states.shape[:2]
        self.keys = key_states.new_empty(batch, heads, self._capacity, key_states.shape[-1])
        self.values = value_states.new_empty(batch, heads, self._capacity, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Add (batch, heads, n, size); returns all keys and values so far, as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self._filled = self._filled, self._filled + key_states.shape[-2]
        if self._filled > self._capacity:
            self._grow(start)
        assert self.keys is not None
        assert self.values is not None
        self.keys[:, :, start : self._filled] = key_states
        self.values[:, :, start : self._filled] = value_states
        return self.keys[:, :, : self._filled], self.values[:, :, : self._filled]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that `query_length` more columns will see, and where they begin."""
        return self._filled + query_length, 0

    def get_seq_length(self) -> int:
        """Columns kept."""
        return self._filled

    def get_max_length(self) -> int:
        """-1: there is no limit."""
        return -1

    def reset(self) -> None:
        """Forget all columns; the room stays."""
        self._filled = 0

    def _grow(self, kept: int) -> None:
        assert self.keys is not None
        assert self.values is not None
        self._capacity = max(2 * self._capacity, self._filled)
        keys, values = self.keys[:, :, :kept], self.values[:, :, :kept]
        self.lazy_initialization(keys, values)
        self.keys[:, :, :kept], self.values[:, :, :kept] = keys, values


class PreallocatedCache(Cache):
    """A PreallocatedLayer a layer, each with room for `capacity` columns."""

    def __init__(self, layers: int, capacity: int) -> None:
        super().__init__(layers=[PreallocatedLayer(capacity) for _ in range(layers)])
