"""Guilds, members and roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord.errors import missing_access, unknown
from tests.discord.intents import MEMBERS
from tests.discord.rest import Call
from tests.discord.routes import router

if TYPE_CHECKING:
    from tests.discord.server import Server


@router.add("GET", "/guilds/{guild_id}")
def fetch(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    counts = {"approximate_member_count": len(guild.members), "approximate_presence_count": 0}
    return guild.payload() | (counts if call.query.get("with_counts") else {})


@router.add("GET", "/guilds/{guild_id}/members/{user_id}")
def member(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    found = guild.members.get(call.id("user_id"))
    if found is None:
        raise unknown("member")
    return found.payload()


@router.add("GET", "/guilds/{guild_id}/members")
def members(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    if not server.gateway.privileged_intents & MEMBERS:
        raise missing_access()
    after, limit = int(call.query.get("after", 0)), int(call.query.get("limit", 1))
    found = sorted((m for m in guild.members.values() if m.user.id > after), key=lambda m: m.user.id)
    return [each.payload() for each in found[:limit]]


@router.add("GET", "/guilds/{guild_id}/roles")
def roles(server: Server, call: Call) -> Any:
    return [role.payload() for role in server.world.guild(call.id("guild_id")).roles.values()]


@router.add("GET", "/guilds/{guild_id}/roles/{role_id}")
def role(server: Server, call: Call) -> Any:
    found = server.world.guild(call.id("guild_id")).roles.get(call.id("role_id"))
    if found is None:
        raise unknown("role")
    return found.payload()


@router.add("DELETE", "/users/@me/guilds/{guild_id}")
def leave(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    server.world.announce("GUILD_DELETE", {"id": str(guild.id)}, guild=guild)
    guild.has_bot = False
    for channel in guild.channels.values():
        channel.has_bot = False
