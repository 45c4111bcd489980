"""The `[discord]` section of config.toml, beside the core's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from albumgen_core.settings import Section, Settings, SettingsSource, find_config, load_settings, read_toml


class GuildDefaults(Section):
    """`[discord.guild_defaults]`: what holds in a server until its managers change it with /settings."""

    rag: bool = True
    cooldown_seconds: int = Field(10, ge=0, le=3600)
    jobs_per_member: int = Field(2, ge=1, le=20)
    max_seconds: int = Field(30, ge=5, le=300)
    pictures: Literal["any", "nsfw_channels"] = "any"
    name_artist: bool = False
    retention_days: int = Field(90, ge=1, le=3650)


class DiscordSettings(SettingsSource):
    """`[discord]`: the bot's own settings; ALBUMGEN_DISCORD__… in the environment."""

    token: SecretStr = SecretStr("")
    owners: tuple[int, ...] = ()
    http_host: str = "127.0.0.1"
    http_port: int = Field(9464, ge=0, le=65535)
    upload_megabytes: float = Field(8.0, gt=0.1, le=100.0)
    progress_interval: float = Field(5.0, ge=0.5, le=60.0)
    guild_defaults: GuildDefaults = GuildDefaults()


@dataclass(frozen=True, slots=True)
class BotSettings:
    """Everything the bot is told.

    Attributes:
        core: the core's settings. discord: the bot's own. path: the file they came from, or None.
    """

    core: Settings
    discord: DiscordSettings
    path: Path | None


def load_bot_settings(path: Path | None = None) -> BotSettings:
    """Read both halves of the configuration. Raises ConfigError naming the wrong key."""
    chosen = path if path is not None else find_config()
    return BotSettings(
        core=load_settings(chosen),
        discord=DiscordSettings.read(read_toml(chosen).get("discord", {}), section="discord"),
        path=chosen,
    )
