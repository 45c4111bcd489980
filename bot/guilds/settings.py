"""What each server has set for itself: typed, validated, kept in the journal's database."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from albumgen_core.errors import AlbumGenError
from albumgen_core.inference.database import Database
from albumgen_core.settings import Settings
from bot.settings import GuildDefaults

LANGUAGES = ("", "en", "de")
"""Reply languages a server may fix; "" follows each member's own."""


RANGES: dict[str, tuple[int, int]] = {
    "max_seconds": (5, 300),
    "cooldown_seconds": (0, 3600),
    "jobs_per_member": (1, 20),
    "retention_days": (1, 3650),
}
"""Lowest and highest value of each number."""


class GuildSettingError(AlbumGenError):
    """A server setting was given a value it cannot have.

    Attributes:
        name: which setting.
        bounds: what it lies between, where it is a number.
    """

    def __init__(self, name: str, problem: str, bounds: tuple[int, int] | None = None) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name
        self.bounds = bounds


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """One server's settings; the defaults come from `[discord.guild_defaults]`.

    Attributes:
        rag: whether /albumgen reasons from kindred albums when the member does not say.
        max_seconds: longest clip, 5 to 300 s.
        cooldown_seconds: pause between a member's requests, 0 to 3600 s.
        jobs_per_member: jobs a member may have waiting or running, 1 to 20.
        channels: ids of the channels the bot may be used in; () means all.
        roles: ids of the roles that may use it; () means everyone.
        pictures: take pictures "any"where, or in "nsfw_channels" only.
        name_artist: whether prompts may name the artist that was guessed.
        language: see LANGUAGES.
        retention_days: how long clips are kept, 1 to 3650 days.
    """

    rag: bool = True
    max_seconds: int = 30
    cooldown_seconds: int = 10
    jobs_per_member: int = 2
    channels: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    pictures: Literal["any", "nsfw_channels"] = "any"
    name_artist: bool = False
    language: str = ""
    retention_days: int = 90

    def __post_init__(self) -> None:
        for name, (lowest, highest) in RANGES.items():
            if not lowest <= (value := getattr(self, name)) <= highest:
                problem = f"must be between {lowest} and {highest}, not {value}."
                raise GuildSettingError(name, problem, (lowest, highest))
        if self.pictures not in ("any", "nsfw_channels"):
            raise GuildSettingError("pictures", "must be any or nsfw_channels.")
        if self.language not in LANGUAGES:
            raise GuildSettingError("language", f"must be one of {', '.join(LANGUAGES[1:])}, or empty.")

    @classmethod
    def from_defaults(cls, defaults: GuildDefaults) -> GuildSettings:
        """A server that has changed nothing yet."""
        return cls(**defaults.model_dump())


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
        self._defaults = GuildSettings.from_defaults(defaults)
        self._known: dict[int, GuildSettings] = {}

    async def of(self, guild_id: int | None) -> GuildSettings:
        """The settings that hold in a server; the defaults for None (direct messages)."""
        if guild_id is None:
            return self._defaults
        if guild_id not in self._known:
            rows = await self._database.fetch(
                "SELECT settings FROM bot_guilds WHERE guild_id = ?", (guild_id,)
            )
            stored = json.loads(rows[0][0]) if rows else {}
            self._known[guild_id] = replace(self._defaults, **_known_fields(stored))
        return self._known[guild_id]

    async def language_of(self, guild_id: int | None) -> str:
        """The language that a server fixed for all replies; "" where it fixed none."""
        return (await self.of(guild_id)).language

    async def change(self, guild_id: int, **changes: Any) -> GuildSettings:
        """Change some settings, all or none. Raises GuildSettingError for a wrong value."""
        changed = replace(await self.of(guild_id), **changes)
        defaults = asdict(self._defaults)
        own = {name: value for name, value in asdict(changed).items() if value != defaults[name]}
        await self._database.execute(
            "INSERT INTO bot_guilds (guild_id, settings) VALUES (?, ?)"
            " ON CONFLICT (guild_id) DO UPDATE SET settings = excluded.settings",
            (guild_id, json.dumps(own)),
        )
        self._known[guild_id] = changed
        return changed


def _known_fields(stored: dict[str, Any]) -> dict[str, Any]:
    """Stored values under names that still exist, lists back as tuples."""
    names = {field.name for field in fields(GuildSettings)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in names
    }
