"""The first reply to a request: the message that says it is in line, and becomes its result."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
import discord

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.events import JobEvent
from albumgen_core.jobs.spec import JobSpec
from bot.delivery.progress import queue_view
from bot.i18n.catalogue import text
from bot.messages import targets
from bot.messages.embeds import progress_embed
from bot.requests.context import RequestContext
from bot.requests.pictures import Picture

log = logging.getLogger(__name__)

_TRIES = 3
_SECONDS = 8.0
"""One try may take this long."""


class QueueMessageSender:
    """Answers interactions and reactions with a queue message."""

    def __init__(self, client: discord.Client, inference: InferenceClient) -> None:
        self._client, self._inference = client, inference

    async def send(
        self, context: RequestContext, specs: Sequence[JobSpec], picture: Picture | bytes
    ) -> int | None:
        """The queue message's id; None where it could not be sent (its reply will be a new message)."""
        delivery_id, origin = delivery_id_of(specs), specs[0].origin
        status = await self._inference.status()
        ahead = status.queued + len(status.running)
        event = JobEvent(specs[0].job_id, "queued", position=status.queued + 1 if ahead else None)
        embed = progress_embed(event, origin, context.locale)
        if status.not_ready is not None:
            embed.add_field(name="\u200b", value=text(context.locale, "progress.not_ready"))
        for attempt in range(_TRIES):
            more: dict[str, Any] = {"embed": embed, "view": queue_view(delivery_id, context.locale)}
            if isinstance(picture, bytes):
                more["file"] = _cover_file(picture)
            try:
                async with asyncio.timeout(_SECONDS):
                    return await self._send(context, delivery_id, more)
            except discord.HTTPException as error:
                if error.code == 40060:  # an earlier try had arrived
                    return await targets.original_id(self._client, origin)
                log.warning(
                    "the queue message of %s was refused: %s", delivery_id, error.text or error.status
                )
                if error.status < 500:
                    return None
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("the queue message of %s: %s", delivery_id, type(error).__name__)
            await asyncio.sleep(0.2 * 2**attempt)
        return None

    async def _send(self, context: RequestContext, delivery_id: str, more: dict[str, Any]) -> int | None:
        interaction = context.interaction
        if interaction is None:
            target = self._client.get_partial_messageable(context.channel_id, guild_id=context.guild_id)
            if context.reply_to is not None:
                more["reference"] = discord.MessageReference(
                    message_id=context.reply_to,
                    channel_id=context.channel_id,
                    guild_id=context.guild_id,
                    fail_if_not_exists=False,
                )
                more["mention_author"] = False
            message = await target.send(nonce=targets.nonce(delivery_id), **more)
            return message.id
        if interaction.response.is_done():
            followup = await interaction.followup.send(wait=True, ephemeral=context.private, **more)
            return followup.id
        response = await interaction.response.send_message(ephemeral=context.private, **more)
        return response.message_id


def delivery_id_of(specs: Sequence[JobSpec]) -> str:
    """The id under which jobs are delivered together: the bundle's, or the single job's."""
    return specs[0].bundle_id or specs[0].job_id


def thumbnail(cover: bytes) -> str:
    """The address of a cover that is attached to the queue message."""
    return f"attachment://{_cover_name(cover)}"


def _cover_name(cover: bytes) -> str:
    return "cover.png" if cover.startswith(b"\x89PNG") else "cover.jpg"


def _cover_file(cover: bytes) -> discord.File:
    return discord.File(io.BytesIO(cover), _cover_name(cover))
