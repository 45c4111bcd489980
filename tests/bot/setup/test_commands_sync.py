from __future__ import annotations

from pathlib import Path

import discord
import pytest

from bot.setup.commands_sync import Registration, register_commands
from bot.setup.invite import PERMISSIONS, invite_link
from bot.setup.startup import ready, starting
from tests.bot.running_bot import bot_settings, new_bot, running_bot, started
from tests.discord.driver import LoopbackDiscord

PUT = "PUT /applications/{application_id}/commands"


async def test_commands_are_registered_once_and_again_only_when_they_change(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        bot, loopback = harness.bot, harness.loopback
        before = loopback.count(PUT)
        first = await register_commands(bot.tree, bot.database, force=True)
        assert first.changed
        assert loopback.count(PUT) == before + 1
        assert {"settings", "status"} <= {command["name"] for command in loopback.commands()}
        again = await register_commands(bot.tree, bot.database)
        assert again == Registration(first.count, False)

        @bot.tree.command(name="another", description="one more")
        async def another(interaction: discord.Interaction) -> None: ...

        assert (await register_commands(bot.tree, bot.database)).changed
        assert "another" in {command["name"] for command in loopback.commands()}
        german = next(c for c in loopback.commands() if c["name"] == "settings")["description_localizations"]
        assert german["de"].startswith("Einstellen")


async def test_what_discord_refused_is_tried_again(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        bot = harness.bot

        @bot.tree.command(name="another", description="one more")
        async def another(interaction: discord.Interaction) -> None: ...

        refused = harness.loopback.faults.refuse("PUT /applications/*/commands", 403, 50001, "Missing Access")
        with pytest.raises(discord.Forbidden):
            await register_commands(bot.tree, bot.database)
        assert refused.hits == 1
        assert (await register_commands(bot.tree, bot.database)).changed


async def test_a_restart_does_not_register_again(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        settings = bot_settings(tmp_path)
        for _ in range(2):
            async with started(loopback, new_bot(loopback, settings)) as bot:
                last = await register_commands(bot.tree, bot.database)
                assert loopback.count(PUT) == 1
        assert not last.changed


def test_the_invite_asks_for_what_is_used_and_for_commands() -> None:
    link = invite_link(123)
    assert "client_id=123" in link
    assert "applications.commands" in link
    assert f"permissions={discord.Permissions(**dict.fromkeys(PERMISSIONS, True)).value}" in link
    assert not discord.Permissions(**dict.fromkeys(PERMISSIONS, True)).administrator


async def test_the_operator_reads_what_runs_and_which_link_to_open(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        words = "\n".join(ready(harness.bot, Registration(9, False), "http://127.0.0.1:9464"))
    assert f"client_id={harness.loopback.world.bot.id}" in words
    assert "in 1 server." in words
    assert "9, unchanged" in words
    assert "http://127.0.0.1:9464/metrics" in words
    assert "could not be registered" in "\n".join(ready(harness.bot, None, None))


def test_licences_are_named_when_weights_that_have_them_are_used(tmp_path: Path) -> None:
    plain = "\n".join(starting(bot_settings(tmp_path)))
    assert "sketch" in plain
    assert "CC-BY-NC" not in plain
    neural = bot_settings(tmp_path, core={"engine": {"family": "neural", "fallback": "sketch"}})
    words = "\n".join(starting(neural))
    assert "CC-BY-NC 4.0" in words
    assert "stands in" in words
