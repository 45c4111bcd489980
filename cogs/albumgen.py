"""`/albumgen` and "Imagine this album": a cover in, a clip out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.delivery.controls import CancelButton, DeleteButton
from bot.messages.errors import Refusal
from bot.requests.intake import SEEDS
from bot.requests.options import STYLES, option
from bot.requests.pictures import picture_in

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot


class AlbumGenCog(commands.Cog):
    """The command and the context menu."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.menu = app_commands.ContextMenu(
            name=locale_str("Imagine this album", key="command.imagine"),
            callback=self.imagine,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )

    async def cog_load(self) -> None:
        """Offer the context menu, and hear the buttons of every earlier message."""
        self.bot.tree.add_command(self.menu)
        self.bot.add_dynamic_items(CancelButton, DeleteButton)

    async def cog_unload(self) -> None:
        """Take the context menu back."""
        self.bot.tree.remove_command(self.menu.name, type=self.menu.type)

    @app_commands.command(
        name="albumgen",
        description=locale_str("Hear the music of an album cover", key="command.albumgen"),
    )
    @app_commands.describe(
        image=option("image", "The cover: PNG, JPEG, WebP or GIF"),
        rag=option("rag", "Use albums whose covers look similar"),
        seconds=option("seconds", "Length of the clip in seconds"),
        seed=option("seed", "The same seed gives the same music again"),
        style=option("style", "How the prompt is written"),
        private=option("private", "Only you see the result"),
    )
    @app_commands.rename(rag="similar_albums")
    @app_commands.choices(style=STYLES)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def albumgen(
        self,
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        rag: bool | None = None,
        seconds: app_commands.Range[int, 1, 300] | None = None,
        seed: app_commands.Range[int, 0, SEEDS - 1] | None = None,
        style: str | None = None,
        private: bool = False,
    ) -> None:
        """Queue one clip."""
        requests = self.bot.requests
        context = await requests.context(interaction, private=private)
        await requests.check(context)
        spec = requests.new_spec(
            context,
            rag=rag,
            seconds=None if seconds is None else float(seconds),
            seed=seed,
            prompt_style=style,
        )
        await requests.submit(context, [spec], image)

    async def imagine(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """The same from a right click on a message with a picture."""
        requests = self.bot.requests
        found = picture_in(message)
        if found is None:
            raise Refusal("refusal.no_picture")
        picture, notes = found
        context = await requests.context(interaction)
        await requests.check(context)
        await requests.submit(context, [requests.new_spec(context)], picture, notes=notes)


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(AlbumGenCog(bot))
