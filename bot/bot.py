"""The client: what it listens to, what it owns, in which order things start and stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
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
from bot.comparisons.renderer import ComparisonRenderer
from bot.comparisons.votes import KIND as COMPARISON
from bot.comparisons.votes import Comparisons
from bot.delivery.deliverer import Delivery
from bot.delivery.progress import QueueMessages
from bot.gallery.reaction_prompts import ReactionPrompts
from bot.gallery.star_recovery import StarRecovery
from bot.gallery.stars import Stars
from bot.guilds.settings import GuildSettingsStore
from bot.i18n.catalogue import CatalogueTranslator
from bot.i18n.reply_language import ReplyLanguage
from bot.messages.errors import answer_error
from bot.messages.message_log import MessageLog
from bot.monitoring.http import HttpServer
from bot.monitoring.metrics import Metrics
from bot.privacy.erasure import Erasure
from bot.requests.intake import Requests
from bot.requests.recovery import Recovery
from bot.services import Services
from bot.sessions.lifecycle.erasure import SessionErasure
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.lifecycle.submissions import Submissions
from bot.sessions.panel.panels import SessionPanels
from bot.sessions.playback.composition import KIND as SESSION
from bot.sessions.playback.composition import Composition
from bot.sessions.recap.sender import RecapSender
from bot.sessions.schedule.events import Schedule
from bot.settings import BotSettings
from bot.setup.commands_sync import Registration, register_commands
from bot.setup.startup import ready
from bot.takes import renderer as take_renderer
from bot.takes.edit_modal import EditDrafts

log = logging.getLogger(__name__)

COGS = (
    "cogs.albumgen",
    "cogs.regenerate",
    "cogs.compare",
    "cogs.gallery",
    "cogs.help",
    "cogs.privacy",
    "cogs.session",
    "cogs.session_events",
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
        await answer_error(interaction, error)


class AlbumGenBot(commands.AutoShardedBot):
    """The bot.

    Args:
        settings: everything it is told.
        connector: makes an aiohttp connector inside the running loop; None for the usual one.
        inference: settings of the inference client, where they differ from those derived of `settings`.
        more: passed on to discord.py.

    Attributes:
        services: all long-lived objects, by class; those that the cogs use most have a name here too. Set by
            `setup_hook`, like these.
    """

    services: Services
    inference: InferenceClient
    database: Database
    guild_settings: GuildSettingsStore
    messages: MessageLog
    requests: Requests
    delivery: Delivery
    erasure: Erasure
    sessions: SessionManager

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
        self._opened = AsyncExitStack()

    async def setup_hook(self) -> None:
        """Open the journal, start the workers (they warm up meanwhile), load the cogs."""
        async with AsyncExitStack() as opened:
            await self._open(opened)
            self._opened = opened.pop_all()
        try:
            self._registration = await register_commands(self.tree, self.database)
        except (discord.HTTPException, aiohttp.ClientError):
            log.exception("the commands could not be registered")
        # What is loaded by now stays: searching it for garbage would hold the loop for some 70 ms each time.
        gc.collect()
        gc.freeze()

    async def _open(self, opened: AsyncExitStack) -> None:
        """Make and start the services. What `opened` is given is undone in the opposite order."""
        core, wanted = self.settings.core, self.settings.discord
        connector = self._new_connector() if self._new_connector else None
        http = await opened.enter_async_context(aiohttp.ClientSession(connector=connector))

        inference = InferenceClient(self._client_settings)
        opened.push_async_callback(inference.close, grace=0.0)
        await inference.start()

        database = inference.database
        guilds = GuildSettingsStore(database, wanted.guild_defaults, core)
        messages = MessageLog(database)
        votes, stars = Comparisons(database), Stars(database)
        queue_messages = QueueMessages(self, inference, wanted.progress_interval)
        delivery = Delivery(self, inference, messages, queue_messages)
        erasure = Erasure(self, inference, core)
        requests = Requests(
            self,
            core,
            inference=inference,
            guilds=guilds,
            messages=messages,
            queue_messages=queue_messages,
            erasure=erasure,
            http=http,
        )
        composition = Composition(inference, requests, core.data_dir)
        sessions = SessionManager(self, database, wanted.sessions, composition)
        panels, session_erasure = SessionPanels(self, sessions), SessionErasure(sessions, composition)
        recaps = RecapSender(self, self.settings, sessions.store, guilds)
        sessions.notifications.on_end.append(recaps.finish)
        star_watch = StarRecovery(self, database, messages, stars)
        reaction_prompts = ReactionPrompts(self, inference)
        metrics = Metrics(self, inference)
        web = HttpServer(self, inference, metrics)
        self.services = Services(
            [
                *(inference, database, guilds, messages, votes, stars, queue_messages, delivery, erasure),
                *(requests, star_watch, reaction_prompts, metrics, web),
                *(sessions, panels, Schedule(self, sessions), recaps, session_erasure),
                Submissions(sessions, guilds, composition),
                ReplyLanguage(guilds.language_of),
                EditDrafts(),
            ]
        )
        self.inference, self.database, self.guild_settings, self.messages = (
            inference,
            database,
            guilds,
            messages,
        )
        self.requests, self.delivery, self.erasure, self.sessions = requests, delivery, erasure, sessions

        delivery.register(take_renderer.KIND, take_renderer.TakeRenderer(inference, messages))
        delivery.register(COMPARISON, ComparisonRenderer(votes))
        delivery.listen(SESSION, sessions.jobs_ended)
        delivery.on_delivered(erasure.too_late)
        delivery.on_delivered(reaction_prompts.delivered)
        erasure.register("votes", votes.forget, votes.of_member)
        erasure.register("stars", stars.forget, stars.of_member)
        erasure.register("sessions", session_erasure.forget, session_erasure.of_member)

        await self.tree.set_translator(CatalogueTranslator())
        for name in COGS:
            await self.load_extension(name)

        opened.push_async_callback(delivery.close)
        opened.push_async_callback(erasure.close)
        await erasure.start()
        delivery.start()
        opened.push_async_callback(queue_messages.close)
        await queue_messages.resume()
        opened.push_async_callback(reaction_prompts.close)
        reaction_prompts.start()
        opened.push_async_callback(star_watch.close)
        opened.push_async_callback(metrics.close)
        metrics.start()
        opened.push_async_callback(web.close)
        served = core.data_dir if wanted.sessions.public_url else None
        await web.start(wanted.http_host, wanted.http_port, recaps=served)
        opened.push_async_callback(self._finish, core.inference.grace_seconds)
        opened.push_async_callback(panels.close)
        opened.push_async_callback(sessions.close)
        opened.callback(requests.stop)
        # Before the gateway connects: from then on, what is received is not an earlier process's.
        recovery = Recovery(inference, requests, await inference.unread())
        opened.push_async_callback(recovery.close)

    async def on_ready(self) -> None:
        """Say so, once."""
        if not self._greeted:
            self._greeted = True
            port = self.services[HttpServer].port
            address = f"http://{self.settings.discord.http_host}:{port}" if port else None
            for line in ready(self, self._registration, address):
                log.info("%s", line)
            await self.sessions.recover()

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

    async def close(self) -> None:
        """Take nothing new, let running clips end within the grace period, leave the rest in the journal."""
        if self.is_closed():
            return
        await self._opened.aclose()
        await super().close()
