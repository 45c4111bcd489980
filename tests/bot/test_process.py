"""The bot as its own process, started as a user starts it, with the sketch engine: from a PNG to music."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image

from albumgen_core.clip import decode_mp3
from tests.bot.house import has_clip
from tests.discord.driver import LoopbackDiscord
from tests.discord.process import BotProcess
from tests.discord.state import Message

CONFIG = """
data_dir = "{data}"
[inference]
grace_seconds = 0.5
[discord]
http_port = 0
progress_interval = 1.0
[discord.guild_defaults]
cooldown_seconds = 0
jobs_per_member = 10
"""


def cover() -> bytes:
    image = Image.linear_gradient("L").resize((400, 400))
    target = io.BytesIO()
    Image.merge("RGB", (image, image.rotate(90), image.rotate(180))).save(target, "PNG")
    return target.getvalue()


def check_result(message: Message, folder: Path, seconds: float) -> bytes:
    """A clip that decodes, of the right length and not silent; a card that is a picture."""
    mp3 = message.attachment(".mp3").data
    path = folder / "clip.mp3"
    path.write_bytes(mp3)
    audio = decode_mp3(path)
    assert audio.seconds == pytest.approx(seconds, abs=0.2)
    assert abs(audio.samples).max() > 0.05
    card = Image.open(io.BytesIO(message.attachment("card.png").data))
    assert min(card.size) >= 400
    return mp3


class Home:
    def __init__(self, loopback: LoopbackDiscord, folder: Path) -> None:
        self.loopback, self.config = loopback, folder / "config.toml"
        self.config.write_text(CONFIG.format(data=folder / "data"))
        self.starts = 0

    async def start(self) -> BotProcess:
        self.starts += 1
        bot = await self.loopback.start_bot(
            ["--config", str(self.config)],
            environment={"ALBUMGEN_DISCORD__TOKEN": self.loopback.token, "OMP_NUM_THREADS": "1"},
        )
        await self.loopback.gateway.wait_connected(identifies=self.starts)
        async with asyncio.timeout(30):
            while "Ready:" not in bot.text:
                assert bot.running, bot.text
                await asyncio.sleep(0.02)
        return bot


@pytest.mark.slow
async def test_from_a_picture_to_music_through_a_kill_and_a_restart(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        ann = loopback.user("Ann")
        channel = loopback.guild("House", ann).channel("general")
        home = Home(loopback, tmp_path)
        bot = await home.start()
        assert "oauth2/authorize" in bot.text
        assert loopback.token not in bot.text

        used = await ann.slash(channel, "albumgen", image=("cover.png", cover()), seconds=4, seed=11)
        await used.wait_acknowledged()
        assert used.latency < 1
        message = await used.message.wait_until(has_clip, 60)
        shown = [str(revision.payload["embeds"]) for revision in message.revisions]
        assert any("Making your clip" in words for words in shown), "progress was shown"
        first = check_result(message, tmp_path, 4)
        assert "Sketch engine" in message.text
        assert "Seed 11".lower() in message.text.lower()

        # Killed with a clip on its way: the next process finds it in the journal and answers once.
        used = await ann.slash(channel, "albumgen", image=("cover.png", cover()), seconds=4, seed=12)
        await used.wait_acknowledged()
        bot.kill()
        await bot.wait()
        bot = await home.start()
        assert "unchanged, not registered again" in bot.text
        await used.message.wait_until(lambda m: has_clip(m) or "send it again" in m.text, 60)
        assert len(loopback.messages(channel)) == 2

        await ann.react(message, "🔁")
        third = await channel.wait_for_message(
            lambda m: has_clip(m) and m not in (message, used.message), within=60
        )
        assert check_result(third, tmp_path, 4) != first
        await ann.click(third, "Prompt")
        used = await ann.click(message, "With/without RAG")
        await used.wait_acknowledged()
        await used.message.wait_until(has_clip, 60)

        bot.terminate()
        assert await bot.wait() == 0
        assert "Traceback" not in bot.text
        assert loopback.violations == []
