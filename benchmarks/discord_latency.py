"""How long members wait for the bot itself, on a Discord on loopback.

    python -m benchmarks.discord_latency [--requests 200] [--clips 40]

Two waits, each beside what the same machine needs without AlbumGen, in the same run:

- from the slash command to its acknowledgement, with 50 jobs or more in the queue; beside it, a bot that does
  nothing but answer;
- from the finished clip (its result.json, before fsync, rename, pipe and commit) to the message that carries
  it; beside it, a bare edit of a message with the same two files.

The bot is a process of its own, with a runner that writes results of ordinary size and makes no music.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

import discord

from tests.bot import instant_bot, instant_runner
from tests.bot.instant_runner import InstantRunner, seed_of
from tests.bot.torture import CONFIG, cover
from tests.discord.driver import LoopbackDiscord, Person
from tests.discord.process import BotProcess
from tests.discord.state import Channel, Message

LIMIT = 0.300
QUEUED = 50
CLIP_SECONDS = 10.0


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def row(name: str, values: list[float], beside: list[float] | None = None) -> str:
    """One line of the report, in milliseconds."""
    shares = [percentile(values, share) * 1000 for share in (0.5, 0.95, 0.99)]
    words = f"{name:<51} p50 {shares[0]:6.1f}  p95 {shares[1]:6.1f}  p99 {shares[2]:6.1f} ms"
    if beside:
        words += f"   ({percentile(values, 0.5) / percentile(beside, 0.5):.1f} x bare)"
    return words


class Place:
    """One loopback Discord with a server, people and a home directory for the bot."""

    def __init__(self, loopback: LoopbackDiscord, home: Path) -> None:
        self.loopback, self.home = loopback, home
        self.people = [loopback.user(f"P{index}") for index in range(20)]
        guild = loopback.guild("House", self.people[0], self.people[1:], [f"room-{i}" for i in range(4)])
        self.channels = list(guild.channels.values())

    async def start(self, *, seconds: float) -> BotProcess:
        """AlbumGen, whose jobs take `seconds`."""
        config = self.home / "config.toml"
        config.write_text(CONFIG.format(home=self.home, token=self.loopback.token))
        environment = {instant_runner.SECONDS: str(seconds), instant_runner.CLIP: str(CLIP_SECONDS)}
        bot = await self.loopback.start_bot(
            ["--config", str(config)], environment=environment, entry=instant_bot.ENTRY
        )
        await self.loopback.gateway.wait_connected()
        return bot

    async def ask(self, number: int) -> tuple[float, Message]:
        """One /albumgen: seconds to its acknowledgement, and the message."""
        person: Person = self.people[number % len(self.people)]
        channel: Channel = self.channels[number % len(self.channels)]
        used = await person.slash(channel, "albumgen", image=cover(number), seed=number)
        await used.wait_acknowledged()
        return used.latency, used.message


async def acknowledgements(home: Path, requests: int) -> list[float]:
    """Seconds to each acknowledgement, with at least QUEUED jobs waiting."""
    async with LoopbackDiscord(check_schemas=False) as loopback:
        place = Place(loopback, home)
        await place.start(seconds=600.0)
        for number in range(QUEUED + 8):  # two batches of four are running, not queued
            await place.ask(number)
        await asyncio.sleep(2.0)
        took = []
        for number in range(requests):
            took.append((await place.ask(number))[0])
            await asyncio.sleep(0.15)
        assert loopback.violations == []
        return took


async def bare_acknowledgements(requests: int) -> list[float]:
    """The same of a bot that answers at once and does nothing else."""
    async with LoopbackDiscord(check_schemas=False) as loopback:
        ann = loopback.user("Ann")
        channel = loopback.guild("House", ann).channel("general")
        await loopback.start_bot(
            environment={"DISCORD_TOKEN": loopback.token}, entry="tests.discord.sample_bot:run"
        )
        await loopback.gateway.wait_connected()
        took = []
        for _ in range(requests):
            used = await ann.slash(channel, "suggest", name="x")
            await used.wait_acknowledged()
            took.append(used.latency)
            await asyncio.sleep(0.05)
        return took


async def deliveries(home: Path, clips: int) -> list[float]:
    """Seconds from each finished result to the message that carries it."""
    async with LoopbackDiscord(check_schemas=False) as loopback:
        place = Place(loopback, home)
        await place.start(seconds=0.3)
        clock = time.time() - asyncio.get_running_loop().time()
        took = []
        for number in range(clips):
            _, message = await place.ask(number)
            await message.wait_until(has_clip, 60)
            arrived = next(r.at for r in message.revisions if any_clip(r.payload["attachments"])) + clock
            seed = seed_of(message.attachment(".mp3").data)
            assert seed == number
            took.append(arrived - finished_at(home))
        assert loopback.violations == []
        return took


def has_clip(message: Message) -> bool:
    """Whether the MP3 is there."""
    return any(attachment.filename.endswith(".mp3") for attachment in message.attachments)


def any_clip(attachments: list[dict[str, object]]) -> bool:
    """The same of a payload."""
    return any(str(each["filename"]).endswith(".mp3") for each in attachments)


def finished_at(home: Path) -> float:
    """When the newest result was written, seconds since the epoch."""
    return max(path.stat().st_mtime for path in (home / "data" / "results").glob("*/result.json"))


async def bare_edits(home: Path, clips: int) -> list[float]:
    """Seconds from the call to the edited message, with the same files and nothing around it."""
    runner = InstantRunner(home, 0.0, CLIP_SECONDS)
    async with LoopbackDiscord(check_schemas=False) as loopback:
        ann = loopback.user("Ann")
        channel = loopback.guild("House", ann).channel("general")
        client = discord.Client(intents=discord.Intents.none(), connector=loopback.connector())
        running = asyncio.create_task(client.start(loopback.token))
        await loopback.gateway.wait_connected()
        took = []
        for _ in range(clips):
            message = await client.get_partial_messageable(channel.id).send("queued")
            files = [
                discord.File(io.BytesIO(runner.mp3), "clip.mp3"),
                discord.File(io.BytesIO(runner.card), "card.png"),
            ]
            started = asyncio.get_running_loop().time()
            await message.edit(content="done", attachments=files)
            took.append(channel.messages[message.id].revisions[-1].at - started)
        await client.close()
        with contextlib.suppress(asyncio.CancelledError, discord.DiscordException):
            await running
        return took


async def measure(options: argparse.Namespace) -> bool:
    """Measure and print; True where both limits hold."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        bare = await bare_acknowledgements(options.requests)
        acknowledged = await acknowledgements(Path(first), options.requests)
        edits = await bare_edits(Path(second), options.clips)
        delivered = await deliveries(Path(second), options.clips)
    print(row("slash to acknowledgement, a bot that only answers", bare))
    print(row(f"slash to acknowledgement, {QUEUED}+ jobs queued", acknowledged, bare))
    print(row("a bare edit with the same files", edits))
    print(row("finished clip to delivered message", delivered, edits))
    slowest = " and ".join(f"{max(values) * 1000:.0f}" for values in (acknowledged, delivered))
    print(f"slowest of each: {slowest} ms; limit {LIMIT * 1000:.0f} ms")
    return percentile(acknowledged, 0.99) < LIMIT and percentile(delivered, 0.99) < LIMIT


def main() -> int:
    """The exit status says whether both limits hold at the 99th percentile."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--clips", type=int, default=40)
    return 0 if asyncio.run(measure(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
