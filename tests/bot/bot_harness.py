"""A server with the bot, for tests of single clips: a fake runner, patient waiting, and what is owed."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from PIL import Image

from albumgen_core.inference.records import JobRecord
from tests.bot.running_bot import RunningBot, running_bot
from tests.discord.interactions import Interaction
from tests.discord.state import Message

RUNNER = "tests.bot.fake_runner:fake_runner"


def picture(colour: tuple[int, int, int] = (200, 40, 90), kind: str = "PNG") -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(target, kind)
    return target.getvalue()


def has_clip(message: Message) -> bool:
    return any(attachment.filename.endswith(".mp3") for attachment in message.attachments)


class BotHarness:
    """`running_bot` with the words that tests of clips use."""

    def __init__(self, place: RunningBot, home: Path) -> None:
        self.place, self.home = place, home
        self.loopback, self.bot, self.channel = place.loopback, place.bot, place.channel
        self.guild, self.owner, self.ann = place.guild, place.owner, place.ann

    def hold(self) -> None:
        """Jobs begin and do not end until `release`."""
        (self.home / "hold").touch()

    def release(self) -> None:
        (self.home / "hold").unlink(missing_ok=True)

    async def ask(self, **options: Any) -> Interaction:
        """Ann's /albumgen in the channel, acknowledged; `rag` is its option `similar_albums`."""
        if "rag" in options:
            options["similar_albums"] = options.pop("rag")
        used = await self.ann.slash(self.channel, "albumgen", image=("cover.png", picture()), **options)
        return await used.wait_acknowledged()

    async def clip(self, **options: Any) -> Message:
        """A finished result in the channel."""
        used = await self.ask(**options)
        message = await used.message.wait_until(has_clip, 20)
        await self.settled()
        return message

    async def until_running(self) -> None:
        await self.place.until(lambda status: status.running)

    async def settled(self, within: float = 20.0) -> None:
        """Waits until nothing runs and no reply is owed."""
        await self.place.until(
            lambda status: not status.queued and not status.running and not status.owed_replies, within
        )

    async def jobs(self) -> list[JobRecord]:
        """Every job, oldest first."""
        rows = await self.bot.database.fetch("SELECT * FROM jobs ORDER BY rowid")
        return [JobRecord.from_row(row) for row in rows]

    async def dropped(self) -> list[str]:
        rows = await self.bot.database.fetch("SELECT dropped FROM outbox WHERE dropped IS NOT NULL")
        return [str(row[0]) for row in rows]

    def clips(self) -> list[Message]:
        """The channel's messages with a clip."""
        return [message for message in self.loopback.messages(self.channel) if has_clip(message)]


@contextlib.asynccontextmanager
async def bot_harness(home: Path, **changes: Any) -> AsyncIterator[BotHarness]:
    defaults = {"cooldown_seconds": 0, "jobs_per_member": 20} | changes.pop("guild_defaults", {})
    async with running_bot(home, runner=RUNNER, guild_defaults=defaults, **changes) as place:
        place.bot.delivery.pause = lambda attempt: 0.05
        made = BotHarness(place, home)
        try:
            yield made
        finally:
            made.release()
            await asyncio.sleep(0)
