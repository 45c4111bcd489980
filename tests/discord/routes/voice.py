"""What REST knows of voice: the channel's status and who is where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord.errors import Problems, unknown
from tests.discord.permissions import P
from tests.discord.rest import Call
from tests.discord.routes import router
from tests.discord.routes.access import require

if TYPE_CHECKING:
    from tests.discord.server import Server


@router.add("PUT", "/channels/{channel_id}/voice-status")
def status(server: Server, call: Call) -> Any:
    channel = server.world.channel(call.id("channel_id"))
    assert channel.guild is not None
    here = channel.guild.voice_states.get(server.world.bot.id, {}).get("channel_id") == str(channel.id)
    require(server, channel, P.SET_VOICE_CHANNEL_STATUS, *(() if here else (P.MANAGE_CHANNELS,)))
    problems = Problems()
    problems.length("status", call.body.get("status"), 500)
    problems.raise_if_any()
    channel.status = call.body.get("status") or None
    server.world.changed()


@router.add("GET", "/guilds/{guild_id}/voice-states/{user_id}")
def voice_state(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    who = server.world.bot.id if call.params["user_id"] == "@me" else call.id("user_id")
    found = guild.voice_states.get(who)
    if found is None:
        raise unknown("voice state")
    return found


@router.add("PATCH", "/guilds/{guild_id}/voice-states/@me")
def speak_on_stage(server: Server, call: Call) -> Any:
    guild = server.world.guild(call.id("guild_id"))
    mine = guild.voice_states.get(server.world.bot.id)
    if mine is None:
        raise unknown("voice state")
    for name in ("suppress", "request_to_speak_timestamp"):
        if name in call.body:
            mine[name] = call.body[name]
    server.world.announce("VOICE_STATE_UPDATE", mine, guild=guild)
