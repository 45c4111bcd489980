"""Another take: 🔁 reactions, the buttons under a result, and ❌ for what is on its way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands

from albumgen_core.errors import InferenceError, UnknownJobError
from bot.comparisons.regenerate import regenerate_pair
from bot.comparisons.votes import KIND as COMPARISON
from bot.delivery.controls import asker_of, cancel, jobs_of
from bot.guilds.policy import ChannelContext
from bot.messages.errors import Refusal, answer_error, sentence_for
from bot.messages.message_log import KnownMessage
from bot.takes.buttons import AGAIN_EMOJI, TAKE_BUTTONS, edited
from bot.takes.edit_modal import left_open
from bot.takes.regenerate import finished, regenerate

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

log = logging.getLogger(__name__)

CANCEL_EMOJI = "❌"


class RegenerateCog(commands.Cog):
    """Reactions: 🔁 on a result, ❌ on a queue message; and replies that people delete."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Hear the buttons of every earlier message."""
        self.bot.add_dynamic_items(*TAKE_BUTTONS)

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """🔁 makes another take, ❌ cancels."""
        emoji = str(event.emoji)
        if (
            emoji not in (AGAIN_EMOJI, CANCEL_EMOJI)
            or self.bot.user is None
            or event.user_id == self.bot.user.id
        ):
            return
        if event.member is not None and event.member.bot:
            return
        known = await self.bot.messages.find(event.message_id)
        if known is None or known.deleted:
            return
        if emoji == CANCEL_EMOJI:
            await self._cancel(event, known.job_id)
        elif known.delivered_at is not None and known.kind in ("take", COMPARISON):
            await self._again(event, known)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """An edit that was opened before a restart: nobody else would take it."""
        found = left_open(interaction)
        if found is None:
            return
        try:
            await edited(interaction, *found)
        except Exception as error:
            await answer_error(interaction, error)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """A reply of ours was deleted: what it was waiting for is not wanted any more."""
        await self._forget([event.message_id])

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """The same for many."""
        await self._forget(list(event.message_ids))

    async def _forget(self, message_ids: list[int]) -> None:
        for message_id in message_ids:
            known = await self.bot.messages.find(message_id)
            if known is None or known.deleted:
                continue
            await self.bot.messages.mark_deleted([message_id])
            if known.delivered_at is None:
                try:
                    await cancel(self.bot.inference, known.job_id)
                except InferenceError:
                    log.info("job %s could not be cancelled", known.job_id)

    async def _cancel(self, event: discord.RawReactionActionEvent, job_id: str) -> None:
        try:
            record = await self.bot.inference.record(job_id)
        except UnknownJobError:
            return
        if record.is_terminal or not self._may_cancel(event, asker_of(record)):
            return
        await cancel(self.bot.inference, job_id)

    def _may_cancel(self, event: discord.RawReactionActionEvent, user_id: int) -> bool:
        if event.user_id == user_id:
            return True
        channel = self.bot.get_channel(event.channel_id)
        if event.member is None or not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            return False
        return channel.permissions_for(event.member).manage_messages

    async def _again(self, event: discord.RawReactionActionEvent, known: KnownMessage) -> None:
        guild = await self.bot.guild_settings.of(event.guild_id)
        both = known.kind == COMPARISON
        try:
            jobs = await jobs_of(self.bot.inference, known.job_id) if both else []
            kept = next((job.job_id for job in jobs if job.result_dir), known.job_id)
            record, folder = await finished(self.bot.inference, kept)
            locale = guild.language or str(record.spec.origin.get("locale", "en"))
        except UnknownJobError:
            return
        except Refusal as refusal:
            await self._tell_in_private(event, refusal.sentence(guild.language or "en"))
            return
        try:
            context = await self.bot.requests.context_of(
                event.user_id,
                event.channel_id,
                event.guild_id,
                locale,
                where=self._where(event),
                reply_to=event.message_id,
            )
            await self.bot.requests.check(context, jobs=2 if both else 1)
            if both:
                await regenerate_pair(self.bot.inference, self.bot.requests, context, jobs)
            else:
                await regenerate(self.bot.requests, context, record, folder)
        except Exception as error:
            sentence = sentence_for(error, locale)
            if sentence is None:
                log.exception("a reaction could not be answered")
                return
            await self._tell_in_private(event, sentence)

    def _where(self, event: discord.RawReactionActionEvent) -> ChannelContext:
        channel = self.bot.get_channel(event.channel_id)
        permissions = None
        if isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            permissions = channel.permissions_for(channel.guild.me)
        return ChannelContext.of_channel(
            channel or discord.Object(event.channel_id), event.member, permissions
        )

    async def _tell_in_private(self, event: discord.RawReactionActionEvent, sentence: str) -> None:
        """Nobody can be answered in private on a reaction but by a direct message; else be silent."""
        try:
            target = await self.bot.create_dm(discord.Object(event.user_id))
            await target.send(sentence)
        except discord.HTTPException:
            log.info("a member who reacted takes no direct messages")


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(RegenerateCog(bot))
