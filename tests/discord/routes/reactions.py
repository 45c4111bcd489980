"""Reactions."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any

from tests.discord import reactions
from tests.discord.errors import unknown
from tests.discord.permissions import P
from tests.discord.rest import Call
from tests.discord.routes import router
from tests.discord.routes.access import require
from tests.discord.routes.messages import locate

if TYPE_CHECKING:
    from tests.discord.server import Server

BASE = "/channels/{channel_id}/messages/{message_id}/reactions"


def key_of(call: Call) -> str:
    key = urllib.parse.unquote(call.params["emoji"])
    if key.isascii() and ":" not in key:
        raise unknown("emoji")
    return key


@router.add("PUT", BASE + "/{emoji}/@me")
def add(server: Server, call: Call) -> Any:
    message, key = locate(server, call), key_of(call)
    needed = [P.READ_MESSAGE_HISTORY]
    if key not in message.reactions:
        needed.append(P.ADD_REACTIONS)
    require(server, message.channel, *needed)
    reactions.add(message, server.world.bot, key)


@router.add("DELETE", BASE + "/{emoji}/@me")
def remove_mine(server: Server, call: Call) -> Any:
    reactions.remove(locate(server, call), server.world.bot, key_of(call))


@router.add("DELETE", BASE + "/{emoji}/{user_id}")
def remove(server: Server, call: Call) -> Any:
    message = locate(server, call)
    require(server, message.channel, P.MANAGE_MESSAGES)
    user = server.world.users.get(call.id("user_id"))
    if user is None:
        raise unknown("user")
    reactions.remove(message, user, key_of(call))


@router.add("DELETE", BASE + "/{emoji}")
@router.add("DELETE", BASE)
def clear(server: Server, call: Call) -> Any:
    message = locate(server, call)
    require(server, message.channel, P.MANAGE_MESSAGES)
    reactions.clear(message, key_of(call) if "emoji" in call.params else None)


@router.add("GET", BASE + "/{emoji}")
def users(server: Server, call: Call) -> Any:
    found = locate(server, call).reactions.get(key_of(call), [])
    after = int(call.query.get("after", 0))
    limit = int(call.query.get("limit", 25))
    later = sorted((user for user in found if user.id > after), key=lambda user: user.id)
    return [user.payload() for user in later[:limit]]
