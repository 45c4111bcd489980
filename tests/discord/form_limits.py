"""Discord's documented limits on modals, commands and suggestions."""

from __future__ import annotations

import re

from tests.discord.errors import ApiError, Problems
from tests.discord.limits import (
    CUSTOM_ID,
    LABEL,
    ROW,
    STRING_SELECT,
    TEXT,
    TEXT_INPUT,
    check_custom_ids,
    check_options,
)
from tests.discord.state import Json

COMMAND_NAME = re.compile(r"^[-_'\w]{1,32}$")
RADIO, CHECKBOXES = 21, 22


def check_modal(data: Json) -> None:
    """A modal: one to five rows, each a text input in a row or any input in a label."""
    problems = Problems()
    problems.required("custom_id", data.get("custom_id"))
    problems.length("custom_id", data.get("custom_id"), CUSTOM_ID)
    problems.required("title", data.get("title"))
    problems.length("title", data.get("title"), 45)
    rows = data.get("components") or []
    problems.count("components", rows, 5, 1)
    for index, row in enumerate(rows):
        at = f"components.{index}"
        if row.get("type") == ROW:
            inputs = row.get("components") or []
            problems.count(f"{at}.components", inputs, 1, 1)
            for part in inputs:
                problems.required(f"{at}.components.0.label", part.get("label"))
        elif row.get("type") == LABEL:
            problems.required(f"{at}.label", row.get("label"))
            problems.length(f"{at}.label", row.get("label"), 45)
            problems.length(f"{at}.description", row.get("description"), 100)
            inputs = [row.get("component") or {}]
        elif row.get("type") == TEXT:
            continue
        else:
            problems.add(f"{at}.type", "UNION_TYPE_CHOICES", "Value of field must be one of (1, 10, 18).")
            continue
        for part in inputs:
            check_input(part, f"{at}.component", problems)
    check_custom_ids(rows, problems)
    problems.raise_if_any()


def check_input(part: Json, at: str, problems: Problems) -> None:
    problems.required(f"{at}.custom_id", part.get("custom_id"))
    problems.length(f"{at}.custom_id", part.get("custom_id"), CUSTOM_ID)
    problems.length(
        f"{at}.placeholder", part.get("placeholder"), 100 if part.get("type") == TEXT_INPUT else 150
    )
    if part.get("type") == TEXT_INPUT:
        problems.length(f"{at}.label", part.get("label"), 45)
        problems.length(f"{at}.value", part.get("value"), 4000)
        low, high = part.get("min_length") or 0, part.get("max_length") or 4000
        if not 0 <= low <= 4000 or not 1 <= high <= 4000 or low > high:
            problems.add(f"{at}.max_length", "NUMBER_TYPE_MAX", "Lengths must lie between 0 and 4000.")
    elif part.get("type") in (STRING_SELECT, RADIO, CHECKBOXES):
        check_options(part.get("options") or [], f"{at}.options", problems)


def check_commands(commands: list[Json]) -> None:
    """A bulk overwrite: a hundred slash commands at most, each within its own limits."""
    problems = Problems()
    keys: set[tuple[str, int]] = set()
    slash = [command for command in commands if command.get("type", 1) == 1]
    if len(slash) > 100 or len(commands) - len(slash) > 30:
        raise ApiError(400, 30032, "Maximum number of application commands reached (100).")
    for index, command in enumerate(commands):
        key = (command.get("name", ""), command.get("type", 1))
        if key in keys:
            problems.add(f"{index}.name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Names must be unique")
        keys.add(key)
        check_command(command, str(index), problems)
        if command_size(command) > 8000:
            problems.add(str(index), "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")
    problems.raise_if_any()


def check_command(command: Json, at: str, problems: Problems) -> None:
    """A command or an option: names, descriptions, choices, and required options before the others."""
    chat = command.get("type", 1) == 1 or "." in at
    name = command.get("name", "")
    if chat and (not COMMAND_NAME.match(name) or name != name.lower()):
        problems.add(f"{at}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    problems.length(f"{at}.name", name, 32, 1)
    if chat:
        problems.required(f"{at}.description", command.get("description"))
        problems.length(f"{at}.description", command.get("description"), 100, 1)
    for table in ("name_localizations", "description_localizations"):
        for locale, text in (command.get(table) or {}).items():
            problems.length(f"{at}.{table}.{locale}", text, 32 if table[0] == "n" else 100, 1)
    options = command.get("options") or []
    problems.count(f"{at}.options", options, 25)
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        problems.add(
            f"{at}.options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options come first"
        )
    choices = command.get("choices") or []
    problems.count(f"{at}.choices", choices, 25)
    for number, choice in enumerate(choices):
        problems.length(f"{at}.choices.{number}.name", choice.get("name"), 100, 1)
        problems.length(f"{at}.choices.{number}.value", choice.get("value"), 100)
    for number, option in enumerate(options):
        check_command(option, f"{at}.options.{number}", problems)


def command_size(command: Json) -> int:
    """Characters that count towards a command's 8,000."""
    size = len(command.get("name") or "") + len(command.get("description") or "")
    for choice in command.get("choices") or []:
        size += len(choice.get("name") or "") + len(str(choice.get("value") or ""))
    return size + sum(command_size(option) for option in command.get("options") or [])


def check_choices(choices: list[Json]) -> None:
    """Autocomplete suggestions: 25 at most."""
    problems = Problems()
    problems.count("data.choices", choices, 25)
    for index, choice in enumerate(choices):
        problems.length(f"data.choices.{index}.name", choice.get("name"), 100, 1)
        problems.length(f"data.choices.{index}.value", choice.get("value"), 100)
    problems.raise_if_any()
