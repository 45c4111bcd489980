"""Application commands, global and per guild."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import form_limits
from tests.discord.errors import missing_access, unknown
from tests.discord.rest import Call
from tests.discord.routes import router
from tests.discord.state import Json

if TYPE_CHECKING:
    from tests.discord.server import Server

EVERYWHERE = "/applications/{application_id}/commands"
ONE_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"


def place(server: Server, call: Call) -> int | None:
    """None for global commands, else the guild's id."""
    if call.id("application_id") != server.world.bot.id:
        raise unknown("application")
    if "guild_id" not in call.params:
        return None
    guild = server.world.guilds.get(call.id("guild_id"))
    if guild is None or not guild.has_bot:
        raise missing_access()
    return guild.id


def stored(server: Server, where: int | None, body: Json) -> Json:
    """A command as Discord keeps it; one of the same name and type keeps its id."""
    same = [c for c in server.world.commands.get(where, []) if key_of(c) == key_of(body)]
    identity = same[0]["id"] if same else str(server.world.clock.snowflake())
    defaults = {
        "type": 1,
        "description": "",
        "options": [],
        "default_member_permissions": None,
        "nsfw": False,
        "contexts": None,
        "integration_types": [0],
    }
    given = {name: value for name, value in body.items() if value is not None}
    kept = defaults | given | {"id": identity, "application_id": str(server.world.bot.id)}
    kept["version"] = str(server.world.clock.snowflake())
    return kept | ({"guild_id": str(where)} if where else {})


def key_of(command: Json) -> tuple[str, int]:
    return command["name"], int(command.get("type") or 1)


def find(server: Server, call: Call) -> tuple[int | None, Json]:
    where = place(server, call)
    for command in server.world.commands.get(where, []):
        if command["id"] == call.params["command_id"]:
            return where, command
    raise unknown("command")


@router.add("GET", EVERYWHERE)
@router.add("GET", ONE_GUILD)
def listing(server: Server, call: Call) -> Any:
    return server.world.commands.get(place(server, call), [])


@router.add("PUT", EVERYWHERE)
@router.add("PUT", ONE_GUILD)
def overwrite(server: Server, call: Call) -> Any:
    where = place(server, call)
    form_limits.check_commands(call.body)
    server.world.commands[where] = [stored(server, where, command) for command in call.body]
    return server.world.commands[where]


@router.add("POST", EVERYWHERE)
@router.add("POST", ONE_GUILD)
def create(server: Server, call: Call) -> Any:
    where = place(server, call)
    form_limits.check_commands([call.body])
    command = stored(server, where, call.body)
    others = [c for c in server.world.commands.get(where, []) if key_of(c) != key_of(command)]
    form_limits.check_commands([*others, command])
    server.world.commands[where] = [*others, command]
    return 201, command


@router.add("GET", EVERYWHERE + "/{command_id}")
@router.add("GET", ONE_GUILD + "/{command_id}")
def fetch(server: Server, call: Call) -> Any:
    return find(server, call)[1]


@router.add("PATCH", EVERYWHERE + "/{command_id}")
@router.add("PATCH", ONE_GUILD + "/{command_id}")
def edit(server: Server, call: Call) -> Any:
    command = find(server, call)[1]
    form_limits.check_commands([command | call.body])
    command.update(call.body)
    return command


@router.add("DELETE", EVERYWHERE + "/{command_id}")
@router.add("DELETE", ONE_GUILD + "/{command_id}")
def delete(server: Server, call: Call) -> Any:
    where, command = find(server, call)
    server.world.commands[where].remove(command)


@router.add("GET", ONE_GUILD + "/permissions")
def permissions(server: Server, call: Call) -> Any:
    place(server, call)
    return []
