"""From a member's wish to a journalled job: may they, what picture, and which reply they will get.

The order is what makes every request answered once: journal that something was asked, show the queue message,
journal its id, fetch and check the picture, journal the job. Killed anywhere in between, the next start finds
what is owed in the outbox.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import discord

from albumgen_core.cover.header import is_animated
from albumgen_core.errors import AlbumGenError, ClosingError, CoverError, QueueFullError, UnknownJobError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.jobs.spec import JobSpec, new_job_id
from albumgen_core.settings import Settings
from bot.delivery.progress import QueueMessages
from bot.guilds.policy import ChannelContext, Cooldowns, check_place, check_share
from bot.guilds.settings import GuildSettings, GuildSettingsStore
from bot.i18n.catalogue import language_of, text
from bot.messages import targets
from bot.messages.embeds import duration
from bot.messages.errors import Refusal, sentence_for
from bot.messages.message_log import MessageLog
from bot.privacy.erasure import Erasure
from bot.requests.context import RequestContext
from bot.requests.pictures import Picture, checked_cover, fetch_cover, fetch_picture
from bot.requests.queue_message import QueueMessageSender, delivery_id_of, thumbnail

log = logging.getLogger(__name__)

SEEDS = 2**31


class Requests:
    """Checks, pictures, submissions.

    Attributes:
        stopping: whether nothing new is taken.
    """

    def __init__(
        self,
        client: discord.Client,
        core: Settings,
        *,
        inference: InferenceClient,
        guilds: GuildSettingsStore,
        messages: MessageLog,
        queue_messages: QueueMessages,
        erasure: Erasure,
        http: aiohttp.ClientSession,
    ) -> None:
        self._core, self._http = core, http
        self._inference, self._guilds = inference, guilds
        self._messages, self._queue_messages, self._erasure = messages, queue_messages, erasure
        self._queue_message = QueueMessageSender(client, inference)
        self.cooldowns = Cooldowns()
        self.stopping = False

    def stop(self) -> None:
        """Take nothing new."""
        self.stopping = True

    async def context(
        self, interaction: discord.Interaction[Any], *, private: bool = False
    ) -> RequestContext:
        """Of a command, a button or a modal. `private`: only its member is to see the reply."""
        guild = await self._guilds.of(interaction.guild_id)
        needs = not private and interaction.guild_id is not None and targets.reaches_channel(interaction)
        return RequestContext(
            user_id=interaction.user.id,
            channel_id=interaction.channel_id or 0,
            guild_id=interaction.guild_id,
            locale=guild.language or language_of(interaction.locale),
            guild=guild,
            longest=self._longest(guild),
            where=ChannelContext.of_interaction(interaction, with_permissions=needs),
            interaction=interaction,
            private=private,
        )

    async def context_of(
        self,
        user_id: int,
        channel_id: int,
        guild_id: int | None,
        locale: str,
        *,
        where: ChannelContext | None = None,
        reply_to: int | None = None,
    ) -> RequestContext:
        """Where there is no interaction. `locale`: for servers that fixed no language."""
        guild = await self._guilds.of(guild_id)
        return RequestContext(
            user_id=user_id,
            channel_id=channel_id,
            guild_id=guild_id,
            locale=guild.language or locale,
            guild=guild,
            longest=self._longest(guild),
            where=where,
            reply_to=reply_to,
        )

    async def check(self, context: RequestContext, *, jobs: int = 1) -> None:
        """Whether this member may ask for `jobs` clips here and now. Raises Refusal."""
        if context.guild_id is not None and context.where is not None:
            check_place(context.where, context.guild)
        self.cooldowns.check(context.group, context.member, context.guild.cooldown_seconds)
        limit = context.guild.jobs_per_member
        await check_share(self._inference.database, context.group, context.member, jobs, limit)

    async def fetch_cover(self, picture: discord.Attachment | Picture) -> bytes:
        """Download and check a picture; returns the checked cover as a PNG. Raises CoverError, Refusal."""
        wanted = Picture.of(picture) if isinstance(picture, discord.Attachment) else picture
        return await fetch_cover(self._http, wanted)

    def new_spec(self, context: RequestContext, **changes: Any) -> JobSpec:
        """A new job with the server's defaults for what `changes` does not say (None says nothing).

        Raises Refusal for a clip that is too long.
        """
        wanted = {name: value for name, value in changes.items() if value is not None}
        if wanted.get("seconds", 0) > context.longest:
            raise Refusal("refusal.too_long", limit=f"{context.longest:g}")
        defaults: dict[str, Any] = {
            "job_id": new_job_id(),
            "cover_path": "",
            "rag": context.guild.rag,
            "seconds": min(self._core.clip.seconds, context.longest),
            "seed": secrets.randbelow(SEEDS),
            "prompt_style": self._core.prompt.style,
            "name_artist": context.guild.name_artist,
            "language": language_of(context.locale),
            "group": context.group,
            "member": context.member,
        }
        return JobSpec(**(defaults | wanted))

    def _longest(self, guild: GuildSettings) -> float:
        return min(float(guild.max_seconds), self._core.clip.max_seconds)

    async def submit(
        self,
        context: RequestContext,
        specs: Sequence[JobSpec],
        cover: discord.Attachment | Picture | bytes,
        *,
        kind: str = "take",
        notes: Sequence[str] = (),
        edited: Mapping[str, Any] | None = None,
    ) -> None:
        """Show the queue message, journal the jobs and follow them.

        Args:
            context: who asks, made by `context` and checked by `check`.
            specs: the jobs, delivered together.
            cover: an attachment, a picture elsewhere on Discord's CDN, or a checked cover's bytes.
            kind: which renderer writes the reply.
            notes: sentences of the catalogues that the result is to carry.
            edited: fields that members set by hand.

        A refused picture or a full queue is not raised: it becomes the message's text. What `check` should
        have said is not said again here. Raises CoverError for a picture that is certainly too large, and
        ClosingError or JournalBusyError where nothing was promised yet.
        """
        if self.stopping:
            raise ClosingError
        picture = Picture.of(cover) if isinstance(cover, discord.Attachment) else cover
        if isinstance(picture, Picture):
            picture.check_size()
        origin = self._origin(context, specs, picture, kind)
        if notes:
            origin["notes"] = list(notes)
        if edited:
            origin["edited"] = dict(edited)
        specs = [spec.replace(origin=origin) for spec in specs]
        key = f"interaction {context.interaction.id}" if context.interaction is not None else None
        if not await self._inference.receive(*specs, request_key=key):
            log.info("interaction %s was replayed by Discord; it has its answer", key)
            return
        self.cooldowns.note(context.group, context.member)
        specs = await self._show(context, specs, picture)
        await self.accept(specs, picture, key, context.locale, context.interaction)

    async def accept(
        self,
        specs: Sequence[JobSpec],
        picture: Picture | bytes,
        key: str | None,
        locale: str,
        interaction: discord.Interaction[Any] | None = None,
    ) -> None:
        """Read the picture, queue received jobs and follow them; what goes wrong becomes their reply.

        With an interaction whose reply is public, a refusal is told to its member alone.
        """
        try:
            if isinstance(picture, bytes):
                data = picture
            else:
                fetched = await fetch_picture(self._http, picture)
                if (await self._inference.record(specs[0].job_id)).is_terminal:
                    return  # cancelled while the picture was fetched; the delivery says so
                if is_animated(fetched):
                    specs = await self._noted(specs, "note.first_frame")
                data = await checked_cover(fetched)
            await self._inference.record(specs[0].job_id)
            handles = await self._inference.submit_bundle(specs, data, request_key=key)
        except ClosingError:
            return  # the next start takes it up
        except UnknownJobError:
            return  # its member was forgotten while the picture was read
        except Exception as error:
            reason = await self._reason(error, locale)
            if interaction is not None and isinstance(error, CoverError | Refusal):
                await self._tell_in_private(specs, interaction, reason)
            await self._refuse(specs, reason)
            return
        self._queue_messages.follow(handles, specs[0].origin, delivery_id_of(specs))

    async def _show(
        self, context: RequestContext, specs: list[JobSpec], picture: Picture | bytes
    ) -> list[JobSpec]:
        """Send the queue message and journal where it is."""
        origin = dict(specs[0].origin)
        message_id = await self._queue_message.send(context, specs, picture)
        if message_id is None:
            return specs
        changes: dict[str, Any] = {"message_id": message_id}
        if origin["via"] == "channel":
            # From here on the channel is enough; tokens are kept no longer than they are needed.
            changes |= {"token": None}
        specs = [spec.replace(origin=_merged(spec.origin, changes)) for spec in specs]
        try:
            for spec in specs:
                await self._inference.update_origin(spec.job_id, **changes)
        except UnknownJobError:  # its member was forgotten meanwhile
            await self._erasure.delete_soon(context.channel_id, message_id)
            return specs
        if origin["via"] == "channel":
            await self._messages.note(message_id, context.channel_id, specs, delivered=False)
        return specs

    async def _noted(self, specs: Sequence[JobSpec], note: str) -> Sequence[JobSpec]:
        notes = [*specs[0].origin.get("notes", ()), note]
        for spec in specs:
            await self._inference.update_origin(spec.job_id, notes=notes)
        return [spec.replace(origin={**spec.origin, "notes": notes}) for spec in specs]

    async def _tell_in_private(
        self, specs: Sequence[JobSpec], interaction: discord.Interaction[Any], reason: str
    ) -> None:
        """Take the public queue message back and say the reason to the member alone, where Discord lets us.

        Once that is done, the delivery has nothing more to say; until then it would say it in public.
        """
        if specs[0].origin.get("via") != "channel" or specs[0].origin.get("message_id") is None:
            return
        try:
            await interaction.followup.send(reason, ephemeral=True)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.info("a refusal could not be told in private: %s", type(error).__name__)
            return
        # The deletion is journalled first, and done in the background, also by the next process.
        message_id = int(specs[0].origin["message_id"])
        await self._messages.mark_deleted([message_id])
        await self._erasure.delete_soon(int(specs[0].origin["channel_id"]), message_id)
        for spec in specs:
            await self._inference.update_origin(spec.job_id, told=True)

    async def _refuse(self, specs: Sequence[JobSpec], sentence: str) -> None:
        for spec in specs:
            await self._inference.refuse(spec.job_id, sentence)

    async def _reason(self, error: Exception, locale: str) -> str:
        if isinstance(error, QueueFullError) and error.scope == "all":
            running = (await self._inference.status()).running
            waits = [event.eta for event in running if event.eta is not None]
            if waits:
                return text(locale, "refusal.queue_all_eta", time=duration(min(waits), locale))
        sentence = sentence_for(error, locale)
        if sentence is None:
            error_id = secrets.token_hex(4)
            log.error("error %s while taking a request", error_id, exc_info=error)
            sentence = text(locale, "errors.unexpected", id=error_id)
        elif not isinstance(error, AlbumGenError | Refusal):
            log.info("a request was refused: %s", sentence)
        return sentence

    def _origin(
        self, context: RequestContext, specs: Sequence[JobSpec], picture: Picture | bytes, kind: str
    ) -> dict[str, Any]:
        """Where the reply goes, as `bot.messages.targets` and the delivery read it."""
        origin: dict[str, Any] = {
            "kind": kind,
            "channel_id": context.channel_id,
            "guild_id": context.guild_id,
            "user_id": context.user_id,
            "locale": context.locale,
            "via": "channel",
            "ephemeral": context.private,
            "wishes": wishes(specs, context.locale),
            "rag": any(spec.rag for spec in specs),
            "thumbnail": picture.url if isinstance(picture, Picture) else thumbnail(picture),
        }
        interaction = context.interaction
        if interaction is not None:
            in_channel = targets.reaches_channel(interaction)
            origin |= {
                "via": "channel" if in_channel and not context.private else "token",
                "in_channel": in_channel,
                "application_id": interaction.application_id,
                "token": interaction.token,
                "token_until": targets.token_deadline(interaction),
            }
        return {name: value for name, value in origin.items() if value is not None}


def wishes(specs: Sequence[JobSpec], locale: str) -> str:
    """What was asked for, in a line: "with RAG · 10 s · seed 7"."""
    spec, ways = specs[0], {spec.rag for spec in specs}
    way = "take.both_ways" if len(ways) > 1 else "take.with_rag" if spec.rag else "take.without_rag"
    return " · ".join([text(locale, way), f"{spec.seconds:g} s", text(locale, "take.seed", seed=spec.seed)])


def _merged(origin: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (dict(origin) | dict(changes)).items() if value is not None}
