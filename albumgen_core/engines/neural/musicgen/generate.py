"""The generation loop: from conditionings to codec tokens, one column of every row a step.

Rows are independent of one another: each has its own prompt, seed, length and windows, leaves the batch
when it is finished or cancelled, and comes out the same whoever shared the batch. The loop touches whole
tensors only; which codebook's token stands where is the delay pattern's index arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen.decoder_api import Decoder, DecoderSession
from albumgen_core.engines.neural.musicgen.delay import TO_COMPOSE, DelayPattern
from albumgen_core.engines.neural.musicgen.sampling import Sampler
from albumgen_core.engines.neural.musicgen.windows import Window, plan_windows

EMIT_FRAMES = 25
"""Frames between two reports of finished tokens: half a second of music at MusicGen's 50 Hz."""


@dataclass(slots=True)
class Row:
    """One clip on its way.

    Attributes:
        conditioning: float32 (tokens, decoder width).
        tokens: int64 (K, total); composed frames replace TO_COMPOSE.
        uniforms: float32 (total, K), the clip's random numbers.
        known: frames whose tokens are all there.
        cancelled: given up before it was finished.
    """

    conditioning: Tensor
    tokens: Tensor
    uniforms: Tensor
    known: int = 0
    cancelled: bool = False
    windows: list[Window] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Frames of the finished clip."""
        return int(self.tokens.shape[1])


def ignore_frames(_row: int) -> None:
    """For callers who wait for the end."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the loop calls.

    Attributes:
        progress: (steps done, steps in all).
        frames: a row's `known` has grown, by about EMIT_FRAMES, or to the clip's end.
        cancelled: whether a row is still wanted; asked of every row before every step.
    """

    progress: Callable[[int, int], None]
    cancelled: Callable[[int], bool]
    frames: Callable[[int], None] = ignore_frames


@dataclass(slots=True)
class _Lane:
    """A row in the batch: its window, and the column it has reached in it."""

    row: int
    window: Window
    column: int
    last: int
    emitted: int


def generate(
    decoder: Decoder,
    pattern: DelayPattern,
    rows: Sequence[Row],
    sampler: Sampler,
    callbacks: Callbacks,
    *,
    window: int,
    stride: int,
) -> None:
    """Fill every row's tokens in place. `window` and `stride` are in frames."""
    for row in rows:
        row.windows = plan_windows(row.total, row.known, window, stride)
    _Loop(decoder, pattern, rows, sampler, callbacks).run()


class _Loop:
    def __init__(
        self,
        decoder: Decoder,
        pattern: DelayPattern,
        rows: Sequence[Row],
        sampler: Sampler,
        callbacks: Callbacks,
    ) -> None:
        self.decoder, self.pattern, self.rows, self.sampler, self.callbacks = (
            decoder,
            pattern,
            rows,
            sampler,
            callbacks,
        )
        waiting = [index for index, row in enumerate(rows) if row.windows]
        self.steps = max((self._steps(rows[index]) for index in waiting), default=0)
        self.width = max((pattern.columns(w.length) for i in waiting for w in rows[i].windows), default=0)
        shape = (len(waiting), pattern.codebooks, self.width)
        self.grid = torch.full(shape, pattern.pad, dtype=torch.int64, device=decoder.device)
        self.noise = torch.zeros(shape, dtype=torch.float32, device=decoder.device)
        self.column = torch.zeros(len(waiting), 1, 1, dtype=torch.int64, device=decoder.device)
        self.lanes = [_Lane(index, rows[index].windows[0], 0, 0, rows[index].known) for index in waiting]

    def _steps(self, row: Row) -> int:
        return sum(window.length - window.context + self.pattern.longest for window in row.windows)

    @torch.inference_mode()
    def run(self) -> None:
        """Step until every row is finished or cancelled."""
        self._drop_cancelled()
        if not self.lanes:
            return
        session = self.decoder.open([self.rows[lane.row].conditioning for lane in self.lanes], self.width)
        self._begin(session, list(range(len(self.lanes))))
        done = 0
        while self.lanes:
            self._step(session)
            done += 1
            self._collect(session)
            self.callbacks.progress(done, self.steps)
            self._drop_cancelled(session)

    def _begin(self, session: DecoderSession, slots: list[int]) -> None:
        """Open the next window of the lanes at `slots`."""
        for slot in slots:
            lane = self.lanes[slot]
            row = self.rows[lane.row]
            lane.window = window = row.windows.pop(0)
            columns = self.pattern.grid(row.tokens[:, window.start : window.known], window.length)
            noise = self.pattern.to_columns(row.uniforms[window.start : window.stop].T, 0.0)
            lane.column, lane.last = window.context, columns.shape[1] - 1
            self.grid[slot, :, : columns.shape[1]] = columns
            self.noise[slot, :, : columns.shape[1]] = noise
            self.column[slot] = lane.column
        session.begin(slots, [self.grid[slot, :, : self.lanes[slot].column] for slot in slots])

    def _step(self, session: DecoderSession) -> None:
        here = self.column.expand(-1, self.pattern.codebooks, 1)
        logits = session.step(self.grid.gather(2, here).squeeze(2))
        there = here + 1
        planned = self.grid.gather(2, there)
        drawn = self.sampler(logits, self.noise.gather(2, there).squeeze(2)).unsqueeze(2)
        self.grid.scatter_(2, there, torch.where(planned == TO_COMPOSE, drawn, planned))
        self.column += 1

    def _collect(self, session: DecoderSession) -> None:
        """Take finished frames out of the grid; open next windows; let finished rows go."""
        following = []
        for slot, lane in enumerate(self.lanes):
            lane.column += 1
            row = self.rows[lane.row]
            complete = lane.window.start + lane.column - self.pattern.longest
            finished = lane.column == lane.last
            if finished or complete - lane.emitted >= EMIT_FRAMES:
                self._emit(slot, min(complete, lane.window.stop))
            if finished and row.windows:
                following.append(slot)
        if following:
            self._begin(session, following)
        self._keep([slot for slot, lane in enumerate(self.lanes) if lane.column < lane.last], session)

    def _emit(self, slot: int, complete: int) -> None:
        lane = self.lanes[slot]
        row = self.rows[lane.row]
        frames = self.pattern.to_frames(self.grid[slot], lane.window.length)
        row.tokens[:, row.known : complete] = frames[
            :, row.known - lane.window.start : complete - lane.window.start
        ]
        row.known = lane.emitted = complete
        self.callbacks.frames(lane.row)

    def _drop_cancelled(self, session: DecoderSession | None = None) -> None:
        kept = []
        for slot, lane in enumerate(self.lanes):
            if self.callbacks.cancelled(lane.row):
                self.rows[lane.row].cancelled = True
            else:
                kept.append(slot)
        self._keep(kept, session)

    def _keep(self, slots: list[int], session: DecoderSession | None) -> None:
        if len(slots) == len(self.lanes):
            return
        self.lanes = [self.lanes[slot] for slot in slots]
        index = torch.tensor(slots, dtype=torch.int64, device=self.grid.device)
        self.grid, self.noise, self.column = self.grid[index], self.noise[index], self.column[index]
        if session is not None and slots:
            session.keep(slots)
