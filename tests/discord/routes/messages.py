"""Messages and pins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import messages, payloads
from tests.discord.clock import iso
from tests.discord.errors import ApiError, missing_access
from tests.discord.permissions import P
from tests.discord.rest import Call
from tests.discord.routes import router
from tests.discord.routes.access import require
from tests.discord.state import DM, Channel, Message

if TYPE_CHECKING:
    from tests.discord.server import Server

HOUR = 3600.0


def locate(server: Server, call: Call) -> Message:
    channel = server.world.channel(call.id("channel_id"))
    require(server, channel)
    return server.world.message(channel, call.id("message_id"))


def require_to_send(server: Server, channel: Channel, call: Call) -> None:
    speak = P.SEND_MESSAGES_IN_THREADS if channel.is_thread else P.SEND_MESSAGES
    needed = [speak]
    if call.uploads:
        needed.append(P.ATTACH_FILES)
    if (call.body or {}).get("embeds"):
        needed.append(P.EMBED_LINKS)
    if ((call.body or {}).get("message_reference") or {}).get("message_id"):
        needed.append(P.READ_MESSAGE_HISTORY)
    require(server, channel, *needed)
    if channel.kind == DM and not channel.recipients[0].accepts_dms:
        raise ApiError(403, 50007, "Cannot send messages to this user")


@router.add("POST", "/channels/{channel_id}/messages")
def create(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    require_to_send(server, channel, call)
    message = messages.create(server.world, channel, server.world.bot, call.body or {}, call.uploads)
    return payloads.message(message)


@router.add("GET", "/channels/{channel_id}/messages")
def history(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    require(server, channel)
    if not server.world.bot_permissions(channel) & P.READ_MESSAGE_HISTORY:
        return []
    found = channel.visible_messages
    limit = int(call.query.get("limit", 50))
    if "before" in call.query:
        found = [message for message in found if message.id < int(call.query["before"])]
    if "after" in call.query:
        found = [message for message in found if message.id > int(call.query["after"])][:limit]
    if "around" in call.query:
        near = sorted(found, key=lambda message: abs(message.id - int(call.query["around"])))[:limit]
        found = sorted(near, key=lambda message: message.id)
    return [payloads.message(message) for message in reversed(found[-limit:])]


@router.add("GET", "/channels/{channel_id}/messages/pins")
def pins(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    require(server, channel)
    found = [message for message in channel.visible_messages if message.pinned]
    items = [{"pinned_at": iso(message.created), "message": payloads.message(message)} for message in found]
    return {"items": items, "has_more": False}


@router.add("PUT", "/channels/{channel_id}/messages/pins/{message_id}")
@router.add("DELETE", "/channels/{channel_id}/messages/pins/{message_id}")
def pin(server: Server, call: Call) -> Any:
    message = locate(server, call)
    require(server, message.channel, P.PIN_MESSAGES)
    message.pinned = call.route.method == "PUT"
    data = {"channel_id": str(message.channel.id), "last_pin_timestamp": None}
    if message.channel.guild:
        data["guild_id"] = str(message.channel.guild.id)
    server.world.announce("CHANNEL_PINS_UPDATE", data, message.channel)
    messages.announce_update(message)


@router.add("GET", "/channels/{channel_id}/messages/{message_id}")
def fetch(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    require(server, channel)
    if not server.world.bot_permissions(channel) & P.READ_MESSAGE_HISTORY:
        raise missing_access()
    return payloads.message(server.world.message(channel, call.id("message_id")))


@router.add("PATCH", "/channels/{channel_id}/messages/{message_id}")
def edit(server: Server, call: Call) -> Any:
    message = locate(server, call)
    body = call.body or {}
    if message.author is not server.world.bot:
        raise ApiError(403, 50005, "Cannot edit a message authored by another user")
    if call.uploads:
        require(server, message.channel, P.ATTACH_FILES)
    if message.channel.archived:
        raise ApiError(400, 50083, "This thread is archived")
    return payloads.message(messages.edit(message, body, call.uploads))


@router.add("DELETE", "/channels/{channel_id}/messages/{message_id}")
def delete(server: Server, call: Call) -> Any:
    message = locate(server, call)
    if message.author is not server.world.bot:
        require(server, message.channel, P.MANAGE_MESSAGES)
    messages.delete(message)


@router.add("POST", "/channels/{channel_id}/messages/bulk-delete")
def bulk_delete(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    require(server, channel, P.MANAGE_MESSAGES)
    for identity in call.body["messages"]:
        message = channel.messages.get(int(identity))
        if message and not message.deleted:
            messages.delete(message)


@router.add("POST", "/channels/{channel_id}/typing")
def typing(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    require(server, channel, P.SEND_MESSAGES)
