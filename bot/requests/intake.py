"""From a member's wish to a journalled job: may they, what picture, and which reply they will get.

The order is what makes every request answered once: journal that something was asked, show the queue message,
journal its id, fetch and check the picture, journal the job. Killed anywhere in between, the next start finds
what is owed in the outbox.
"""

from __future__ import annotations

import asyncio
import io
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import discord

from albumgen_core.errors import AlbumGenError, ClosingError, QueueFullError, UnknownJobError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.events import JobEvent
from albumgen_core.jobs.spec import JobSpec, new_job_id
from albumgen_core.settings import Settings
from bot.delivery.progress import QueueMessages, queue_view
from bot.guilds.policy import Cooldowns, Setting, check_place, check_share
from bot.guilds.settings import GuildSettingsStore
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages import targets
from bot.messages.embeds import duration, progress_embed
from bot.messages.errors import Refusal, sentence_for
from bot.messages.message_log import MessageLog
from bot.privacy.erasure import Forgetting
from bot.requests.pictures import Picture, fetch_cover

__all__ = ["Asker", "Picture", "Requests"]

log = logging.getLogger(__name__)

SEEDS = 2**31
_ANNOUNCE_TRIES = 3
_ANNOUNCE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, where, and how they can be answered: made from an interaction or from a reaction.

    Attributes:
        user_id, channel_id, guild_id: Discord's ids; guild_id None in direct messages.
        locale: language of the replies.
        interaction: what to answer; None for reactions.
        reply_to: for reactions, the message to reply to.
        private: whether only the member may see the reply (needs an interaction).
        extra: further fields of the jobs' origin, JSON-ready.
    """

    user_id: int
    channel_id: int
    guild_id: int | None
    locale: str
    interaction: discord.Interaction[Any] | None = None
    reply_to: int | None = None
    private: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The queue's group: the guild's id, or dm:<user id>."""
        return str(self.guild_id) if self.guild_id is not None else f"dm:{self.user_id}"

    @property
    def member(self) -> str:
        """The queue's member: the user's id."""
        return str(self.user_id)


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
        erasure: Forgetting,
        http: aiohttp.ClientSession,
    ) -> None:
        self._client, self._core, self._http = client, core, http
        self._inference, self._guilds = inference, guilds
        self._messages, self._queue_messages, self._erasure = messages, queue_messages, erasure
        self.cooldowns = Cooldowns()
        self.stopping = False

    def stop(self) -> None:
        """Take nothing new."""
        self.stopping = True

    async def asker(self, interaction: discord.Interaction[Any], *, private: bool = False) -> Asker:
        """Who used a command, a button or a modal."""
        return Asker(
            user_id=interaction.user.id,
            channel_id=interaction.channel_id or 0,
            guild_id=interaction.guild_id,
            locale=await locale_of(interaction),
            interaction=interaction,
            private=private,
        )

    async def check(
        self, interaction: discord.Interaction[Any], *, jobs: int = 1, private: bool = False
    ) -> None:
        """Whether this member may ask for `jobs` clips here and now. Raises Refusal."""
        needs = not private and interaction.guild_id is not None and targets.reaches_channel(interaction)
        setting = Setting.of_interaction(interaction, with_permissions=needs)
        asker = await self.asker(interaction, private=private)
        await self.check_asker(asker, setting, jobs=jobs)

    async def check_asker(self, asker: Asker, setting: Setting, *, jobs: int = 1) -> None:
        """The same where there is no interaction. Raises Refusal."""
        guild = await self._guilds.of(asker.guild_id)
        if asker.guild_id is not None:
            check_place(setting, guild)
        self.cooldowns.check(asker.group, asker.member, guild.cooldown_seconds)
        await check_share(self._inference.database, asker.group, asker.member, jobs, guild.jobs_per_member)

    async def fetch_cover(self, picture: discord.Attachment | Picture) -> bytes:
        """Download and check a picture; returns the checked cover as a PNG. Raises CoverError, Refusal."""
        wanted = Picture.of(picture) if isinstance(picture, discord.Attachment) else picture
        return await fetch_cover(self._http, wanted)

    async def longest(self, guild_id: int | None) -> float:
        """The longest clip that may be asked for, in seconds."""
        guild = await self._guilds.of(guild_id)
        return min(float(guild.max_seconds), self._core.clip.max_seconds)

    async def base_spec(self, asker: Asker, **changes: Any) -> JobSpec:
        """A new job with the server's defaults for what `changes` does not say (None says nothing).

        Raises Refusal for a clip that is too long.
        """
        guild = await self._guilds.of(asker.guild_id)
        core = self._core
        longest = await self.longest(asker.guild_id)
        wanted = {name: value for name, value in changes.items() if value is not None}
        if wanted.get("seconds", 0) > longest:
            raise Refusal("refusal.too_long", limit=f"{longest:g}")
        defaults: dict[str, Any] = {
            "job_id": new_job_id(),
            "cover_path": "",
            "rag": guild.rag,
            "seconds": min(core.clip.seconds, longest),
            "seed": secrets.randbelow(SEEDS),
            "prompt_style": core.prompt.style,
            "name_artist": guild.name_artist,
            "group": asker.group,
            "member": asker.member,
        }
        return JobSpec(**(defaults | wanted))

    async def submit(
        self,
        asker: Asker,
        specs: Sequence[JobSpec],
        cover: discord.Attachment | Picture | bytes,
        *,
        kind: str = "take",
    ) -> None:
        """Show the queue message, journal the jobs and follow them.

        A refused picture or a full queue is not raised: it becomes the message's text. What `check` should
        have said is not said again here. Raises CoverError for a picture that is certainly too large, and
        ClosingError or JournalBusyError where nothing was promised yet.
        """
        if self.stopping:
            raise ClosingError
        picture = Picture.of(cover) if isinstance(cover, discord.Attachment) else cover
        if isinstance(picture, Picture):
            picture.check_size()
        origin = self._origin(asker, specs, picture, kind)
        specs = [replace(spec, origin=origin) for spec in specs]
        key = f"interaction {asker.interaction.id}" if asker.interaction is not None else None
        if not await self._inference.receive(*specs, request_key=key):
            log.info("interaction %s was replayed by Discord; it has its answer", key)
            return
        self.cooldowns.note(asker.group, asker.member)
        specs = await self._show(asker, specs, picture)
        await self.accept(specs, picture, key, asker.locale)

    async def accept(
        self, specs: Sequence[JobSpec], picture: Picture | bytes, key: str | None, locale: str
    ) -> None:
        """Read the picture, queue received jobs and follow them; what goes wrong becomes their reply."""
        try:
            data = picture if isinstance(picture, bytes) else await self.fetch_cover(picture)
            await self._inference.record(specs[0].job_id)
            handles = await self._inference.submit_bundle(specs, data, request_key=key)
        except ClosingError:
            return  # the next start takes it up
        except UnknownJobError:
            return  # its member was forgotten while the picture was read
        except Exception as error:
            await self._refuse(specs, await self._reason(error, locale))
            return
        self._queue_messages.follow(handles, specs[0].origin, _delivery_id(specs))

    async def _show(self, asker: Asker, specs: list[JobSpec], picture: Picture | bytes) -> list[JobSpec]:
        """Send the queue message and journal where it is."""
        origin = dict(specs[0].origin)
        message_id = await self._announce(asker, specs, picture)
        if message_id is None:
            return specs
        changes: dict[str, Any] = {"message_id": message_id}
        if origin["via"] == "channel":
            # From here on the channel is enough; tokens are kept no longer than they are needed.
            changes |= {"token": None}
        specs = [replace(spec, origin=_merged(spec.origin, changes)) for spec in specs]
        try:
            for spec in specs:
                await self._inference.update_origin(spec.job_id, **changes)
        except UnknownJobError:  # its member was forgotten meanwhile
            await self._erasure.doom(asker.channel_id, message_id)
            return specs
        if origin["via"] == "channel":
            await self._messages.note(message_id, asker.channel_id, specs, delivered=False)
        return specs

    async def _announce(self, asker: Asker, specs: Sequence[JobSpec], picture: Picture | bytes) -> int | None:
        """The queue message's id; None where it could not be sent (its reply will be a new message)."""
        delivery_id, origin = _delivery_id(specs), specs[0].origin
        status = await self._inference.status()
        ahead = status.queued + len(status.running)
        event = JobEvent(specs[0].job_id, "queued", position=status.queued + 1 if ahead else None)
        embed = progress_embed(event, origin, asker.locale)
        if status.not_ready is not None:
            embed.add_field(name="\u200b", value=text(asker.locale, "progress.not_ready"))
        for attempt in range(_ANNOUNCE_TRIES):
            more: dict[str, Any] = {"embed": embed, "view": queue_view(delivery_id, asker.locale)}
            if isinstance(picture, bytes):
                more["file"] = _cover_file(picture)
            try:
                async with asyncio.timeout(_ANNOUNCE_SECONDS):
                    return await self._send(asker, delivery_id, more)
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

    async def _send(self, asker: Asker, delivery_id: str, more: dict[str, Any]) -> int | None:
        interaction = asker.interaction
        if interaction is None:
            target = self._client.get_partial_messageable(asker.channel_id, guild_id=asker.guild_id)
            if asker.reply_to is not None:
                more["reference"] = discord.MessageReference(
                    message_id=asker.reply_to,
                    channel_id=asker.channel_id,
                    guild_id=asker.guild_id,
                    fail_if_not_exists=False,
                )
                more["mention_author"] = False
            message = await target.send(nonce=targets.nonce(delivery_id), **more)
            return message.id
        if interaction.response.is_done():
            followup = await interaction.followup.send(wait=True, ephemeral=asker.private, **more)
            return followup.id
        response = await interaction.response.send_message(ephemeral=asker.private, **more)
        return response.message_id

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
        self, asker: Asker, specs: Sequence[JobSpec], picture: Picture | bytes, kind: str
    ) -> dict[str, Any]:
        """Where the reply goes, as `places` and the delivery read it."""
        origin: dict[str, Any] = {
            "kind": kind,
            "channel_id": asker.channel_id,
            "guild_id": asker.guild_id,
            "user_id": asker.user_id,
            "locale": asker.locale,
            "via": "channel",
            "ephemeral": asker.private,
            "wishes": wishes(specs, asker.locale),
            "rag": any(spec.rag for spec in specs),
            "thumbnail": picture.url if isinstance(picture, Picture) else _thumbnail(picture),
            **asker.extra,
        }
        interaction = asker.interaction
        if interaction is not None:
            in_channel = targets.reaches_channel(interaction)
            origin |= {
                "via": "channel" if in_channel and not asker.private else "token",
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


def _delivery_id(specs: Sequence[JobSpec]) -> str:
    return specs[0].bundle_id or specs[0].job_id


def _merged(origin: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (dict(origin) | dict(changes)).items() if value is not None}


def _cover_name(data: bytes) -> str:
    return "cover.png" if data.startswith(b"\x89PNG") else "cover.jpg"


def _cover_file(data: bytes) -> discord.File:
    return discord.File(io.BytesIO(data), _cover_name(data))


def _thumbnail(data: bytes) -> str:
    return f"attachment://{_cover_name(data)}"
