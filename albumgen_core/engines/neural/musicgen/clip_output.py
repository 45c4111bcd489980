"""What happens to one clip's tokens as they come: saved to disk, and decoded between steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from albumgen_core.engines.neural.musicgen.generate import Row
from albumgen_core.engines.neural.musicgen.resume import TokenFile
from albumgen_core.engines.neural.musicgen.stream import SoundStream

SoundCallback = Callable[[int, NDArray[np.float32]], None]
"""Called between steps, which wait: (position in the batch, the next samples, float32 (channels, n))."""


def ignore_sound(_position: int, _samples: NDArray[np.float32]) -> None:
    """A SoundCallback for callers who wait for the whole clip."""


class ClipOutput:
    """Saves and decodes the tokens of one clip of a batch as they come.

    The codec runs in the composing thread. In a thread of its own it would hasten nothing on a CPU, whose
    cores all compute either way, and a second team of OpenMP threads makes the first one sleep at each
    barrier instead of spinning: steps that consist of small operations take half as long again.
    """

    def __init__(
        self,
        row: Row,
        stream: SoundStream,
        file: TokenFile | None,
        on_sound: Callable[[NDArray[np.float32]], None],
    ) -> None:
        self.row = row
        self._stream, self._file, self._on_sound = stream, file, on_sound

    def grow(self) -> None:
        """More of the row's tokens are known."""
        tokens = self.row.tokens[:, : self.row.known].cpu()
        if self._file is not None:
            self._file.save(tokens.numpy().astype(np.int16), last=self.row.known == self.row.total)
        self._decode(tokens)

    def finish(self) -> NDArray[np.float32]:
        """The whole clip, float32 (channels, samples); the row must be complete."""
        self._decode(self.row.tokens.cpu())
        sound: NDArray[np.float32] = self._stream.samples.numpy()
        return sound

    def _decode(self, tokens: Tensor) -> None:
        before = self._stream.ready
        self._stream.feed(tokens)
        if self._stream.ready > before:
            self._on_sound(self._stream.samples[:, before : self._stream.ready].numpy().copy())
