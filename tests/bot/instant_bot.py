"""The real bot, started as a user starts it, with a runner that makes no music.

``LOOPBACK_DISCORD_ENTRY=tests.bot.instant_bot:run`` for the launcher. Only what costs time is changed: the
runner, how long the client waits for servers to arrive, and how long a failed delivery pauses.

    INSTANT_PAUSE     longest pause between two tries to deliver, s (2)
    INSTANT_DEATHS    how often a job may be interrupted or lose its worker before it is given up (3)
    INSTANT_WATCH     a file for `loop_watch`'s report, written on a polite stop
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

import bot.main
from bot.bot import AlbumGenBot, client_settings
from bot.settings import BotSettings
from tests.bot.instant_runner import NAME
from tests.bot.loop_watch import LoopWatch

ENTRY = f"{__name__}:run"
PAUSE, DEATHS, WATCH = "INSTANT_PAUSE", "INSTANT_DEATHS", "INSTANT_WATCH"


class InstantBot(AlbumGenBot):
    def __init__(
        self,
        settings: BotSettings,
        *,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        **more: Any,
    ) -> None:
        deaths = int(os.environ.get(DEATHS, "3"))
        inference = client_settings(
            settings, runner=NAME, max_attempts=deaths, max_interruptions=deaths, min_free_bytes=0
        )
        super().__init__(settings, connector=connector, inference=inference, guild_ready_timeout=0.05, **more)
        self._watch = LoopWatch() if WATCH in os.environ else None

    async def setup_hook(self) -> None:
        await super().setup_hook()
        usual, longest = self.delivery.pause, float(os.environ.get(PAUSE, "2"))
        self.delivery.pause = lambda attempt: min(longest, usual(attempt))
        if self._watch is not None:
            self._watch.start()

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch.write(Path(os.environ[WATCH]))
            self._watch = None
        await super().close()


def run(argv: list[str], *, connector: Callable[[], aiohttp.BaseConnector] | None = None) -> int:
    bot.main.AlbumGenBot = InstantBot  # type: ignore[misc]
    return bot.main.run(argv, connector=connector)
