"""How state looks on the wire."""

from __future__ import annotations

from tests.discord.clock import iso
from tests.discord.permissions import P
from tests.discord.state import (
    DM,
    GROUP_DM,
    STAGE,
    TEXT,
    VOICE,
    Attachment,
    Channel,
    Guild,
    Json,
    Message,
    User,
)
from tests.discord.world import World


def attachment(world: World, item: Attachment) -> Json:
    url = world.link(item)
    body: Json = {
        "id": str(item.id),
        "filename": item.filename,
        "size": len(item.data),
        "url": url,
        "proxy_url": url.replace("cdn.discordapp.com", "media.discordapp.net"),
        "content_type": item.content_type,
        "flags": 0,
    }
    if item.width:
        body |= {"width": item.width, "height": item.height}
    if item.description:
        body["description"] = item.description
    if item.ephemeral:
        body["ephemeral"] = True
    return body


def emoji(key: str) -> Json:
    """``key`` is a unicode emoji, or ``name:id``."""
    name, _, identity = key.partition(":")
    return {"id": identity or None, "name": name}


def channel(item: Channel) -> Json:
    """A channel as REST and the gateway show it."""
    last = max(item.messages, default=None)
    body: Json = {"id": str(item.id), "type": item.kind, "flags": 0}
    body["last_message_id"] = str(last) if last else None
    if item.kind in (DM, GROUP_DM):
        body["recipients"] = [user.payload() for user in item.recipients]
        if item.kind == GROUP_DM:
            body |= {"name": item.name, "owner_id": str(item.recipients[0].id), "icon": None}
        return body
    guild = item.guild
    assert guild is not None
    body |= {"guild_id": str(guild.id), "name": item.name}
    body["parent_id"] = str(item.parent.id) if item.parent else None
    if item.is_thread:
        return body | thread_fields(item)
    body |= {
        "position": 0,
        "nsfw": item.nsfw,
        "permission_overwrites": [overwrite.payload() for overwrite in item.overwrites.values()],
    }
    if item.kind in (VOICE, STAGE):
        body |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None, "rate_limit_per_user": 0}
        body["status"] = item.status
    if item.kind == TEXT:
        body |= {"topic": None, "rate_limit_per_user": 0}
    return body


def thread_fields(item: Channel) -> Json:
    return {
        "owner_id": str(item.owner.id if item.owner else item.world.bot.id),
        "message_count": len(item.messages),
        "total_message_sent": len(item.messages),
        "member_count": 1,
        "rate_limit_per_user": 0,
        "thread_metadata": {
            "archived": item.archived,
            "auto_archive_duration": 1440,
            "archive_timestamp": iso(item.world.clock.now()),
            "locked": False,
            "create_timestamp": iso(item.world.clock.now()),
        },
        "member": {
            "id": str(item.id),
            "user_id": str(item.world.bot.id),
            "join_timestamp": iso(item.world.clock.now()),
            "flags": 0,
        },
    }


def message(item: Message, viewer: User | None = None) -> Json:
    """A message as ``viewer`` (the bot by default) receives it."""
    viewer = viewer or item.world.bot
    body: Json = {
        "id": str(item.id),
        "channel_id": str(item.channel.id),
        "type": item.kind,
        "author": item.author.payload(),
        "content": item.content,
        "timestamp": iso(item.created),
        "edited_timestamp": iso(item.edited) if item.edited else None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [user.payload() for user in item.mentions],
        "mention_roles": [],
        "attachments": [attachment(item.world, a) for a in item.attachments if not a.embedded],
        "embeds": item.embeds,
        "components": item.components,
        "pinned": item.pinned,
        "flags": item.flags,
    }
    if item.reactions:
        body["reactions"] = [
            {
                "emoji": emoji(key),
                "count": len(users),
                "count_details": {"normal": len(users), "burst": 0},
                "me": viewer in users,
                "me_burst": False,
                "burst_colors": [],
            }
            for key, users in item.reactions.items()
        ]
    if item.nonce is not None:
        body["nonce"] = item.nonce
    if item.reference:
        body["message_reference"] = item.reference
        body["referenced_message"] = referenced(item)
    if item.interaction:
        body["interaction_metadata"] = item.interaction
    if item.application_id:
        body |= {"application_id": str(item.application_id), "webhook_id": str(item.application_id)}
    return body


def referenced(item: Message) -> Json | None:
    assert item.reference is not None
    target = item.channel.messages.get(int(item.reference["message_id"]))
    if target is None or target.deleted:
        return None
    body = message(target)
    body.pop("referenced_message", None)
    return body


def in_gateway(item: Message) -> Json:
    """A message as an event: with guild and member, which REST leaves out."""
    body = message(item)
    body["channel_type"] = item.channel.kind
    guild = item.channel.guild
    if guild:
        body["guild_id"] = str(guild.id)
        member = guild.members.get(item.author.id)
        if member and not item.application_id:
            body["member"] = member.payload(with_user=False)
    return body


def without_content(body: Json) -> Json:
    """What a bot without the message content intent is shown of a message that is not its own."""
    return body | {"content": "", "embeds": [], "attachments": [], "components": []}


def guild_create(guild: Guild, *, all_members: bool) -> Json:
    """The event that opens a guild to the bot. Without the members intent: itself and who is in voice."""
    world = guild.world
    shown = [
        member
        for member in guild.members.values()
        if all_members or member.user is world.bot or member.user.id in guild.voice_states
    ]
    visible = [c for c in guild.channels.values() if world.bot_permissions(c) & P.VIEW_CHANNEL]
    return guild.payload() | {
        "joined_at": iso(guild.created),
        "large": False,
        "unavailable": False,
        "member_count": len(guild.members),
        "members": [member.payload() for member in shown],
        "channels": [channel(c) for c in guild.channels.values() if not c.is_thread],
        "threads": [channel(c) for c in visible if c.is_thread and not c.archived],
        "presences": [],
        "voice_states": list(guild.voice_states.values()),
        "stage_instances": [],
        "guild_scheduled_events": list(guild.events.values()),
        "soundboard_sounds": [],
    }
