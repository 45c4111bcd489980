"""Gaps between the voice frames that leave the bot, idle and while every core computes.

    python -m benchmarks.voice_pacing [seconds]

A real voice client plays a pre-encoded clip to a voice server on this machine; the kernel's time stamps of
the packets are compared. The load is one process a core, at the same priority. The last lines
set both side by side: the goal is no gap above 40 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import discord
import numpy as np

from albumgen_core.audio.encode import ClipTags, encode_clip
from albumgen_core.audio.types import Audio
from bot.sessions.playback.playlist import PlaylistSource, Track, read_track
from bot.sessions.playback.voice import VoiceConnection
from tests.discord.driver import LoopbackDiscord

EDGES = (0, 5, 10, 15, 18, 19, 21, 22, 25, 30, 40, 60, 100, 1000)
LIMIT = 40.0
RATE = 48_000


def compute() -> None:
    """Matrix products without end, in one thread."""
    matrix = np.random.default_rng(0).standard_normal((700, 700)).astype(np.float32)
    while True:
        matrix = np.tanh(matrix @ matrix.T / 700)


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """So many processes that compute."""
    workers = [multiprocessing.Process(target=compute, daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def track(seconds: float, folder: Path) -> Track:
    """A clip, repeated until it is long enough."""
    at = np.arange(10 * RATE) / RATE
    sound = 0.3 * np.sin(2 * np.pi * (110 + 40 * at) * at)
    tags = ClipTags("Benchmark", "sketch", "rock", 120.0, "A", "minor", None, "A benchmark.", 0)
    path = folder / "clip.ogg"
    path.write_bytes(encode_clip(Audio(np.stack([sound, sound]).astype(np.float32), RATE), tags).ogg)
    packets = read_track(path).packets
    wanted = round(seconds * 50)
    return Track("clip", (packets * (wanted // len(packets) + 1))[:wanted])


async def gaps(clip: Track, processes: int) -> list[float]:
    """Milliseconds between frames."""
    async with LoopbackDiscord() as loopback:
        owner = loopback.user("Otto")
        guild = loopback.guild("House", owner)
        hall = loopback.voice_channel(guild, "Hall")
        await owner.join(hall)
        intents = discord.Intents.none()
        intents.guilds = intents.voice_states = True
        client = discord.Client(intents=intents, connector=loopback.connector())
        running = asyncio.create_task(client.start(loopback.token))
        await loopback.gateway.wait_connected()
        await client.wait_until_ready()
        channel = client.get_channel(hall.id)
        assert isinstance(channel, discord.VoiceChannel)
        idle = asyncio.Event()
        link = VoiceConnection(channel, PlaylistSource(), on_idle=idle.set)
        if not await link.join():
            raise SystemExit(f"voice could not be joined: {link.ending}")
        link.source.start(clip)
        with load(processes):
            await asyncio.sleep(0.5)
            link.play()
            await idle.wait()
        connection = await loopback.voice.wait_frames(guild, len(clip.packets))
        await link.leave()
        await client.close()
        await asyncio.gather(running, return_exceptions=True)
    # The client itself waits two frames' time behind the very first frame.
    sound = connection.packets[1 : len(clip.packets)]
    return [1000 * (after.at - before.at) for before, after in pairwise(sound)]


def show(name: str, found: list[float]) -> None:
    """A histogram."""
    print(f"{name}: {len(found) + 1} frames")
    counts, _ = np.histogram(found, EDGES)
    for low, high, count in zip(EDGES, EDGES[1:], counts, strict=False):
        if count:
            print(f"  {low:4d}-{high:<4d} ms {count:6d} {'#' * max(1, round(50 * count / len(found)))}")
    late = sum(gap > LIMIT for gap in found)
    p50, p99 = np.percentile(found, [50, 99])
    print(
        f"  median {p50:.2f} ms, p99 {p99:.2f} ms, longest {max(found):.2f} ms, {late} above {LIMIT:.0f} ms"
    )


async def main() -> None:
    """Idle first, then under load."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        clip = track(seconds, Path(folder))
        idle = await gaps(clip, 0)
        loaded = await gaps(clip, cores)
    show("idle", idle)
    show(f"{cores} processes computing", loaded)
    ratio = np.percentile(loaded, 99) / np.percentile(idle, 99)
    print(f"p99 under load / p99 idle: {ratio:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
