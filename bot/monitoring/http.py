"""The operator's door: Prometheus metrics and health, over HTTP, on loopback unless told otherwise.

With `discord.sessions.public_url` it serves the recaps of ended sessions too.
"""

from __future__ import annotations

import logging
from pathlib import Path

import discord
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from albumgen_core.errors import InferenceError
from albumgen_core.inference.client import InferenceClient
from bot.monitoring.metrics import Metrics
from bot.sessions.recap.routes import serve_recaps

log = logging.getLogger(__name__)


class HttpServer:
    """Serves `/metrics`, `/healthz` and `/readyz` until closed, and `/recaps/` where that is wanted.

    `/healthz` says whether this process does its work: connected to Discord, journal answering. `/readyz`
    asks for the engine too; one that lacks its weights is not mended by restarting the bot, so only
    `/healthz` belongs in a restart rule.

    Attributes:
        port: the port it listens on, 0 while it does not.
    """

    def __init__(self, client: discord.Client, inference: InferenceClient, metrics: Metrics) -> None:
        self.port = 0
        self._client, self._inference = client, inference
        self._metrics = metrics
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int, *, recaps: Path | None = None) -> bool:
        """Listen; port 0 takes any free one. False (and a line in the log) when the address is taken.

        Args:
            host, port: the address.
            recaps: the data folder whose sessions' recaps are served; None for none.

        Metrics are no reason not to serve members, so a taken port does not stop the bot.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/healthz", self._show_health)
        app.router.add_get("/readyz", self._show_readiness)
        if recaps is not None:
            serve_recaps(app, recaps)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            log.warning(
                "No metrics: %s:%d cannot be listened on (%s); set discord.http_port to a free port (0"
                " takes any).",
                host,
                port,
                error.strerror,
            )
            return False
        self._runner = runner
        self.port = int(runner.addresses[0][1])
        return True

    async def close(self) -> None:
        """Stop listening; harmless when it never began."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner, self.port = None, 0

    async def _show_metrics(self, _: web.Request) -> web.Response:
        body = await self._metrics.render()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _show_health(self, _: web.Request) -> web.Response:
        return _verdict(await self._troubles())

    async def _show_readiness(self, _: web.Request) -> web.Response:
        troubles = await self._troubles()
        status = await self._inference.status()
        if status.not_ready is not None:
            troubles.append(f"engine: {status.not_ready}")
        elif not status.engine and all(worker.state != "busy" for worker in status.workers):
            troubles.append("engine: warming up")
        if not status.accepting:
            troubles.append("intake: closed")
        return _verdict(troubles)

    async def _troubles(self) -> list[str]:
        """What keeps this process from doing its work; [] when nothing does."""
        troubles = []
        if self._client.is_closed() or not self._client.is_ready():
            troubles.append("discord: not connected")
        try:
            await self._inference.database.fetch("SELECT 1")
        except (InferenceError, ValueError) as error:  # ValueError: the connection is closed
            troubles.append(f"journal: {error}")
        return troubles


def _verdict(troubles: list[str]) -> web.Response:
    body = {"status": "ok"} if not troubles else {"status": "unavailable", "because": troubles}
    return web.json_response(body, status=503 if troubles else 200)
