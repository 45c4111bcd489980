"""The client: what it listens to, what it owns, in which order things start and stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from albumgen_core.errors import InferenceError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.database import Database
from albumgen_core.inference.migrations import MigrationSet
from albumgen_core.inference.queue import QueueLimits
from albumgen_core.inference.settings import DAY, ClientSettings
from bot.delivery.deliverer import Delivery
from bot.delivery.progress import Board
from bot.guilds.settings import GuildSettingsStore
from bot.i18n.catalogue import CatalogueTranslator, language_of
from bot.messages.errors import answer_error
from bot.messages.message_log import MessageLog
from bot.privacy.erasure import Forgetting
from bot.requests.intake import Requests
from bot.requests.recovery import Recovery
from bot.sessions.lifecycle.manager import SessionManager
from bot.settings import BotSettings
from bot.setup.commands_sync import Registration, register_commands
from bot.setup.startup import ready

log = logging.getLogger(__name__)

COGS = (
    "cogs.albumgen",
    "cogs.regenerate",
    "cogs.compare",
    "cogs.gallery",
    "cogs.help",
    "cogs.privacy",
    "cogs.session",
    "cogs.session_end",
    "cogs.settings",
    "cogs.stats",
    "cogs.status",
)

MIGRATIONS = MigrationSet("bot", Path(__file__).with_name("migrations"))


def intents(*, message_content: bool = False) -> discord.Intents:
    """What the gateway is asked for, and nothing more; none of it is privileged unless the operator says so.

    guilds: channels and their permissions, to refuse before any work. guild_reactions, dm_reactions: 🔁, ⭐
    and ❌. guild_messages, dm_messages: that a reply of ours was deleted (contents of others' messages stay
    hidden without the privileged intent), and pictures that mention us in a session's chat. voice_states: who
    listens to a session, and our own voice connection. guild_scheduled_events: that a planned session begins.
    message_content (privileged): pictures in a session's chat that mention nobody.
    """
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.guild_reactions = wanted.dm_reactions = True
    wanted.guild_messages = wanted.dm_messages = True
    wanted.voice_states = True
    wanted.guild_scheduled_events = True
    wanted.message_content = message_content
    return wanted


def cached_members() -> discord.MemberCacheFlags:
    """Which members are kept in memory: those in voice channels, whose names a session shows."""
    wanted = discord.MemberCacheFlags.none()
    wanted.voice = True
    return wanted


def client_settings(settings: BotSettings, **changes: Any) -> ClientSettings:
    """The inference client's settings out of the bot's; `changes` win."""
    core = settings.core
    wanted: dict[str, Any] = {
        "data_dir": core.data_dir,
        "config": settings.path,
        "workers": core.inference.workers,
        "devices": core.inference.devices,
        "limits": QueueLimits(
            batch=core.inference.max_batch,
            per_member=core.inference.max_jobs_per_member,
            per_group=core.inference.max_jobs_per_group,
            total=core.inference.max_jobs,
        ),
        "max_attempts": core.inference.max_attempts,
        "progress_timeout": core.inference.hang_seconds,
        "when_not_ready": core.inference.when_not_ready,
        "min_free_bytes": core.inference.min_free_megabytes * 2**20,
        "keep_received": True,
        "keep_results": core.retention.results_days * DAY,
        "migrations": (MIGRATIONS,),
    }
    return ClientSettings(**(wanted | changes))


class Tree(app_commands.CommandTree["AlbumGenBot"]):
    """Commands whose errors are answered."""

    async def on_error(
        self, interaction: discord.Interaction[AlbumGenBot], error: app_commands.AppCommandError, /
    ) -> None:
        """See `errors.answer_error`."""
        await answer_error(self.client, interaction, error)


class AlbumGenBot(commands.AutoShardedBot):
    """The bot.

    Args:
        settings: everything it is told.
        connector: makes an aiohttp connector inside the running loop; None for the usual one.
        inference: settings of the inference client, where they differ from those derived of `settings`.
        more: passed on to discord.py.

    Attributes (after `setup_hook`, all but settings): inference, database, guild_settings, messages (which
    message shows which job), requests, delivery, board (queue messages), forgetting (of members
    who ask for it), sessions (listening sessions), session (reads pictures from Discord's CDN), stopping
    (whether nothing new is taken).
    """

    inference: InferenceClient
    database: Database
    guild_settings: GuildSettingsStore
    messages: MessageLog
    requests: Requests
    delivery: Delivery
    board: Board
    forgetting: Forgetting
    sessions: SessionManager
    session: aiohttp.ClientSession

    def __init__(
        self,
        settings: BotSettings,
        *,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        inference: ClientSettings | None = None,
        **more: Any,
    ) -> None:
        options: dict[str, Any] = {
            "intents": intents(message_content=settings.discord.message_content),
            "allowed_mentions": discord.AllowedMentions.none(),
            "member_cache_flags": cached_members(),
            "chunk_guilds_at_startup": False,
            "max_messages": None,
            "help_command": None,
            "tree_cls": Tree,
        }
        if connector is not None:
            options["connector"] = connector()
        super().__init__(commands.when_mentioned, **(options | more))
        self.settings = settings
        self._new_connector = connector
        self._client_settings = inference or client_settings(settings)
        self._registration: Registration | None = None
        self._greeted = False
        self.stopping = False

    async def setup_hook(self) -> None:
        """Open the journal, start the workers (they warm up meanwhile), load the cogs."""
        self.inference = InferenceClient(self._client_settings)
        await self.inference.start()
        self.database = self.inference.database
        self.guild_settings = GuildSettingsStore(self.database, self.settings.discord.guild_defaults)
        self.messages = MessageLog(self.database)
        self.session = aiohttp.ClientSession(connector=self._new_connector() if self._new_connector else None)
        self.requests = Requests(self)
        self.delivery = Delivery(self)
        self.board = Board(self)
        self.forgetting = Forgetting(self)
        self.sessions = SessionManager(self)
        self.forgetting.register("sessions", self.sessions.forget_member, self.sessions.tell_member)
        await self.tree.set_translator(CatalogueTranslator())
        for name in COGS:
            await self.load_extension(name)
        await self.forgetting.start()
        self.delivery.start()
        await self.board.resume()
        # Before the gateway connects: from then on, what is received is not an earlier process's.
        self._recovery = Recovery(self, await self.inference.unread())
        try:
            self._registration = await register_commands(self.tree, self.database)
        except (discord.HTTPException, aiohttp.ClientError):
            log.exception("the commands could not be registered")
        # What is loaded by now stays: searching it for garbage would hold the loop for some 70 ms each time.
        gc.collect()
        gc.freeze()

    async def on_ready(self) -> None:
        """Say so, once."""
        if not self._greeted:
            self._greeted = True
            for line in ready(self, self._registration, self._address()):
                log.info("%s", line)
            await self.sessions.recover()

    def _address(self) -> str | None:
        """Where metrics are served."""
        port = getattr(getattr(self.get_cog("StatusCog"), "http", None), "port", 0)
        return f"http://{self.settings.discord.http_host}:{port}" if port else None

    async def _finish(self, grace: float) -> None:
        """Let the clips that are being made end, and their replies go out, within `grace` seconds."""
        deadline = time.monotonic() + grace
        try:
            begun = {event.job_id for event in (await self.inference.status()).running}
            while time.monotonic() < deadline:
                status = await self.inference.status()
                if not status.owed_replies and not begun & {event.job_id for event in status.running}:
                    return
                await asyncio.sleep(0.05)
        except InferenceError:
            return  # closed already, or the journal is away: there is nothing to wait for

    async def locale_of(self, interaction: discord.Interaction[Any]) -> str:
        """Language of the replies: what the server fixed, else the member's own."""
        fixed = (await self.guild_settings.of(interaction.guild_id)).language
        return fixed or language_of(interaction.locale)

    async def close(self) -> None:
        """Take nothing new, let running clips end within the grace period, leave the rest in the journal."""
        if self.is_closed():
            return
        if hasattr(self, "_recovery"):
            await self._recovery.close()
        self.stopping = True
        if hasattr(self, "sessions"):
            await self.sessions.close()
        if hasattr(self, "delivery"):
            await self._finish(self.settings.core.inference.grace_seconds)
            await self.board.close()
            await self.forgetting.close()
            await self.delivery.close()
        if hasattr(self, "inference"):
            await self.inference.close(grace=0.0)
        if hasattr(self, "session"):
            await self.session.close()
        await super().close()
