"""What happens around listening sessions besides commands: messages, reactions, voice, events, time."""

from __future__ import annotations

import datetime
import logging
from typing import TYPE_CHECKING

import aiohttp
import discord
from discord.ext import commands, tasks

from albumgen_core.errors import InferenceError
from bot.messages.errors import Refusal
from bot.sessions.lifecycle.chat_uploads import submit_uploads
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.panel.panels import SessionPanels
from bot.sessions.recap.sender import RecapSender
from bot.sessions.schedule.events import LOOK_EVERY, Schedule

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

log = logging.getLogger(__name__)

STAR = "⭐"


class SessionEventsCog(commands.Cog):
    """Listeners, and what is looked at from time to time."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.sessions = bot.services[SessionManager]
        self.panels = bot.services[SessionPanels]
        self.schedule = bot.services[Schedule]
        self.recaps = bot.services[RecapSender]
        self._starred: dict[tuple[int, int], tuple[int, str]] = {}

    async def cog_load(self) -> None:
        """Begin to look for what is due, and for what is too old."""
        self.look.start()
        self.tidy.start()

    async def cog_unload(self) -> None:
        """Stop looking."""
        self.look.cancel()
        self.tidy.cancel()

    @tasks.loop(seconds=LOOK_EVERY)
    async def look(self) -> None:
        """Begin the sessions whose time has come."""
        try:
            await self.schedule.look(datetime.datetime.now(datetime.UTC))
        except (InferenceError, aiohttp.ClientError, OSError) as error:
            log.warning("the schedule could not be read: %s", type(error).__name__)
        except Exception:
            log.exception("the schedule could not be followed")

    @look.before_loop
    async def _until_ready(self) -> None:
        await self.bot.wait_until_ready()

    @tasks.loop(hours=1)
    async def tidy(self) -> None:
        """Remove what has outlived its server's retention."""
        try:
            if gone := await self.recaps.expire():
                log.info("removed the recap files of %d sessions", gone)
        except Exception:
            log.exception("old recap files could not be removed; trying again in an hour")

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Pictures for the session; and the panel is not at the bottom any more."""
        if self.bot.user is None or message.author.id != self.bot.user.id:
            await submit_uploads(self.bot.services, message)
        self.panels.written(message.channel.id, message.id)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """A deleted panel comes back."""
        self.panels.deleted({event.message_id})

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """The same for many."""
        self.panels.deleted(set(event.message_ids))

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """⭐ on the panel stars what plays."""
        session_id = self.panels.of_message(event.message_id) if str(event.emoji) == STAR else None
        view = self.sessions.view(session_id) if session_id is not None else None
        if session_id is None or view is None or view.current is None or view.clip is None:
            return
        if event.member is None or event.member.bot:
            return
        try:
            await self.sessions.vote(
                session_id,
                view.current.entry_id,
                view.clip.job_id,
                event.user_id,
                event.member.display_name,
                starred=True,
            )
        except Refusal as refusal:
            log.info("a star was not counted: %s", refusal.key)
            return
        self._starred[event.message_id, event.user_id] = (view.current.entry_id, view.clip.job_id)

    @commands.Cog.listener()
    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        """A ⭐ that is taken back while its clip plays; later it only makes room for another clip's."""
        if str(event.emoji) != STAR:
            return
        starred = self._starred.pop((event.message_id, event.user_id), None)
        session_id = self.panels.of_message(event.message_id)
        view = self.sessions.view(session_id) if session_id is not None else None
        if starred is None or session_id is None or view is None or view.clip is None:
            return
        if view.clip.job_id != starred[1]:
            return
        try:
            name = view.listeners.get(event.user_id, "")
            await self.sessions.vote(session_id, *starred, event.user_id, name, starred=False)
        except Refusal as refusal:
            log.info("a star was not taken back: %s", refusal.key)

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Who listens has changed; or on a stage we were let speak, or sent back: the panel tells."""
        self.sessions.listeners_changed(member.guild.id)
        session = self.sessions.of_guild(member.guild.id)
        if session is not None and member.id == member.guild.me.id and before.suppress != after.suppress:
            await self.panels.changed(session.session_id)

    @commands.Cog.listener()
    async def on_scheduled_event_update(
        self, before: discord.ScheduledEvent, after: discord.ScheduledEvent
    ) -> None:
        """Somebody started an event, or cancelled it."""
        if after.status is discord.EventStatus.active:
            await self.schedule.begun(after.id)
        elif after.status is discord.EventStatus.cancelled:
            await self.schedule.cancelled(after.id)

    @commands.Cog.listener()
    async def on_scheduled_event_delete(self, event: discord.ScheduledEvent) -> None:
        """An event is gone."""
        await self.schedule.cancelled(event.id)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A session's channel is gone."""
        await self.sessions.channel_gone(channel.guild.id, channel.id)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was removed from a server."""
        await self.sessions.guild_gone(guild.id)

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """A server is there again."""
        self.sessions.guild_available(guild.id)


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(SessionEventsCog(bot))
