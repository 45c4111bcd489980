"""Gateway intents: which events a session asked for."""

from __future__ import annotations

from tests.discord.state import Guild

PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15
MEMBERS, CONTENT = 1 << 1, 1 << 15

GUILD_INTENT = {"GUILD": 1, "CHANNEL": 1, "THREAD": 1, "STAGE": 1}
EVENT_INTENTS = {
    "GUILD_MEMBER_ADD": (1 << 1, 0),
    "GUILD_MEMBER_UPDATE": (1 << 1, 0),
    "GUILD_MEMBER_REMOVE": (1 << 1, 0),
    "VOICE_STATE_UPDATE": (1 << 7, 0),
    "MESSAGE_CREATE": (1 << 9, 1 << 12),
    "MESSAGE_UPDATE": (1 << 9, 1 << 12),
    "MESSAGE_DELETE": (1 << 9, 1 << 12),
    "MESSAGE_REACTION_ADD": (1 << 10, 1 << 13),
    "MESSAGE_REACTION_REMOVE": (1 << 10, 1 << 13),
    "MESSAGE_REACTION_REMOVE_ALL": (1 << 10, 1 << 13),
    "MESSAGE_REACTION_REMOVE_EMOJI": (1 << 10, 1 << 13),
    "TYPING_START": (1 << 11, 1 << 14),
    "CHANNEL_PINS_UPDATE": (1, 1 << 12),
    "GUILD_SCHEDULED_EVENT_CREATE": (1 << 16, 0),
    "GUILD_SCHEDULED_EVENT_UPDATE": (1 << 16, 0),
    "GUILD_SCHEDULED_EVENT_DELETE": (1 << 16, 0),
}
"""Intent that an event needs in a guild and in a direct message (0: never sent there)."""

ALWAYS = {
    "INTERACTION_CREATE",
    "READY",
    "RESUMED",
    "VOICE_SERVER_UPDATE",
    "GUILD_MEMBERS_CHUNK",
    "USER_UPDATE",
}


def wanted(intents: int, event: str, guild: Guild | None) -> bool:
    """Whether a session that declared ``intents`` receives ``event``."""
    if event in ALWAYS:
        return True
    if event in EVENT_INTENTS:
        return bool(intents & EVENT_INTENTS[event][0 if guild else 1])
    return bool(intents & GUILD_INTENT.get(event.split("_")[0], 0))
