"""Names of Discord, answered with loopback: how an unmodified client reaches the server of these tests."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

HOSTS = ("discord.com", "gateway.discord.gg", "cdn.discordapp.com", "media.discordapp.net")
VOICE_SUFFIX = ".discord.media"


class LoopbackResolver(AbstractResolver):
    """Maps Discord's host names to one port on 127.0.0.1 and refuses every other name.

    Refusing matters: a test that would leave the machine fails here, loudly, instead of reaching someone.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in HOSTS and not host.endswith(VOICE_SUFFIX):
            raise OSError(f"{host} is not one of Discord's names; nothing else is reachable here")
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self.port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


def loopback_connector(port: int, ca: Path) -> aiohttp.TCPConnector:
    """A connector for ``Client(connector=...)``. Call it inside a running event loop.

    ``ca`` is the PEM file of the certificate authority that signed the server's certificate.
    """
    context = ssl.create_default_context(cafile=str(ca))
    return aiohttp.TCPConnector(ssl=context, resolver=LoopbackResolver(port), limit=0)
