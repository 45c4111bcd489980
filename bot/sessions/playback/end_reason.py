"""Why a session ends when its voice connection is over."""

from __future__ import annotations

import discord

from bot.sessions.playback.voice import VoiceEnd
from bot.sessions.state.model import EndReason, Session

_REASONS = {
    VoiceEnd.ENCRYPTION: EndReason.ENCRYPTION,
    VoiceEnd.REFUSED: EndReason.REFUSED,
    VoiceEnd.UNREACHABLE: EndReason.UNREACHABLE,
}


def end_reason(client: discord.Client, session: Session, end: VoiceEnd) -> EndReason:
    """The reason as far as it is known now: news of a deleted channel may come after REMOVED."""
    if end in _REASONS:
        return _REASONS[end]
    guild = client.get_guild(session.guild_id)
    if guild is None:
        return EndReason.GUILD_GONE
    if guild.get_channel(session.voice_channel_id) is None:
        return EndReason.CHANNEL_GONE
    return EndReason.REMOVED
