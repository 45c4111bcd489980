"""Arrows and menus that turn pages and never die: their custom_id says which room, and where to.

A room registers what is done when one is used:

    register("gallery", show_page)        # async (interaction, "3")
    view.add_item(Turn("gallery", "3", emoji="▶️"))
    view.add_item(Pick("gallery-play", "3", options, placeholder))   # the handler gets the chosen value
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

import aiohttp
import discord

from bot.messages.http_errors import ErrorKind, classify
from bot.messages.reply import Reply
from bot.messages.shrink import SHRINK_STEPS, shrunk
from bot.ui.buttons import PREFIX, PermanentItem, chosen_value

Handler = Callable[[discord.Interaction[Any], str], Awaitable[None]]
"""(interaction, where to or what was chosen). May raise Refusal."""

_HANDLERS: dict[str, Handler] = {}
_ROOM = r"(?P<room>[a-z-]{1,20})"
_TO = r"(?P<to>[0-9a-z.-]{0,40})"
MOST_OPTIONS = 25


def register(room: str, handler: Handler) -> None:
    """What a room's arrows or menus do."""
    _HANDLERS[room] = handler


class Turn(
    PermanentItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"{PREFIX}:turn:{_ROOM}:{_TO}:[a-z]*",
):
    """A button that shows another page.

    Args:
        room: whose handler is called. to: what it is given.
        mark: distinguishes buttons of one message that lead to the same place.
        disabled: there is no such page.
    """

    def __init__(
        self,
        room: str,
        to: str,
        *,
        emoji: str | None = None,
        label: str | None = None,
        mark: str = "",
        disabled: bool = False,
        row: int | None = None,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    ) -> None:
        super().__init__(
            discord.ui.Button(
                style=style,
                emoji=emoji,
                label=label,
                custom_id=f"{PREFIX}:turn:{room}:{to}:{mark}",
                disabled=disabled,
                row=row,
            )
        )
        self.room, self.to = room, to

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that was pressed."""
        return cls(match["room"], match["to"], label="…")

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Turn."""
        await _HANDLERS[self.room](interaction, self.to)


class Pick(
    PermanentItem,
    discord.ui.DynamicItem[discord.ui.Select[Any]],
    template=rf"{PREFIX}:pick:{_ROOM}:{_TO}",
):
    """A menu from which one thing is chosen.

    Args:
        room: whose handler is called, with the chosen option's value.
        to: distinguishes menus of one message.
        options: 1 to 25 of them.
    """

    def __init__(
        self,
        room: str,
        to: str,
        options: Sequence[discord.SelectOption] = (),
        placeholder: str | None = None,
        row: int | None = None,
    ) -> None:
        menu: discord.ui.Select[Any] = discord.ui.Select(
            custom_id=f"{PREFIX}:pick:{room}:{to}",
            options=list(options)[:MOST_OPTIONS] or [discord.SelectOption(label="…")],
            placeholder=placeholder and placeholder[:150],
            row=row,
        )
        super().__init__(menu)
        self.room, self.to = room, to

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The menu that was used."""
        return cls(match["room"], match["to"])

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Show what was chosen."""
        await _HANDLERS[self.room](interaction, chosen_value(interaction))


def arrows(view: discord.ui.View, room: str, page: int, pages: int, *, scope: str = "", row: int = 0) -> None:
    """Add ◀ and ▶ around a page (0 is the first) where there is more than one."""
    if pages > 1:
        for emoji, to, mark in (("◀️", page - 1, "back"), ("▶️", page + 1, "on")):
            lost = not 0 <= to < pages
            place = f"{scope}{max(0, min(to, pages - 1))}"
            view.add_item(Turn(room, place, emoji=emoji, mark=mark, disabled=lost, row=row))


async def show(interaction: discord.Interaction[Any], reply: Reply, locale: str) -> None:
    """Make a deferred interaction's reply (or the message it sits on) say this, smaller where it must be.

    Raises discord.HTTPException, aiohttp.ClientError, OSError where a file is gone.
    """
    loaded = await reply.loaded()
    for step in range(SHRINK_STEPS):
        try:
            await _edit(interaction, loaded)
            return
        except discord.HTTPException as error:
            if classify(error) is not ErrorKind.TOO_LARGE:
                raise
            loaded = await shrunk(loaded, step, locale)
    await _edit(interaction, loaded)


async def _edit(interaction: discord.Interaction[Any], reply: Reply) -> None:
    for attempt in range(3):
        try:
            await interaction.edit_original_response(
                content=reply.content,
                embeds=list(reply.embeds),
                attachments=reply.attachments(),
                view=reply.view,
            )
            return
        except (aiohttp.ClientError, OSError):
            if attempt == 2:
                raise


async def defer(interaction: discord.Interaction[Any]) -> None:
    """Acknowledge: a command with a reply that only its member sees, a component silently."""
    if interaction.type is discord.InteractionType.component:
        await interaction.response.defer()
    else:
        await interaction.response.defer(ephemeral=True, thinking=True)
