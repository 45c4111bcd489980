"""The instrument itself: it sees computing and sleeping, and is not deceived by a busy machine."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable

from tests.bot.loop_watch import LoopWatch


def compute(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def watched(blocker: Callable[[], None]) -> float:
    watch = LoopWatch()
    watch.start()
    try:
        asyncio.get_running_loop().call_soon(blocker)
        await asyncio.sleep(0.01)
        return watch.longest[0].seconds
    finally:
        watch.stop()


async def test_computing_and_sleeping_in_a_callback_are_seen() -> None:
    assert await watched(lambda: compute(0.08)) > 0.075
    assert await watched(lambda: time.sleep(0.08)) > 0.075
    assert await watched(lambda: None) < 0.05


async def test_waiting_for_a_processor_is_not_held_against_the_code() -> None:
    everyone = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everyone)})
    endless = (sys.executable, "-c", "while True: pass")
    rivals = [await asyncio.create_subprocess_exec(*endless) for _ in range(3)]
    try:
        await asyncio.sleep(0.2)
        watch = LoopWatch()
        watch.start()
        asyncio.get_running_loop().call_soon(lambda: compute(0.06))
        await asyncio.sleep(0.05)
        watch.stop()
        longest = watch.longest[0]
        assert longest.clock > 1.5 * longest.seconds, "the machine was busy"
        assert longest.seconds < 0.12
    finally:
        for rival in rivals:
            rival.kill()
            await rival.wait()
        os.sched_setaffinity(0, everyone)
