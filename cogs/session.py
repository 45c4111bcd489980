"""`/session`: covers heard together in a voice channel, from its first cover to its end."""

from __future__ import annotations

import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.app_commands import locale_str
from discord.ext import commands

from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.errors import Refusal, tell
from bot.sessions.lifecycle.channels import (
    check_session_place,
    event_channel,
    session_text_channel,
    session_voice_channel,
    undone_on_error,
)
from bot.sessions.lifecycle.chat_uploads import title_of
from bot.sessions.lifecycle.manager import SessionManager
from bot.sessions.lifecycle.submissions import Submissions
from bot.sessions.panel.buttons import ITEMS, require_steering
from bot.sessions.panel.pages import PAGE_ROOM, choices, list_page, show_page, turn_page
from bot.sessions.panel.panels import SessionPanels
from bot.sessions.playback.view import PlaybackStatus
from bot.sessions.schedule.when import parse_when
from bot.sessions.state.model import Session, SessionPlan
from bot.ui.paginator import Turn, register, show

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

Room = discord.VoiceChannel | discord.StageChannel


def said(name: str, words: str) -> locale_str:
    """The description of a command or option of /session."""
    return locale_str(words, key=f"command.session.{name}")


@app_commands.guild_only()
@app_commands.allowed_installs(guilds=True, users=False)
class SessionCog(
    commands.GroupCog,
    group_name="session",
    group_description=locale_str("Hear covers together in a voice channel", key="command.session"),
):
    """The commands."""

    def __init__(self, bot: AlbumGenBot) -> None:
        self.bot = bot
        self.sessions = bot.services[SessionManager]
        self.panels = bot.services[SessionPanels]

    async def cog_load(self) -> None:
        """Hear the buttons, those of earlier processes too."""
        self.bot.add_dynamic_items(*ITEMS, Turn)
        register(PAGE_ROOM, turn_page)

    # beginning and ending

    @app_commands.command(
        name="start", description=said("start", "Begin a listening session in a voice channel")
    )
    @app_commands.describe(
        title=said("title", "What the evening is called"),
        rounds=said("rounds", "Covers each member may bring; left out: as many as they like"),
        theme=said("theme", "What the covers should have in common"),
        blind=said("blind", "Hide cover and submitter until votes are in"),
        versus=said("versus", "Play each cover with and without similar albums, and let the room decide"),
        channel=said("channel", "Where to play; left out: the voice channel that you are in"),
    )
    async def start(
        self,
        interaction: discord.Interaction[Any],
        title: app_commands.Range[str, 1, 100] | None = None,
        rounds: app_commands.Range[int, 1, 20] | None = None,
        theme: app_commands.Range[str, 1, 100] | None = None,
        blind: bool = False,
        versus: bool = False,
        channel: Room | None = None,
    ) -> None:
        """Join the voice channel, and show the panel where the session is talked about."""
        await check_session_place(interaction)
        room = session_voice_channel(interaction, channel)
        locale = await locale_of(interaction)
        name = title or text(locale, "session.untitled", channel=room.name)[:100]
        await interaction.response.defer()
        place, thread = await session_text_channel(interaction, name)
        plan = SessionPlan(
            guild_id=room.guild.id,
            voice_channel_id=room.id,
            text_channel_id=place,
            host_id=interaction.user.id,
            title=name,
            theme=theme or "",
            rounds=rounds or 0,
            blind=blind,
            versus=versus,
            locale=locale,
        )
        async with undone_on_error(partial(thread.edit, archived=True) if thread is not None else None):
            session = await self.sessions.start(plan)
        key = "session.started_in_thread" if thread is not None else "session.started"
        words = text(locale, key, title=_plain(session.title), channel=f"<#{room.id}>", thread=f"<#{place}>")
        await interaction.followup.send(words)
        await self.panels.changed(session.session_id)

    @app_commands.command(
        name="schedule", description=said("schedule", "Plan a session as an event that begins by itself")
    )
    @app_commands.describe(
        when=said("when", "in 2 h · 20:30 (UTC) · 2026-12-24 20:30+01:00 · <t:…>"),
        title=said("title", "What the evening is called"),
        channel=said("channel", "Where to play; left out: the voice channel that you are in"),
        rounds=said("rounds", "Covers each member may bring; left out: as many as they like"),
        theme=said("theme", "What the covers should have in common"),
        blind=said("blind", "Hide cover and submitter until votes are in"),
        versus=said("versus", "Play each cover with and without similar albums, and let the room decide"),
    )
    async def schedule_session(
        self,
        interaction: discord.Interaction[Any],
        when: str,
        title: app_commands.Range[str, 1, 100] | None = None,
        channel: Room | None = None,
        rounds: app_commands.Range[int, 1, 20] | None = None,
        theme: app_commands.Range[str, 1, 100] | None = None,
        blind: bool = False,
        versus: bool = False,
    ) -> None:
        """Create the event and the session that it stands for."""
        await check_session_place(interaction)
        room = event_channel(interaction, channel)
        locale = await locale_of(interaction)
        begins = parse_when(when, datetime.datetime.now(datetime.UTC))
        name = title or text(locale, "session.untitled", channel=room.name)[:100]
        await interaction.response.defer()
        event = await room.guild.create_scheduled_event(
            name=name,
            start_time=begins,
            channel=room,
            privacy_level=discord.PrivacyLevel.guild_only,
            description=text(locale, "session.event", theme=theme or "–")[:1000],
        )
        plan = SessionPlan(
            guild_id=room.guild.id,
            voice_channel_id=room.id,
            text_channel_id=interaction.channel_id or room.id,
            host_id=interaction.user.id,
            title=name,
            theme=theme or "",
            rounds=rounds or 0,
            blind=blind,
            versus=versus,
            locale=locale,
            event_id=event.id,
        )
        async with undone_on_error(event.delete):
            await self.sessions.plan(plan)
        stamp = f"<t:{int(begins.timestamp())}:F>"
        words = text(locale, "session.planned", title=_plain(name), when=stamp, channel=f"<#{room.id}>")
        await interaction.followup.send(f"{words}\n{event.url}")

    @app_commands.command(name="stop", description=said("stop", "End the session; the recap follows"))
    async def stop(self, interaction: discord.Interaction[Any]) -> None:
        """For host and moderators."""
        session = self._steered(interaction)
        locale = await locale_of(interaction)
        await interaction.response.defer(ephemeral=True)
        await self.sessions.stop(session.session_id)
        await interaction.followup.send(text(locale, "session.stopped"), ephemeral=True)

    @app_commands.command(
        name="resume", description=said("resume", "Continue a session that ended because of a problem")
    )
    @app_commands.describe(session=said("session", "Which one"))
    async def resume(self, interaction: discord.Interaction[Any], session: str) -> None:
        """For host and moderators; playlist and votes are as they were."""
        await check_session_place(interaction)
        stored = await self._chosen(interaction, session)
        require_steering(interaction, stored)
        locale = await locale_of(interaction)
        await interaction.response.defer(ephemeral=True)
        self.panels.anew(stored.session_id)
        await self.sessions.resume(stored.session_id)
        await self.panels.changed(stored.session_id)
        await interaction.followup.send(text(locale, "session.resumed"), ephemeral=True)

    # what members do

    @app_commands.command(name="submit", description=said("submit", "Bring a cover to the session"))
    @app_commands.describe(
        image=said("image", "The cover: PNG, JPEG, WebP or GIF"),
        title=said("cover_title", "What it is called; left out: the file's name"),
        session=said("session_planned", "A planned session; left out: the one that runs"),
    )
    async def submit(
        self,
        interaction: discord.Interaction[Any],
        image: discord.Attachment,
        title: app_commands.Range[str, 1, 100] | None = None,
        session: str | None = None,
    ) -> None:
        """Add it to the playlist; only the member is told, for in a blind session nobody else may know."""
        await check_session_place(interaction)
        chosen = await self._chosen(interaction, session) if session else self._current(interaction)
        requests = self.bot.requests
        await interaction.response.defer(ephemeral=True)
        cover = await requests.fetch_cover(image)
        user, name = interaction.user, title or title_of(image.filename)
        submissions = self.bot.services[Submissions]
        entry = await submissions.submit(chosen.session_id, user.id, cover, name, user.display_name)
        words = text(await locale_of(interaction), "session.submitted", number=entry.entry_id)
        await interaction.followup.send(words, ephemeral=True)

    @app_commands.command(name="skip", description=said("skip", "Vote to skip the current clip"))
    @app_commands.describe(force=said("force", "Host and moderators: skip at once"))
    async def skip(self, interaction: discord.Interaction[Any], force: bool = False) -> None:
        """One vote a listener."""
        session = self._steered(interaction) if force else self._current(interaction)
        result = await self.sessions.controls(session.session_id).skip(interaction.user.id, force=force)
        key = "session.skipped" if result.skipped else "session.skip_counted"
        await self._whisper(interaction, key, votes=result.votes, needed=result.needed)

    @app_commands.command(name="pause", description=said("pause", "Pause the music, or continue it"))
    async def pause(self, interaction: discord.Interaction[Any]) -> None:
        """For host and moderators."""
        session = self._steered(interaction)
        view = self.sessions.view(session.session_id)
        paused = view is not None and view.status is PlaybackStatus.PAUSED
        await self.sessions.controls(session.session_id).set_paused(not paused)
        await self._whisper(interaction, "session.goes_on" if paused else "session.paused")

    @app_commands.command(name="replay", description=said("replay", "Play the clip again from its beginning"))
    async def replay(self, interaction: discord.Interaction[Any]) -> None:
        """For host and moderators."""
        controls = self.sessions.controls(self._steered(interaction).session_id)
        await interaction.response.defer(ephemeral=True)  # a quieter copy may have to be made
        await controls.replay()
        await self._whisper(interaction, "session.replayed")

    @app_commands.command(name="back", description=said("back", "Play the previous cover once more"))
    async def back(self, interaction: discord.Interaction[Any]) -> None:
        """For host and moderators."""
        controls = self.sessions.controls(self._steered(interaction).session_id)
        await interaction.response.defer(ephemeral=True)  # a quieter copy may have to be made
        await controls.back()
        await self._whisper(interaction, "session.went_back")

    @app_commands.command(name="volume", description=said("volume", "How loud the session plays"))
    @app_commands.describe(percent=said("percent", "5 to 100"))
    async def volume(
        self, interaction: discord.Interaction[Any], percent: app_commands.Range[int, 5, 100]
    ) -> None:
        """For host and moderators."""
        session = self._steered(interaction)
        await interaction.response.defer(ephemeral=True)
        await self.sessions.controls(session.session_id).set_volume(percent / 100)
        await self._whisper(interaction, "session.volume", percent=percent)

    # looking

    @app_commands.command(
        name="list", description=said("list", "This server's sessions: running, planned, and over")
    )
    async def list_sessions(self, interaction: discord.Interaction[Any]) -> None:
        """Page by page."""
        locale = await locale_of(interaction)
        await interaction.response.defer(ephemeral=True)
        page = await list_page(self.sessions, interaction.guild_id or 0, 0, locale)
        await show(interaction, page, locale)

    @app_commands.command(
        name="show", description=said("show", "One session: what plays, what comes, or how it ended")
    )
    @app_commands.describe(session=said("session", "Which one"))
    async def show_session(self, interaction: discord.Interaction[Any], session: str | None = None) -> None:
        """To the member alone."""
        chosen = await self._chosen(interaction, session) if session else self._current(interaction)
        locale = await locale_of(interaction)
        await interaction.response.defer(ephemeral=True)
        await show(interaction, await show_page(self.sessions, chosen, locale), locale)

    @resume.autocomplete("session")
    @show_session.autocomplete("session")
    @submit.autocomplete("session")
    async def suggest(
        self, interaction: discord.Interaction[Any], typed: str
    ) -> list[app_commands.Choice[str]]:
        """Sessions of this server whose title holds what was typed."""
        command = interaction.command.name if interaction.command is not None else ""
        locale = await locale_of(interaction)
        return await choices(self.sessions, interaction.guild_id or 0, typed, command, locale)

    # helpers

    def _current(self, interaction: discord.Interaction[Any]) -> Session:
        """The session that runs in this server. Raises Refusal."""
        session = self.sessions.of_guild(interaction.guild_id or 0)
        if session is None:
            raise Refusal("session.none_running")
        return session

    def _steered(self, interaction: discord.Interaction[Any]) -> Session:
        """The running session, for who may decide over it. Raises Refusal."""
        session = self._current(interaction)
        require_steering(interaction, session)
        return session

    async def _chosen(self, interaction: discord.Interaction[Any], session_id: str) -> Session:
        """A session of this server by its id, which suggestions send, or by its title. Raises Refusal."""
        guild_id = interaction.guild_id or 0
        session = await self.sessions.store.get(session_id)
        if session is None:
            session = await self.sessions.store.of_title(guild_id, session_id)
        if session is None or session.guild_id != guild_id:
            raise Refusal("session_core.unknown")
        return session

    async def _whisper(self, interaction: discord.Interaction[Any], key: str, **values: Any) -> None:
        locale = await locale_of(interaction)
        await tell(interaction, text(locale, key, **values))


def _plain(words: str) -> str:
    return discord.utils.escape_mentions(discord.utils.escape_markdown(words))


async def setup(bot: AlbumGenBot) -> None:
    """Called by discord.py."""
    await bot.add_cog(SessionCog(bot))
