"""Adding and removing reactions, by the bot or by a member."""

from __future__ import annotations

from tests.discord import payloads
from tests.discord.errors import ApiError
from tests.discord.state import Json, Message, User

MAX_KINDS = 20


def about(message: Message, key: str) -> Json:
    body: Json = {
        "channel_id": str(message.channel.id),
        "message_id": str(message.id),
        "emoji": payloads.emoji(key),
    }
    if message.channel.guild:
        body["guild_id"] = str(message.channel.guild.id)
    return body


def add(message: Message, user: User, key: str) -> None:
    """Adds one reaction; adding it again changes nothing."""
    users = message.reactions.get(key, [])
    if user in users:
        return
    if key not in message.reactions and len(message.reactions) >= MAX_KINDS:
        raise ApiError(403, 30010, "Maximum number of reactions reached (20)")
    message.reactions[key] = [*users, user]
    body = about(message, key) | {"user_id": str(user.id), "burst": False, "type": 0, "burst_colors": []}
    body["message_author_id"] = str(message.author.id)
    guild = message.channel.guild
    if guild and user.id in guild.members:
        body["member"] = guild.members[user.id].payload()
    message.world.announce("MESSAGE_REACTION_ADD", body, message.channel)


def remove(message: Message, user: User, key: str) -> None:
    """Takes one reaction back; absent ones are ignored, as Discord does."""
    users = message.reactions.get(key, [])
    if user not in users:
        return
    message.reactions[key] = [each for each in users if each is not user]
    if not message.reactions[key]:
        del message.reactions[key]
    body = about(message, key) | {"user_id": str(user.id), "burst": False, "type": 0}
    message.world.announce("MESSAGE_REACTION_REMOVE", body, message.channel)


def clear(message: Message, key: str | None) -> None:
    """Removes all reactions, or all of one kind."""
    if key is None:
        message.reactions.clear()
        body = about(message, "")
        del body["emoji"]
        message.world.announce("MESSAGE_REACTION_REMOVE_ALL", body, message.channel)
        return
    if message.reactions.pop(key, None):
        message.world.announce("MESSAGE_REACTION_REMOVE_EMOJI", about(message, key), message.channel)
