"""Start the bot: settings, token, client; and say in one sentence what keeps it from starting."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import discord
from pydantic import SecretStr

from albumgen_core.errors import AlbumGenError, ConfigError
from albumgen_core.version import __version__
from bot.bot import AlbumGenBot
from bot.settings import BotSettings, load_bot_settings
from bot.setup.startup import starting
from bot.setup.token import looks_like_token, save_token

log = logging.getLogger("bot")

STOPPED, FAILED, MISCONFIGURED = 0, 1, 2
"""Exit statuses."""

_AUTHENTICATION_FAILED = 4004
"""Discord's close code for a token that it does not know."""

ConnectorFactory = Callable[[], aiohttp.BaseConnector]


def run(argv: list[str], *, connector: ConnectorFactory | None = None) -> int:
    """Run until stopped. Returns the exit status: 0 stopped politely, 1 cannot run, 2 wrong settings.

    Args:
        argv: the command line without the program's name.
        connector: makes an aiohttp connector inside the running loop, for proxies of one's own and tests.
    """
    options = _parser().parse_args(argv)
    try:
        settings = _with_token(load_bot_settings(options.config), ask=not options.check)
    except ConfigError as error:
        return _stop(str(error), MISCONFIGURED)
    _log_to_stderr(settings.core.log_level)
    if options.check:
        return asyncio.run(_check(settings, connector))
    for line in starting(settings):
        log.info("%s", line)
    try:
        return asyncio.run(_serve(settings, connector))
    except KeyboardInterrupt:
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="albumgen-bot", description="The Discord bot that hears an album in its cover."
    )
    parser.add_argument(
        "--config", type=Path, help="config.toml (default: $ALBUMGEN_CONFIG or ./config.toml)"
    )
    parser.add_argument("--check", action="store_true", help="validate settings and token, then exit")
    parser.add_argument("--version", action="version", version=f"AlbumGen {__version__}")
    return parser


def _with_token(settings: BotSettings, *, ask: bool) -> BotSettings:
    """The settings with a token: configured, in $DISCORD_TOKEN, or typed once. Raises ConfigError."""
    token = settings.discord.token.get_secret_value() or os.environ.get("DISCORD_TOKEN", "")
    token = token.strip().removeprefix("Bot ").strip()
    if not token and ask and sys.stdin.isatty():
        token = _ask_for_token(settings)
    if not token:
        raise ConfigError(
            "discord.token",
            "there is none; set it in config.toml, or ALBUMGEN_DISCORD__TOKEN in the environment "
            "(Discord's Developer Portal shows it under Bot)",
        )
    if not looks_like_token(token):
        raise ConfigError("discord.token", "this is not a bot's token; copy it from Bot → Reset Token")
    discord_settings = settings.discord.model_copy(update={"token": SecretStr(token)})
    return BotSettings(settings.core, discord_settings, settings.path)


def _ask_for_token(settings: BotSettings) -> str:
    print("AlbumGen needs the token of your Discord application:", file=sys.stderr)  # noqa: T201
    print("https://discord.com/developers/applications → your application → Bot", file=sys.stderr)  # noqa: T201
    with contextlib.suppress(EOFError):
        token = getpass.getpass("Token (not shown): ").strip()
        if looks_like_token(token):
            path = settings.path or Path("config.toml")
            answer = input(f"Keep it in {path}, readable by you alone? [Y/n] ").strip().lower()
            if answer in ("", "y", "yes", "j", "ja"):
                save_token(path, token)
        return token
    return ""


async def _check(settings: BotSettings, connector: ConnectorFactory | None) -> int:
    """Whether Discord takes the token; nothing is started."""
    client = discord.Client(intents=discord.Intents.none(), connector=connector() if connector else None)
    async with client:
        try:
            await client.login(settings.discord.token.get_secret_value())
        except discord.LoginFailure:
            return _stop("discord.token: Discord does not accept this token", MISCONFIGURED)
        except (aiohttp.ClientError, OSError, discord.HTTPException) as error:
            return _stop(f"Discord cannot be reached: {error}", FAILED)
        print(f"Settings are valid; the token belongs to {client.user}.")  # noqa: T201
    return STOPPED


async def _serve(settings: BotSettings, connector: ConnectorFactory | None) -> int:
    bot = AlbumGenBot(settings, connector=connector)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(name, stop.set)
    running = asyncio.create_task(bot.start(settings.discord.token.get_secret_value()), name="bot")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            log.info("stopping: clips under way get %.0f s", settings.core.inference.grace_seconds)
        await bot.close()
        return _verdict(running) if running.done() else STOPPED
    finally:
        stopping.cancel()
        running.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)


def _verdict(running: asyncio.Task[None]) -> int:
    """Why the client ended by itself."""
    error = running.exception() if not running.cancelled() else None
    if error is None:
        return STOPPED
    if isinstance(error, discord.LoginFailure):
        return _stop("discord.token: Discord does not accept this token", MISCONFIGURED)
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return _stop(
            "Discord refuses the bot's intents; either switch on Message Content Intent under Bot in the "
            "Developer Portal, or set discord.message_content = false",
            FAILED,
        )
    if isinstance(error, ConfigError):
        return _stop(str(error), MISCONFIGURED)
    if isinstance(error, AlbumGenError):
        return _stop(str(error), FAILED)
    if isinstance(error, discord.ConnectionClosed) and error.code == _AUTHENTICATION_FAILED:
        return _stop(
            "discord.token: Discord does not accept this token any more; it was reset, or is used elsewhere. "
            "Replies that are owed go out after a start with the new one",
            MISCONFIGURED,
        )
    if isinstance(error, OSError) and error.filename is not None:
        return _stop(
            f"{error.filename}: {error.strerror} (data_dir must be a folder that the bot may write)", FAILED
        )
    if isinstance(error, discord.HTTPException | discord.ConnectionClosed | aiohttp.ClientError | OSError):
        return _stop(f"Discord cannot be reached: {error}", FAILED)
    log.error("the bot broke down", exc_info=error)
    return FAILED


def _stop(sentence: str, status: int) -> int:
    print(f"albumgen-bot: {sentence}", file=sys.stderr)  # noqa: T201
    return status


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr, force=True
    )
    # At DEBUG discord.py logs whole requests, interaction tokens in their addresses included.
    logging.getLogger("discord").setLevel(max(logging.INFO, logging.getLevelName(level)))
    logging.getLogger("discord.webhook").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
