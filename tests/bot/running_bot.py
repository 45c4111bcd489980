"""The real bot in this process on the loopback Discord, for tests of what operators and managers use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord

from albumgen_core.inference.status import ClientStatus
from albumgen_core.settings import Settings
from bot.bot import AlbumGenBot, client_settings
from bot.settings import BotSettings, DiscordSettings
from bot.setup.commands_sync import register_commands
from tests.discord.driver import LoopbackDiscord, Person
from tests.discord.state import Channel, Guild
from tests.waiting import eventually

RUNNER = "tests.albumgen_core.inference.runners:obedient"


@dataclass
class RunningBot:
    """One server with the bot in it.

    `owner` owns the server, `ann` is a member.
    """

    loopback: LoopbackDiscord
    bot: AlbumGenBot
    guild: Guild
    owner: Person
    ann: Person
    channel: Channel

    async def until(self, holds: Callable[[ClientStatus], object], within: float = 20.0) -> None:
        """Waits for a state of the inference client."""

        async def state_holds() -> object:
            return holds(await self.bot.inference.status())

        await eventually(state_holds, within)


def bot_settings(home: Path, *, core: dict[str, Any] | None = None, **changes: Any) -> BotSettings:
    """Settings that touch nothing outside `home`, and serve HTTP on a free port."""
    (home / "config.toml").touch()
    return BotSettings(
        core=Settings(data_dir=home / "data", **(core or {})),
        discord=DiscordSettings(**({"http_port": 0} | changes)),
        path=home / "config.toml",
    )


def new_bot(loopback: LoopbackDiscord, settings: BotSettings, runner: str = RUNNER) -> AlbumGenBot:
    inference = client_settings(settings, runner=runner, min_free_bytes=0)
    return AlbumGenBot(settings, connector=loopback.connector, inference=inference, guild_ready_timeout=0.05)


@contextlib.asynccontextmanager
async def started(loopback: LoopbackDiscord, bot: AlbumGenBot) -> AsyncIterator[AlbumGenBot]:
    """Logged in and ready; closed at the end."""
    running = asyncio.create_task(bot.start(loopback.token))
    try:
        await _ready(bot, running)
        await register_commands(bot.tree, bot.database)
        yield bot
    finally:
        await bot.close()
        with contextlib.suppress(asyncio.CancelledError, discord.DiscordException):
            await running


async def _ready(bot: AlbumGenBot, running: asyncio.Task[None]) -> None:
    await eventually(lambda: bot.is_ready() or running.done(), 20)
    if running.done():
        await running


@contextlib.asynccontextmanager
async def running_bot(
    home: Path, *, runner: str = RUNNER, core: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[RunningBot]:
    """A server, people, and the bot, ready; no request may break a limit of Discord's."""
    async with LoopbackDiscord() as loopback:
        owner, ann = loopback.user("Otto"), loopback.user("Ann", locale="de")
        guild = loopback.guild("House *of* sound", owner, [ann])
        bot = new_bot(loopback, bot_settings(home, core=core, **changes), runner)
        async with started(loopback, bot):
            yield RunningBot(loopback, bot, guild, owner, ann, guild.channel("general"))
        assert loopback.violations == []
