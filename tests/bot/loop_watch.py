"""How long the event loop's thread is held by one callback, measured so that a busy machine does not lie.

A callback (or one step of a task) that takes 80 ms by the clock may have computed for 80 ms, may have slept
in a system call for 80 ms (a blocking read, an fsync, `time.sleep`), or may have waited 79 ms for a processor
that somebody else was using. The first two hold up every other member; the third is the machine's
doing. Linux tells them apart: `/proc/self/task/<thread>/schedstat` counts, in ns, the time a thread was
runnable but not running. So

    held = time by the clock - time spent waiting for a processor

is what the code itself took. Where there is no schedstat (other systems), the thread's CPU time is used: then
computing is seen and sleeping is not.

What remains is the interpreter lock: a helper thread that holds it while it is off the processor makes the
loop's thread sleep, which looks like blocking. That strikes at random, while code that blocks does so each
time; so a test repeats its round before it believes what it saw.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Held:
    """One callback that held the loop for `seconds` (`clock` by the clock)."""

    seconds: float
    clock: float
    what: str


class LoopWatch:
    """Measures every callback of this process's event loops from `start` to `stop`; keeps the longest.

    Call both in the loop's own thread.
    """

    def __init__(self, keep: int = 20) -> None:
        self.longest: list[Held] = []
        self.callbacks = 0
        self._keep = keep
        self._original: Callable[[asyncio.Handle], None] | None = None
        self._schedule = -1

    def start(self) -> None:
        try:
            path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
            self._schedule = os.open(path, os.O_RDONLY)
            waiting = self._waiting
        except OSError:
            waiting = self._off_cpu
        original = self._original = asyncio.Handle._run

        def run(handle: asyncio.Handle) -> None:
            began, waited = time.perf_counter(), waiting()
            try:
                original(handle)
            finally:
                if self._original is not None:  # it may have been this very callback that stopped us
                    clock = time.perf_counter() - began
                    self._note(handle, clock - (waiting() - waited), clock)

        asyncio.Handle._run = run  # type: ignore[method-assign]

    def stop(self) -> None:
        if self._original is not None:
            asyncio.Handle._run = self._original  # type: ignore[method-assign]
            self._original = None
        if self._schedule >= 0:
            os.close(self._schedule)
            self._schedule = -1

    def _waiting(self) -> float:
        """Seconds this thread has been runnable without running, so far."""
        return int(os.pread(self._schedule, 64, 0).split()[1]) / 1e9

    @staticmethod
    def _off_cpu() -> float:
        return time.perf_counter() - time.thread_time()

    def _note(self, handle: asyncio.Handle, held: float, clock: float) -> None:
        self.callbacks += 1
        if len(self.longest) < self._keep or held > self.longest[-1].seconds:
            self.longest.append(Held(held, clock, describe(handle)))
            self.longest.sort(key=lambda each: -each.seconds)
            del self.longest[self._keep :]

    def write(self, path: Path) -> None:
        """The report as JSON, whole or not at all."""
        body = {
            "callbacks": self.callbacks,
            "longest": [[each.seconds, each.clock, each.what] for each in self.longest],
        }
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(body))
        temporary.replace(path)


def describe(handle: asyncio.Handle) -> str:
    """What a callback was: a task's coroutine where it is a task's step."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        coroutine: Any = task.get_coro()
        frame = getattr(coroutine, "cr_frame", None)
        line = f":{frame.f_lineno}" if frame is not None else ""
        return f"{task.get_name()} {getattr(coroutine, '__qualname__', coroutine)}{line}"
    return repr(callback)[:200]
