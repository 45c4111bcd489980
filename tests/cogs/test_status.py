from __future__ import annotations

from pathlib import Path

import pytest

from albumgen_core.settings import EngineSettings
from bot.monitoring.health import weights_of
from tests.bot.running_bot import running_bot
from tests.discord.driver import NotOfferedError

MISSING = "tests.albumgen_core.inference.runners:unavailable"


async def test_the_owner_sees_how_it_is_doing_wherever_they_ask(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        operator = harness.loopback.operator
        await harness.until(lambda state: state.engine)
        seen = await (await operator.slash(operator.dm, "status")).wait_message()
        assert seen.ephemeral
        for words in (
            "0 waiting, 0 running",
            "1: idle · restarts: 0",
            "**obedient**",
            "GiB free",
            "AlbumGen 1.",
        ):
            assert words in seen.text


async def test_nobody_else_sees_it(tmp_path: Path) -> None:
    async with running_bot(tmp_path) as harness:
        with pytest.raises(NotOfferedError, match="administrators only"):
            await harness.ann.slash(harness.channel, "status")
        for place in (harness.ann.dm, harness.channel):
            if place is harness.channel:  # as a server's own overrides can do
                next(c for c in harness.loopback.commands() if c["name"] == "status")[
                    "default_member_permissions"
                ] = None
            said = await (await harness.ann.slash(place, "status")).wait_message()
            assert said.content.startswith("Das sieht nur der Betreiber")
            assert said.ephemeral


async def test_a_named_owner_is_one_and_an_engine_without_weights_is_explained(tmp_path: Path) -> None:
    async with running_bot(tmp_path, runner=MISSING) as harness:
        harness.bot.settings = type(harness.bot.settings)(
            harness.bot.settings.core,
            harness.bot.settings.discord.model_copy(update={"owners": (harness.ann.id,)}),
            harness.bot.settings.path,
        )
        await harness.until(lambda state: state.not_ready)
        seen = await (await harness.ann.slash(harness.ann.dm, "status")).wait_message()
        assert "model.safetensors is missing" in seen.text
        assert "Nicht bereit" in seen.text


def test_missing_weights_are_named_and_the_sketch_engine_needs_none(tmp_path: Path) -> None:
    assert weights_of(EngineSettings()) == ()
    engine = EngineSettings(family="neural", musicgen={"model": str(tmp_path)})  # type: ignore[arg-type]
    states = {state.title: state for state in weights_of(engine)}
    assert set(states) == {"CLIP", "InternVL2", "MusicGen"}
    assert "albumgen weights pull musicgen" in states["MusicGen"].problem
