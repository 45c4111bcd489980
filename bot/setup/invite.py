"""The link that brings AlbumGen into a server, with the permissions it uses and no others."""

from __future__ import annotations

import discord

PERMISSIONS: dict[str, str] = {
    "view_channel": "to be in a channel at all",
    "send_messages": "to answer where no command was used (a reaction asked for another take)",
    "send_messages_in_threads": "the same in threads",
    "embed_links": "results are embeds",
    "attach_files": "clips and cards are files",
    "read_message_history": "to find its own messages again, and to react to them",
    "add_reactions": "to offer 🔁 and ⭐ under a result",
    "connect": "to play listening sessions in voice channels",
    "speak": "the same",
    "request_to_speak": "the same on stages",
    "set_voice_channel_status": "to show what plays beside the channel's name",
    "create_public_threads": "to give a session's panel and talk a place of their own",
    "create_events": "to plan sessions as scheduled events",
}
"""Names of discord.Permissions, each with why it is asked for."""

SCOPES = ("bot", "applications.commands")


def permissions() -> discord.Permissions:
    """What the bot asks for in a server."""
    return discord.Permissions(**dict.fromkeys(PERMISSIONS, True))


def invite_link(application_id: int) -> str:
    """The address that an administrator opens to add the bot to a server."""
    return discord.utils.oauth_url(application_id, permissions=permissions(), scopes=SCOPES)
