"""What happened to stars while nobody listened: asked of Discord after each new connection, within bounds.

Events that a session missed and resumed are replayed by Discord; those between two sessions are lost. So
after each start of a session the newest results of each channel are looked at once, a hundred in a request,
and what the gallery is about to show is looked at when it is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

import aiohttp
import discord

from albumgen_core.errors import InferenceError
from albumgen_core.inference.database import Database
from bot.gallery.stars import STAR, Stars
from bot.messages.message_log import KnownMessage, MessageLog, known_from

log = logging.getLogger(__name__)

CHANNELS = 50
"""Channels that are looked through after a new session, those with the newest results first."""

MESSAGES = 200
"""Messages of each that are looked at, the newest first."""

_PAUSE = 0.5
_PATIENCE = 2.0
_MOST_FANS = 5000
_TRIES = 3
_REMEMBERED = 20_000


class StarRecovery:
    """Keeps bot_stars true.

    Attributes:
        pause: seconds between two requests of the round after a new session.
    """

    def __init__(
        self, client: discord.Client, database: Database, messages: MessageLog, stars: Stars
    ) -> None:
        self._client, self._database, self._messages, self._stars = client, database, messages, stars
        self.pause = _PAUSE
        self._checked: set[int] = set()
        self._heard: dict[int, int] = {}
        self._round: asyncio.Task[None] | None = None

    def new_session(self) -> None:
        """Events may have been missed: nothing is certain any more, and a round begins."""
        self._checked.clear()
        if self._round is not None:
            self._round.cancel()
        self._round = asyncio.create_task(self._look_around(), name="stars")

    async def close(self) -> None:
        """End the round."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)

    def heard(self, message_id: int) -> None:
        """An event about this message arrived: what was asked of Discord before it is out of date."""
        if len(self._heard) > _REMEMBERED:
            self._heard.clear()
        self._heard[message_id] = self._heard.get(message_id, 0) + 1

    async def check(self, messages: Sequence[KnownMessage]) -> None:
        """Look at these messages now, where nobody has since the session began; at most two seconds long."""
        unchecked = [known for known in messages if known.message_id not in self._checked]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*(self._check(known) for known in unchecked))

    async def _check(self, known: KnownMessage) -> None:
        target = self._client.get_partial_messageable(known.channel_id, guild_id=known.guild_id)
        try:
            await self._compare(known, await target.fetch_message(known.message_id))
        except discord.NotFound as error:
            if error.code == 10008:
                await self._messages.mark_deleted([known.message_id])
        except (discord.HTTPException, aiohttp.ClientError, OSError, InferenceError) as error:
            log.info("the stars of message %d could not be looked at: %s", known.message_id, error)

    async def _look_around(self) -> None:
        rows = await self._database.fetch(
            "SELECT channel_id, guild_id, max(message_id) FROM bot_messages WHERE guild_id IS NOT NULL"
            " AND deleted = 0 AND delivered_at IS NOT NULL GROUP BY channel_id"
            " ORDER BY max(message_id) DESC LIMIT ?",
            (CHANNELS,),
        )
        for row in rows:
            try:
                await self._look_through(int(row["channel_id"]), int(row["guild_id"]), int(row[2]))
            except (discord.HTTPException, aiohttp.ClientError, OSError, InferenceError) as error:
                log.info("the stars in channel %d could not be looked at: %s", row["channel_id"], error)
            await asyncio.sleep(self.pause)

    async def _look_through(self, channel_id: int, guild_id: int, newest: int) -> None:
        """Compare the newest messages of a channel with what is stored."""
        rows = await self._database.fetch(
            "SELECT * FROM bot_messages WHERE channel_id = ? AND deleted = 0 AND delivered_at IS NOT NULL"
            " ORDER BY message_id DESC LIMIT ?",
            (channel_id, MESSAGES),
        )
        ours = {int(row["message_id"]): known_from(row) for row in rows}
        target = self._client.get_partial_messageable(channel_id, guild_id=guild_id)
        before = discord.Object(newest + 1)
        async for message in target.history(limit=MESSAGES, before=before):
            if (known := ours.get(message.id)) is not None and message.id not in self._checked:
                await self._compare(known, message)

    async def _compare(self, known: KnownMessage, message: discord.Message) -> None:
        """Believe Discord where it counts other stars than we do."""
        for _ in range(_TRIES):
            heard = self._heard.get(known.message_id, 0)
            reaction = next((each for each in message.reactions if str(each.emoji) == STAR), None)
            others = reaction.count - int(reaction.me) if reaction is not None else 0
            if others != await self._stars.count(known.message_id):
                fans = await _fans(reaction) if reaction is not None and others else set()
                if heard != self._heard.get(known.message_id, 0):
                    message = await message.fetch()
                    continue
                await self._stars.replace(known.message_id, fans)
            self._checked.add(known.message_id)
            return


async def _fans(reaction: discord.Reaction) -> set[int]:
    """The people behind a reaction; bots do not count."""
    fans = {user.id async for user in reaction.users(limit=_MOST_FANS) if not user.bot}
    if reaction.burst_count:
        burst = discord.ReactionType.burst
        fans |= {user.id async for user in reaction.users(limit=_MOST_FANS, type=burst) if not user.bot}
    return fans
