"""``LoopbackDiscord``: a whole Discord on this machine, and people in it, for tests to read like a story.

async with LoopbackDiscord() as discord:
    ann = discord.user("Ann")
    channel = discord.guild("House", owner=ann).channel("general")
    bot = await discord.start_bot(environment={"DISCORD_TOKEN": discord.token})
    await discord.gateway.wait_connected()
    used = await ann.slash(channel, "albumgen", image=("cover.png", png), rag=True)
    await used.wait_acknowledged()
    message = await used.message.wait_until(lambda m: any(a.filename.endswith(".mp3") for a in m.attachments))
    mp3 = message.attachment(".mp3").data
    await ann.react(message, "🔁")
    await ann.click(message, "Prompt")
    bot.kill()
    assert discord.violations == []
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import aiohttp
from discord.gateway import KeepAliveHandler

from tests.discord import launch, payloads
from tests.discord.permissions import MEMBER, P
from tests.discord.person import NotOfferedError, Person
from tests.discord.process import BotProcess
from tests.discord.resolver import loopback_connector
from tests.discord.rest import Record, Violation
from tests.discord.routes.channels import remove
from tests.discord.server import Server
from tests.discord.state import STAGE, TEXT, VOICE, Channel, Guild, Message, Overwrite

__all__ = ["LoopbackDiscord", "NotOfferedError", "Person"]


class LoopbackDiscord:
    """Runs the server for the length of an ``async with`` block.

    ``clock``, ``faults``, ``rate_limits``, ``gateway``, ``cdn``, ``voice`` and ``interactions`` are the
    server's own. ``privileged_intents`` are those the application may declare (else 4014);
    ``acknowledge_within`` is how long, in seconds, an interaction waits for its first answer;
    ``check_schemas`` false spares benchmarks the second opinion of Discord's published schemas.
    """

    def __init__(
        self,
        *,
        privileged_intents: int = 0,
        acknowledge_within: float = 3.0,
        shards: int = 1,
        bot_permissions: P = MEMBER,
        check_schemas: bool = True,
    ) -> None:
        self.server = Server(
            privileged_intents=privileged_intents,
            acknowledge_within=acknowledge_within,
            shards=shards,
            bot_permissions=bot_permissions,
        )
        if not check_schemas:
            self.server.rest.specification = None
        self.world = self.server.world
        self.clock = self.server.clock
        self.faults = self.server.faults
        self.rate_limits = self.server.rate_limits
        self.gateway = self.server.gateway
        self.interactions = self.server.interactions
        self.cdn = self.server.cdn
        self.voice = self.server.voice
        self.processes: list[BotProcess] = []

    async def __aenter__(self) -> LoopbackDiscord:
        await self.server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            await process.end()
        _stop_keep_alives()
        await self.server.stop()

    # reaching it

    @property
    def token(self) -> str:
        """The bot's token, good for this run."""
        return self.server.token

    def connector(self) -> aiohttp.TCPConnector:
        """For ``Client(connector=...)`` in this process; call it inside the running loop."""
        return loopback_connector(self.server.port, self.server.ca)

    def environment(self) -> dict[str, str]:
        """What ``python -m tests.discord.launch`` reads to find this server."""
        return {launch.PORT: str(self.server.port), launch.CA: str(self.server.ca)}

    async def start_bot(
        self,
        arguments: Sequence[str] = (),
        *,
        environment: dict[str, str] | None = None,
        entry: str | None = None,
        below: Sequence[str] = (),
    ) -> BotProcess:
        """Starts the bot as its own process through the launcher; it is killed when the block ends.

        ``below`` is a command that runs it, such as an init process.
        """
        variables = self.environment() | (environment or {})
        if entry:
            variables[launch.ENTRY] = entry
        process = await BotProcess.start(arguments, variables, below)
        self.processes.append(process)
        return process

    # people and places

    def user(self, name: str, *, locale: str = "en-US") -> Person:
        """A new account."""
        return Person(self.server, self.world.add_user(name, locale=locale))

    @property
    def operator(self) -> Person:
        """The owner of the bot's application."""
        return Person(self.server, self.server.owner)

    def guild(
        self,
        name: str,
        owner: Person,
        members: Sequence[Person] = (),
        channels: Sequence[str] = ("general",),
        *,
        has_bot: bool = True,
    ) -> Guild:
        """A server with text channels. Make it before the bot starts, or announce it with ``invite_bot``."""
        people = [member.user for member in members]
        return self.server.new_guild(name, owner.user, people, list(channels), has_bot=has_bot)

    def invite_bot(self, guild: Guild) -> None:
        """Announces a guild that was made after the bot had connected."""
        self.world.announce("GUILD_CREATE", payloads.guild_create(guild, all_members=False), guild=guild)

    def text_channel(self, guild: Guild, name: str, *, nsfw: bool = False) -> Channel:
        """A new channel, announced."""
        return self._announced(self.world.add_channel(guild, name, TEXT, nsfw=nsfw))

    def voice_channel(self, guild: Guild, name: str, *, stage: bool = False) -> Channel:
        return self._announced(self.world.add_channel(guild, name, STAGE if stage else VOICE))

    def _announced(self, channel: Channel) -> Channel:
        self.world.announce("CHANNEL_CREATE", payloads.channel(channel), channel)
        return channel

    def grant(self, guild: Guild, person: Person, permissions: P) -> None:
        """Gives a member a role with ``permissions``."""
        role = self.world.add_role(guild, f"{person.user.name}'s role", permissions)
        guild.members[person.id].roles.append(role)

    # things that happen to the bot

    def forbid_bot(self, channel: Channel, permissions: P) -> None:
        """Denies the bot ``permissions`` in one channel from now on, and tells it so."""
        bot = self.world.bot
        overwrite = channel.overwrites.setdefault(bot.id, Overwrite(bot.id, 1))
        overwrite.deny |= permissions
        overwrite.allow &= ~permissions
        self.world.announce("CHANNEL_UPDATE", payloads.channel(channel), guild=channel.guild)

    def allow_bot(self, channel: Channel) -> None:
        """Takes back what ``forbid_bot`` did."""
        channel.overwrites.pop(self.world.bot.id, None)
        self.world.announce("CHANNEL_UPDATE", payloads.channel(channel), guild=channel.guild)

    def delete_channel(self, channel: Channel) -> None:
        remove(self.server, channel)

    def limit_uploads(self, limit: int | None) -> None:
        """Lowers the largest file accepted, in bytes (413 / 40005 above); None restores the default."""
        self.world.upload_limit = limit

    # what happened

    @property
    def requests(self) -> list[Record]:
        """Every REST request, in order of completion."""
        return self.server.rest.records

    @property
    def violations(self) -> list[Violation]:
        """Requests that broke a documented limit, the published schemas, or named no known route."""
        return self.server.rest.violations

    def count(self, route: str, status: int | None = None) -> int:
        """Requests on a route template, such as ``"POST /channels/{channel_id}/messages"``."""
        return self.server.rest.count(route, status)

    def messages(self, channel: Channel) -> list[Message]:
        """What a reader sees in ``channel``, oldest first."""
        return channel.visible_messages

    def commands(self, guild: Guild | None = None) -> list[dict[str, Any]]:
        """The registered commands, global or of one guild."""
        return self.world.commands.get(guild.id if guild else None, [])


def _stop_keep_alives() -> None:
    """Ends the heartbeats that discord.py leaves running when a client is closed while it connects.

    The next one would be sent through an event loop that is closed by then.
    """
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler):
            thread.stop()
            thread.join(1.0)
