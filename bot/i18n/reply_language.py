"""The language of a reply: what the server fixed, else the member's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.i18n.catalogue import language_of
from bot.services import services_of


class ReplyLanguage:
    """Chooses the language of replies to interactions.

    Args:
        fixed: the language that a server (by its id; None in direct messages) fixed, "" where it fixed none.
    """

    def __init__(self, fixed: Callable[[int | None], Awaitable[str]]) -> None:
        self._fixed = fixed

    async def of(self, interaction: discord.Interaction[Any]) -> str:
        """A language of the catalogues."""
        return await self._fixed(interaction.guild_id) or language_of(interaction.locale)


async def locale_of(interaction: discord.Interaction[Any]) -> str:
    """The language in which to reply to an interaction."""
    return await services_of(interaction)[ReplyLanguage].of(interaction)
