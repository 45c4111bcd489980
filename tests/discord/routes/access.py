"""Permission checks in the order and with the codes that Discord uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.discord.errors import missing_access, missing_permissions
from tests.discord.permissions import P, in_guild
from tests.discord.state import Channel, Guild

if TYPE_CHECKING:
    from tests.discord.server import Server


def require(server: Server, channel: Channel, *needed: P) -> None:
    """50001 where the bot cannot look, 50013 where it may not act."""
    bits = server.world.bot_permissions(channel)
    if not bits & P.VIEW_CHANNEL:
        raise missing_access()
    if any(not bits & bit for bit in needed):
        raise missing_permissions()


def require_in_guild(server: Server, guild: Guild, *needed: P) -> None:
    """The same for permissions that are not tied to a channel; any one of ``needed`` is enough."""
    bits = in_guild(guild.members[server.world.bot.id])
    if not any(bits & bit for bit in needed):
        raise missing_permissions()
