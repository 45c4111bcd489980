"""Scheduled events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord.errors import Problems, unknown
from tests.discord.permissions import P
from tests.discord.rest import Call
from tests.discord.routes import router
from tests.discord.routes.access import require_in_guild
from tests.discord.state import Guild, Json

if TYPE_CHECKING:
    from tests.discord.server import Server

ALL = "/guilds/{guild_id}/scheduled-events"
ONE = ALL + "/{event_id}"
NEXT_STATUS = {1: {2, 4}, 2: {3}}


def check(body: Json) -> None:
    problems = Problems()
    problems.length("name", body.get("name"), 100, 1)
    problems.length("description", body.get("description"), 1000)
    problems.length("entity_metadata.location", (body.get("entity_metadata") or {}).get("location"), 100, 1)
    problems.raise_if_any()


def find(server: Server, call: Call) -> tuple[Guild, Json]:
    guild = server.world.guild(call.id("guild_id"))
    event = guild.events.get(call.id("event_id"))
    if event is None:
        raise unknown("event")
    return guild, event


@router.add("GET", ALL)
def listing(server: Server, call: Call) -> Any:
    return list(server.world.guild(call.id("guild_id")).events.values())


@router.add("POST", ALL)
def create(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    require_in_guild(server, guild, P.CREATE_EVENTS, P.MANAGE_EVENTS)
    check(call.body)
    identity = server.world.clock.snowflake()
    defaults: Json = {
        "description": None,
        "channel_id": None,
        "entity_metadata": None,
        "scheduled_end_time": None,
    }
    event = defaults | call.body
    event.pop("image", None)
    event |= {
        "id": str(identity),
        "guild_id": str(guild.id),
        "creator_id": str(server.world.bot.id),
        "creator": server.world.bot.payload(),
        "status": 1,
        "entity_id": None,
        "user_count": 0,
        "image": None,
        "recurrence_rule": None,
    }
    if event["channel_id"] is not None:
        event["channel_id"] = str(event["channel_id"])
    guild.events[identity] = event
    server.world.announce("GUILD_SCHEDULED_EVENT_CREATE", event, guild=guild)
    return event


@router.add("GET", ONE)
def fetch(server: Server, call: Call) -> Any:
    return find(server, call)[1]


@router.add("PATCH", ONE)
def edit(server: Server, call: Call) -> Any:
    guild, event = find(server, call)
    require_in_guild(server, guild, P.CREATE_EVENTS, P.MANAGE_EVENTS)
    check(call.body)
    status = call.body.get("status", event["status"])
    if status != event["status"] and status not in NEXT_STATUS.get(event["status"], set()):
        problems = Problems()
        problems.add("status", "GUILD_SCHEDULED_EVENT_STATUS_INVALID", "Cannot change to this status")
        problems.raise_if_any()
    event.update({name: value for name, value in call.body.items() if name != "image"})
    server.world.announce("GUILD_SCHEDULED_EVENT_UPDATE", event, guild=guild)
    return event


@router.add("DELETE", ONE)
def delete(server: Server, call: Call) -> Any:
    guild, event = find(server, call)
    require_in_guild(server, guild, P.CREATE_EVENTS, P.MANAGE_EVENTS)
    del guild.events[int(event["id"])]
    server.world.announce("GUILD_SCHEDULED_EVENT_DELETE", event, guild=guild)
