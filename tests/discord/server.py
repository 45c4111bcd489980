"""One TLS port that is all of Discord: it tells REST, gateway and CDN apart by the Host header."""

from __future__ import annotations

import base64
import secrets
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.discord import certificates
from tests.discord.cdn import Cdn
from tests.discord.clock import Clock
from tests.discord.faults import Faults
from tests.discord.gateway import Gateway
from tests.discord.interactions import Interactions
from tests.discord.permissions import EVERYTHING, MEMBER, P
from tests.discord.ratelimit import RateLimits
from tests.discord.resolver import VOICE_SUFFIX
from tests.discord.rest import Rest
from tests.discord.routes import router
from tests.discord.state import Channel, Guild, User
from tests.discord.voice.server import VoiceServer
from tests.discord.world import World

MAX_BODY = 512 * 1024 * 1024


def new_token(bot_id: int) -> str:
    """A token of the shape that Discord hands out, good for this run only."""
    head = base64.urlsafe_b64encode(str(bot_id).encode()).decode().rstrip("=")
    return f"{head}.{secrets.token_urlsafe(4)[:6]}.{secrets.token_urlsafe(28)[:38]}"


class Server:
    """State, faults and listeners of one Discord. Use ``tests.discord.driver.LoopbackDiscord`` in tests."""

    def __init__(
        self,
        *,
        privileged_intents: int = 0,
        acknowledge_within: float = 3.0,
        shards: int = 1,
        bot_permissions: P = MEMBER,
    ) -> None:
        self.clock = Clock()
        self.world = World(self.clock)
        self.token = new_token(self.world.bot.id)
        self.owner = self.world.add_user("Operator")
        self.shards = shards
        self.bot_permissions = bot_permissions
        self.faults = Faults()
        self.rate_limits = RateLimits()
        self.gateway = Gateway(self.world, self.token, privileged_intents=privileged_intents)
        self.interactions = Interactions(self.world, acknowledge_within)
        self.cdn = Cdn(self.world)
        self.rest = Rest(self, router)
        self.voice = VoiceServer(self.world, self.gateway)
        self.port = 0
        self.ca = Path()
        self._folder = tempfile.TemporaryDirectory(prefix="loopback-discord-")
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listens on a free port of 127.0.0.1."""
        context, self.ca = certificates.issue(Path(self._folder.name))
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context, reuse_address=True)
        await site.start()
        sockets: Any = self._runner.addresses
        self.port = sockets[0][1]

    async def stop(self) -> None:
        """Cuts all connections and frees the port."""
        self.gateway.drop()
        self.voice.close()
        if self._runner:
            await self._runner.cleanup()
        self._folder.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        host = request.host.split(":")[0]
        if host == "discord.com":
            return await self.rest.handle(request)
        if host == "gateway.discord.gg":
            return await self.gateway.handle(request)
        if host in ("cdn.discordapp.com", "media.discordapp.net"):
            return await self.cdn.handle(request)
        if host.endswith(VOICE_SUFFIX):
            return await self.voice.handle(request)
        return web.Response(status=404)

    def application(self) -> dict[str, Any]:
        """The bot's application."""
        bot = self.world.bot
        return {
            "id": str(bot.id),
            "name": bot.name,
            "icon": None,
            "description": "",
            "summary": "",
            "type": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 0,
            "owner": self.owner.payload(),
            "team": None,
            "bot": bot.payload(),
            "hook": True,
            "approximate_guild_count": len(self.world.guilds),
            "approximate_user_install_count": 0,
            "interactions_endpoint_url": None,
            "redirect_uris": [],
            "rpc_origins": [],
            "tags": [],
            "integration_types_config": {"0": {}, "1": {}},
        }

    # building the world

    def new_guild(
        self, name: str, owner: User, members: list[User], channels: list[str], *, has_bot: bool
    ) -> Guild:
        """A guild with text channels; announced if a bot is already connected."""
        guild = self.world.add_guild(name, owner, bot_permissions=self.bot_permissions, has_bot=has_bot)
        for user in members:
            if user is not owner:
                self.world.add_member(guild, user)
        for channel in channels:
            self.world.add_channel(guild, channel)
        return guild

    def may(self, user: User, channel: Channel, needed: P) -> bool:
        """Whether ``user`` has every bit of ``needed`` in ``channel``."""
        bits = self.world.permissions(user, channel)
        return bits == EVERYTHING or bits & needed == needed
