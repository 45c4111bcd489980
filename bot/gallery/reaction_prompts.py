"""🔁 and ⭐ under a delivered result, so that members need only press them.

The least important thing the bot does: after deliveries, one at a time, never twice tried. Where it may not,
or cannot just now, nothing is offered; the buttons and the reactions themselves work all the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence

import aiohttp
import discord

from albumgen_core.errors import InferenceError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from bot.comparisons.votes import KIND as COMPARISON
from bot.gallery.stars import STAR

log = logging.getLogger(__name__)

AGAIN = "🔁"

_WAITING = 200
"""Results that may wait for their reactions; beyond that the oldest go without."""

_BETWEEN = 0.35
"""Seconds between two reactions: Discord allows one in 0.25 s and channel."""

_QUIET = 0.5
_LONGEST_WAIT = 10.0
_AVOIDED = 3600.0


class ReactionPrompts:
    """Puts reactions under results.

    Attributes:
        between: seconds between two reactions. quiet: seconds to wait while replies are owed.
    """

    def __init__(self, client: discord.Client, inference: InferenceClient) -> None:
        self._client, self._inference = client, inference
        self.between = _BETWEEN
        self.quiet = _QUIET
        self._waiting: deque[tuple[int, int, tuple[str, ...]]] = deque(maxlen=_WAITING)
        self._wake = asyncio.Event()
        self._avoided: dict[int, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._offer_forever(), name="offers")

    async def close(self) -> None:
        """Stop; what was not offered yet never is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def delivered(self, records: Sequence[JobRecord], channel_id: int, message_id: int) -> None:
        """After a delivery: note that the message may get reactions."""
        origin = records[0].spec.origin
        if records[0].state != "done" or origin.get("via") != "channel":
            return
        emojis = [AGAIN] if origin.get("kind", "take") in ("take", COMPARISON) else []
        if origin.get("guild_id") is not None:
            emojis.append(STAR)  # the gallery is a server's
        if emojis and self._may(channel_id, origin.get("guild_id")):
            self._waiting.append((channel_id, message_id, tuple(emojis)))
            self._wake.set()

    def _may(self, channel_id: int, guild_id: int | None) -> bool:
        if self._avoided.get(channel_id, 0.0) > time.monotonic():
            return False
        if guild_id is None:
            return True
        guild = self._client.get_guild(int(guild_id))
        channel = guild.get_channel_or_thread(channel_id) if guild is not None else None
        if guild is None or channel is None:
            return False
        try:
            permissions = channel.permissions_for(guild.me)
        except discord.ClientException:  # a thread whose parent is not known
            return False
        return permissions.add_reactions and permissions.read_message_history and permissions.view_channel

    async def _offer_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._until_quiet()
                # The newest result is the one that is being looked at.
                channel_id, message_id, emojis = self._waiting.pop()
                await self._offer(channel_id, message_id, emojis)

    async def _until_quiet(self) -> None:
        """Let deliveries go first, within reason: one that is retried for hours holds up nothing."""
        deadline = time.monotonic() + _LONGEST_WAIT
        await asyncio.sleep(self.quiet)
        while time.monotonic() < deadline:
            try:
                if not await self._inference.outbox.pending():
                    return
            except InferenceError:
                return
            await asyncio.sleep(self.quiet)

    async def _offer(self, channel_id: int, message_id: int, emojis: Sequence[str]) -> None:
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        for emoji in emojis:
            try:
                await message.add_reaction(emoji)
            except discord.Forbidden:
                # Refused requests count towards a ban: this channel is left alone for a while.
                if len(self._avoided) > 1000:
                    self._avoided.clear()
                self._avoided[channel_id] = time.monotonic() + _AVOIDED
                return
            except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
                log.info("no reaction was put under message %d: %s", message_id, error)
                return
            await asyncio.sleep(self.between)
