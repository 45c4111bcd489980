"""Results that were delivered before, as the gallery and the history show them again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord

from albumgen_core.errors import UnknownJobError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import CARD, CLIP_MP3, read_document
from bot.delivery.controls import jobs_of
from bot.delivery.deliverer import Delivery
from bot.i18n.catalogue import text
from bot.messages.embeds import take_embed, take_title
from bot.messages.message_log import KnownMessage
from bot.messages.reply import ReplyFile

_MOST_CHARACTERS = 5600
"""Of all embeds of a message together; Discord allows 6000."""


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One finished job and what is left of its files.

    Attributes:
        record: the job. document: its result.json; None where its files were removed.
    """

    record: JobRecord
    document: dict[str, Any] | None

    @property
    def folder(self) -> Path:
        """Where its files lie, or lay."""
        return Path(self.record.result_dir or ".")

    def title(self, locale: str) -> str:
        """ "Jazz in C# minor", or that its files are gone."""
        if self.document is None:
            return text(locale, "gallery.gone.title")
        return take_title(self.document, locale)


async def stored_result(record: JobRecord) -> StoredResult:
    """Look what is left of a job."""
    if record.result_dir is None or record.state not in ("done", "delivered"):
        return StoredResult(record, None)
    folder = Path(record.result_dir)

    def read() -> dict[str, Any] | None:
        try:
            return read_document(folder) if (folder / CLIP_MP3).is_file() else None
        except (OSError, ValueError):
            return None

    return StoredResult(record, await asyncio.to_thread(read))


async def results_of(inference: InferenceClient, known: KnownMessage) -> list[StoredResult]:
    """The results that a message shows; [] where the journal no longer knows them."""
    try:
        records = await jobs_of(inference, known.bundle_id or known.job_id)
    except UnknownJobError:
        return []
    return list(await asyncio.gather(*(stored_result(record) for record in records)))


async def rebuild_reply(
    delivery: Delivery, kind: str, results: Sequence[StoredResult], locale: str, *, lineage: str | None = None
) -> tuple[list[discord.Embed], list[ReplyFile]]:
    """Embeds and files of a message's results, as far as they are left; ([], []) where nothing is.

    What is not a single take is written by those who wrote it the first time: they know what it must not
    tell (which half of a blind comparison is which).
    """
    if not any(result.document is not None for result in results):
        return [], []
    if kind != "take":
        if any(result.document is None for result in results):
            return [], []
        reply = await delivery.renderers[kind].render([each.record for each in results], locale)
        return list(reply.embeds), list(reply.files)
    return _takes(results, locale, lineage)


def _takes(
    results: Sequence[StoredResult], locale: str, lineage: str | None
) -> tuple[list[discord.Embed], list[ReplyFile]]:
    """Each with its card and its MP3."""
    embeds: list[discord.Embed] = []
    files: list[ReplyFile] = []
    for result in results:
        if result.document is None:
            continue
        number = f"-{len(embeds) + 1}" if embeds else ""
        card = CARD.replace(".png", f"{number}.png")
        embed = take_embed(
            result.document,
            result.record,
            locale,
            lineage=None if embeds else lineage,
            image=f"attachment://{card}",
        )
        while len(embed.fields) > 3 and sum(map(len, embeds)) + len(embed) > _MOST_CHARACTERS:
            embed.remove_field(len(embed.fields) - 1)
        embeds.append(embed)
        title = take_title(result.document, locale)
        files += [
            ReplyFile(f"albumgen-{result.document['seed']}{number}.mp3", result.folder / CLIP_MP3),
            ReplyFile(card, result.folder / CARD, text(locale, "take.card", title=title)),
        ]
    return embeds, files


def link_to(known: KnownMessage) -> str:
    """The address that jumps to a message."""
    where = known.guild_id if known.guild_id is not None else "@me"
    return f"https://discord.com/channels/{where}/{known.channel_id}/{known.message_id}"


def may_see(interaction: discord.Interaction[Any], channel_id: int) -> bool:
    """Whether a member may read a channel of this server, and be shown here what is in it.

    What stands in an age-restricted channel is shown in age-restricted channels only. Channels that the bot
    does not know (any more), and other people's private threads, are not shown.
    """
    guild, member = interaction.guild, interaction.user
    channel = guild.get_channel_or_thread(channel_id) if guild is not None else None
    if channel is None or not isinstance(member, discord.Member):
        return False
    private = isinstance(channel, discord.Thread) and channel.is_private()
    if private and channel.id != interaction.channel_id:
        return False
    try:
        permissions = channel.permissions_for(member)
        restricted = is_restricted(channel) and not is_restricted(interaction.channel)
    except discord.ClientException:  # a thread whose parent is not known
        return False
    return permissions.view_channel and permissions.read_message_history and not restricted


def is_restricted(channel: Any) -> bool:
    """Whether a channel is age-restricted. Raises discord.ClientException for an orphaned thread."""
    ask = getattr(channel, "is_nsfw", None)
    return bool(ask()) if ask is not None else False
