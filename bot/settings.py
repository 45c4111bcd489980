"""The `[discord]` section of config.toml, beside the core's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from albumgen_core.settings import Section, Settings, SettingsSource, find_config, load_settings, read_toml


class GuildDefaults(Section):
    """`[discord.guild_defaults]`: what holds in a server until its managers change it with /settings.

    Attributes:
        rag: whether /albumgen reasons from similar albums when the member does not say.
        cooldown_seconds: pause between a member's requests.
        jobs_per_member: jobs a member may have waiting or running.
        max_seconds: longest clip.
        pictures: take pictures "any"where, or in age-restricted channels ("nsfw_channels") only.
        name_artist: whether prompts may name the artist that was guessed.
        retention_days: how long clips are kept.
    """

    rag: bool = True
    cooldown_seconds: int = Field(10, ge=0, le=3600)
    jobs_per_member: int = Field(2, ge=1, le=20)
    max_seconds: int = Field(30, ge=5, le=300)
    pictures: Literal["any", "nsfw_channels"] = "any"
    name_artist: bool = False
    retention_days: int = Field(90, ge=1, le=3650)


class SessionSettings(Section):
    """`[discord.sessions]`: what listening sessions may cost, and how they behave.

    Attributes:
        max_total: sessions that run at the same time, in all servers together.
        max_per_guild: sessions that are planned or run in one server (one of them plays: Discord lets a bot
            be in one voice channel of a server).
        max_covers: covers in one session. entries_per_member: of one member, where rounds are open.
        ahead: covers that are composed or ready before their turn.
        empty_pause_seconds: how long nobody may listen before playback holds; empty_end_seconds: before the
            session ends.
        idle_end_seconds: how long a session waits for more covers when all were played.
        crossfade_seconds: by how much covers that follow each other overlap; 0 for none, without a gap.
        skip_share: share of those who hear that skips what plays.
        vote_covers: a cover can be voted on until so many further ones have begun.
        own_votes: whether members may vote for the covers they brought.
        public_url: address under which the bot's HTTP port is reached from outside, to serve recap pages and
            mixtapes instead of attaching them; "" to attach them.
    """

    max_total: int = Field(20, ge=1, le=1000)
    max_per_guild: int = Field(5, ge=1, le=100)
    max_covers: int = Field(200, ge=1, le=1000)
    entries_per_member: int = Field(20, ge=1, le=200)
    ahead: int = Field(3, ge=1, le=20)
    empty_pause_seconds: float = Field(20.0, ge=0.0, le=3600.0)
    empty_end_seconds: float = Field(300.0, ge=1.0, le=86400.0)
    idle_end_seconds: float = Field(900.0, ge=1.0, le=86400.0)
    crossfade_seconds: float = Field(0.0, ge=0.0, le=10.0)
    skip_share: float = Field(0.5, gt=0.0, le=1.0)
    vote_covers: int = Field(2, ge=1, le=100)
    own_votes: bool = True
    public_url: str = Field("", pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$", max_length=200)


class DiscordSettings(SettingsSource):
    """`[discord]`: the bot's own settings; ALBUMGEN_DISCORD__… in the environment."""

    token: SecretStr = SecretStr("")
    owners: tuple[int, ...] = ()
    http_host: str = "127.0.0.1"
    http_port: int = Field(9464, ge=0, le=65535)
    upload_megabytes: float = Field(8.0, gt=0.1, le=100.0)
    progress_interval: float = Field(5.0, ge=0.5, le=60.0)
    message_content: bool = False
    guild_defaults: GuildDefaults = GuildDefaults()
    sessions: SessionSettings = SessionSettings()


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
        discord=DiscordSettings.read(read_toml(chosen).get("discord", {}), section="discord", file=chosen),
        path=chosen,
    )
