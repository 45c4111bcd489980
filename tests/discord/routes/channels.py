"""Channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import payloads
from tests.discord.permissions import P
from tests.discord.rest import Call
from tests.discord.routes import router
from tests.discord.routes.access import require, require_in_guild
from tests.discord.state import Channel

if TYPE_CHECKING:
    from tests.discord.server import Server


def remove(server: Server, channel: Channel) -> None:
    """Deletes a channel and tells the gateway."""
    event = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
    server.world.announce(event, payloads.channel(channel), channel)
    server.world.channels.pop(channel.id, None)
    if channel.guild:
        channel.guild.channels.pop(channel.id, None)


@router.add("GET", "/channels/{channel_id}")
def fetch(server: Server, call: Call) -> Any:
    return payloads.channel(server.world.channel(call.id("channel_id")))


@router.add("PATCH", "/channels/{channel_id}")
def edit(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    mine = channel.is_thread and channel.owner is server.world.bot
    if not mine:
        require(server, channel, P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS)
    channel.name = call.body.get("name", channel.name)
    channel.nsfw = call.body.get("nsfw", channel.nsfw)
    channel.archived = call.body.get("archived", channel.archived)
    event = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
    server.world.announce(event, payloads.channel(channel), channel)
    return payloads.channel(channel)


@router.add("DELETE", "/channels/{channel_id}")
def delete(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    body = payloads.channel(channel)
    if channel.guild:
        require(server, channel, P.MANAGE_THREADS if channel.is_thread else P.MANAGE_CHANNELS)
        remove(server, channel)
    return body


@router.add("GET", "/guilds/{guild_id}/channels")
def listing(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    return [payloads.channel(channel) for channel in guild.channels.values() if not channel.is_thread]


@router.add("POST", "/guilds/{guild_id}/channels")
def create(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    require_in_guild(server, guild, P.MANAGE_CHANNELS)
    channel = server.world.add_channel(guild, call.body["name"], int(call.body.get("type") or 0))
    server.world.announce("CHANNEL_CREATE", payloads.channel(channel), channel)
    return 201, payloads.channel(channel)
