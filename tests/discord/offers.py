"""What Discord's client does before a command leaves: who sees it, which options fit, what is resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import payloads
from tests.discord.permissions import P
from tests.discord.state import Channel, Json, Message, Role, User

if TYPE_CHECKING:
    from tests.discord.server import Server

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, FILE = 3, 4, 5, 6, 7, 8, 9, 10, 11


class BadOptionError(ValueError):
    """The client would not let the person send this."""


class Resolved:
    """The ``resolved`` tables of an interaction, filled as things are mentioned in it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tables: Json = {}

    def _put(self, table: str, identity: int, body: Json) -> str:
        self.tables.setdefault(table, {})[str(identity)] = body
        return str(identity)

    def file(self, given: Any, channel: Channel) -> str:
        """Uploads ``bytes`` or ``(name, bytes)``."""
        name, data = given if isinstance(given, tuple) else ("cover.png", given)
        if not isinstance(data, bytes):
            raise BadOptionError(f"a file is bytes, not {type(data).__name__}")
        world = self.server.world
        attachment = world.store(name, data, channel.id)
        attachment.ephemeral = True
        return self._put("attachments", attachment.id, payloads.attachment(world, attachment))

    def user(self, user: User, channel: Channel) -> str:
        if channel.guild and user.id in channel.guild.members:
            member = channel.guild.members[user.id].payload(with_user=False)
            permissions = int(self.server.world.permissions(user, channel))
            self._put("members", user.id, member | {"permissions": str(permissions)})
        return self._put("users", user.id, user.payload())

    def channel(self, channel: Channel) -> str:
        body = payloads.channel(channel) | {
            "permissions": str(int(self.server.world.app_permissions(channel)))
        }
        return self._put("channels", channel.id, body)

    def role(self, role: Role) -> str:
        return self._put("roles", role.id, role.payload())

    def thing(self, given: Any, channel: Channel) -> str:
        """A user, person, channel or role, by what it is."""
        given = getattr(given, "user", given)
        if isinstance(given, User):
            return self.user(given, channel)
        if isinstance(given, Channel):
            return self.channel(given)
        if isinstance(given, Role):
            return self.role(given)
        raise BadOptionError(f"{given!r} is not a user, channel or role")


def hidden(server: Server, command: Json, user: User, channel: Channel, *, user_install: bool) -> str | None:
    """Why the client does not list ``command`` here, or None if it does."""
    installs = command.get("integration_types") or [0]
    as_guest = user_install or not channel.has_bot
    if as_guest and 1 not in installs:
        return "it cannot be user-installed"
    if not as_guest and 0 not in installs and channel.guild:
        return "it is not installed in this server"
    contexts = command.get("contexts")
    context = 0 if channel.guild else 1 if channel.has_bot else 2
    if contexts is not None and context not in contexts:
        return f"its contexts are {contexts}, this is {context}"
    if channel.guild is None:
        return None
    if command.get("nsfw") and not channel.nsfw:
        return "it is for age-restricted channels"
    bits = command.get("default_member_permissions")
    if bits is not None and not as_guest:
        if int(bits) == 0 and not server.may(user, channel, P.ADMINISTRATOR):
            return "administrators only"
        if not server.may(user, channel, P(int(bits))):
            return "default_member_permissions"
    needed = P.USE_EXTERNAL_APPS if as_guest else P.USE_APPLICATION_COMMANDS
    return None if server.may(user, channel, needed) else "the person may not use commands here"


def fill(
    command: Json, path: list[str], options: Json, resolved: Resolved, channel: Channel, *, partial: bool
) -> Json:
    """The ``data`` of a command interaction. ``partial``: still being typed, so nothing is required yet."""
    node: Json = command
    wrappers: list[tuple[int, str]] = []
    for name in path:
        inner = [o for o in node.get("options", []) if o["name"] == name and o["type"] in (1, 2)]
        if not inner:
            raise BadOptionError(f"no subcommand {name!r}")
        node = inner[0]
        wrappers.append((node["type"], name))
    offered = node.get("options") or []
    if any(option["type"] in (1, 2) for option in offered):
        raise BadOptionError(f"a subcommand is missing: {[option['name'] for option in offered]}")
    filled = fill_options(offered, options, resolved, channel, partial=partial)
    for kind, name in reversed(wrappers):
        filled = [{"type": kind, "name": name, "options": filled}]
    data: Json = {"id": command["id"], "name": command["name"], "type": 1, "options": filled}
    if resolved.tables:
        data["resolved"] = resolved.tables
    return data


def fill_options(
    offered: list[Json], options: Json, resolved: Resolved, channel: Channel, *, partial: bool
) -> list[Json]:
    unknown = set(options) - {option["name"] for option in offered}
    if unknown:
        raise BadOptionError(f"no options {sorted(unknown)}; there are {[o['name'] for o in offered]}")
    filled = []
    for option in offered:
        name = option["name"]
        if options.get(name) is None:
            if option.get("required") and not partial:
                raise BadOptionError(f"{name} is required")
            continue
        value = options[name] if partial else convert(option, options[name], resolved, channel)
        filled.append({"name": name, "type": option["type"], "value": value})
    return filled


def convert(option: Json, given: Any, resolved: Resolved, channel: Channel) -> Any:
    """One option's value, checked as the client checks it."""
    kind, name = option["type"], option["name"]
    if kind == FILE:
        return resolved.file(given, channel)
    if kind in (USER, CHANNEL, ROLE, MENTIONABLE):
        return resolved.thing(given, channel)
    types: Any = {STRING: str, INTEGER: int, BOOLEAN: bool, NUMBER: (int, float)}[kind]
    if not isinstance(given, types) or (kind != BOOLEAN and isinstance(given, bool)):
        raise BadOptionError(f"{name} takes {types}, not {given!r}")
    choices = option.get("choices") or []
    if choices:
        for choice in choices:
            if given in (choice["value"], choice["name"]):
                return choice["value"]
        raise BadOptionError(f"{name} is one of {[choice['value'] for choice in choices]}, not {given!r}")
    if kind in (INTEGER, NUMBER):
        low, high = option.get("min_value"), option.get("max_value")
        size = given
    else:
        low, high = option.get("min_length"), option.get("max_length")
        size = len(given) if kind == STRING else 0
    if (low is not None and size < low) or (high is not None and size > high):
        raise BadOptionError(f"{name} must lie between {low} and {high}, not {given!r}")
    return given


def focus(data: Json, name: str) -> None:
    """Marks the option under the cursor; an empty one is added if nothing is typed yet."""
    node = data
    while node["options"] and node["options"][0]["type"] in (1, 2):
        node = node["options"][0]
    for option in node["options"]:
        if option["name"] == name:
            option["focused"] = True
            option["value"] = str(option["value"]) if option["type"] == STRING else option["value"]
            return
    node["options"].append({"name": name, "type": STRING, "value": "", "focused": True})


def on_message(command: Json, message: Message, user: User) -> Json:
    """The ``data`` of a message command. The whole message comes along, whatever the intents."""
    return {
        "id": command["id"],
        "name": command["name"],
        "type": 3,
        "target_id": str(message.id),
        "resolved": {"messages": {str(message.id): payloads.message(message, user)}},
    }
