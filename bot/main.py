"""Start the bot: settings, token, client; and say in one sentence what keeps it from starting."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp


def run(argv: list[str], *, connector: Callable[[], aiohttp.BaseConnector] | None = None) -> int:
    """Run until stopped. Returns the exit status: 0 stopped politely, 1 cannot run, 2 wrong settings."""
    raise NotImplementedError
