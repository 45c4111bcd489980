"""The end of a listening session: its recap is sent, and its files go when their time has come."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from discord.ext import commands, tasks

from bot.sessions.recap.sender import RecapSender

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

log = logging.getLogger(__name__)


class SessionEndCog(commands.Cog):
    """Listens for ends.

    Attributes:
        endings: sends the recaps.
    """

    def __init__(self, bot: AlbumGenBot) -> None:
        self.endings = RecapSender(bot, bot.settings, bot.sessions.store, bot.guild_settings)
        bot.sessions.on_end(self.endings.finish)

    async def cog_load(self) -> None:
        """Begin to look for what is too old."""
        self.tidy.start()

    async def cog_unload(self) -> None:
        """Stop looking."""
        self.tidy.cancel()

    @tasks.loop(hours=1)
    async def tidy(self) -> None:
        """Remove what has outlived its server's retention."""
        try:
            if gone := await self.endings.expire():
                log.info("removed the recap files of %d sessions", gone)
        except Exception:
            log.exception("old recap files could not be removed; trying again in an hour")


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(SessionEndCog(bot))
