"""Clips longer than the decoder's window: where each window lies, and its context.

MusicGen was trained on clips of 30 s. A longer clip is composed in windows: each later one starts
`stride` after the one before and takes over what the two share as its context. This is audiocraft's
`extend_stride` (`BaseGenModel._generate_tokens`), with one addition: a clip that is already partly known
(a continuation, or a checkpoint) skips the windows it needs no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WINDOW_SECONDS = 30.0
"""Longest stretch of music that MusicGen's decoder was trained on."""


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """Length of a window, and the stride from one window's start to the next; both in seconds."""

    seconds: float
    stride: float


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the clip that is composed in one go, in codec frames.

    Attributes:
        start, stop: the frames it covers, [start, stop).
        known: the first frame that is still to be composed; frames [start, known) are its context.
    """

    start: int
    stop: int
    known: int

    @property
    def length(self) -> int:
        """Frames it covers, context included."""
        return self.stop - self.start

    @property
    def context(self) -> int:
        """Frames of context."""
        return self.known - self.start


def count_steps(windows: Iterable[Window], delay: int) -> int:
    """Decoder steps that composing `windows` takes, where the last codebook lags `delay` columns."""
    return sum(window.length - window.context + delay for window in windows)


def plan_windows(total: int, known: int, window: int, stride: int) -> list[Window]:
    """The windows that compose frames [known, total) of a clip of `total` frames.

    Windows begin at multiples of `stride`, whatever is known, so that a clip resumed halfway goes through
    the very same windows as one that was never interrupted. Returns [] when everything is known.

    Raises ValueError unless 0 <= known, 0 < total and 0 < stride < window.
    """
    if total <= 0 or known < 0:
        raise ValueError(f"a clip of {total} frames of which {known} are known cannot be planned")
    if not 0 < stride < window:
        raise ValueError(f"the stride must lie between 0 and the window's {window} frames, not {stride}")
    windows = []
    start = 0
    while known < total:
        stop = min(start + window, total)
        if stop > known:
            windows.append(Window(start, stop, known))
            known = stop
        start += stride
    return windows
