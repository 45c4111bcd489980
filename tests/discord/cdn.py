"""The CDN: signed links that expire, bytes as they were uploaded."""

from __future__ import annotations

import asyncio
import hmac
import urllib.parse

from aiohttp import web

from tests.discord.world import World

GONE = "This content is no longer available."


class Cdn:
    """Serves ``/attachments/<channel>/<id>/<name>``.

    ``broken`` makes every read answer 503; ``held`` makes each wait until it is set.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.broken = False
        self.held: asyncio.Event | None = None
        self.reads = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.reads += 1
        if self.held is not None:
            await self.held.wait()
        if self.broken:
            return web.Response(status=503, text="upstream error")
        parts = request.path.strip("/").split("/")
        if len(parts) != 4 or parts[0] not in ("attachments", "ephemeral-attachments"):
            return web.Response(status=404)
        attachment = self.world.attachments.get(int(parts[2])) if parts[2].isdigit() else None
        if attachment is None or not self._signed(request):
            return web.Response(status=404, text=GONE)
        headers = {"Content-Type": attachment.content_type, "Content-Disposition": "attachment"}
        return web.Response(body=attachment.data, headers=headers)

    def _signed(self, request: web.Request) -> bool:
        expires = request.query.get("ex", "")
        path = "/".join(urllib.parse.quote(part) for part in request.path.split("/"))
        good = hmac.compare_digest(self.world.signature(path, expires), request.query.get("hm", ""))
        return good and int(expires, 16) > self.world.clock.now()
