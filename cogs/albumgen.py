"""`/albumgen` and "Imagine this album": a cover in, a clip out. Also how a finished take is shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from albumgen_core.inference.records import JobRecord
from albumgen_core.result import CARD, CLIP_MP3, read_document
from bot.delivery.controls import CancelButton, DeleteButton
from bot.i18n.catalogue import text
from bot.messages.embeds import ending_embed, take_embed, take_title
from bot.messages.errors import Refusal
from bot.messages.reply import Reply, ReplyFile
from bot.requests.intake import SEEDS
from bot.requests.pictures import picture_in
from cogs.regenerate import take_view

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

STYLES = [
    app_commands.Choice(name=locale_str("concise", key="command.style.concise"), value="concise"),
    app_commands.Choice(name=locale_str("slides", key="command.style.slides"), value="slides"),
]


def option(name: str, words: str) -> locale_str:
    """The description of an option of /albumgen."""
    return locale_str(words, key=f"command.albumgen.{name}")


class AlbumGenCog(commands.Cog):
    """The command and the context menu."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.menu = app_commands.ContextMenu(
            name=locale_str("Imagine this album", key="command.imagine"),
            callback=self.imagine,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )

    async def cog_load(self) -> None:
        """Offer the context menu, and let takes be written here."""
        self.bot.tree.add_command(self.menu)
        self.bot.add_dynamic_items(CancelButton, DeleteButton)
        self.bot.delivery.register("take", TakeRenderer())

    async def cog_unload(self) -> None:
        """Take the context menu back."""
        self.bot.tree.remove_command(self.menu.name, type=self.menu.type)

    @app_commands.command(
        name="albumgen",
        description=locale_str("Hear an album in its cover", key="command.albumgen"),
    )
    @app_commands.describe(
        image=option("image", "The cover: PNG, JPEG, WebP or GIF"),
        rag=option("rag", "Reason from albums whose covers look alike"),
        seconds=option("seconds", "Length of the clip in seconds"),
        seed=option("seed", "The same seed gives the same music again"),
        style=option("style", "How the prompt is written"),
        private=option("private", "Only you see the result"),
    )
    @app_commands.choices(style=STYLES)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def albumgen(
        self,
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        rag: bool | None = None,
        seconds: app_commands.Range[int, 1, 300] | None = None,
        seed: app_commands.Range[int, 0, SEEDS - 1] | None = None,
        style: str | None = None,
        private: bool = False,
    ) -> None:
        """Queue one clip."""
        requests = self.bot.requests
        await requests.check(interaction, private=private)
        asker = await requests.asker(interaction, private=private)
        spec = await requests.base_spec(
            asker,
            rag=rag,
            seconds=None if seconds is None else float(seconds),
            seed=seed,
            prompt_style=style,
        )
        await requests.submit(asker, [spec], image)

    async def imagine(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """The same from a right click on a message with a picture."""
        requests = self.bot.requests
        picture = picture_in(message)
        if picture is None:
            raise Refusal("refusal.no_picture")
        await requests.check(interaction)
        asker = await requests.asker(interaction)
        await requests.submit(asker, [await requests.base_spec(asker)], picture)


class TakeRenderer:
    """Writes the reply of a single job."""

    async def render(self, bot: AlbumGenBot, records: Sequence[JobRecord], locale: str) -> Reply:
        """The result, or why there is none."""
        record = records[0]
        if record.state not in ("done", "delivered") or record.result_dir is None:
            return Reply(embeds=[ending_embed(records, locale)], view=_delete_only(record, locale))
        folder = Path(record.result_dir)
        document = await asyncio.to_thread(read_document, folder)
        lineage = await lineage_sentence(bot, record, locale)
        return Reply(
            embeds=[take_embed(document, record, locale, lineage=lineage)],
            files=[
                ReplyFile(clip_name(document), folder / CLIP_MP3),
                ReplyFile(CARD, folder / CARD, text(locale, "take.card", title=take_title(document, locale))),
            ],
            view=take_view(record.job_id, locale),
        )


def clip_name(document: dict[str, Any]) -> str:
    """ "albumgen-dream-pop-7.mp3": made of a known genre and a number, never of members' words."""
    genre = re.sub(r"[^a-z0-9]+", "-", str(document["attributes"]["album_genre"]).lower()).strip("-")
    return f"albumgen-{genre[:40]}-{int(document['seed'])}.mp3"


async def lineage_sentence(bot: AlbumGenBot, record: JobRecord, locale: str) -> str | None:
    """ "Take 3 of this line, made from an earlier one", with a link where its message is known."""
    parent_id = record.spec.parent_id
    if parent_id is None:
        return None
    line = await bot.inference.history.lineage(record.job_id)
    number = next((place for place, job in enumerate(line, 1) if job.job_id == record.job_id), len(line))
    known = await bot.messages.of_job(parent_id)
    origin = record.spec.origin
    if known is None or known.deleted or known.channel_id != origin.get("channel_id"):
        return text(locale, "take.lineage.plain", number=number)
    where = known.guild_id if known.guild_id is not None else "@me"
    link = f"https://discord.com/channels/{where}/{known.channel_id}/{known.message_id}"
    return text(locale, "take.lineage.link", number=number, link=link)


def _delete_only(record: JobRecord, locale: str) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(DeleteButton(record.job_id, locale))
    return view


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(AlbumGenCog(bot))
