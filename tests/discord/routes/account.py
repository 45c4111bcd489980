"""Who the bot is, and how it reaches the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import gateway, payloads
from tests.discord.errors import unknown
from tests.discord.rest import Call
from tests.discord.routes import router

if TYPE_CHECKING:
    from tests.discord.server import Server


@router.add("GET", "/gateway/bot")
def gateway_bot(server: Server, call: Call) -> Any:
    limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
    return {"url": gateway.URL, "shards": server.shards, "session_start_limit": limit}


@router.add("GET", "/users/@me")
def me(server: Server, call: Call) -> Any:
    return server.world.bot.payload() | {
        "verified": True,
        "mfa_enabled": False,
        "flags": 0,
        "locale": "en-US",
    }


@router.add("PATCH", "/users/@me")
def edit_me(server: Server, call: Call) -> Any:
    return me(server, call)


@router.add("GET", "/applications/@me")
@router.add("GET", "/oauth2/applications/@me")
def application(server: Server, call: Call) -> Any:
    return server.application()


@router.add("GET", "/users/@me/guilds")
def my_guilds(server: Server, call: Call) -> Any:
    found = [guild for guild in server.world.guilds.values() if guild.has_bot]
    return [
        {"id": str(g.id), "name": g.name, "icon": None, "owner": False, "permissions": "0", "features": []}
        for g in found
    ]


@router.add("GET", "/users/{user_id}")
def user(server: Server, call: Call) -> Any:
    found = server.world.users.get(call.id("user_id"))
    if found is None:
        raise unknown("user")
    return found.payload()


@router.add("POST", "/users/@me/channels")
def create_dm(server: Server, call: Call) -> Any:
    found = server.world.users.get(int(call.body["recipient_id"]))
    if found is None:
        raise unknown("user")
    return payloads.channel(server.world.dm(found))


@router.add("GET", "/applications/{application_id}/emojis")
def emojis(server: Server, call: Call) -> Any:
    return {"items": []}


@router.add("GET", "/applications/{application_id}/entitlements")
@router.add("GET", "/applications/{application_id}/skus")
def nothing_for_sale(server: Server, call: Call) -> Any:
    return []
