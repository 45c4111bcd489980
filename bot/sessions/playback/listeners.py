"""Who sits in a voice channel, who of them hears, and who is a bot."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import discord

log = logging.getLogger(__name__)

VoiceRoom = discord.VoiceChannel | discord.StageChannel


@dataclass(frozen=True, slots=True)
class Listener:
    """A member in the channel: display name (untrusted text), and whether they are not deafened."""

    name: str
    hears: bool


class Audience:
    """The members of a channel without bots.

    Discord names members along with their voice states, and the client keeps those; who is not among them
    (after an outage) is asked for once.
    """

    def __init__(self) -> None:
        self._asked: dict[int, tuple[str, bool]] = {}

    async def of(self, channel: VoiceRoom) -> dict[int, Listener]:
        """Listeners by user id."""
        found: dict[int, Listener] = {}
        for user_id, state in list(channel.voice_states.items()):
            name, is_bot = await self._who(channel.guild, user_id)
            if not is_bot:
                found[user_id] = Listener(name, not (state.deaf or state.self_deaf))
        return found

    async def _who(self, guild: discord.Guild, user_id: int) -> tuple[str, bool]:
        """Display name, and whether it is a bot."""
        if user_id == guild.me.id:
            return guild.me.display_name, True
        member = guild.get_member(user_id)
        if member is None and user_id in self._asked:
            return self._asked[user_id]
        if member is None:
            try:
                member = await guild.fetch_member(user_id)
            except discord.HTTPException as error:
                log.info("the listener %s cannot be looked up: %s", user_id, error.status)
                self._asked[user_id] = "", False  # a person, until something says otherwise
                return self._asked[user_id]
        self._asked[user_id] = member.display_name, member.bot
        return self._asked[user_id]
