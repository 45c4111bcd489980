"""Where a session may be held: checked before anything is begun, each no in one sentence."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import discord

from bot.guilds.policy import ChannelContext, check_permissions, check_place
from bot.guilds.settings import GuildSettingsStore
from bot.messages.errors import Refusal
from bot.services import services_of
from bot.sessions.playback.listeners import SessionChannel as Room
from bot.sessions.state.model import Session

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def undone_on_error(undo: Callable[[], Awaitable[object]] | None) -> AsyncIterator[None]:
    """Leaves no thread or event behind whose session could not be made, whatever the error."""
    try:
        yield
    except BaseException:
        if undo is not None:
            try:
                await undo()
            except (discord.HTTPException, aiohttp.ClientError, OSError) as failure:
                log.warning("what a session left behind cannot be removed: %s", failure)
        raise


def session_voice_channel(interaction: discord.Interaction[Any], chosen: Room | None) -> Room:
    """The chosen voice or stage channel, else the member's own. Raises Refusal.

    Choosing one takes that the member could join it.
    """
    user = interaction.user
    if not isinstance(user, discord.Member):
        raise Refusal("refusal.server_only")
    if chosen is not None:
        room = user.guild.get_channel(chosen.id)
        if not isinstance(room, Room):
            raise Refusal("session_core.no_voice_channel")
        theirs = room.permissions_for(user)
        if not theirs.view_channel or not theirs.connect:
            raise Refusal("session.room_not_yours")
        return room
    voice = user.voice
    if voice is None or not isinstance(voice.channel, Room):
        raise Refusal("session.join_first")
    return voice.channel


def event_channel(interaction: discord.Interaction[Any], chosen: Room | None) -> Room:
    """The same for an event, for which bot and member need a permission each. Raises Refusal."""
    room = session_voice_channel(interaction, chosen)
    mine = room.permissions_for(room.guild.me)
    if not (mine.create_events or mine.manage_events) or not mine.view_channel or not mine.connect:
        raise Refusal("session.event_permission")
    allowed = interaction.permissions
    if not (allowed.create_events or allowed.manage_events or allowed.manage_guild):
        raise Refusal("session.event_not_yours")
    return room


async def session_text_channel(
    interaction: discord.Interaction[Any], title: str
) -> tuple[int, discord.Thread | None]:
    """The channel for the panel: a new thread where there can be one, else where the command was used.

    Returns its id, and the thread if one was made. Raises Refusal where the bot cannot write there.
    """
    channel, mine = interaction.channel, interaction.app_permissions
    is_thread = isinstance(channel, discord.Thread)
    check_permissions(mine, is_thread=is_thread)
    if (
        isinstance(channel, discord.TextChannel)
        and mine.create_public_threads
        and mine.send_messages_in_threads
    ):
        try:
            thread = await channel.create_thread(
                name=title[:100], type=discord.ChannelType.public_thread, auto_archive_duration=1440
            )
        except discord.HTTPException as error:
            log.info("no thread for a session: %s", error.status)
        else:
            return thread.id, thread
    return interaction.channel_id or 0, None


async def check_session_place(interaction: discord.Interaction[Any]) -> None:
    """The server's policy on channels, roles and age restriction, for all that joins in. Raises Refusal."""
    guild = await services_of(interaction)[GuildSettingsStore].of(interaction.guild_id)
    check_place(ChannelContext.of_interaction(interaction, with_permissions=False), guild)


def playable_channel(client: discord.Client, session: Session) -> Room:
    """The session's voice channel, where the bot has all permissions that playing takes. Raises Refusal."""
    guild = client.get_guild(session.guild_id)
    channel = guild.get_channel(session.voice_channel_id) if guild is not None else None
    if not isinstance(channel, Room):
        raise Refusal("session_core.no_voice_channel")
    allowed = channel.permissions_for(channel.guild.me)
    needed = ["view_channel", "connect"]
    if isinstance(channel, discord.VoiceChannel):
        needed.append("speak")
    elif not allowed.mute_members:
        needed.append("request_to_speak")  # on a stage, speaking is asked for
    for name in needed:
        if not getattr(allowed, name):
            raise Refusal("session_core.voice_permission", permission=name.replace("_", " ").title())
    return channel
