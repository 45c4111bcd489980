"""Planned sessions and the scheduled events of Discord that stand for them.

The event is what members see and can be reminded of; the stored session is what begins. Either may move
first: the bot starts the event when its time has come, and begins the session when anybody starts the event.
An event that is cancelled or deleted takes its session with it.
"""

from __future__ import annotations

import datetime
import logging

import aiohttp
import discord

from bot.i18n.catalogue import text
from bot.messages.errors import Refusal
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.state.model import EndReason, SessionRecord, SessionState

log = logging.getLogger(__name__)

LOOK_EVERY = 20.0
"""Seconds between two looks at what is due."""

_TOO_LATE = datetime.timedelta(hours=1)
"""A bot that was away at the time begins a session so much later at most."""


class Schedule:
    """Begins planned sessions. `look` is called every LOOK_EVERY seconds (by the cog)."""

    def __init__(self, client: discord.Client, sessions: SessionManager) -> None:
        self._client, self._sessions = client, sessions
        self._beginning: set[str] = set()
        sessions.notifications.on_end.append(self._ended)

    async def look(self, now: datetime.datetime) -> None:
        """Begin what is due, drop what was cancelled while the bot was away."""
        for session in await self._sessions.store.in_states(SessionState.PLANNED):
            guild = self._client.get_guild(session.guild_id)
            if guild is None or guild.unavailable or session.event_id is None:
                continue
            event = guild.get_scheduled_event(session.event_id)
            try:
                event = event or await guild.fetch_scheduled_event(session.event_id)
            except discord.NotFound:
                await self.cancelled(session.event_id)
                continue
            except discord.HTTPException as error:
                log.warning("the event of session %s cannot be read: %s", session.session_id, error.status)
                continue
            await self._follow(event, now)

    async def _follow(self, event: discord.ScheduledEvent, now: datetime.datetime) -> None:
        if event.status is discord.EventStatus.active:
            await self.begun(event.id)
        elif event.status is not discord.EventStatus.scheduled:
            await self.cancelled(event.id)
        elif now >= event.start_time:
            if now > event.start_time + _TOO_LATE:
                await self._give_up(event)
                return
            try:
                await event.start()
            except discord.HTTPException as error:
                log.warning("the event %s cannot be started: %s", event.id, error.status)
            await self.begun(event.id)

    async def _give_up(self, event: discord.ScheduledEvent) -> None:
        log.info("the event %s was missed by more than %s", event.id, _TOO_LATE)
        try:
            await event.cancel()
        except discord.HTTPException as error:
            log.info("the event %s cannot be cancelled: %s", event.id, error.status)
        await self.cancelled(event.id)

    async def begun(self, event_id: int) -> None:
        """An event became active: its session begins, or its channel is told why not."""
        session = await self._sessions.store.of_event(event_id)
        if session is None or session.state is not SessionState.PLANNED:
            return
        if session.session_id in self._beginning:
            return
        self._beginning.add(session.session_id)
        try:
            await self._sessions.begin(session.session_id)
        except Refusal as refusal:
            await self._sessions.stop(session.session_id, EndReason.HOST)
            words = text(
                session.locale, "session.not_begun", title=discord.utils.escape_markdown(session.title)
            )
            channel = self._client.get_partial_messageable(session.text_channel_id, guild_id=session.guild_id)
            try:
                await channel.send(f"{words} {refusal.sentence(session.locale)}")
            except discord.HTTPException as error:
                log.info("a session that could not begin cannot be told: %s", error.status)
        finally:
            self._beginning.discard(session.session_id)

    async def cancelled(self, event_id: int) -> None:
        """An event was cancelled or deleted: so is its session, where it has not begun."""
        session = await self._sessions.store.of_event(event_id)
        if session is not None and session.state is SessionState.PLANNED:
            await self._sessions.stop(session.session_id, EndReason.HOST)

    async def _ended(self, record: SessionRecord, reason: EndReason) -> None:
        """A session is over, and so is its event."""
        guild = self._client.get_guild(record.session.guild_id)
        if record.session.event_id is None or guild is None:
            return
        try:
            event = await guild.fetch_scheduled_event(record.session.event_id)
            if event.status is discord.EventStatus.active:
                await event.end()
        except (discord.HTTPException, aiohttp.ClientError) as error:
            log.info("an event cannot be ended: %s", error)
