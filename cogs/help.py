"""`/albumgen-help`: how it works, and what the attributes mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from albumgen_core.attributes.fields import FIELD, FIELDS
from bot.help.pages import START, attribute_page, page, register_pages
from bot.i18n.reply_language import locale_of
from bot.ui.paginator import Pick, Turn

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

CHOICES = [
    app_commands.Choice(name=locale_str(spec.display_name, key=f"field.{spec.name}"), value=spec.name)
    for spec in FIELDS
]


class HelpCog(commands.Cog):
    """The command. It works wherever the bot can be used, whatever a server's policy is."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Hear the buttons of every earlier page."""
        register_pages()
        self.bot.add_dynamic_items(Turn, Pick)

    @app_commands.command(
        name="albumgen-help",
        description=locale_str("How AlbumGen works, and what each attribute means", key="command.help"),
    )
    @app_commands.describe(
        attribute=locale_str("The attribute you want explained", key="command.help.attribute")
    )
    @app_commands.choices(attribute=CHOICES)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def help(self, interaction: discord.Interaction[Any], attribute: str | None = None) -> None:
        """Show the page to the one who asks."""
        locale = await locale_of(interaction)
        if attribute is None:
            reply = await page(self.bot.tree, START, locale)
        else:
            reply = attribute_page(FIELD[attribute], locale)
        assert reply.view is not None
        await interaction.response.send_message(embeds=list(reply.embeds), view=reply.view, ephemeral=True)


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py when the cog is loaded."""
    await bot.add_cog(HelpCog(bot))
