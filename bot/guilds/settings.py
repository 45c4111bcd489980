"""What a server's managers have chosen. What they leave alone follows the operator's defaults."""

from __future__ import annotations

import json
from typing import Any, Literal

from annotated_types import Ge, Le
from pydantic import ValidationError

from albumgen_core.errors import AlbumGenError
from albumgen_core.inference.database import Database
from albumgen_core.keyed_lock import KeyedLock
from albumgen_core.settings import Settings
from bot.settings import GuildDefaults

LANGUAGES = ("", "en", "de")
"""Reply languages a server may fix; "" follows each member's own."""


class GuildSettingError(AlbumGenError):
    """A server setting was given a value it cannot have.

    Attributes:
        name: which setting.
        bounds: what it lies between, where it is a number.
    """

    def __init__(self, name: str, problem: str, bounds: tuple[int, int] | None = None) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.bounds = bounds


class GuildSettings(GuildDefaults):
    """One server's settings: what the operator gives defaults for, and what only a server can say.

    Attributes:
        channels: ids of the channels the bot may be used in; () means all.
        roles: ids of the roles that may use it; () means everyone.
        language: see LANGUAGES.
    """

    channels: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    language: Literal["", "en", "de"] = ""

    def changed(self, **changes: Any) -> GuildSettings:
        """A copy with other values. Raises GuildSettingError."""
        try:
            return GuildSettings.model_validate(self.model_dump() | changes)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            raise GuildSettingError(name, str(first["msg"]), RANGES.get(name)) from None


def _range(name: str) -> tuple[int, int] | None:
    """Lowest and highest value that a field's declaration allows."""
    limits = GuildDefaults.model_fields[name].metadata
    lowest = next((limit.ge for limit in limits if isinstance(limit, Ge)), None)
    highest = next((limit.le for limit in limits if isinstance(limit, Le)), None)
    return (lowest, highest) if isinstance(lowest, int) and isinstance(highest, int) else None


RANGES = {name: limits for name in GuildDefaults.model_fields if (limits := _range(name)) is not None}
"""Lowest and highest value of each number, as `GuildDefaults` declares them."""


def bounds_of(core: Settings) -> dict[str, tuple[int, int]]:
    """Lowest and highest value of each number in RANGES that the operator's own limits leave to a server."""
    highest = {
        "max_seconds": int(core.clip.max_seconds),
        "jobs_per_member": core.inference.max_jobs_per_member,
        "retention_days": core.retention.results_days,
    }
    return {name: (low, max(low, min(high, highest.get(name, high)))) for name, (low, high) in RANGES.items()}


class GuildSettingsStore:
    """Reads and changes servers' settings; what was read stays in memory.

    Attributes:
        bounds: lowest and highest value of each number in RANGES, see `bounds_of`.
    """

    def __init__(self, database: Database, defaults: GuildDefaults, core: Settings) -> None:
        self.bounds = bounds_of(core)
        self._database = database
        self._defaults = GuildSettings(**defaults.model_dump())
        self._known: dict[int, GuildSettings] = {}
        self._locks: KeyedLock[int] = KeyedLock()

    async def of(self, guild_id: int | None) -> GuildSettings:
        """The settings that hold in a server; the defaults for None (direct messages)."""
        if guild_id is None:
            return self._defaults
        if guild_id not in self._known:
            rows = await self._database.fetch(
                "SELECT settings FROM bot_guilds WHERE guild_id = ?", (guild_id,)
            )
            stored = json.loads(rows[0][0]) if rows else {}
            known = {name: value for name, value in stored.items() if name in GuildSettings.model_fields}
            # A change that was made meanwhile is newer than what was read.
            self._known.setdefault(guild_id, self._defaults.changed(**known))
        return self._known[guild_id]

    async def language_of(self, guild_id: int | None) -> str:
        """The language that a server fixed for all replies; "" where it fixed none."""
        return (await self.of(guild_id)).language

    async def change(self, guild_id: int, **changes: Any) -> GuildSettings:
        """Change some settings, all or none; what others change at the same time stays changed.

        Raises GuildSettingError for a wrong value.
        """
        async with self._locks(guild_id):
            changed = (await self.of(guild_id)).changed(**changes)
            defaults = self._defaults.model_dump()
            own = {name: value for name, value in changed.model_dump().items() if value != defaults[name]}
            await self._database.execute(
                "INSERT INTO bot_guilds (guild_id, settings) VALUES (?, ?)"
                " ON CONFLICT (guild_id) DO UPDATE SET settings = excluded.settings",
                (guild_id, json.dumps(own)),
            )
            self._known[guild_id] = changed
            return changed
