"""An evening from its first cover to its mixtape, in the bot's own process, which is killed in the middle."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from mutagen.id3 import ID3
from PIL import Image, ImageDraw

from albumgen_core.audio.encode import decode_mp3
from tests.discord.driver import LoopbackDiscord, Person
from tests.discord.person import NotOfferedError
from tests.discord.process import BotProcess
from tests.discord.state import Channel, Guild, Message
from tests.waiting import eventually

CLIP_SECONDS = 4
COVERS = 6
CONFIG = f"""
data_dir = "{{data}}"
[clip]
seconds = {CLIP_SECONDS}
[inference]
grace_seconds = 0.5
[discord]
http_port = 0
[discord.guild_defaults]
cooldown_seconds = 0
[discord.sessions]
ahead = 4
"""


def cover(number: int) -> bytes:
    """A drawn cover; each has its own colours and shape."""
    image = Image.new("RGB", (300, 300), (40 * number % 256, 90, 255 - 35 * number))
    ImageDraw.Draw(image).ellipse((40, 30 + 10 * number, 260, 200), fill=(250, 30 * number, 60))
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


class Evening:
    """The bot as a process, and what people see of its session."""

    def __init__(self, loopback: LoopbackDiscord, guild: Guild, folder: Path) -> None:
        self.loopback, self.guild, self.data = loopback, guild, folder / "data"
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG.format(data=self.data))
        self.starts = self.votes = 0

    async def start(self) -> BotProcess:
        self.starts += 1
        bot = await self.loopback.start_bot(
            ["--config", str(self.config)],
            environment={"ALBUMGEN_DISCORD__TOKEN": self.loopback.token, "OMP_NUM_THREADS": "1"},
        )
        await self.loopback.gateway.wait_connected(identifies=self.starts)
        await self.until(lambda: "Ready:" in bot.text or not bot.running, 30)
        assert bot.running, bot.text
        return bot

    async def until(self, holds: Callable[[], Any], within: float = 30.0) -> Any:
        return await eventually(holds, within)

    def messages(self) -> Iterable[Message]:
        for channel in list(self.loopback.world.channels.values()):
            if channel.guild is self.guild:
                yield from self.loopback.messages(channel)

    def ballot(self) -> tuple[Message, int, dict[int, str]] | None:
        """The panel, which cover can be voted on with its buttons, and the button of each score."""
        for message in self.messages():
            ids = [str(part.get("custom_id", "")).split(":") for part in message.parts()]
            scores = {int(name[-1]): ":".join(name) for name in ids if name[1:2] == ["sv"]}
            if scores:
                return message, int(next(iter(scores.values())).split(":")[3]), scores
        return None

    async def vote(self, voters: dict[Person, int], done: set[int]) -> int:
        """Waits for a cover that nobody has voted on; everyone does. Returns its number."""
        message, entry, buttons = await self.until(lambda: self.fresh(done))
        done.add(entry)
        with contextlib.suppress(NotOfferedError):  # the next cover's buttons are there already
            for person, score in voters.items():
                pressed = await person.click(message, buttons[score])
                self.votes += 1
                await pressed.wait_acknowledged()
        return int(entry)

    def fresh(self, done: set[int]) -> tuple[Message, int, dict[int, str]] | None:
        found = self.ballot()
        return found if found is not None and found[1] not in done else None

    def rows(self, query: str) -> list[Any]:
        """What the disk holds."""
        with sqlite3.connect(f"file:{self.data / 'journal.sqlite3'}?mode=ro", uri=True) as journal:
            return journal.execute(query).fetchall()

    def recap(self) -> Message | None:
        recaps = [m for m in self.messages() if any(a.filename.endswith(".html") for a in m.attachments)]
        assert len(recaps) <= 1
        return recaps[0] if recaps else None


async def bring(people: list[Person], channel: Channel) -> None:
    """Two covers of each, all on their way before the first is played."""
    for number in range(COVERS):
        person = people[number % len(people)]
        used = await person.slash(
            channel, "session submit", image=(f"cover-{number}.png", cover(number)), title=f"Cover {number}"
        )
        assert f"Cover {number + 1} of this session is yours" in (await used.wait_message(20)).text


@pytest.mark.slow
async def test_an_evening_of_three_with_a_kill_in_the_middle(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        ana, bo, cy = people = [loopback.user(name) for name in ("Ana", "Bo", "Cy")]
        guild = loopback.guild("House", ana, [bo, cy])
        hall, channel = loopback.voice_channel(guild, "Hall"), guild.channel("general")
        for person in people:
            await person.join(hall)
        evening = Evening(loopback, guild, tmp_path)
        bot = await evening.start()
        started = await ana.slash(channel, "session start", title="Friday", rounds=2)
        assert "has begun" in (await started.wait_message(20)).text
        await bring(people, channel)

        done: set[int] = set()
        for _ in range(2):
            await evening.vote({ana: 5, bo: 3, cy: 4}, done)
        third = await evening.until(lambda: evening.fresh(done))
        bot.kill()
        await bot.wait()
        assert len(evening.rows("SELECT 1 FROM bot_session_votes")) == evening.votes
        bot = await evening.start()
        voice = await loopback.voice.wait_connected(guild, connections=2)
        await evening.until(lambda: len(voice.frames) > 10)
        assert await evening.vote({ana: 1, bo: 2, cy: 5}, done) == third[1], "the same cover goes on"

        async def all_played() -> bool:
            if evening.fresh(done) is not None:
                await evening.vote({ana: 4, bo: 4, cy: 3}, done)
            return not evening.rows("SELECT 1 FROM bot_session_entries WHERE state != 'played'")

        await eventually(all_played, 90, every=0.1)
        stopped = await ana.slash(channel, "session stop")
        await stopped.wait_acknowledged()
        message = await evening.until(evening.recap, 60)

        assert len(evening.rows("SELECT 1 FROM bot_session_votes")) == evening.votes
        assert evening.votes > 3 * 3, "of more covers than the three around the kill"
        assert [row[0] for row in evening.rows("SELECT state FROM bot_session_entries")] == ["played"] * 6
        jobs = evening.rows("SELECT delivered_at FROM jobs")
        assert len(jobs) == COVERS, "nothing was composed twice"
        assert all(row[0] is not None for row in jobs)
        page = message.attachment(".html").data.decode()
        assert all(f"Cover {number}" in page for number in range(COVERS))
        check_mixtape(message.attachment(".mp3").data, tmp_path)
        bot.terminate()
        assert await bot.wait() == 0
        assert "Traceback" not in bot.text, bot.text
        assert loopback.violations == []


def check_mixtape(data: bytes, folder: Path) -> None:
    """It decodes, is as long as the clips together, and has a chapter for each."""
    tag: Any = ID3(io.BytesIO(data))  # type: ignore[no-untyped-call]
    names = tag["CTOC:toc"].child_element_ids
    titles = [str(tag[f"CHAP:{name}"].sub_frames["TIT2"]) for name in names]
    assert sorted(titles) == [f"Cover {n} – {('Ana', 'Bo', 'Cy')[n % 3]}" for n in range(COVERS)]
    path = folder / "mixtape.mp3"
    path.write_bytes(data)
    audio = decode_mp3(path)
    assert 0.6 * COVERS * CLIP_SECONDS < audio.seconds < 1.2 * COVERS * CLIP_SECONDS
    assert abs(audio.samples).max() > 0.05
