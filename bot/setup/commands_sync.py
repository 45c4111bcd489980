"""Registering commands with Discord, only when they have changed since the last time.

Discord allows few registrations a day, and each one makes clients fetch all commands anew; most starts of the
bot change nothing. So the payload's hash is kept in the journal's database.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import Any

from discord import app_commands

from albumgen_core.inference.database import Database

log = logging.getLogger(__name__)

_KEY = "commands"


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of the commands: how many there are, and whether they were registered anew."""

    count: int
    changed: bool


async def register_commands(
    tree: app_commands.CommandTree[Any], database: Database, *, force: bool = False
) -> Registration:
    """Register the global commands if their payload is not the last one's.

    Args:
        tree: the commands; its translator is asked for names and descriptions.
        database: keeps the hash (table `bot_state`).
        force: register in any case.

    Raises discord.HTTPException when Discord refuses; then the next start tries again.
    """
    payload = await _payload(tree)
    digest = _digest(tree.client.application_id, payload)
    if not force and await _remembered(database) == digest:
        return Registration(len(payload), False)
    await tree.sync()
    await database.execute(
        "INSERT INTO bot_state (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_KEY, digest),
    )
    log.info("registered %d commands", len(payload))
    return Registration(len(payload), True)


async def _payload(tree: app_commands.CommandTree[Any]) -> list[dict[str, Any]]:
    """What `tree.sync` would send."""
    translator = tree.translator
    commands = tree.get_commands()
    if translator is None:
        return [command.to_dict(tree) for command in commands]
    return [await command.get_translated_payload(tree, translator) for command in commands]


def _digest(application_id: int | None, payload: list[dict[str, Any]]) -> str:
    ordered = sorted(payload, key=lambda command: (command["name"], command["type"]))
    words = json.dumps([application_id, ordered], sort_keys=True, default=str)
    return hashlib.sha256(words.encode()).hexdigest()


async def _remembered(database: Database) -> str | None:
    rows = await database.fetch("SELECT value FROM bot_state WHERE key = ?", (_KEY,))
    return str(rows[0][0]) if rows else None
