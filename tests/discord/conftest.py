"""A guild with a connected sample bot, for the server's own tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import discord
import pytest

from tests.discord.driver import LoopbackDiscord, Person
from tests.discord.sample_bot import SampleBot
from tests.discord.state import Channel, Guild
from tests.waiting import eventually


@dataclass
class SampleGuild:
    """One guild, its owner, a member, a connected bot."""

    loopback: LoopbackDiscord
    bot: SampleBot
    guild: Guild
    owner: Person
    ann: Person
    channel: Channel

    def messageable(self) -> discord.TextChannel:
        found = self.bot.get_channel(self.channel.id)
        assert isinstance(found, discord.TextChannel)
        return found

    async def known(self, channel: Channel) -> discord.abc.GuildChannel:
        """The client's view of a channel that was just made."""
        found = await eventually(lambda: self.bot.get_channel(channel.id), 5)
        assert isinstance(found, discord.abc.GuildChannel)
        return found


@pytest.fixture
async def sample() -> AsyncIterator[SampleGuild]:
    async with LoopbackDiscord() as loopback:
        owner, ann = loopback.user("Otto"), loopback.user("Ann", locale="de")
        guild = loopback.guild("House", owner, [ann])
        bot = SampleBot(loopback.connector())
        running = asyncio.create_task(bot.start(loopback.token))
        await loopback.gateway.wait_connected()
        await asyncio.wait_for(bot.wait_until_ready(), 10)
        yield SampleGuild(loopback, bot, guild, owner, ann, guild.channel("general"))
        await bot.close()
        with contextlib.suppress(asyncio.CancelledError, discord.DiscordException):
            await running
        assert loopback.violations == []
