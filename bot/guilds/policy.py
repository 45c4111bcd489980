"""Who may ask for a clip, where, how often; decided before any work is done."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Self

import discord

from albumgen_core.inference.database import Database
from bot.guilds.settings import GuildSettings
from bot.messages.errors import Refusal

_NEEDED = ("view_channel", "embed_links", "attach_files", "read_message_history")
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """Where a request is made.

    Attributes:
        channel_ids: the channel's, and its parent's for threads.
        is_thread: whether it is a thread.
        is_nsfw: whether it is marked as age-restricted.
        permissions: the bot's own there; None where they do not matter (direct messages, private replies).
        role_ids: the member's roles.
    """

    channel_ids: frozenset[int]
    is_thread: bool
    is_nsfw: bool
    permissions: discord.Permissions | None
    role_ids: frozenset[int]

    @classmethod
    def of_interaction(
        cls, interaction: discord.Interaction[Any], *, with_permissions: bool
    ) -> ChannelContext:
        """Where a command or button was used."""
        return cls.of_channel(
            interaction.channel,
            interaction.user,
            interaction.app_permissions if with_permissions else None,
        )

    @classmethod
    def of_channel(cls, channel: Any, user: Any, permissions: discord.Permissions | None) -> Self:
        """Where somebody reacted."""
        ids = {getattr(channel, "id", 0), getattr(channel, "parent_id", None) or 0}
        nsfw = getattr(channel, "is_nsfw", None)
        try:
            is_nsfw = bool(nsfw()) if nsfw is not None else False
        except discord.ClientException:  # a thread whose parent is not known
            is_nsfw = False
        return cls(
            channel_ids=frozenset(ids),
            is_thread=isinstance(channel, discord.Thread),
            is_nsfw=is_nsfw,
            permissions=permissions,
            role_ids=frozenset(role.id for role in getattr(user, "roles", ())),
        )


def check_place(where: ChannelContext, guild: GuildSettings) -> None:
    """The server's policy and the bot's permissions. Raises Refusal."""
    if guild.channels and not where.channel_ids & set(guild.channels):
        places = " ".join(f"<#{channel}>" for channel in guild.channels[:8])
        raise Refusal("refusal.wrong_channel", channels=places)
    if guild.roles and not where.role_ids & set(guild.roles):
        raise Refusal("refusal.wrong_role", roles=" ".join(f"<@&{role}>" for role in guild.roles[:8]))
    if guild.pictures == "nsfw_channels" and not where.is_nsfw:
        raise Refusal("refusal.nsfw_only")
    if where.permissions is not None:
        check_permissions(where.permissions, is_thread=where.is_thread)


def check_permissions(permissions: discord.Permissions, *, is_thread: bool) -> None:
    """What a result needs in its channel. Raises Refusal naming the first thing that is missing."""
    sending = "send_messages_in_threads" if is_thread else "send_messages"
    for name in (*_NEEDED, sending):
        if not getattr(permissions, name) and not permissions.administrator:
            raise Refusal("refusal.bot_permission", permission=name)


class Cooldowns:
    """When each member last asked, in memory: a restart forgives."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], float] = {}

    def check(self, group: str, member: str, seconds: float) -> None:
        """Raises Refusal with the time that is left."""
        left = self._last.get((group, member), -math.inf) + seconds - time.monotonic()
        if left > 0:
            raise Refusal("refusal.cooldown", seconds=math.ceil(left))

    def note(self, group: str, member: str) -> None:
        """They have asked now."""
        self._last.pop((group, member), None)
        self._last[group, member] = time.monotonic()
        if len(self._last) > _REMEMBERED:
            self._last.pop(next(iter(self._last)))


async def check_share(database: Database, group: str, member: str, jobs: int, limit: int) -> None:
    """A member's jobs on the way, with `jobs` more. Raises Refusal."""
    rows = await database.fetch(
        "SELECT count(*) FROM jobs WHERE group_key = ? AND member_key = ?"
        " AND state IN ('received', 'queued', 'running')",
        (group, member),
    )
    if int(rows[0][0]) + jobs > max(limit, jobs):
        raise Refusal("refusal.queue_member", limit=limit)
