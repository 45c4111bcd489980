"""The one shape in which sound travels between stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Sound in memory.

    Attributes:
        samples: float32, shape (channels, samples), nominally in [-1, 1]; channels is 1 or 2.
        sample_rate: samples a second, in Hz.
        tokens: the codec tokens the sound was decoded from, int16, shape (codebooks, frames), when the
            composer works in tokens (MusicGen). They let a later take continue this very clip.
        midi: the performance as a standard MIDI file, from composers that write notes.
        stems: the groups of players apart, by name, each float32 (2, samples), where they were asked for.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    tokens: NDArray[np.int16] | None = None
    midi: bytes | None = None
    stems: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ValueError(
                f"samples must be float32 (channels, samples), not {self.samples.dtype} {self.samples.shape}"
            )
        if self.sample_rate <= 0:
            raise ValueError(f"sample_rate must be positive, not {self.sample_rate}")

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return float(self.samples.shape[1] / self.sample_rate)
