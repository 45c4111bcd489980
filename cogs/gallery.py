"""`/gallery` and `/history`, and the ⭐ that decide what the gallery shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.gallery import history, pages
from bot.gallery.star_recovery import StarRecovery
from bot.gallery.stars import STAR, Stars
from bot.ui.paginator import Pick, Turn

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot


class GalleryCog(commands.Cog):
    """The commands, and the ears for stars."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.stars = bot.services[Stars]
        self.watch = bot.services[StarRecovery]

    async def cog_load(self) -> None:
        """Hear the arrows and menus of every earlier message."""
        pages.register_pages()
        history.register_pages()
        self.bot.add_dynamic_items(Turn, Pick, history.HistoryAgain)

    @app_commands.command(
        name="gallery",
        description=locale_str("The clips that this server has starred most", key="command.gallery"),
    )
    @app_commands.guild_only()
    @app_commands.allowed_installs(guilds=True, users=False)
    async def gallery(self, interaction: discord.Interaction[Any]) -> None:
        """Show the first page to the one who asks."""
        await pages.open_gallery(interaction)

    @app_commands.command(
        name="history",
        description=locale_str("Your own clips and what became of them", key="command.history"),
    )
    @app_commands.describe(
        everywhere=locale_str(
            "Show clips from everywhere, not only from here", key="command.history.everywhere"
        )
    )
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def history(self, interaction: discord.Interaction[Any], everywhere: bool = False) -> None:
        """Show the first page to the one who asks."""
        scope = history.EVERYWHERE if everywhere else history.HERE
        await history.show_page(interaction, f"{scope}0")

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """A new session: stars may have come and gone unheard."""
        self.watch.new_session()

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """A star counts for results in servers."""
        bot_reacted = event.member is not None and event.member.bot
        if bot_reacted or not await self._is_star(event):
            return
        await self.stars.add(event.message_id, event.user_id)
        self.watch.heard(event.message_id)

    @commands.Cog.listener()
    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        """And not any more when it is taken back."""
        if await self._is_star(event):
            await self.stars.remove(event.message_id, event.user_id)
            self.watch.heard(event.message_id)

    @commands.Cog.listener()
    async def on_raw_reaction_clear(self, event: discord.RawReactionClearEvent) -> None:
        """A moderator removed all reactions."""
        await self._clear(event.message_id)

    @commands.Cog.listener()
    async def on_raw_reaction_clear_emoji(self, event: discord.RawReactionClearEmojiEvent) -> None:
        """A moderator removed all stars."""
        if str(event.emoji) == STAR:
            await self._clear(event.message_id)

    async def _clear(self, message_id: int) -> None:
        if await self.bot.messages.find(message_id) is not None:
            await self.stars.replace(message_id, ())
            self.watch.heard(message_id)

    async def _is_star(self, event: discord.RawReactionActionEvent) -> bool:
        """Whether this is somebody's star on a result."""
        if str(event.emoji) != STAR or self.bot.user is None or event.user_id == self.bot.user.id:
            return False
        known = await self.bot.messages.find(event.message_id)
        return (
            known is not None
            and known.guild_id is not None
            and known.delivered_at is not None
            and not known.deleted
        )


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py when the cog is loaded."""
    await bot.add_cog(GalleryCog(bot))
