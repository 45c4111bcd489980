"""`/privacy show` and `/privacy forget-me`: what is kept about a member, and how it goes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.embeds import DONE, FAILED, WAITING
from bot.messages.errors import Refusal
from bot.messages.reply import Reply
from bot.privacy.erasure import Erasure
from bot.privacy.report import export, report
from bot.services import services_of
from bot.ui.paginator import Turn, defer, register, show

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

log = logging.getLogger(__name__)

ROOM = "forget"
HERE, EVERYWHERE, NO = "here", "everywhere", "no"


@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
class PrivacyCog(
    commands.GroupCog,
    group_name="privacy",
    group_description=locale_str("What is kept about you, and how to delete it", key="command.privacy"),
):
    """The two commands. They work wherever the bot can be used, whatever a server's policy is."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Hear the buttons, those of earlier processes too."""
        register(ROOM, forget)
        self.bot.add_dynamic_items(Turn)

    @app_commands.command(
        name="show", description=locale_str("What AlbumGen keeps about you", key="command.privacy.show")
    )
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Tell the member, and nobody else; all of it comes as a file."""
        await defer(interaction)
        locale = await locale_of(interaction)
        told = await self.bot.erasure.tell(interaction.user.id, None)
        file = await asyncio.to_thread(export, told, interaction.user.id)
        embed = await report(self.bot, told, self.bot.settings.core.retention.results_days, locale)
        await show(interaction, Reply(embeds=[embed], files=[file]), locale)

    @app_commands.command(
        name="forget-me",
        description=locale_str("Delete everything AlbumGen keeps about you", key="command.privacy.forget"),
    )
    async def forget_me(self, interaction: discord.Interaction[Any]) -> None:
        """Say what would happen, and ask."""
        locale = await locale_of(interaction)
        embed = discord.Embed(
            title=text(locale, "privacy.forget.title"),
            description=text(locale, "privacy.forget.what"),
            colour=FAILED,
        )
        view = discord.ui.View(timeout=None)
        danger = discord.ButtonStyle.danger
        if interaction.guild_id is not None:
            view.add_item(Turn(ROOM, HERE, label=text(locale, "privacy.forget.here"), style=danger))
        view.add_item(Turn(ROOM, EVERYWHERE, label=text(locale, "privacy.forget.everywhere"), style=danger))
        view.add_item(Turn(ROOM, NO, label=text(locale, "privacy.forget.no")))
        await interaction.response.send_message(embed=embed, view=view, ephemeral=True)


async def forget(interaction: discord.Interaction[Any], scope: str) -> None:
    """A button of `/privacy forget-me` was pressed by the member to whom it was shown."""
    locale = await locale_of(interaction)
    if scope == NO:
        embed = discord.Embed(description=text(locale, "privacy.forget.kept"), colour=WAITING)
        await interaction.response.edit_message(embed=embed, view=None)
        return
    guild_id = interaction.guild_id if scope == HERE else None
    if scope == HERE and guild_id is None:
        raise Refusal("refusal.server_only")
    # Noted before it is promised: whatever dies now, it will happen.
    erasure = services_of(interaction)[Erasure]
    wish = await erasure.wish(interaction.user.id, guild_id)
    embed = discord.Embed(description=text(locale, "privacy.forget.going"), colour=WAITING)
    try:
        await interaction.response.edit_message(embed=embed, view=None)
    except (discord.HTTPException, aiohttp.ClientError) as error:
        log.info("a member who is being forgotten could not be told: %s", error)
    try:
        await erasure.carry_out(wish, interaction.user.id, guild_id)
    except Exception:
        log.exception("a member could not be forgotten at once; it is tried again")
        embed = discord.Embed(description=text(locale, "privacy.forget.later"), colour=FAILED)
    else:
        key = "privacy.forget.done.here" if scope == HERE else "privacy.forget.done"
        embed = discord.Embed(description=text(locale, key), colour=DONE)
    try:
        await interaction.edit_original_response(embed=embed)
    except (discord.HTTPException, aiohttp.ClientError) as error:
        log.info("a member who was forgotten could not be told: %s", error)


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py when the cog is loaded."""
    await bot.add_cog(PrivacyCog(bot))
