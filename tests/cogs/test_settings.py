from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.guilds.settings import GuildSettingError, GuildSettings, GuildSettingsStore, bounds_of
from bot.settings import GuildDefaults
from tests.bot.running_bot import bot_settings, new_bot, running_bot, started
from tests.discord.driver import LoopbackDiscord, NotOfferedError
from tests.discord.permissions import P


async def test_a_manager_changes_everything_in_one_panel(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        otto, store = harness.owner, harness.bot.guild_settings
        lounge = harness.loopback.text_channel(harness.guild, "lounge")
        role = harness.loopback.world.add_role(harness.guild, "Listeners", P(0))
        harness.loopback.world.announce(
            "GUILD_ROLE_CREATE",
            {"guild_id": str(harness.guild.id), "role": role.payload()},
            guild=harness.guild,
        )
        panel = await (await otto.slash(harness.channel, "settings")).wait_message()
        assert panel.ephemeral
        assert "House \\*of\\* sound" in panel.text

        await (await otto.click(panel, "albumgen:settings:rag")).wait_acknowledged()
        await (await otto.click(panel, "albumgen:settings:name_artist")).wait_acknowledged()
        await (await otto.click(panel, "Age-restricted only")).wait_acknowledged()
        await (await otto.select(panel, "albumgen:settings:channels", lounge)).wait_acknowledged()
        await (await otto.select(panel, "albumgen:settings:roles", role)).wait_acknowledged()
        asked = await otto.click(panel, "Change")
        numbers = {
            "max_seconds": "45",
            "cooldown_seconds": "0",
            "jobs_per_member": "3",
            "retention_days": "7",
        }
        await (await otto.submit_modal(asked, numbers)).wait_acknowledged()
        await (await otto.select(panel, "albumgen:settings:language", "Deutsch")).wait_acknowledged()

        assert await store.of(harness.guild.id) == GuildSettings(
            rag=False,
            max_seconds=45,
            cooldown_seconds=0,
            jobs_per_member=3,
            channels=(lounge.id,),
            roles=(role.id,),
            pictures="nsfw_channels",
            name_artist=True,
            language="de",
            retention_days=7,
        )
        assert "**Längster Clip:** 45 s" in panel.text, "the panel shows it, in the language just chosen"
        shown = next(part for part in panel.parts() if part.get("custom_id") == "albumgen:settings:channels")
        assert [each["id"] for each in shown["default_values"]] == [lounge.id]

        await (await otto.select(panel, "albumgen:settings:channels")).wait_acknowledged()
        assert (await store.of(harness.guild.id)).channels == ()


async def test_a_wrong_number_changes_nothing_and_says_which(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        panel = await (await harness.owner.slash(harness.channel, "settings")).wait_message()
        for wrong in ("301", "4", "-5", "ten", "٣٠"):
            asked = await harness.owner.click(panel, "Change")
            sent = await harness.owner.submit_modal(asked, {"max_seconds": wrong, "cooldown_seconds": "1"})
            said = (await sent.wait_message()).content
            assert said.startswith("“Longest clip, in seconds” must be a whole number from 5 to 60"), said
        assert await harness.bot.guild_settings.of(harness.guild.id) == GuildSettings()


async def test_only_managers_may_and_discord_is_not_trusted_with_it(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        panel = await (await harness.owner.slash(harness.channel, "settings")).wait_message()
        with pytest.raises(NotOfferedError, match="default_member_permissions"):
            await harness.ann.slash(harness.channel, "settings")
        command = next(c for c in harness.loopback.commands() if c["name"] == "settings")
        command["default_member_permissions"] = None  # as a server's own overrides can do
        said = await (await harness.ann.slash(harness.channel, "settings")).wait_message()
        assert said.content.startswith("Nur wer diesen Server verwalten darf")
        assert said.ephemeral
        for button in ("albumgen:settings:rag", "albumgen:settings:numbers"):
            refused = await harness.ann.click(panel, button)
            assert "verwalten" in (await refused.wait_message()).content
        assert await harness.bot.guild_settings.of(harness.guild.id) == GuildSettings()
        harness.loopback.grant(harness.guild, harness.ann, P.MANAGE_GUILD)
        allowed = await harness.ann.slash(harness.channel, "settings")
        assert "überall verfügbar" in (await allowed.wait_message()).text


async def test_a_panel_from_before_a_restart_still_works(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        owner = loopback.user("Otto")
        guild = loopback.guild("House", owner)
        settings = bot_settings(tmp_path)
        async with started(loopback, new_bot(loopback, settings)) as bot:
            await bot.tree.sync()
            panel = await (await owner.slash(guild.channel("general"), "settings")).wait_message()
            await (await owner.click(panel, "albumgen:settings:rag")).wait_acknowledged()
        async with started(loopback, new_bot(loopback, settings)) as bot:
            assert not (await bot.guild_settings.of(guild.id)).rag, "it was kept"
            await (await owner.click(panel, "albumgen:settings:rag")).wait_acknowledged()
            assert (await bot.guild_settings.of(guild.id)).rag
        assert loopback.violations == []


async def test_a_channel_that_is_gone_does_not_break_the_panel(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        await harness.bot.guild_settings.change(
            harness.guild.id, channels=(1, harness.channel.id), roles=(2,)
        )
        panel = await (await harness.owner.slash(harness.channel, "settings")).wait_message()
        shown = next(part for part in panel.parts() if part.get("custom_id") == "albumgen:settings:channels")
        assert [each["id"] for each in shown["default_values"]] == [harness.channel.id]


async def test_servers_keep_their_settings_apart(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        store = harness.bot.guild_settings
        await store.change(1, rag=False)
        await store.change(2, max_seconds=10)
        assert [(await store.of(guild)).rag for guild in (1, 2, None)] == [False, True, True]
        with pytest.raises(GuildSettingError) as wrong:
            await store.change(1, rag=True, max_seconds=4)
        assert (wrong.value.name, wrong.value.bounds) == ("max_seconds", (5, 300))
        assert not (await store.of(1)).rag, "all or nothing"


async def test_two_managers_at_once_lose_no_change(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        store = harness.bot.guild_settings
        await asyncio.gather(
            store.change(7, rag=False),
            store.change(7, name_artist=True),
            store.change(7, max_seconds=12),
            store.change(7, channels=(5, 6)),
        )
        expected = GuildSettings(rag=False, name_artist=True, max_seconds=12, channels=(5, 6))
        assert await store.of(7) == expected
        reopened = GuildSettingsStore(harness.bot.database, GuildDefaults(), harness.bot.settings.core)
        assert await reopened.of(7) == expected, "and it is stored"

        panel = await (await harness.owner.slash(harness.channel, "settings")).wait_message()
        asked = await harness.owner.click(panel, "Change")
        await store.change(harness.guild.id, retention_days=14)
        numbers = {
            "max_seconds": "45",
            "cooldown_seconds": "10",
            "jobs_per_member": "2",
            "retention_days": "90",
        }
        await (await harness.owner.submit_modal(asked, numbers)).wait_acknowledged()
        now = await store.of(harness.guild.id)
        assert (now.max_seconds, now.retention_days) == (45, 14), "an untouched number is not put back"


def test_servers_cannot_exceed_the_operators_own_limits(tmp_path: Path) -> None:
    core = {
        "clip": {"max_seconds": 20},
        "inference": {"max_jobs_per_member": 2},
        "retention": {"results_days": 14},
    }
    bounds = bounds_of(bot_settings(tmp_path, core=core).core)
    assert bounds["max_seconds"] == (5, 20)
    assert bounds["jobs_per_member"] == (1, 2)
    assert bounds["retention_days"] == (1, 14)
    assert bounds["cooldown_seconds"] == (0, 3600)
