"""The message that shows a finished take, or says why there is none."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import discord

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import CARD, CLIP_MP3, read_document
from bot.delivery.controls import DeleteButton
from bot.i18n.catalogue import text
from bot.messages.embeds import ending_embed, take_embed, take_title
from bot.messages.message_log import MessageLog
from bot.messages.reply import Reply, ReplyFile
from bot.takes.buttons import take_view

KIND = "take"
"""`origin["kind"]` of single takes."""


class TakeRenderer:
    """Writes the reply of a single job."""

    def __init__(self, inference: InferenceClient, messages: MessageLog) -> None:
        self._inference, self._messages = inference, messages

    async def render(self, records: Sequence[JobRecord], locale: str) -> Reply:
        """The result, or why there is none."""
        record = records[0]
        if record.state not in ("done", "delivered") or record.result_dir is None:
            return Reply(embeds=[ending_embed(records, locale)], view=_delete_only(record, locale))
        folder = Path(record.result_dir)
        document = await asyncio.to_thread(read_document, folder)
        lineage = await self._lineage(record, locale)
        return Reply(
            embeds=[take_embed(document, record, locale, lineage=lineage)],
            files=[
                ReplyFile(clip_name(document), folder / CLIP_MP3),
                ReplyFile(CARD, folder / CARD, text(locale, "take.card", title=take_title(document, locale))),
            ],
            view=take_view(record.job_id, locale, sessions=_sessions_possible(record)),
        )

    async def _lineage(self, record: JobRecord, locale: str) -> str | None:
        """ "Take 3 of this line, made from an earlier one", with a link where its message is known."""
        parent_id = record.spec.parent_id
        if parent_id is None:
            return None
        line = await self._inference.history.lineage(record.job_id)
        number = next((place for place, job in enumerate(line, 1) if job.job_id == record.job_id), len(line))
        known = await self._messages.of_job(parent_id)
        origin = record.spec.origin
        if known is None or known.deleted or known.channel_id != origin.get("channel_id"):
            return text(locale, "take.lineage.plain", number=number)
        where = known.guild_id if known.guild_id is not None else "@me"
        link = f"https://discord.com/channels/{where}/{known.channel_id}/{known.message_id}"
        return text(locale, "take.lineage.link", number=number, link=link)


def clip_name(document: dict[str, Any]) -> str:
    """ "albumgen-dream-pop-7.mp3": made of a known genre and a number, never of members' words."""
    genre = re.sub(r"[^a-z0-9]+", "-", str(document["attributes"]["album_genre"]).lower()).strip("-")
    return f"albumgen-{genre[:40]}-{int(document['seed'])}.mp3"


def _sessions_possible(record: JobRecord) -> bool:
    """Whether the reply goes to a server that the bot is in: only there it plays in voice channels."""
    origin = record.spec.origin
    return origin.get("guild_id") is not None and (
        origin.get("via") == "channel" or bool(origin.get("in_channel"))
    )


def _delete_only(record: JobRecord, locale: str) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(DeleteButton(record.job_id, locale))
    return view
