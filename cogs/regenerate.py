"""Another take: 🔁 reactions, the buttons under a result, and ❌ for what is on its way."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import discord
from discord.ext import commands

from albumgen_core.errors import InferenceError, UnknownJobError
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import read_document
from bot.comparisons.votes import KIND as COMPARISON
from bot.delivery.controls import DeleteButton, asker_of, cancel, jobs_of
from bot.guilds.policy import Setting
from bot.i18n.catalogue import text
from bot.messages.errors import Refusal, answer_error, sentence_for
from bot.messages.message_log import KnownMessage
from bot.requests.edit_modal import EditModal, Typed, left_open, read_edit
from bot.requests.intake import Asker
from bot.requests.regenerate import another, another_pair, finished
from bot.ui.buttons import JobButton

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

log = logging.getLogger(__name__)

AGAIN_EMOJI, CANCEL_EMOJI = "🔁", "❌"
LONGER_BY = 10.0
"""Seconds that ➕ adds."""

_SHOWN_PROMPT = 1800


def take_view(job_id: str, locale: str) -> discord.ui.View:
    """The buttons under a take."""
    view = discord.ui.View(timeout=None)
    for button in (Again, Flip, Edit, Longer, Prompt):
        view.add_item(button(job_id, locale))
    view.add_item(Listen(job_id, locale, row=1))
    view.add_item(DeleteButton(job_id, locale, row=1))
    return view


async def _from_button(bot: AlbumGenBot, interaction: discord.Interaction[Any], record: JobRecord) -> Asker:
    """Who pressed; a private take's next one is private too."""
    private = bool(record.spec.origin.get("ephemeral")) or bool(
        interaction.message and interaction.message.flags.ephemeral
    )
    await bot.requests.check(interaction, private=private)
    return await bot.requests.asker(interaction, private=private)


class Again(JobButton, action="again"):
    """🔁: a new seed."""

    emoji, label_key = AGAIN_EMOJI, "button.again"

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Submit."""
        record, folder = await finished(bot, self.job_id)
        await another(bot, await _from_button(bot, interaction, record), record, folder)


class Flip(JobButton, action="rag"):
    """🔀: the same seed, with kindred albums where it was without, and the other way round."""

    emoji, label_key = "🔀", "button.flip"

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Submit."""
        record, folder = await finished(bot, self.job_id)
        asker = await _from_button(bot, interaction, record)
        await another(bot, asker, record, folder, rag=not record.spec.rag, seed=record.spec.seed)


class Edit(JobButton, action="edit"):
    """✏️: a modal with the attributes."""

    emoji, label_key = "✏️", "button.edit"

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Open the modal."""
        record, folder = await finished(bot, self.job_id)
        document = await asyncio.to_thread(read_document, folder)
        locale = await bot.locale_of(interaction)

        async def submit(sent: discord.Interaction[Any], job_id: str, typed: Typed) -> None:
            await edited(bot, sent, job_id, typed)

        modal = EditModal(document, record.job_id, record.spec.seconds, locale, submit)
        await interaction.response.send_modal(modal)


async def edited(bot: AlbumGenBot, interaction: discord.Interaction[Any], job_id: str, typed: Typed) -> None:
    """A modal was sent: submit a take with what was changed. Raises AttributeRangeError, Refusal."""
    record, folder = await finished(bot, job_id)
    document = await asyncio.to_thread(read_document, folder)
    overrides, seconds = read_edit(document, typed, await bot.locale_of(interaction))
    await another(
        bot,
        await _from_button(bot, interaction, record),
        record,
        folder,
        overrides={**record.spec.overrides, **overrides},
        seconds=seconds,
        seed=record.spec.seed,
        continue_from=None,
    )


class Longer(JobButton, action="longer"):
    """➕: plays on."""

    emoji, label_key = "➕", "button.longer"

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Submit a clip that begins with this one, with the same attributes."""
        record, folder = await finished(bot, self.job_id)
        document = await asyncio.to_thread(read_document, folder)
        asker = await _from_button(bot, interaction, record)
        longest = await bot.requests.longest(asker.guild_id)
        seconds = min(longest, float(document["seconds"]) + LONGER_BY)
        if seconds < float(document["seconds"]) + 1.0:
            raise Refusal("refusal.longest_already", limit=f"{longest:g}")
        await another(
            bot,
            asker,
            record,
            folder,
            seconds=seconds,
            seed=record.spec.seed,
            overrides=document["attributes"],
            continue_from=str(folder),
        )


class Listen(JobButton, action="session"):
    """🎧: into the playlist of the server's listening session."""

    emoji, label_key = "🎧", "button.session"

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Add the take as it is."""
        session = bot.sessions.of_guild(interaction.guild_id or 0)
        if session is None:
            raise Refusal("session.none_running")
        record, _ = await finished(bot, self.job_id)
        user = interaction.user
        entry = await bot.sessions.add_take(session.session_id, record, user.id, user.display_name)
        words = text(
            await bot.locale_of(interaction),
            "session.added",
            title=discord.utils.escape_markdown(session.title),
            number=entry.entry_id,
        )
        await interaction.response.send_message(words, ephemeral=True)


class Prompt(JobButton, action="prompt"):
    """📋: the words that were composed from."""

    emoji, label_key = "📋", "button.prompt"

    async def act(self, bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
        """Show them to the one who asks."""
        _, folder = await finished(bot, self.job_id)
        document = await asyncio.to_thread(read_document, folder)
        words = str(document["prompt"]).replace("```", "'''")[:_SHOWN_PROMPT]
        await interaction.response.send_message(f"```\n{words}\n```", ephemeral=True)


class RegenerateCog(commands.Cog):
    """Reactions: 🔁 on a result, ❌ on a queue message; and replies that people delete."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Hear the buttons of every earlier message."""
        self.bot.add_dynamic_items(Again, Flip, Edit, Longer, Listen, Prompt)

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
            await edited(self.bot, interaction, *found)
        except Exception as error:
            await answer_error(self.bot, interaction, error)

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
                    await cancel(self.bot, known.job_id)
                except InferenceError:
                    log.info("job %s could not be cancelled", known.job_id)

    async def _cancel(self, event: discord.RawReactionActionEvent, job_id: str) -> None:
        try:
            record = await self.bot.inference.record(job_id)
        except UnknownJobError:
            return
        if record.is_terminal or not self._may_cancel(event, asker_of(record)):
            return
        await cancel(self.bot, job_id)

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
            jobs = await jobs_of(self.bot, known.job_id) if both else []
            kept = next((job.job_id for job in jobs if job.result_dir), known.job_id)
            record, folder = await finished(self.bot, kept)
            locale = guild.language or str(record.spec.origin.get("locale", "en"))
        except UnknownJobError:
            return
        except Refusal as refusal:
            await self._whisper(event, refusal.sentence(guild.language or "en"))
            return
        asker = Asker(event.user_id, event.channel_id, event.guild_id, locale, reply_to=event.message_id)
        try:
            await self.bot.requests.check_asker(asker, self._setting(event), jobs=2 if both else 1)
            if both:
                await another_pair(self.bot, asker, jobs)
            else:
                await another(self.bot, asker, record, folder)
        except Exception as error:
            sentence = sentence_for(error, locale)
            if sentence is None:
                log.exception("a reaction could not be answered")
                return
            await self._whisper(event, sentence)

    def _setting(self, event: discord.RawReactionActionEvent) -> Setting:
        channel = self.bot.get_channel(event.channel_id)
        permissions = None
        if isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            permissions = channel.permissions_for(channel.guild.me)
        return Setting.of_channel(channel or discord.Object(event.channel_id), event.member, permissions)

    async def _whisper(self, event: discord.RawReactionActionEvent, sentence: str) -> None:
        """Nobody can be answered in private on a reaction but by a direct message; else be silent."""
        try:
            target = await self.bot.create_dm(discord.Object(event.user_id))
            await target.send(sentence)
        except discord.HTTPException:
            log.info("a member who reacted takes no direct messages")


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(RegenerateCog(bot))
