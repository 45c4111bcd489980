"""`/stats`: what a server has heard, and whether its listeners prefer RAG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.comparisons.votes import Comparisons, Preference, Tally
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.embeds import DONE, bar, duration, plain
from bot.monitoring.statistics import Statistics, statistics

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

_GENRES = 5


class StatsCog(commands.Cog):
    """The command."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot

    @app_commands.command(
        name="stats",
        description=locale_str(
            "What this server has heard, and whether similar albums are preferred", key="command.stats"
        ),
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def stats(self, interaction: discord.Interaction[Any]) -> None:
        """In a server where the bot lives: its figures. Anywhere else: the member's own, to them alone."""
        locale = await locale_of(interaction)
        votes = self.bot.services[Comparisons]
        guild = interaction.guild if interaction.is_guild_integration() else None
        await interaction.response.defer(ephemeral=guild is None)
        if guild is not None:
            told = await statistics(self.bot.database, guild_id=guild.id)
            embed = stats_embed(told, await votes.of_guild(guild.id), locale)
            embed.title = text(locale, "stats.title", server=plain(guild.name, 60))
        else:
            told = await statistics(self.bot.database, user_id=interaction.user.id)
            embed = stats_embed(told, await votes.of_user(interaction.user.id), locale, own=True)
            embed.title = text(locale, "stats.title.own")
        await interaction.followup.send(embed=embed, ephemeral=guild is None)


def stats_embed(told: Statistics, tally: Tally, locale: str, *, own: bool = False) -> discord.Embed:
    """Counts, times, genres and the tally. `own`: they are one member's."""
    embed = discord.Embed(colour=DONE)
    if not told.clips:
        embed.description = text(locale, "stats.nothing")
    else:
        embed.description = text(
            locale,
            "stats.counts.own" if own else "stats.counts",
            clips=told.clips,
            covers=told.covers,
            members=told.members,
            minutes=f"{told.seconds / 60:.1f}",
            stars=told.stars,
            rag=f"{told.with_rag / told.clips:.0%}",
        )
    if told.wait is not None and told.making is not None:
        words = text(
            locale,
            "stats.times.value",
            wait=duration(told.wait, locale),
            making=duration(told.making, locale),
        )
        embed.add_field(name=text(locale, "stats.times"), value=words)
    if told.engines:
        words = " · ".join(f"{family} {count}" for family, count in told.engines)
        embed.add_field(name=text(locale, "stats.engines"), value=words)
    if told.genres:
        embed.add_field(name=text(locale, "stats.genres"), value=_genres(told), inline=False)
    embed.add_field(name=text(locale, "stats.rag"), value=_tally(tally, locale), inline=False)
    return embed


def _genres(told: Statistics) -> str:
    shown = told.genres[:_GENRES]
    width, most = max(len(genre) for genre, _ in shown), shown[0][1]
    lines = [f"{genre:<{width}} {bar(count / most)} {count}" for genre, count in shown]
    return "```\n" + "\n".join(lines) + "\n```"


def _tally(tally: Tally, locale: str) -> str:
    if tally.preference is Preference.NO_VOTES:
        return text(locale, "stats.rag.no_votes")
    labels = {name: text(locale, f"stats.rag.{name}") for name in ("with", "without", "same")}
    width = max(map(len, labels.values()))
    counts = zip(labels.values(), (tally.rag, tally.without, tally.same), strict=True)
    lines = [f"{label:<{width}} {bar(count / tally.votes)} {count}" for label, count in counts]
    words = "```\n" + "\n".join(lines) + "\n```\n" + text(locale, f"stats.rag.verdict.{tally.preference}")
    if tally.share is None or tally.interval is None or tally.p_value is None:
        return words
    low, high = tally.interval
    return f"{words}\n" + text(
        locale,
        "stats.rag.figures",
        share=f"{tally.share:.0%}",
        low=f"{low:.0%}",
        high=f"{high:.0%}",
        p="< 0.001" if tally.p_value < 0.001 else f"= {tally.p_value:.3f}",
    )


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(StatsCog(bot))
