"""The bot as its own process, started as a user starts it, with the sketch engine: from a PNG to music."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from albumgen_core.audio.encode import decode_mp3
from tests.bot.bot_harness import has_clip
from tests.bot.traces import traces
from tests.discord.driver import LoopbackDiscord, Person
from tests.discord.interactions import Interaction
from tests.discord.process import BotProcess
from tests.discord.state import Channel, Message
from tests.paths import EXAMPLE_SHELF
from tests.waiting import eventually

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

    async def build_index(self) -> None:
        """As `albumgen index build` does it for the example albums."""
        build = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "albumgen_core.cli.main", "index", "build", str(EXAMPLE_SHELF)),
            env={"ALBUMGEN_DATA_DIR": str(self.config.parent / "data"), "PATH": "", "OMP_NUM_THREADS": "1"},
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await build.wait() == 0

    async def start(self) -> BotProcess:
        self.starts += 1
        bot = await self.loopback.start_bot(
            ["--config", str(self.config)],
            environment={"ALBUMGEN_DISCORD__TOKEN": self.loopback.token, "OMP_NUM_THREADS": "1"},
        )
        await self.loopback.gateway.wait_connected(identifies=self.starts)
        await eventually(lambda: "Ready:" in bot.text or not bot.running, 30)
        assert bot.running, bot.text
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
        used = await ann.click(message, "Similar albums on/off")
        await used.wait_acknowledged()
        await used.message.wait_until(has_clip, 60)

        bot.terminate()
        assert await bot.wait() == 0
        assert "Traceback" not in bot.text
        assert loopback.violations == []


async def clip(used: Interaction) -> Message:
    """The result that a command, button or modal makes."""
    await used.wait_acknowledged()
    return await used.message.wait_until(has_clip, 60)


async def shown(person: Person, channel: Channel, command: str, **options: Any) -> Message:
    """What a command answers, to its member alone."""
    message = await (await person.slash(channel, command, **options)).wait_message()
    assert message.ephemeral
    return message


@pytest.mark.slow
async def test_everything_members_get_and_that_they_are_forgotten(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        ann, bo = loopback.user("Ann"), loopback.user("Bo", locale="de")
        channel = loopback.guild("House", ann, [bo]).channel("general")
        home = Home(loopback, tmp_path)
        await home.build_index()
        bot = await home.start()

        # Settings: a server's manager shortens clips, and that holds at once.
        panel = await shown(ann, channel, "settings")
        numbers = {"max_seconds": "6"}
        await (await ann.submit_modal(await ann.click(panel, "Change"), numbers)).wait_acknowledged()
        await panel.wait_until(lambda m: "**Longest clip:** 6 s" in m.text)
        refused = await bo.slash(channel, "albumgen", image=("c.png", cover()), seconds=20)
        assert "höchstens 6 Sekunden" in (await refused.wait_message()).text

        # The context menu, on a picture that somebody posted; with RAG, as is the server's default.
        posted = await ann.say(channel, "found this", {"old.png": cover()})
        first = await clip(await bo.message_command(posted, "Imagine this album"))
        check_result(first, tmp_path, 6)
        assert "Ähnliche Alben" in first.text

        # Direct messages, private to their two.
        direct = await clip(await bo.slash(bo.dm, "albumgen", image=("c.png", cover()), seconds=2, seed=3))
        check_result(direct, tmp_path, 2)

        # A comparison: two clips and one chart in one message; votes, and the tally in /stats.
        used = await bo.slash(channel, "compare", image=("c.png", cover()), seconds=2)
        await used.wait_acknowledged()
        both = await used.message.wait_until(lambda m: len(m.attachments) >= 3, 60)
        chart = Image.open(io.BytesIO(both.attachment("comparison.png").data))
        assert min(chart.size) >= 400
        for person, choice in ((ann, "Fassung A"), (bo, "Fassung A")):
            await (await person.click(both, choice)).wait_acknowledged()
        await both.wait_until(lambda m: "2 Personen" in m.text)
        stats = await (await ann.slash(channel, "stats")).wait_message()
        assert "chance alone could explain these votes" in stats.text

        # A star, the gallery, and what is written while the bot is killed.
        await ann.react(first, "⭐")
        await first.wait_until(lambda m: loopback.world.bot in m.reactions.get("🔁", []), 20)

        async def gallery_with_it() -> Message | None:
            gallery = await shown(ann, channel, "gallery")
            return gallery if str(first.id) in gallery.text else None

        listed = await eventually(gallery_with_it, every=0.1)
        writing = await bo.click(first, "Ändern")
        await writing.wait_modal()
        bot.kill()
        await bot.wait()
        bot = await home.start()
        edited = await clip(await bo.submit_modal(writing, {"tempo": "90", "seconds": "2"}))
        assert "90 BPM" in edited.text
        await ann.react(first, "🔁")
        again = await channel.wait_for_message(
            lambda m: has_clip(m) and m.reference is not None and m.author is loopback.world.bot, within=60
        )
        check_result(again, tmp_path, 6)
        heard = await ann.select(listed, "Play one", listed_option(listed, first))
        await heard.wait_acknowledged()
        await listed.wait_until(has_clip)

        # What is kept of Bo, and then nothing: killed half-way, it is finished by the next start.
        told = await shown(bo, channel, "privacy show")
        assert len(json.loads(told.attachment(".json").data)["jobs"]) == 5
        asked = await shown(bo, channel, "privacy forget-me")
        assert traces(tmp_path / "data", bo.id)
        await (await bo.click(asked, "Überall")).wait_acknowledged()
        bot.kill()
        await bot.wait()
        bot = await home.start()
        for message in (first, direct, both, edited):
            await message.wait_deleted(30)
        assert not again.deleted
        bot.terminate()
        assert await bot.wait() == 0
        assert traces(tmp_path / "data", bo.id) == []
        assert traces(tmp_path / "data", ann.id)
        assert "Traceback" not in bot.text
        assert loopback.violations == []


def listed_option(listed: Message, result: Message) -> str:
    """The label under which a gallery's menu offers a result."""
    menu = next(part for part in listed.parts() if part["type"] == 3)
    return next(str(each["label"]) for each in menu["options"] if str(result.id) in each["value"])
