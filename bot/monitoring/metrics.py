"""Numbers for operators, in Prometheus' text format.

Gauges are read when they are asked for; only what cannot be seen afterwards (interactions, how late the
event loop runs) is counted as it happens.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Any

import discord
from discord.ext import commands
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from albumgen_core.inference.client import InferenceClient
from albumgen_core.version import __version__

_BEAT = 0.25
"""Seconds between two looks at how late the event loop runs."""

_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_TIMED_SECONDS = 86400.0


class Metrics:
    """The bot's metrics, in a registry of their own.

    Attributes:
        registry: for further metrics of other rooms.
    """

    def __init__(self, client: commands.AutoShardedBot, inference: InferenceClient) -> None:
        self.registry = CollectorRegistry()
        self._client, self._inference = client, inference
        self._watch: asyncio.Task[None] | None = None
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._build = self._gauge("build_info", "Versions; the value is always 1.", "version", "discord_py")
        self._build.labels(__version__, discord.__version__).set(1)
        self._connected = self._gauge("discord_connected", "1 while a shard is connected.", "shard")
        self._latency = self._gauge("discord_latency_seconds", "Heartbeat round trip.", "shard")
        self._guilds = self._gauge("discord_guilds", "Servers the bot is in.")
        self._jobs = self._gauge("jobs", "Jobs in the journal.", "state")
        self._queued = self._gauge("jobs_queued", "Jobs waiting in line.")
        self._running = self._gauge("jobs_running", "Jobs at work.")
        self._owed = self._gauge("replies_owed", "Replies made but not delivered yet.")
        self._dropped = self._gauge("replies_dropped", "Replies nobody could be told, as far as remembered.")
        self._ready = self._gauge("engine_ready", "1 while a worker can run jobs.")
        self._workers = self._gauge("workers", "Worker processes.", "state")
        self._restarts = self._gauge("worker_restarts", "Processes a worker has used up.", "worker")
        self._stages = self._gauge("stage_seconds", "Mean seconds of a batch in a stage, last day.", "stage")
        self._free = self._gauge("data_free_bytes", "Free space where clips are kept.")
        self._interactions = Counter(
            "albumgen_interactions", "Interactions received.", ["kind"], registry=self.registry
        )
        self._log = _LogCounter(
            Counter("albumgen_log_records", "Warnings and errors logged.", ["level"], registry=self.registry)
        )
        self._lag = Histogram(
            "albumgen_event_loop_lag_seconds",
            "How much later than asked the event loop runs.",
            buckets=_LAG_BUCKETS,
            registry=self.registry,
        )

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"albumgen_{name}", words, labels, registry=self.registry)

    def start(self) -> None:
        """Begin to count. Call inside the running loop."""
        self._client.add_listener(self._on_interaction, "on_interaction")
        logging.getLogger().addHandler(self._log)
        self._watch = asyncio.create_task(self._watch_loop(), name="event-loop-lag")

    async def close(self) -> None:
        """Stop counting."""
        self._client.remove_listener(self._on_interaction, "on_interaction")
        logging.getLogger().removeHandler(self._log)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None

    async def render(self) -> bytes:
        """Everything, as of now, in the text format."""
        self._read_discord()
        await self._read_inference()
        await self._read_journal()
        return generate_latest(self.registry)

    def _read_discord(self) -> None:
        self._guilds.set(len(self._client.guilds))
        self._connected.clear()
        self._latency.clear()
        for shard_id, shard in self._client.shards.items():
            self._connected.labels(str(shard_id)).set(0 if shard.is_closed() else 1)
            if math.isfinite(shard.latency):
                self._latency.labels(str(shard_id)).set(shard.latency)

    async def _read_inference(self) -> None:
        status = await self._inference.status()
        self._queued.set(status.queued)
        self._running.set(len(status.running))
        self._owed.set(status.owed_replies)
        self._ready.set(any(worker.state in ("idle", "busy") for worker in status.workers))
        self._workers.clear()
        for worker in status.workers:
            self._workers.labels(worker.state).inc()
            self._restarts.labels(str(worker.index)).set(worker.restarts)
        settings = self._inference.settings
        self._free.set(await asyncio.to_thread(settings.free_bytes, settings.data_dir))

    async def _read_journal(self) -> None:
        database = self._inference.database
        self._jobs.clear()
        for state, count in await database.fetch("SELECT state, count(*) FROM jobs GROUP BY state"):
            self._jobs.labels(state).set(count)
        rows = await database.fetch("SELECT count(*) FROM outbox WHERE dropped IS NOT NULL")
        self._dropped.set(rows[0][0])
        self._stages.clear()
        for stage, seconds in await database.fetch(
            "SELECT stage, avg(elapsed) FROM stage_timings WHERE recorded_at >= ? GROUP BY stage",
            (time.time() - _TIMED_SECONDS,),
        ):
            self._stages.labels(stage).set(seconds)

    async def _on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        self._interactions.labels(interaction.type.name).inc()

    async def _watch_loop(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _BEAT
            await asyncio.sleep(_BEAT)
            self._lag.observe(max(0.0, clock() - due))


class _LogCounter(logging.Handler):
    """Counts what went wrong; each apology to a member is an error in the log, under the same id."""

    def __init__(self, counter: Counter) -> None:
        super().__init__(logging.WARNING)
        self._counter = counter

    def emit(self, record: logging.LogRecord) -> None:
        self._counter.labels(record.levelname.lower()).inc()
