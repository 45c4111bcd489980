"""`/settings`: a server's managers decide how AlbumGen works there; and clips go when the server says so."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands, tasks

from albumgen_core.errors import InferenceError
from bot.guilds.panel import SettingsPanel, panel_for, require_manager
from bot.i18n.catalogue import SOURCE
from bot.privacy.retention import Retention

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

log = logging.getLogger(__name__)


class SettingsCog(commands.Cog):
    """The command, its panel, and the daily round that removes what servers no longer keep."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        core = bot.settings.core
        self.retention = Retention(bot.inference, bot.guild_settings, core.retention.results_days)

    async def cog_load(self) -> None:
        """Hear panels that an earlier process showed, and begin the daily rounds (the first one at once)."""
        defaults = await self.bot.guild_settings.of(None)
        self.bot.add_view(SettingsPanel(defaults, self.bot.guild_settings.bounds, SOURCE, None))
        self.sweep.start()

    async def cog_unload(self) -> None:
        """End the daily rounds."""
        self.sweep.cancel()

    @app_commands.command(
        name="settings",
        description=locale_str("Change how AlbumGen works in this server", key="settings.command"),
    )
    @app_commands.guild_only()
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.default_permissions(manage_guild=True)
    async def settings(self, interaction: discord.Interaction[Any]) -> None:
        """Show the panel to a manager, and to nobody else."""
        guild = require_manager(interaction)
        await interaction.response.send_message(view=await panel_for(interaction, guild), ephemeral=True)

    @tasks.loop(hours=24)
    async def sweep(self) -> None:
        """One round of removals."""
        try:
            await self.retention.enforce()
        except (InferenceError, OSError) as error:
            # A busy journal or a folder that cannot be removed: tomorrow is another day.
            log.warning("clips that servers no longer keep could not be removed: %s", error)


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py when the cog is loaded."""
    await bot.add_cog(SettingsCog(bot))
