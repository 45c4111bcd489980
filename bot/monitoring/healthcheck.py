"""`python -m bot.monitoring.healthcheck`: asks a running bot's `/healthz`, for containers.

Host and port are the configured ones (`discord.http_host`, `discord.http_port`), from config.toml or the
environment as the bot itself reads them. Exit status 0: healthy; 1: not, and one line on stderr says why.
"""

from __future__ import annotations

import argparse
import http.client
import sys
from collections.abc import Sequence
from pathlib import Path

from albumgen_core.errors import AlbumGenError
from bot.settings import load_bot_settings

# A server that listens on every address is asked on the loopback one.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104


def health(host: str, port: int, timeout: float = 4.0) -> str | None:
    """What is wrong with the bot that listens there, within `timeout` s; None when it is healthy."""
    if port == 0:
        return "discord.http_port is 0 (any free port); set a fixed port to have the bot's health checked"
    connection = http.client.HTTPConnection(_LOOPBACK.get(host, host), port, timeout=timeout)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        body = response.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"http://{host}:{port}/healthz does not answer: {error}"
    finally:
        connection.close()
    return None if response.status == 200 else f"http://{host}:{port}/healthz: {response.status} {body}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bot.monitoring.healthcheck")
    parser.add_argument(
        "--config", type=Path, help="config.toml (default: $ALBUMGEN_CONFIG or ./config.toml)"
    )
    try:
        settings = load_bot_settings(parser.parse_args(arguments).config).discord
    except AlbumGenError as error:
        trouble: str | None = str(error)
    else:
        trouble = health(settings.http_host, settings.http_port)
    if trouble is not None:
        print(trouble, file=sys.stderr)  # noqa: T201
    return 0 if trouble is None else 1


if __name__ == "__main__":
    sys.exit(main())
