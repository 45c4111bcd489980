"""Making and editing messages the way Discord does: files, references, mentions, nonces."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from tests.discord import limits, payloads
from tests.discord.errors import ApiError, Problems
from tests.discord.state import LOADING, V2, Attachment, Channel, Json, Message, Revision, User
from tests.discord.world import World

NONCE_SECONDS = 180.0
MENTION = re.compile(r"<@!?(\d+)>")
KEPT_FLAGS = (1 << 2) | (1 << 6) | (1 << 12) | V2


@dataclass(frozen=True)
class Upload:
    """One ``files[n]`` part of a multipart body."""

    filename: str
    content_type: str
    data: bytes


Uploads = dict[int, Upload]


def create(
    world: World,
    channel: Channel,
    author: User,
    body: Json,
    uploads: Uploads,
    *,
    kind: int = 0,
    flags: int = 0,
    interaction: Json | None = None,
    application_id: int | None = None,
) -> Message:
    """Checks ``body`` against the limits, stores the message and announces it (unless it is ephemeral)."""
    flags |= int(body.get("flags") or 0) & KEPT_FLAGS
    repeated = same_nonce(world, channel, author, body)
    if repeated:
        return repeated
    check_sizes(world, channel, uploads)
    if not flags & LOADING:
        limits.check_message(body | {"flags": flags}, len(uploads))
    reference = check_reference(channel, body.get("message_reference"))
    message = Message(
        world.clock.snowflake(),
        channel,
        author,
        world,
        world.clock.now(),
        flags=flags,
        kind=19 if reference else kind,
        nonce=body.get("nonce"),
        reference=reference,
        interaction=interaction,
        application_id=application_id,
    )
    message.attachments = new_files(world, message, body.get("attachments"), uploads)
    apply_text(message, body)
    channel.messages[message.id] = message
    record(message)
    if not message.ephemeral:
        world.announce("MESSAGE_CREATE", payloads.in_gateway(message), channel)
    world.changed()
    return message


def edit(message: Message, body: Json, uploads: Uploads) -> Message:
    """A PATCH: absent fields stay; ``attachments`` lists what is kept and describes what is new."""
    world = message.world
    check_sizes(world, message.channel, uploads)
    flags = int(body["flags"]) & KEPT_FLAGS if body.get("flags") is not None else 0
    limits.check_message(body | {"flags": flags | message.flags & V2}, len(uploads), editing=True)
    listed = body.get("attachments")
    existing = {attachment.id: attachment for attachment in message.attachments}
    kept = message.attachments
    if "attachments" in body:
        wanted = {int(item["id"]) for item in listed or []}
        kept = [attachment for attachment in message.attachments if attachment.id in wanted]
    fresh = [item for item in listed or [] if int(item["id"]) not in existing]
    added = new_files(world, message, fresh if listed is not None else None, uploads)
    for attachment in message.attachments:
        if attachment not in kept:
            world.attachments.pop(attachment.id, None)
    message.attachments = [*kept, *added]
    if len(message.attachments) > limits.FILES:
        raise ApiError(400, 30015, "Maximum number of attachments in a message reached (10)")
    message.flags = message.flags & ~LOADING | flags
    apply_text(message, body)
    if not (message.content or message.embeds or message.components or message.attachments):
        raise ApiError(400, 50006, "Cannot send an empty message")
    message.edited = world.clock.now()
    announce_update(message)
    return message


def announce_update(message: Message) -> None:
    """Records the message as it stands now and tells the gateway."""
    record(message)
    if not message.ephemeral:
        message.world.announce("MESSAGE_UPDATE", payloads.in_gateway(message), message.channel)
    message.world.changed()


def delete(message: Message) -> None:
    """Removes a message and its files."""
    message.deleted = True
    world = message.world
    for attachment in message.attachments:
        world.attachments.pop(attachment.id, None)
    body = {"id": str(message.id), "channel_id": str(message.channel.id)}
    if message.channel.guild:
        body["guild_id"] = str(message.channel.guild.id)
    if not message.ephemeral:
        world.announce("MESSAGE_DELETE", body, message.channel)
    world.changed()


def record(message: Message) -> None:
    now = asyncio.get_running_loop().time()
    message.revisions.append(Revision(now, payloads.message(message)))


def same_nonce(world: World, channel: Channel, author: User, body: Json) -> Message | None:
    """With ``enforce_nonce``: the message the same author sent with this nonce in the last minutes."""
    nonce = body.get("nonce")
    if nonce is None or not body.get("enforce_nonce"):
        return None
    oldest = world.clock.now() - NONCE_SECONDS
    for message in reversed(channel.messages.values()):
        if message.created < oldest:
            return None
        if message.author is author and message.nonce == nonce:
            return message
    return None


def check_sizes(world: World, channel: Channel, uploads: Uploads) -> None:
    limit = world.size_limit(channel.guild)
    if any(len(upload.data) > limit for upload in uploads.values()):
        raise ApiError(413, 40005, "Request entity too large")


def check_reference(channel: Channel, reference: Json | None) -> Json | None:
    """A reply's target, which must exist unless the sender said that it does not matter."""
    if not reference or not reference.get("message_id"):
        return None
    target = channel.messages.get(int(reference["message_id"]))
    if target is None or target.deleted:
        if reference.get("fail_if_not_exists", True):
            problems = Problems()
            problems.add("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
            problems.raise_if_any()
        return None
    return {"type": 0, "message_id": str(target.id), "channel_id": str(channel.id)}


def new_files(
    world: World, message: Message, listed: list[Json] | None, uploads: Uploads
) -> list[Attachment]:
    """Stores the uploads, with the names and descriptions that ``attachments`` gives them."""
    described = {int(item["id"]): item for item in listed or []}
    stray = set(described) - set(uploads)
    if stray:
        problems = Problems()
        problems.add(
            "attachments", "ATTACHMENT_NOT_FOUND", f"No file or attachment has the ids {sorted(stray)}"
        )
        problems.raise_if_any()
    stored = []
    for index, upload in sorted(uploads.items()):
        about = described.get(index, {})
        attachment = world.store(about.get("filename") or upload.filename, upload.data, message.channel.id)
        attachment.description = about.get("description")
        attachment.ephemeral = message.ephemeral
        stored.append(attachment)
    return stored


def apply_text(message: Message, body: Json) -> None:
    """Takes over content, embeds, components and mentions where ``body`` has them."""
    if "content" in body:
        message.content = body["content"] or ""
    if "embeds" in body:
        for attachment in message.attachments:
            attachment.embedded = False
        message.embeds = [resolve_embed(message, embed) for embed in body["embeds"] or []]
    if "components" in body:
        message.components = number_parts([resolve_media(message, part) for part in body["components"] or []])
    if "allowed_mentions" in body:
        message.allowed_mentions = body["allowed_mentions"]
    message.mentions = mentioned(message)


def find_file(message: Message, url: str) -> Attachment | None:
    name = url.removeprefix("attachment://")
    return next((item for item in message.attachments if item.filename == name), None)


def resolve_embed(message: Message, embed: Json) -> Json:
    """Turns ``attachment://name`` into a link, and hides that file from the message's own list."""
    shown = {"type": "rich", **embed}
    for key in ("image", "thumbnail"):
        url = (embed.get(key) or {}).get("url") or ""
        if not url.startswith("attachment://"):
            continue
        attachment = find_file(message, url)
        if attachment is None:
            shown.pop(key)  # Discord drops a picture it cannot find, without a word
            continue
        attachment.embedded = True
        about = payloads.attachment(message.world, attachment)
        shown[key] = {name: about[name] for name in ("url", "proxy_url", "width", "height") if name in about}
    return shown


def resolve_media(message: Message, part: Json) -> Json:
    """The same for V2 components, where a missing file is an error."""
    shown = dict(part)
    for key in ("media", "file"):
        item = part.get(key)
        if isinstance(item, dict) and str(item.get("url", "")).startswith("attachment://"):
            shown[key] = media_item(message, item)
    for key in ("components", "items"):
        if key in part:
            shown[key] = [resolve_media(message, child) for child in part[key]]
    if "accessory" in part:
        shown["accessory"] = resolve_media(message, part["accessory"])
    return shown


def media_item(message: Message, item: Json) -> Json:
    attachment = find_file(message, item["url"])
    if attachment is None:
        problems = Problems()
        problems.add(
            "components",
            "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
            f"{item['url']} was not uploaded",
        )
        problems.raise_if_any()
        raise AssertionError
    about = payloads.attachment(message.world, attachment)
    return {
        "url": about["url"],
        "proxy_url": about["proxy_url"],
        "width": about.get("width"),
        "height": about.get("height"),
        "content_type": attachment.content_type,
        "loading_state": 2,
        "flags": 0,
        "placeholder": "",
        "attachment_id": str(attachment.id),
    }


def number_parts(components: list[Json]) -> list[Json]:
    """Gives every component the numeric id that Discord adds when the sender left it out."""
    for index, part in enumerate(limits.walk(components), start=1):
        part.setdefault("id", index)
    return components


def mentioned(message: Message) -> list[User]:
    """Users whom the content pings, as far as ``allowed_mentions`` lets it."""
    rules = message.allowed_mentions
    found = []
    for text in MENTION.findall(message.content):
        user = message.world.users.get(int(text))
        if user is None or user in found:
            continue
        named = rules is not None and str(user.id) in {str(each) for each in rules.get("users") or []}
        if rules is None or "users" in rules.get("parse", []) or named:
            found.append(user)
    return found
