"""Where a reply is: edit it, find it again, or make it; through the channel, or the token where it must.

A job's origin says where: `via` is "channel", or "token" for replies that only the interaction's token
reaches (ephemeral ones, and servers or group chats the bot is not in).
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

import discord

from bot.messages.reply import Reply

_TOKEN_SECONDS = 900.0 - 20.0
"""An interaction's token lives 15 minutes; less a margin for the request itself."""

_NONCE_LENGTH = 25
_SEARCHED = 200
"""How many messages after the request are looked through for one of ours."""


def token_deadline(interaction: discord.Interaction[Any]) -> float:
    """When the interaction's token should no longer be used, in seconds since the epoch."""
    return interaction.created_at.timestamp() + _TOKEN_SECONDS


def has_token(origin: Mapping[str, Any]) -> bool:
    """Whether the origin's token still works."""
    return bool(origin.get("token")) and float(origin.get("token_until", 0)) > time.time()


def reaches_channel(interaction: discord.Interaction[Any]) -> bool:
    """Whether the bot itself can see the channel: it is in the server, or it is its own direct message."""
    if interaction.guild_id is not None:
        return interaction.is_guild_integration()
    return interaction.context is not None and interaction.context.dm_channel is True


def webhook(client: discord.Client, origin: Mapping[str, Any]) -> discord.Webhook:
    """The interaction's own webhook."""
    return discord.Webhook.partial(int(origin["application_id"]), str(origin["token"]), client=client)


def channel(client: discord.Client, origin: Mapping[str, Any]) -> discord.PartialMessageable:
    """The channel of the request, without asking Discord about it."""
    return client.get_partial_messageable(int(origin["channel_id"]), guild_id=origin.get("guild_id"))


def nonce(delivery_id: str) -> str:
    """At most 25 characters, distinct for distinct ids (their first character is the least telling)."""
    return delivery_id[-_NONCE_LENGTH:]


async def edit(
    client: discord.Client,
    origin: Mapping[str, Any],
    reply: Reply,
    *,
    message_id: int | None = None,
    files: bool,
) -> None:
    """Make the origin's message say `reply`; with `files` false its attachments stay as they are.

    Raises discord.HTTPException, aiohttp.ClientError.
    """
    message = int(message_id or origin["message_id"])
    changes: dict[str, Any] = {"content": reply.content, "embeds": list(reply.embeds), "view": reply.view}
    if files:
        changes["attachments"] = reply.attachments()
    if origin.get("via") == "token":
        await webhook(client, origin).edit_message(message, **changes)
    else:
        await channel(client, origin).get_partial_message(message).edit(**changes)


async def original_id(client: discord.Client, origin: Mapping[str, Any]) -> int | None:
    """The id of the interaction's own reply, None if it was never sent. Needs a living token."""
    try:
        # The route takes "@original" in the place of an id; the annotation does not know.
        message = await webhook(client, origin).fetch_message("@original")  # type: ignore[arg-type]
    except discord.NotFound:
        return None
    return message.id


async def find(
    target: discord.abc.Messageable, delivery_id: str, job_ids: list[str], since: float
) -> int | None:
    """A message of ours from `since` (seconds since the epoch) on whose buttons name the delivery.

    None where there is none, or where the history may not be read.
    """
    wanted = {delivery_id, *job_ids}
    after = datetime.datetime.fromtimestamp(since - 60, datetime.UTC)
    try:
        async for message in target.history(limit=_SEARCHED, after=after, oldest_first=True):
            if wanted & _named(message):
                return message.id
    except discord.Forbidden:
        return None
    return None


def _named(message: discord.Message) -> set[str]:
    """The ids that a message's buttons name."""
    found = set()
    for row in message.components:
        for part in getattr(row, "children", ()):
            if custom := getattr(part, "custom_id", None):
                found.add(custom.rpartition(":")[2])
    return found
