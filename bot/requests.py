"""From a member's wish to a journalled job: may they, what picture, and which reply they will get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import discord

from albumgen_core.inference.jobs import JobSpec

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on Discord's CDN."""

    url: str
    size: int = 0
    content_type: str | None = None

    @classmethod
    def of(cls, attachment: discord.Attachment) -> Picture:
        """From an attachment."""
        return cls(attachment.url, attachment.size, attachment.content_type)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, where, and how they can be answered: made from an interaction or from a reaction.

    Attributes:
        user_id, channel_id, guild_id: Discord's ids; guild_id None in direct messages.
        locale: language of the replies.
        interaction: what to answer; None for reactions.
        reply_to: for reactions, the message to reply to.
        private: whether only the member may see the reply (needs an interaction).
    """

    user_id: int
    channel_id: int
    guild_id: int | None
    locale: str
    interaction: discord.Interaction[Any] | None = None
    reply_to: int | None = None
    private: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The queue's group: the guild's id, or dm:<user id>."""
        return str(self.guild_id) if self.guild_id is not None else f"dm:{self.user_id}"

    @property
    def member(self) -> str:
        """The queue's member: the user's id."""
        return str(self.user_id)


class Requests:
    """Checks, pictures, submissions."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot

    async def asker(self, interaction: discord.Interaction[Any], *, private: bool = False) -> Asker:
        """Who used a command, a button or a modal."""
        return Asker(
            user_id=interaction.user.id,
            channel_id=interaction.channel_id or 0,
            guild_id=interaction.guild_id,
            locale=await self.bot.locale_of(interaction),
            interaction=interaction,
            private=private,
        )

    async def check(self, interaction: discord.Interaction[Any], *, jobs: int = 1) -> None:
        """Whether this member may ask for `jobs` clips here and now. Raises Refusal."""

    async def fetch_cover(self, picture: discord.Attachment | Picture) -> bytes:
        """Download and check a picture; returns the checked cover as a PNG. Raises CoverError, Refusal."""
        raise NotImplementedError

    async def base_spec(self, asker: Asker, **changes: Any) -> JobSpec:
        """A new job with the server's defaults: rag, seconds, seed, style, group and member."""
        raise NotImplementedError

    async def submit(
        self,
        asker: Asker,
        specs: Sequence[JobSpec],
        cover: discord.Attachment | Picture | bytes,
        *,
        kind: str = "take",
    ) -> None:
        """Show the queue message, journal the jobs and follow them. Never raises for a refused picture or a
        full queue: those become the message's text.
        """
        raise NotImplementedError
