"""Who sits in a voice channel, who of them hears, and who is a bot."""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import dataclass

import discord

from bot.sessions.state.votes import is_skipped, skips_needed

log = logging.getLogger(__name__)

SessionChannel = discord.VoiceChannel | discord.StageChannel


@dataclass(frozen=True, slots=True)
class Listener:
    """A member in the channel: display name (untrusted text), and whether they are not deafened."""

    name: str
    hears: bool


class Audience:
    """The members of a channel without bots.

    Discord names members along with their voice states, and the client keeps those; who is not among them
    (after an outage) is asked for once.

    Args:
        skip_share: share of those who hear that skips what plays, 0 to 1.

    Attributes:
        present: listeners by user id, as of the last `update`.
    """

    def __init__(self, skip_share: float) -> None:
        self._skip_share = skip_share
        self._asked: dict[int, tuple[str, bool]] = {}
        self.present: dict[int, Listener] = {}

    @property
    def hearing(self) -> frozenset[int]:
        """User ids of those who are not deafened."""
        return frozenset(user_id for user_id, listener in self.present.items() if listener.hears)

    @property
    def skips_needed(self) -> int:
        """Votes that skip what plays."""
        return skips_needed(len(self.hearing), self._skip_share)

    def skips(self, voters: Set[int]) -> bool:
        """Whether enough of those who hear want to skip."""
        return bool(voters) and is_skipped(voters, self.hearing, self._skip_share)

    async def update(self, channel: SessionChannel) -> None:
        """Look who is in the channel."""
        found: dict[int, Listener] = {}
        for user_id, state in list(channel.voice_states.items()):
            name, is_bot = await self._who(channel.guild, user_id)
            if not is_bot:
                found[user_id] = Listener(name, not (state.deaf or state.self_deaf))
        self.present = found

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
