"""Threads: starting, joining, listing the active ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import payloads
from tests.discord.errors import ApiError, Problems
from tests.discord.permissions import P
from tests.discord.rest import Call
from tests.discord.routes import router
from tests.discord.routes.access import require
from tests.discord.routes.messages import locate
from tests.discord.state import PUBLIC_THREAD, Channel

if TYPE_CHECKING:
    from tests.discord.server import Server


def start(server: Server, parent: Channel, name: str, kind: int, identity: int | None = None) -> Any:
    assert parent.guild is not None
    problems = Problems()
    problems.length("name", name, 100, 1)
    problems.raise_if_any()
    thread = server.world.add_channel(parent.guild, name, kind, parent=parent)
    if identity is not None:  # a thread on a message shares the message's id
        for table in (parent.guild.channels, server.world.channels):
            table[identity] = table.pop(thread.id)
        thread.id = identity
    thread.owner = server.world.bot
    server.world.announce("THREAD_CREATE", payloads.channel(thread) | {"newly_created": True}, thread)
    return 201, payloads.channel(thread)


@router.add("POST", "/channels/{channel_id}/messages/{message_id}/threads")
def start_on_message(server: Server, call: Call) -> Any:
    message = locate(server, call)
    require(server, message.channel, P.CREATE_PUBLIC_THREADS)
    if message.id in server.world.channels:
        raise ApiError(400, 160004, "A thread has already been created for this message")
    return start(server, message.channel, call.body["name"], PUBLIC_THREAD, message.id)


@router.add("POST", "/channels/{channel_id}/threads")
def start_alone(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    require(server, channel, P.CREATE_PUBLIC_THREADS)
    return start(server, channel, call.body["name"], int(call.body.get("type") or 12))


@router.add("PUT", "/channels/{channel_id}/thread-members/{user_id}")
@router.add("DELETE", "/channels/{channel_id}/thread-members/{user_id}")
def membership(server: Server, call: Call) -> Any:
    require(server, server.world.channel(call.id("channel_id")))


@router.add("GET", "/guilds/{guild_id}/threads/active")
def active(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    found = [channel for channel in guild.channels.values() if channel.is_thread and not channel.archived]
    return {"threads": [payloads.channel(thread) for thread in found], "members": [], "has_more": False}
