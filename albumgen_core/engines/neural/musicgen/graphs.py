"""Steps on a GPU replayed as CUDA graphs, so that a step costs one launch instead of a thousand.

At a fraction of a millisecond of memory traffic a step, launching kernels one by one from Python is what
takes the time. The masked step has static shapes and reads its inputs from fixed buffers, so it is
captured once for each batch size and each depth of the cache, and replayed ever after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen.session import FastSession
from albumgen_core.engines.neural.musicgen.weights import DecoderWeights

DEPTH = 256
"""Columns by which the part of the cache that is read grows: a graph for each."""
WARM_UPS = 3
"""Runs before a capture, in which libraries allocate their workspaces."""

Capture = Callable[[Callable[[], Tensor]], tuple[Callable[[], None], Tensor]]
"""Makes a work replayable: returns what replays it, and the tensor its result appears in."""


def cuda_capture(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """A Capture by CUDA graph."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()
    return graph.replay, result


class GraphSession(FastSession):
    """A session whose steps are captured and replayed."""

    def __init__(
        self,
        decoder: DecoderWeights,
        conditioning: Sequence[Tensor],
        capacity: int,
        capture: Capture = cuda_capture,
    ) -> None:
        super().__init__(decoder, conditioning, capacity)
        self._capture = capture
        self._moved = True
        self._forget()

    @torch.inference_mode()
    def step(self, columns: Tensor) -> Tensor:
        """Run one column of every row; see `DecoderSession.step`. The result holds until the next step."""
        self._columns.copy_(columns)
        if self._moved:
            self._positions.copy_(torch.tensor(self.position))
            self._moved = False
        depth = min(self.capacity, (max(self.position) // DEPTH + 1) * DEPTH)
        if depth not in self._graphs:
            self._graphs[depth] = self._capture(
                lambda: self.step_masked(self._columns, self._positions, depth)
            )
        replay, logits = self._graphs[depth]
        replay()
        self._positions += 1
        self.position = [position + 1 for position in self.position]
        return logits

    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start the rows' windows afresh; see `DecoderSession.begin`."""
        super().begin(rows, columns)
        self._moved = True

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; see `DecoderSession.keep`."""
        super().keep(rows)  # the caches move, so graphs are captured anew
        self._forget()

    def _forget(self) -> None:
        device = self.decoder.device
        self._graphs: dict[int, tuple[Callable[[], None], Tensor]] = {}
        self._columns = torch.zeros(self.clips, self.decoder.codebooks, dtype=torch.int64, device=device)
        self._positions = torch.zeros(self.clips, dtype=torch.int64, device=device)
        self._moved = True
