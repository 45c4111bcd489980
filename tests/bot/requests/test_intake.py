"""Requests for several jobs at once: shown, cancelled and delivered as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands

from albumgen_core.inference.records import JobRecord
from albumgen_core.jobs.spec import new_job_id
from bot.delivery.controls import DeleteButton
from bot.messages.reply import Reply
from bot.setup.commands_sync import register_commands
from tests.bot.bot_harness import BotHarness, bot_harness, picture
from tests.waiting import eventually


class PairRenderer:
    async def render(self, records: Sequence[JobRecord], locale: str) -> Reply:
        view = discord.ui.View(timeout=None)
        view.add_item(DeleteButton(records[0].spec.bundle_id or "", locale))
        words = " and ".join(f"{record.state} {record.spec.rag}" for record in records)
        return Reply(content=f"a pair: {words}", view=view)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[BotHarness]:
    async with bot_harness(tmp_path) as made:
        bot = made.bot
        bot.delivery.register("pair", PairRenderer())

        @bot.tree.command(description="Two clips from one cover")
        async def pair(interaction: discord.Interaction[Any], image: discord.Attachment) -> None:
            context = await bot.requests.context(interaction)
            first = bot.requests.new_spec(context, rag=True).replace(bundle_id=new_job_id())
            second = first.replace(job_id=new_job_id(), rag=False)
            await bot.requests.submit(context, [first, second], image, kind="pair")

        await register_commands(bot.tree, bot.database, force=True)
        yield made


async def test_a_bundle_is_one_message_from_start_to_end(home: BotHarness) -> None:
    used = await home.ann.slash(home.channel, "pair", image=("c.png", picture()))
    await used.wait_acknowledged()
    await used.message.wait_until(lambda m: m.content == "a pair: done True and done False")
    await home.settled()
    assert len(home.loopback.messages(home.channel)) == 1
    known = await home.bot.messages.find(used.message.id)
    assert known is not None
    assert (known.kind, known.user_id) == ("pair", home.ann.id)
    assert known.bundle_id == (await home.jobs())[0].spec.bundle_id
    assert known.delivered_at is not None


async def test_a_bundles_refused_picture_is_told_once(home: BotHarness) -> None:
    used = await home.ann.slash(home.channel, "pair", image=("c.png", b"no picture"))
    await used.wait_acknowledged()
    await used.message.wait_deleted()

    async def ended() -> bool:
        return [job.state for job in await home.jobs()] == ["failed", "failed"]

    await eventually(ended)
    await home.settled()
    assert len(used.followups) == 1
    assert used.followups[0].ephemeral
    assert home.loopback.messages(home.channel) == []


async def test_cancel_takes_the_whole_bundle(home: BotHarness) -> None:
    home.hold()
    used = await home.ann.slash(home.channel, "pair", image=("c.png", picture()))
    await used.wait_acknowledged()
    await home.until_running()
    await home.ann.click(used.message, "Abbrechen")
    await used.message.wait_until(lambda m: m.content == "a pair: cancelled True and cancelled False")
    await home.settled()


async def test_an_unknown_error_is_an_apology_with_the_id_that_the_log_has(
    home: BotHarness, caplog: pytest.LogCaptureFixture
) -> None:
    @home.bot.tree.command(description="Breaks")
    async def broken(interaction: discord.Interaction[Any]) -> None:
        raise RuntimeError("the inner workings")

    assert isinstance(broken, app_commands.Command)
    await register_commands(home.bot.tree, home.bot.database, force=True)
    used = await home.ann.slash(home.channel, "broken")
    told = await used.wait_message()
    assert told.ephemeral
    assert "inner workings" not in told.text
    error_id = told.text.split("`")[1]
    assert any(error_id in record.getMessage() for record in caplog.records)
