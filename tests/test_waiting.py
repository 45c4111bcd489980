from __future__ import annotations

import asyncio

import pytest

from tests.waiting import eventually, eventually_blocking, no_longer


async def test_plain_and_awaitable_conditions_are_asked_until_they_hold() -> None:
    asked: list[int] = []

    def plain() -> int:
        asked.append(1)
        return len(asked) if len(asked) >= 3 else 0

    async def awaitable() -> bool:
        await asyncio.sleep(0)
        return plain() > 5

    assert await eventually(plain, every=0) == 3
    assert await eventually(awaitable, every=0) is True
    await no_longer(lambda: len(asked) < 8 and plain(), every=0)
    assert eventually_blocking(lambda: plain() > 9, every=0) is True


async def test_what_never_holds_is_said() -> None:
    with pytest.raises(AssertionError, match=r"not within 0.01 s: why"):
        await eventually(lambda: False, 0.01, every=0.001, told=lambda: "why")
    with pytest.raises(AssertionError):
        await no_longer(lambda: True, 0.01, every=0.001)
    with pytest.raises(AssertionError):
        eventually_blocking(lambda: False, 0.01, every=0.001)
