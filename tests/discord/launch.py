"""Starts the bot exactly as a user does, except that Discord is on loopback.

``python -m tests.discord.launch [the bot's own arguments]`` reads

    LOOPBACK_DISCORD_PORT   the port of a running ``LoopbackDiscord``
    LOOPBACK_DISCORD_CA     the PEM file of its certificate authority
    LOOPBACK_DISCORD_ENTRY  ``module:function``, by default ``bot.main:run``

and calls ``function(arguments, connector=factory)``, where ``factory()`` makes a new ``aiohttp`` connector
and must be called inside the running event loop. The function returns an exit status (None is 0); if it is a
coroutine function it is run to its end. Nothing of discord.py is patched, and no server code is imported.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
from pathlib import Path

import aiohttp

from tests.discord.resolver import loopback_connector

PORT, CA, ENTRY = "LOOPBACK_DISCORD_PORT", "LOOPBACK_DISCORD_CA", "LOOPBACK_DISCORD_ENTRY"


def main() -> int:
    """Runs the entry point; returns its exit status."""
    try:
        port, ca = int(os.environ[PORT]), Path(os.environ[CA])
    except KeyError as missing:
        print(f"{missing} is not set: start a LoopbackDiscord first", file=sys.stderr)
        return 2

    def connector() -> aiohttp.BaseConnector:
        return loopback_connector(port, ca)

    module, _, name = os.environ.get(ENTRY, "bot.main:run").partition(":")
    entry = getattr(importlib.import_module(module), name or "run")
    status = entry(sys.argv[1:], connector=connector)
    if inspect.iscoroutine(status):
        status = asyncio.run(status)
    return int(status or 0)


if __name__ == "__main__":
    sys.exit(main())
