"""Buttons that never die: their custom_id says what they do and to which clip."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

import discord

from bot.i18n.catalogue import text
from bot.messages.errors import answer_error

PREFIX = "albumgen"
_JOB_ID = r"[0-9a-z-]{1,40}"


class PermanentItem:
    """Base of DynamicItems: acts, and answers whatever goes wrong (discord.py would only log it)."""

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Act. Called by discord.py."""
        try:
            await self.act(interaction)
        except Exception as error:
            await answer_error(interaction, error)

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """What the item does. Raise Refusal to say no."""
        raise NotImplementedError


def chosen_value(interaction: discord.Interaction[Any]) -> str:
    """What was chosen from a permanent menu, "" for nothing.

    The item that discord.py makes anew holds no values; the interaction does.
    """
    data: dict[str, Any] = dict(interaction.data or {})
    return str((data.get("values") or [""])[0])


class JobButton(
    PermanentItem,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=rf"{PREFIX}:base:(?P<job>{_JOB_ID})",
):
    """Base of buttons that act on one job (or bundle).

    A subclass names its action in the class line and gives `emoji`, `label_key`, and `act`:

        class Again(JobButton, action="again"):
            emoji, label_key = "🔁", "button.again"
            async def act(self, interaction): ...

    Register it with `bot.add_dynamic_items(Again)` in its cog's setup.
    """

    emoji: ClassVar[str] = ""
    label_key: ClassVar[str] = ""
    style: ClassVar[discord.ButtonStyle] = discord.ButtonStyle.secondary
    action: ClassVar[str] = "base"

    def __init_subclass__(cls, *, action: str, template: str | None = None, **more: Any) -> None:
        cls.action = action
        pattern = template or rf"{PREFIX}:{action}:(?P<job>{_JOB_ID})"
        super().__init_subclass__(template=pattern, **more)

    def __init__(self, job_id: str, locale: str = "en", *, row: int | None = None) -> None:
        super().__init__(
            discord.ui.Button(
                label=text(locale, self.label_key) if self.label_key else None,
                emoji=self.emoji or None,
                style=self.style,
                custom_id=custom_id(self.action, job_id),
                row=row,
            )
        )
        self.job_id = job_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that was pressed, made anew from its custom_id."""
        return cls(match["job"])


def custom_id(action: str, job_id: str) -> str:
    """At most 100 characters, as Discord allows."""
    return f"{PREFIX}:{action}:{job_id}"


class SafeModal(discord.ui.Modal):
    """A modal whose errors are answered like those of commands."""

    async def on_error(  # type: ignore[override]  # a modal's has no item, which discord.py types as one
        self, interaction: discord.Interaction[Any], error: Exception, /
    ) -> None:
        """See `errors.answer_error`."""
        await answer_error(interaction, error)
