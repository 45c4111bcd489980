"""How tests wait: for a condition of which no event tells, or to see that nothing happens."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any


async def eventually(
    condition: Callable[[], Any | Awaitable[Any]],
    within: float = 10.0,
    *,
    every: float = 0.01,
    told: Callable[[], object] | None = None,
) -> Any:
    """The first true value of `condition`, plain or awaitable, asked `every` s.

    Raises AssertionError after `within` s, with what `told` returns.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if loop.time() > deadline:
            raise AssertionError(f"not within {within:g} s" + (f": {told()}" if told else ""))
        await asyncio.sleep(every)


async def no_longer(
    condition: Callable[[], Any | Awaitable[Any]], within: float = 10.0, *, every: float = 0.01
) -> None:
    """Waits until `condition` is false; as `eventually` otherwise."""

    async def ended() -> bool:
        found = condition()
        return not (await found if inspect.isawaitable(found) else found)

    await eventually(ended, within, every=every)


async def quiet(seconds: float) -> None:
    """Lets the event loop run for a while in which something must not happen."""
    await asyncio.sleep(seconds)


def eventually_blocking(condition: Callable[[], Any], within: float = 10.0, *, every: float = 0.01) -> Any:
    """`eventually` for tests without an event loop."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s"
        time.sleep(every)
    return found
