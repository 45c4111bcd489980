"""Everything the server knows, and a way to wait for it to change."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import mimetypes
import re
import secrets
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeVar

from PIL import Image, UnidentifiedImageError

from tests.discord.clock import Clock
from tests.discord.errors import missing_access, unknown
from tests.discord.permissions import DIRECT, MEMBER, P, in_channel
from tests.discord.state import DM, TEXT, Attachment, Channel, Guild, Json, Member, Message, Role, User

T = TypeVar("T")

MIB = 1024 * 1024
TIER_LIMITS = {0: 10 * MIB, 1: 10 * MIB, 2: 50 * MIB, 3: 100 * MIB}
LINK_SECONDS = 24 * 3600


class World:
    """Users, guilds, channels, files and commands; ids and time come from one controllable clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.attachments: dict[int, Attachment] = {}
        self.commands: dict[int | None, list[Json]] = {None: []}
        self.upload_limit: int | None = None
        self.emit: Callable[[str, Json, Guild | None, Channel | None], None] = lambda *_: None
        self._waiting: set[asyncio.Event] = set()
        self._secret = secrets.token_bytes(16)
        self.bot = self.add_user("AlbumGen", bot=True)

    # waiting

    def changed(self) -> None:
        """Wakes everyone who waits for something to become true."""
        for event in self._waiting:
            event.set()

    async def until(self, look: Callable[[], T | None], within: float, otherwise: Callable[[], str]) -> T:
        """The first answer of ``look`` that is not None, asked after every change.

        TimeoutError after ``within`` seconds, with the words of ``otherwise()``.
        """
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(within):
                while (found := look()) is None:
                    event.clear()
                    await event.wait()
                return found
        except TimeoutError:
            raise TimeoutError(f"after {within:g} s: {otherwise()}") from None
        finally:
            self._waiting.discard(event)

    # people and places

    def add_user(self, name: str, *, bot: bool = False, locale: str = "en-US") -> User:
        user = User(self.clock.snowflake(), name, bot, locale)
        self.users[user.id] = user
        return user

    def add_guild(
        self, name: str, owner: User, *, bot_permissions: P = MEMBER, has_bot: bool = True
    ) -> Guild:
        guild = Guild(self.clock.snowflake(), name, owner, self, self.clock.now(), has_bot)
        self.guilds[guild.id] = guild
        self.add_member(guild, owner)
        if has_bot:
            role = self.add_role(guild, self.bot.name, bot_permissions)
            self.add_member(guild, self.bot, [role])
        return guild

    def add_role(self, guild: Guild, name: str, permissions: P) -> Role:
        role = Role(self.clock.snowflake(), name, permissions, len(guild.roles))
        guild.roles[role.id] = role
        return role

    def add_member(self, guild: Guild, user: User, roles: list[Role] | None = None) -> Member:
        member = Member(user, guild, list(roles or []))
        guild.members[user.id] = member
        return member

    def add_channel(
        self, guild: Guild, name: str, kind: int = TEXT, *, nsfw: bool = False, parent: Channel | None = None
    ) -> Channel:
        channel = Channel(
            self.clock.snowflake(), kind, name, self, guild, nsfw=nsfw, parent=parent, has_bot=guild.has_bot
        )
        guild.channels[channel.id] = channel
        self.channels[channel.id] = channel
        return channel

    def dm(self, user: User) -> Channel:
        """The direct message channel between ``user`` and the bot, made on first use."""
        for channel in self.channels.values():
            if channel.kind == DM and channel.recipients == [user] and channel.has_bot:
                return channel
        return self.add_private(DM, [user], has_bot=True)

    def add_private(self, kind: int, recipients: list[User], *, has_bot: bool) -> Channel:
        channel = Channel(self.clock.snowflake(), kind, "dm", self, recipients=recipients, has_bot=has_bot)
        self.channels[channel.id] = channel
        return channel

    # look-ups that answer as the API does

    def channel(self, channel_id: int) -> Channel:
        """The channel, as the bot may see it: 404 when it is gone, 403 where the bot is not."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise unknown("channel")
        if not self.bot_permissions(channel) & P.VIEW_CHANNEL:
            raise missing_access()
        return channel

    def guild(self, guild_id: int) -> Guild:
        guild = self.guilds.get(guild_id)
        if guild is None or not guild.has_bot:
            raise unknown("guild")
        return guild

    def message(self, channel: Channel, message_id: int) -> Message:
        """A message everyone in the channel can see; 404 otherwise."""
        message = channel.messages.get(message_id)
        if message is None or message.deleted or message.ephemeral:
            raise unknown("message")
        return message

    def permissions(self, user: User, channel: Channel) -> P:
        """What ``user`` may do in ``channel``."""
        if channel.guild is None:
            return DIRECT
        member = channel.guild.members.get(user.id)
        return in_channel(member, channel) if member else P(0)

    def bot_permissions(self, channel: Channel) -> P:
        if channel.guild is None and not channel.has_bot:
            return P(0)
        return self.permissions(self.bot, channel)

    def app_permissions(self, channel: Channel) -> P:
        """What an interaction says the app may do; as a guest it may do what everyone may."""
        if channel.has_bot:
            return self.bot_permissions(channel)
        return DIRECT if channel.guild is None else channel.guild.everyone.permissions & MEMBER

    def size_limit(self, guild: Guild | None) -> int:
        """Largest file accepted in one place, bytes."""
        if self.upload_limit is not None:
            return self.upload_limit
        return TIER_LIMITS[guild.premium_tier if guild else 0]

    # files

    def store(
        self, filename: str, data: bytes, channel_id: int, content_type: str | None = None
    ) -> Attachment:
        """Keeps a file and measures it, if it is a picture."""
        safe = re.sub(r"[^\w.\-]", "_", filename) or "file"
        guessed = content_type or mimetypes.guess_type(safe)[0] or "application/octet-stream"
        attachment = Attachment(self.clock.snowflake(), safe, guessed, data, channel_id)
        if guessed.startswith("image/"):
            try:
                with Image.open(io.BytesIO(data)) as picture:
                    attachment.width, attachment.height = picture.size
            except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
                pass  # Discord accepts it too: only the name says that it is a picture
        self.attachments[attachment.id] = attachment
        return attachment

    def link(self, attachment: Attachment) -> str:
        """A signed link that dies a day after it was made."""
        now = int(self.clock.now())
        folder = "ephemeral-attachments" if attachment.ephemeral else "attachments"
        name = urllib.parse.quote(attachment.filename)
        path = f"/{folder}/{attachment.channel_id}/{attachment.id}/{name}"
        expires = format(now + LINK_SECONDS, "x")
        signature = self.signature(path, expires)
        return f"https://cdn.discordapp.com{path}?ex={expires}&is={now:x}&hm={signature}&"

    def signature(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path}{expires}".encode(), hashlib.sha256).hexdigest()

    # announcing

    def announce(
        self, event: str, data: Json, channel: Channel | None = None, guild: Guild | None = None
    ) -> None:
        """Sends a gateway event to whoever may see it, and wakes waiting tests."""
        self.emit(event, data, guild or (channel.guild if channel else None), channel)
        self.changed()

    def find_command(self, name: str, kind: int, guild: Guild | None) -> Json | None:
        """A registered command; a guild's own goes before a global one."""
        places: list[Any] = [guild.id, None] if guild else [None]
        for place in places:
            for command in self.commands.get(place, []):
                if command["name"] == name and command.get("type", 1) == kind:
                    return command
        return None
