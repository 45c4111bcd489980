"""The delay pattern: which codebook's token of which frame stands in which column.

MusicGen predicts all codebooks of a column at once; codebook q runs q columns behind the first, so that
it can hear the coarser codebooks of its own frame (Copet et al. 2023, "Simple and Controllable Music
Generation", section 2.2). Column 0 is all padding; column s holds, in codebook q, frame s - 1 - delay[q].
Stereo checkpoints interleave left and right, and both channels of a codebook share a delay.
"""

from __future__ import annotations

import torch
from torch import Tensor

TO_COMPOSE = -1
"""Marks a token that is still to be composed."""


class DelayPattern:
    """Index arithmetic between frames and columns.

    Attributes:
        codebooks: number of token streams, K.
        delays: int64 (K,), columns by which each stream lags.
        pad: the token that stands where no frame belongs.
    """

    def __init__(self, codebooks: int, channels: int, pad: int, device: torch.device | None = None) -> None:
        self.codebooks = codebooks
        self.pad = pad
        self.delays = torch.arange(codebooks, device=device) // channels
        self.longest = int(self.delays[-1])

    def columns(self, frames: int) -> int:
        """Columns that `frames` frames fill, the first, all-padding one included."""
        return frames + self.longest + 1

    def to_columns(self, values: Tensor, fill: float) -> Tensor:
        """Lay (K, frames) values out as (K, columns), with `fill` where no frame belongs."""
        frames = values.shape[-1]
        index = torch.arange(self.columns(frames), device=values.device) - 1 - self.delays[:, None]
        inside = (index >= 0) & (index < frames)
        return torch.where(inside, values.gather(-1, index.clamp(0, frames - 1)), fill)

    def grid(self, known: Tensor, frames: int) -> Tensor:
        """Columns of a stretch of `frames` frames that begins with `known` (K, n), n <= frames.

        Tokens that are to be composed are TO_COMPOSE, places outside the stretch are padding.
        """
        tokens = known.new_full((self.codebooks, frames), TO_COMPOSE)
        tokens[:, : known.shape[-1]] = known
        return self.to_columns(tokens, self.pad)

    def to_frames(self, columns: Tensor, frames: int) -> Tensor:
        """Read (..., K, frames) back from (..., K, columns). Inverse of `to_columns`."""
        index = torch.arange(frames, device=columns.device) + 1 + self.delays[:, None]
        return columns.gather(-1, index.expand(*columns.shape[:-1], frames))
