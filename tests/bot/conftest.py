"""Harnesses that most tests of the bot take as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.bot_harness import BotHarness, bot_harness


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A server with the bot, whose queue messages do not change between their first and their last state."""
    async with bot_harness(tmp_path, progress_interval=60.0) as made:
        yield made
