"""Who asks for what, where, and what holds there: made once from an interaction or a reaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import discord

from bot.guilds.policy import ChannelContext
from bot.guilds.settings import GuildSettings


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request of a member.

    Attributes:
        user_id, channel_id, guild_id: Discord's ids; guild_id None in direct messages.
        locale: language of the replies.
        guild: the server's settings; the defaults in direct messages.
        longest: the longest clip that may be asked for, in seconds.
        where: the channel as the server's policy sees it; None where the policy was checked elsewhere.
        interaction: what to answer; None for reactions and chat messages.
        reply_to: for reactions, the message to reply to.
        private: whether only the member may see the reply (needs an interaction).
    """

    user_id: int
    channel_id: int
    guild_id: int | None
    locale: str
    guild: GuildSettings
    longest: float
    where: ChannelContext | None = None
    interaction: discord.Interaction[Any] | None = None
    reply_to: int | None = None
    private: bool = False

    @property
    def group(self) -> str:
        """The queue's group: the guild's id, or dm:<user id>."""
        return str(self.guild_id) if self.guild_id is not None else f"dm:{self.user_id}"

    @property
    def member(self) -> str:
        """The queue's member: the user's id."""
        return str(self.user_id)
