"""What happens to one clip's tokens as they come: kept on disk, and turned into sound beside the decoder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from albumgen_core.engines.neural.musicgen.generate import Row
from albumgen_core.engines.neural.musicgen.resume import TokenFile
from albumgen_core.engines.neural.musicgen.stream import SoundStream

SoundCallback = Callable[[int, NDArray[np.float32]], None]
"""Called from the codec's thread: (position in the batch, the next samples, float32 (channels, n))."""


def ignore_sound(_position: int, _samples: NDArray[np.float32]) -> None:
    """A SoundCallback for callers who wait for the whole clip."""


class Take:
    """One clip of a batch, on its way out."""

    def __init__(
        self,
        row: Row,
        stream: SoundStream,
        file: TokenFile | None,
        thread: ThreadPoolExecutor,
        on_sound: Callable[[NDArray[np.float32]], None],
    ) -> None:
        self.row = row
        self._stream, self._file, self._thread, self._on_sound = stream, file, thread, on_sound
        self._pending: Future[None] | None = None

    def grow(self) -> None:
        """More of the row's tokens are known."""
        tokens = self.row.tokens[:, : self.row.known].cpu().clone()
        if self._file is not None:
            self._file.save(tokens.numpy().astype(np.int16), last=self.row.known == self.row.total)
        # One piece at a time: what comes while the codec is busy joins the next piece.
        if self._pending is None or self._pending.done():
            self._settle()
            self._pending = self._thread.submit(self._decode, tokens)

    def finish(self) -> NDArray[np.float32]:
        """The whole clip, float32 (channels, samples); the row must be complete."""
        self._settle()
        self._thread.submit(self._decode, self.row.tokens.cpu()).result()
        sound: NDArray[np.float32] = self._stream.samples.numpy()
        return sound

    def _settle(self) -> None:
        if self._pending is not None:
            self._pending.result()  # raises here what the codec raised there

    def _decode(self, tokens: Tensor) -> None:
        before = self._stream.ready
        self._stream.feed(tokens)
        if self._stream.ready > before:
            self._on_sound(self._stream.samples[:, before : self._stream.ready].numpy().copy())
