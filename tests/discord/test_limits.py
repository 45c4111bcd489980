"""The documented limits, one body each that breaks exactly one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.discord import form_limits, limits
from tests.discord.errors import ApiError
from tests.discord.spec import Specification
from tests.discord.state import V2, Json


def button(**fields: Any) -> Json:
    return {"type": 2, "style": 1, "custom_id": "a", "label": "b"} | fields


def row(*parts: Json) -> Json:
    return {"type": 1, "components": list(parts)}


def numbered(count: int) -> list[Json]:
    return [button(custom_id=str(index)) for index in range(count)]


def code_of(check: Callable[[], None]) -> str:
    """The first form error's code, or the message of another refusal."""
    with pytest.raises(ApiError) as refused:
        check()
    node: Any = refused.value.errors
    if node is None:
        return refused.value.message
    while "_errors" not in node:
        node = next(iter(node.values()))
    return str(node["_errors"][0]["code"])


MESSAGES: dict[str, tuple[Json, str]] = {
    "six rows": ({"components": [row(button(custom_id=str(n))) for n in range(6)]}, "BASE_TYPE_BAD_LENGTH"),
    "six buttons": ({"components": [row(*numbered(6))]}, "COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
    "long id": ({"components": [row(button(custom_id="x" * 101))]}, "BASE_TYPE_MAX_LENGTH"),
    "bare button": (
        {"components": [row({"type": 2, "style": 1, "custom_id": "a"})]},
        "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED",
    ),
    "26 fields": ({"embeds": [{"fields": [{"name": "a", "value": "b"}] * 26}]}, "BASE_TYPE_BAD_LENGTH"),
    "empty field": ({"embeds": [{"fields": [{"name": "a", "value": " "}]}]}, "BASE_TYPE_REQUIRED"),
    "long title": ({"embeds": [{"title": "x" * 257}]}, "BASE_TYPE_MAX_LENGTH"),
    "file picture": ({"embeds": [{"title": "a", "image": {"url": "file:///x"}}]}, "URL_TYPE_INVALID_SCHEME"),
    "content in V2": (
        {"flags": V2, "content": "a", "components": [{"type": 10, "content": "b"}]},
        "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
    ),
    "41 parts": (
        {"flags": V2, "components": [{"type": 14}] * 41},
        "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
    ),
    "mentions twice": (
        {"content": "a", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
    ),
    "nothing": ({"content": ""}, "Cannot send an empty message"),
}

COMMANDS: dict[str, tuple[Json, str]] = {
    "capital": ({"name": "Loud", "description": "a"}, "APPLICATION_COMMAND_INVALID_NAME"),
    "no description": ({"name": "a"}, "BASE_TYPE_REQUIRED"),
    "order": (
        {
            "name": "a",
            "description": "b",
            "options": [
                {"type": 3, "name": "x", "description": "c"},
                {"type": 3, "name": "y", "description": "c", "required": True},
            ],
        },
        "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
    ),
    "26 options": (
        {
            "name": "a",
            "description": "b",
            "options": [{"type": 3, "name": f"x{n}", "description": "c"} for n in range(26)],
        },
        "BASE_TYPE_BAD_LENGTH",
    ),
}

FIELD = {"type": 4, "custom_id": "a", "style": 1}
MODALS: dict[str, tuple[Json, str]] = {
    "long title": (
        {"title": "x" * 46, "components": [{"type": 18, "label": "a", "component": FIELD}]},
        "BASE_TYPE_MAX_LENGTH",
    ),
    "no rows": ({"title": "a", "components": []}, "BASE_TYPE_BAD_LENGTH"),
    "label": (
        {"title": "a", "components": [{"type": 18, "label": "x" * 46, "component": FIELD}]},
        "BASE_TYPE_MAX_LENGTH",
    ),
    "twins": (
        {"title": "a", "components": [{"type": 18, "label": "b", "component": FIELD}] * 2},
        "COMPONENT_CUSTOM_ID_DUPLICATED",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name: str) -> None:
    body, code = MESSAGES[name]
    assert code_of(lambda: limits.check_message(body, 0)) == code


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name: str) -> None:
    body, code = COMMANDS[name]
    assert code_of(lambda: form_limits.check_commands([body])) == code


@pytest.mark.parametrize("name", MODALS)
def test_modals(name: str) -> None:
    body, code = MODALS[name]
    assert code_of(lambda: form_limits.check_modal({"custom_id": "m"} | body)) == code


def test_the_largest_allowed_message_passes() -> None:
    rows = [row(*(button(custom_id=f"{x}-{y}") for x in range(5))) for y in range(5)]
    embeds = [{"title": "x" * 256, "description": "y" * 4096, "footer": {"text": "z" * 1648}}]
    limits.check_message({"content": "c" * 2000, "embeds": embeds, "components": rows}, 10)


def test_the_published_schemas_agree_where_a_developer_has_them() -> None:
    specification = Specification.in_development()
    if specification is None:
        pytest.skip("development data (Discord's OpenAPI document) is not here")
    route = ("POST", "/channels/{channel_id}/messages")
    assert specification.problems(*route, {"content": "a", "components": [row(button())]}) == []
    assert specification.problems(*route, {"content": "a", "components": [row(button(custom_id="x" * 101))]})
