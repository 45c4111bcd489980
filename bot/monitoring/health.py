"""What an operator wants to know at a glance, gathered without torch and without blocking the loop."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass, field

import discord
import psutil

from albumgen_core.engines.neural.checkpoints.hub import locate
from albumgen_core.engines.neural.checkpoints.specs import SPECS
from albumgen_core.errors import EngineUnavailableError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.status import ClientStatus
from albumgen_core.settings import EngineSettings, Settings
from albumgen_core.version import __version__
from bot.monitoring.gpu import GraphicsCard, graphics_cards


@dataclass(frozen=True, slots=True)
class WeightsState:
    """One model's weights: what is configured, and what is wrong ("" when the files are there)."""

    title: str
    model: str
    problem: str


@dataclass(frozen=True, slots=True)
class Health:
    """A snapshot.

    Attributes:
        inference: queue, engine and workers.
        weights: of the neural family; () with the sketch engine, which needs none.
        cards: graphics cards.
        free_disk, total_disk: bytes where clips are kept.
        clips: clips on disk.
        memory: resident bytes of the bot's process and of each worker's, in order.
        latency: seconds to Discord; nan before the first heartbeat.
        servers, shards: how many. uptime: seconds.
        versions: of AlbumGen, Python and discord.py.
    """

    inference: ClientStatus
    weights: tuple[WeightsState, ...]
    cards: tuple[GraphicsCard, ...]
    free_disk: int
    total_disk: int
    clips: int
    memory: tuple[int, ...]
    latency: float
    servers: int
    shards: int
    uptime: float
    versions: dict[str, str] = field(default_factory=dict)


async def examine(client: discord.AutoShardedClient, inference: InferenceClient, core: Settings) -> Health:
    """Look at everything, now."""
    status = await inference.status()
    pids = [worker.pid for worker in status.workers if worker.pid is not None]
    cards, weights, disk, memory, clips = await asyncio.gather(
        graphics_cards(),
        asyncio.to_thread(weights_of, core.engine),
        asyncio.to_thread(psutil.disk_usage, str(core.data_dir)),
        asyncio.to_thread(_memory, pids),
        inference.database.fetch("SELECT count(*) FROM jobs WHERE result_dir IS NOT NULL"),
    )
    process = psutil.Process()
    return Health(
        inference=status,
        weights=weights,
        cards=tuple(cards),
        free_disk=disk.free,
        total_disk=disk.total,
        clips=clips[0][0],
        memory=memory,
        latency=client.latency,
        servers=len(client.guilds),
        shards=len(client.shards),
        uptime=max(0.0, discord.utils.utcnow().timestamp() - process.create_time()),
        versions={
            "AlbumGen": __version__,
            "Python": platform.python_version(),
            "discord.py": discord.__version__,
        },
    )


def weights_of(engine: EngineSettings) -> tuple[WeightsState, ...]:
    """Whether each configured model's files are on this machine (their contents: `albumgen doctor`)."""
    if engine.family != "neural":
        return ()
    states = []
    for role, spec in SPECS.items():
        source = getattr(engine, role)
        problem = ""
        try:
            locate(spec, source.model, source.revision)
        except EngineUnavailableError as error:
            problem = str(error)
        states.append(WeightsState(spec.title, source.model, problem))
    return tuple(states)


def _memory(workers: list[int]) -> tuple[int, ...]:
    sizes = [psutil.Process().memory_info().rss]
    for pid in workers:
        try:
            sizes.append(psutil.Process(pid).memory_info().rss)
        except psutil.Error:  # it ended just now
            continue
    return tuple(sizes)
