"""Filling selects and modals as a person would."""

from __future__ import annotations

from typing import Any

from tests.discord.offers import BadOptionError, Resolved
from tests.discord.state import Channel, Json

ROW, STRING_SELECT, TEXT_INPUT, TEXT, LABEL = 1, 3, 4, 10, 18
FILE_UPLOAD, RADIO, CHECKBOXES, CHECKBOX = 19, 21, 22, 23


def choose(part: Json, wanted: list[Any], resolved: Resolved, channel: Channel) -> list[str]:
    """The ``values`` of a select; options go by value or label."""
    if part["type"] == STRING_SELECT or part["type"] in (RADIO, CHECKBOXES):
        values = [pick(part, each) for each in wanted]
    else:
        values = [resolved.thing(each, channel) for each in wanted]
    low, high = part.get("min_values", 1), part.get("max_values", 1)
    if part["type"] == CHECKBOXES:
        high = part.get("max_values", len(part["options"]))
    if not part.get("required", True):
        low = 0
    if not low <= len(values) <= high:
        raise BadOptionError(f"{part['custom_id']} takes {low} to {high} values, not {len(values)}")
    return values


def pick(part: Json, wanted: Any) -> str:
    for option in part["options"]:
        if wanted in (option["value"], option["label"]):
            return str(option["value"])
    raise BadOptionError(
        f"{part['custom_id']} offers {[o['label'] for o in part['options']]}, not {wanted!r}"
    )


def submit(modal: Json, values: Json, resolved: Resolved, channel: Channel) -> list[Json]:
    """The ``components`` of a modal's submission. Every name in ``values`` must be a field."""
    left = dict(values)
    rows = []
    for row in modal["components"]:
        if row["type"] == ROW:
            parts = [fill(part, part.get("label"), left, resolved, channel) for part in row["components"]]
            rows.append({"type": ROW, "id": row["id"], "components": parts})
        elif row["type"] == LABEL:
            part = fill(row["component"], row["label"], left, resolved, channel)
            rows.append({"type": LABEL, "id": row["id"], "component": part})
        else:
            rows.append({"type": row["type"], "id": row["id"]})
    if left:
        raise BadOptionError(f"no fields {sorted(left)}")
    return rows


def fill(part: Json, label: str | None, left: Json, resolved: Resolved, channel: Channel) -> Json:
    """One field's answer; without a new value, the one it shows."""
    given: Any = None
    for key in (part["custom_id"], label):
        if key in left:
            given = left.pop(key)
            break
    kind = part["type"]
    body: Json = {"type": kind, "id": part["id"], "custom_id": part["custom_id"]}
    if kind == TEXT_INPUT:
        return body | {"value": text_value(part, given)}
    if kind == CHECKBOX:
        return body | {"value": bool(part.get("default") if given is None else given)}
    if kind == FILE_UPLOAD:
        files = given if isinstance(given, list) else [] if given is None else [given]
        return body | {"values": [resolved.file(each, channel) for each in files]}
    if given is None:
        wanted = [option["value"] for option in part.get("options", []) if option.get("default")]
        wanted += [resolved_default(resolved, each) for each in part.get("default_values", [])]
    else:
        wanted = given if isinstance(given, list) else [given]
    if kind == RADIO:
        if part.get("required", True) and not wanted:
            raise BadOptionError(f"{part['custom_id']} is required")
        return body | {"value": pick(part, wanted[0]) if wanted else None}
    return body | {"values": choose(part, wanted, resolved, channel)}


def text_value(part: Json, given: Any) -> str:
    value = (part.get("value") or "") if given is None else str(given)
    low, high = part.get("min_length") or 0, part.get("max_length") or 4000
    if part.get("required", True) and not value:
        raise BadOptionError(f"{part['custom_id']} is required")
    if value and not low <= len(value) <= high:
        raise BadOptionError(f"{part['custom_id']} takes {low} to {high} characters, not {len(value)}")
    return value


def resolved_default(resolved: Resolved, default: Json) -> Any:
    """The user, channel or role that a select shows as chosen."""
    world, identity = resolved.server.world, int(default["id"])
    if default["type"] == "user":
        return world.users[identity]
    if default["type"] == "channel":
        return world.channels[identity]
    return next(guild.roles[identity] for guild in world.guilds.values() if identity in guild.roles)
