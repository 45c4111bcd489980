"""Nothing holds up the bot's event loop: measured inside the bot's own process, during twenty jobs."""

from __future__ import annotations

import asyncio
import io
import json
import random
from pathlib import Path

import pytest
from PIL import Image

from tests.bot import instant_bot, instant_runner
from tests.bot.torture import CONFIG
from tests.discord.driver import LoopbackDiscord

JOBS = 20
LIMIT = 0.050
ROUNDS = 3
"""Code that blocks does so each time; a hiccup of the machine does not (see `loop_watch`)."""


def photograph(seed: int) -> bytes:
    """A cover of the size that people send: 1000 x 1000, and hard to compress."""
    noise = random.Random(seed).randbytes(250 * 250 * 3)
    target = io.BytesIO()
    Image.frombytes("RGB", (250, 250), noise).resize((1000, 1000)).save(target, "PNG")
    return target.getvalue()


async def longest_during_twenty_jobs(home: Path) -> list[tuple[float, str]]:
    """(seconds, what) of the callbacks that held the loop longest, longest first."""
    report = home / "watch.json"
    async with LoopbackDiscord(check_schemas=False) as loopback:
        home.joinpath("config.toml").write_text(CONFIG.format(home=home, token=loopback.token))
        people = [loopback.user(f"P{index}") for index in range(5)]
        channel = loopback.guild("House", people[0], people[1:]).channel("general")
        environment = {instant_bot.WATCH: str(report), instant_runner.SECONDS: "0.2"}
        bot = await loopback.start_bot(
            ["--config", str(home / "config.toml")], environment=environment, entry=instant_bot.ENTRY
        )
        await loopback.gateway.wait_connected()
        picture = photograph(1)
        asked = [await people[job % 5].slash(channel, "albumgen", image=picture) for job in range(JOBS)]
        for used in asked:
            await used.wait_acknowledged()
        await asyncio.gather(
            *(
                used.message.wait_until(lambda m: any(a.filename.endswith(".mp3") for a in m.attachments), 60)
                for used in asked
            )
        )
        await people[0].react(asked[0].message, "🔁")
        await channel.wait_for_message(lambda m: len(channel.visible_messages) > JOBS)
        bot.terminate()
        assert await bot.wait() == 0, bot.text
    body = json.loads(report.read_text())
    assert body["callbacks"] > 20 * JOBS, "it was really watched"
    return [(held, what) for held, _, what in body["longest"]]


@pytest.mark.slow
async def test_no_callback_holds_the_loop_for_fifty_milliseconds(tmp_path: Path) -> None:
    seen = []
    for number in range(ROUNDS):
        home = tmp_path / str(number)
        home.mkdir()
        longest = await longest_during_twenty_jobs(home)
        if longest[0][0] < LIMIT:
            return
        seen.append(longest[:5])
    raise AssertionError(f"the loop was held each time: {seen}")
