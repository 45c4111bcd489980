"""`/status` for the operator: what runs, on what, and what is wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.errors import Refusal
from bot.monitoring.health import Health, examine

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

_GOOD, _BAD = 0x3BA55D, 0xED4245
_GIB = 2**30
_FIELD = 1024


class StatusCog(commands.Cog):
    """The command."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot

    # Discord cannot show a command to single people. "0" hides it from everyone but administrators, and
    # the owner is asked for below; in direct messages anybody may see it, and be refused.
    @app_commands.command(
        name="status",
        description=locale_str("How AlbumGen is doing (for its operator)", key="status.command"),
    )
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.default_permissions()
    async def status(self, interaction: discord.Interaction[Any]) -> None:
        """Show queue, engine, weights, GPU memory, disk and versions to an owner."""
        if not await is_operator(self.bot, interaction.user):
            raise Refusal("status.error.not_owner")
        # Weights and graphics cards are asked of the disk and the driver, which may be slow today.
        await interaction.response.defer(ephemeral=True, thinking=True)
        locale = await locale_of(interaction)
        health = await examine(self.bot, self.bot.inference, self.bot.settings.core)
        await interaction.followup.send(embed=status_embed(health, locale), ephemeral=True)


async def is_operator(bot: AlbumGenBot, user: discord.abc.User) -> bool:
    """Whether somebody is named in `discord.owners`, or owns the application (or is in its team)."""
    return user.id in bot.settings.discord.owners or await bot.is_owner(user)


def status_embed(health: Health, locale: str) -> discord.Embed:
    """The snapshot as members' Discord shows it."""
    state = health.inference
    embed = discord.Embed(title=text(locale, "status.title"), colour=_BAD if _troubled(health) else _GOOD)

    def add(key: str, value: str, *, inline: bool = True) -> None:
        embed.add_field(name=text(locale, f"status.{key}"), value=value[:_FIELD], inline=inline)

    add(
        "queue",
        text(
            locale,
            "status.queue.value",
            queued=state.queued,
            running=len(state.running),
            owed=state.owed_replies,
        ),
    )
    add("workers", _workers(health, locale))
    add("engine", _engine(health, locale), inline=False)
    if health.weights:
        add("weights", _weights(health, locale), inline=False)
    if health.cards:
        add(
            "gpu",
            "\n".join(_card(card.name, card.used, card.total, card.load) for card in health.cards),
            inline=False,
        )
    add(
        "disk",
        text(
            locale,
            "status.disk.value",
            free=_gib(health.free_disk),
            total=_gib(health.total_disk),
            clips=health.clips,
        ),
    )
    add("memory", " + ".join(_gib(size) for size in health.memory) + " GiB")
    latency = "–" if math.isnan(health.latency) else f"{health.latency * 1000:.0f} ms"
    add(
        "discord",
        text(locale, "status.discord.value", servers=health.servers, shards=health.shards, latency=latency),
    )
    add("versions", "\n".join(f"{name} {version}" for name, version in health.versions.items()))
    add("uptime", _span(health.uptime))
    return embed


def _troubled(health: Health) -> bool:
    return health.inference.not_ready is not None or any(each.problem for each in health.weights)


def _workers(health: Health, locale: str) -> str:
    return "\n".join(
        text(
            locale,
            "status.worker",
            number=worker.index + 1,
            state=text(locale, f"status.worker.{worker.state.replace(' ', '_')}"),
            restarts=worker.restarts,
        )
        for worker in health.inference.workers
    )


def _engine(health: Health, locale: str) -> str:
    state = health.inference
    if state.not_ready is not None:
        return text(locale, "status.engine.not_ready", reason=_plain(state.not_ready))
    engine = state.engine
    if not engine:
        return text(locale, "status.engine.warming_up")
    lines = [f"**{engine.get('family', '?')}**"]
    lines += [
        text(locale, f"status.engine.{part}", name=_plain(str(engine[part])))
        for part in ("embedder", "describer", "composer")
        if part in engine
    ]
    if "albums" in engine:
        lines.append(text(locale, "status.engine.albums", count=engine["albums"]))
    return "\n".join([*lines, *(f"⚠️ {_plain(str(notice))}" for notice in engine.get("notices", ()))])


def _weights(health: Health, locale: str) -> str:
    return "\n".join(
        f"❌ {_plain(each.problem)}" if each.problem else f"✅ {each.title}: {_plain(each.model)}"
        for each in health.weights
    )


def _card(name: str, used: int, total: int, load: float | None) -> str:
    busy = "" if load is None else f" · {load:.0%}"
    return f"{_plain(name)}: {_gib(used)} / {_gib(total)} GiB{busy}"


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f}"


def _span(seconds: float) -> str:
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes % 60} min"


def _plain(words: str) -> str:
    return discord.utils.escape_markdown(words)


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py when the cog is loaded."""
    await bot.add_cog(StatusCog(bot))
