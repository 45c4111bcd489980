"""Killed between the acknowledgement and the reading of the picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from albumgen_core.jobs.spec import JobSpec, new_job_id
from tests.bot import instant_bot
from tests.bot.bot_harness import has_clip, picture
from tests.bot.instant_runner import NAME
from tests.bot.running_bot import bot_settings, new_bot, started
from tests.bot.torture import CONFIG
from tests.discord.driver import LoopbackDiscord


@pytest.mark.slow
async def test_a_picture_that_was_not_read_before_a_kill_is_read_after_it(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        ann = loopback.user("Ann")
        channel = loopback.guild("House", ann).channel("general")
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(home=tmp_path, token=loopback.token))
        arguments = ["--config", str(config)]
        first = await loopback.start_bot(arguments, entry=instant_bot.ENTRY)
        await loopback.gateway.wait_connected()
        loopback.cdn.broken = True
        shown = await ann.slash(channel, "albumgen", image=picture(), seed=5)
        hidden = await ann.slash(channel, "albumgen", image=picture(), seed=6, private=True)
        await shown.wait_acknowledged()
        await hidden.wait_acknowledged()
        first.kill()
        await first.wait()
        loopback.cdn.broken = False
        await loopback.start_bot(arguments, entry=instant_bot.ENTRY)
        for used in (shown, hidden):
            await used.message.wait_until(has_clip, 30)
        assert hidden.message.ephemeral
        assert len(loopback.messages(channel)) == 1, "the message that was there, and no other"
        assert loopback.violations == []


async def test_another_take_is_taken_up_with_the_cover_of_the_first(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        ann = loopback.user("Ann")
        channel = loopback.guild("House", ann).channel("general")
        settings = bot_settings(tmp_path, guild_defaults={"cooldown_seconds": 0})
        async with started(loopback, new_bot(loopback, settings, NAME)) as bot:
            used = await ann.slash(channel, "albumgen", image=picture(), seed=1)
            await used.wait_acknowledged()
            await used.message.wait_until(has_clip, 30)
            rows = await bot.database.fetch("SELECT job_id FROM jobs")
            first = await bot.inference.record(rows[0][0])
            again = JobSpec(
                new_job_id(),
                "",
                seed=2,
                group=first.spec.group,
                member=first.spec.member,
                parent_id=first.job_id,
                root_id=first.job_id,
                origin={"kind": "take", "channel_id": channel.id, "user_id": ann.id, "via": "channel"},
            )
            orphan = JobSpec(new_job_id(), "", seed=3, group="1", member="1", origin=again.origin)
            for spec in (again, orphan):
                assert await bot.inference.receive(spec)
        async with started(loopback, new_bot(loopback, settings, NAME)):
            second = await channel.wait_for_message(lambda m: has_clip(m) and m is not used.message, 30)
            assert second.attachment(".mp3").filename.endswith("-2.mp3")
            await channel.wait_for_message(lambda m: "send it again" in m.text)
