"""What the generation loop asks of a decoder, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class DecoderSession(Protocol):
    """The state of one batch: rows that are being composed together."""

    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start the rows' windows afresh from `columns`, the prefill: for each row int64 (K, n), n >= 0."""
        ...

    def step(self, columns: Tensor) -> Tensor:
        """Run one more column of every row, int64 (rows, K); logits of the next one.

        Returns float32 (rows, K, vocabulary), with classifier-free guidance applied.
        """
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; those kept are renumbered in the order given."""
        ...


class Decoder(Protocol):
    """A decoder with its weights in place."""

    @property
    def name(self) -> str:
        """Implementation and number format, for logs and benchmarks."""
        ...

    @property
    def guidance_scale(self) -> float:
        """Classifier-free guidance; 1 is none."""
        ...

    @property
    def device(self) -> torch.device:
        """Where columns and conditionings live."""
        ...

    def open(self, conditioning: Sequence[Tensor], capacity: int) -> DecoderSession:
        """A session with one row a conditioning, float32 (tokens, width); windows fill at most
        `capacity` columns.
        """
        ...
