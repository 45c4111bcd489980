"""The things Discord remembers: users, guilds, channels, messages, attachments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.discord.clock import iso
from tests.discord.permissions import MEMBER, NOTHING, P

if TYPE_CHECKING:
    from tests.discord.world import World

Json = dict[str, Any]

TEXT, DM, VOICE, GROUP_DM, CATEGORY, PUBLIC_THREAD, STAGE = 0, 1, 2, 3, 4, 11, 13
EPHEMERAL, LOADING, V2 = 1 << 6, 1 << 7, 1 << 15


@dataclass(eq=False)
class User:
    """An account. ``accepts_dms`` false answers 50007 to a message from the bot."""

    id: int
    name: str
    bot: bool = False
    locale: str = "en-US"
    accepts_dms: bool = True

    def payload(self) -> Json:
        return {
            "id": str(self.id),
            "username": self.name.lower().replace(" ", "_"),
            "global_name": None if self.bot else self.name,
            "discriminator": "0000" if self.bot else "0",
            "avatar": None,
            "bot": self.bot,
            "system": False,
            "public_flags": 0,
        }


@dataclass(eq=False)
class Role:
    id: int
    name: str
    permissions: P
    position: int = 1

    def payload(self) -> Json:
        return {
            "id": str(self.id),
            "name": self.name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": self.position,
            "permissions": str(int(self.permissions)),
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }


@dataclass(eq=False)
class Member:
    user: User
    guild: Guild
    roles: list[Role] = field(default_factory=list)

    def payload(self, *, with_user: bool = True) -> Json:
        body: Json = {
            "roles": [str(role.id) for role in self.roles],
            "nick": None,
            "avatar": None,
            "joined_at": iso(self.guild.created),
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": None,
        }
        return {"user": self.user.payload(), **body} if with_user else body


@dataclass(eq=False)
class Overwrite:
    """What a role (kind 0) or a member (kind 1) is allowed and denied in one channel."""

    id: int
    kind: int
    allow: P = NOTHING
    deny: P = NOTHING

    def payload(self) -> Json:
        return {
            "id": str(self.id),
            "type": self.kind,
            "allow": str(int(self.allow)),
            "deny": str(int(self.deny)),
        }


@dataclass(eq=False)
class Guild:
    """A server. With ``has_bot`` false the bot meets it through user-installed commands only."""

    id: int
    name: str
    owner: User
    world: World = field(repr=False)
    created: float = 0.0
    has_bot: bool = True
    locale: str = "en-US"
    premium_tier: int = 0
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    voice_states: dict[int, Json] = field(default_factory=dict)
    events: dict[int, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roles[self.id] = Role(self.id, "@everyone", MEMBER, position=0)

    @property
    def everyone(self) -> Role:
        return self.roles[self.id]

    def channel(self, name: str) -> Channel:
        """The channel called ``name``; KeyError when there is none."""
        for channel in self.channels.values():
            if channel.name == name:
                return channel
        raise KeyError(name)

    def payload(self) -> Json:
        """The guild without what only GUILD_CREATE carries."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "splash": None,
            "discovery_splash": None,
            "description": None,
            "banner": None,
            "owner_id": str(self.owner.id),
            "region": "loopback",
            "afk_channel_id": None,
            "afk_timeout": 300,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "public_updates_channel_id": None,
            "safety_alerts_channel_id": None,
            "application_id": None,
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": self.premium_tier,
            "premium_subscription_count": 0,
            "premium_progress_bar_enabled": False,
            "preferred_locale": self.locale,
            "vanity_url_code": None,
            "features": [],
            "emojis": [],
            "stickers": [],
            "roles": [role.payload() for role in self.roles.values()],
        }


@dataclass(eq=False)
class Attachment:
    """A stored file. ``data`` is what was uploaded, byte for byte."""

    id: int
    filename: str
    content_type: str
    data: bytes
    channel_id: int
    width: int | None = None
    height: int | None = None
    description: str | None = None
    ephemeral: bool = False
    embedded: bool = False
    """Used through ``attachment://`` by an embed: Discord then leaves it out of the message's list."""


@dataclass(eq=False)
class Revision:
    """A message as it stood at one moment (``at``: the event loop's clock, seconds)."""

    at: float
    payload: Json


@dataclass(eq=False)
class Message:
    """A message and all its revisions; ``revisions[0]`` is the first one seen."""

    id: int
    channel: Channel
    author: User
    world: World = field(repr=False)
    created: float = 0.0
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    kind: int = 0
    nonce: str | int | None = None
    edited: float | None = None
    pinned: bool = False
    deleted: bool = False
    reactions: dict[str, list[User]] = field(default_factory=dict)
    reference: Json | None = None
    mentions: list[User] = field(default_factory=list)
    interaction: Json | None = None
    application_id: int | None = None
    allowed_mentions: Json | None = None
    revisions: list[Revision] = field(default_factory=list, repr=False)

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """True while the reply is only "thinking"."""
        return bool(self.flags & LOADING)

    @property
    def seen_at(self) -> float:
        """When the message was first there, on the event loop's clock."""
        return self.revisions[0].at

    def attachment(self, suffix: str) -> Attachment:
        """The first attachment whose name ends in ``suffix``; LookupError when there is none."""
        for attachment in self.attachments:
            if attachment.filename.endswith(suffix):
                return attachment
        raise LookupError(f"no {suffix} among {[a.filename for a in self.attachments]}")

    def parts(self) -> list[Json]:
        """Every component, however deep, in order."""
        found: list[Json] = []

        def walk(items: list[Json]) -> None:
            for item in items:
                found.append(item)
                walk(item.get("components", []))
                if "accessory" in item:
                    walk([item["accessory"]])

        walk(self.components)
        return found

    @property
    def text(self) -> str:
        """All words a reader sees: content, embeds and V2 text, one line each."""
        words = [self.content]
        for embed in self.embeds:
            words += [embed.get("title") or "", embed.get("description") or ""]
            for entry in embed.get("fields", []):
                words += [entry["name"], entry["value"]]
            words.append(embed.get("author", {}).get("name", ""))
            words.append(embed.get("footer", {}).get("text", ""))
        words += [part.get("content", "") for part in self.parts() if part["type"] == 10]
        return "\n".join(word for word in words if word)

    async def wait_until(self, predicate: Callable[[Message], bool], within: float = 10.0) -> Message:
        """Waits until ``predicate(message)`` holds; TimeoutError shows the text it stopped at."""
        return await self.world.until(
            lambda: self if predicate(self) else None, within, lambda: f"message reads {self.text!r}"
        )

    async def wait_edit(self, within: float = 10.0) -> Message:
        """Waits for one more revision than there is now."""
        seen = len(self.revisions)
        return await self.wait_until(lambda message: len(message.revisions) > seen, within)

    async def wait_deleted(self, within: float = 10.0) -> None:
        await self.wait_until(lambda message: message.deleted, within)


@dataclass(eq=False)
class Channel:
    """A text or voice channel, a thread, or a direct message."""

    id: int
    kind: int
    name: str
    world: World = field(repr=False)
    guild: Guild | None = None
    recipients: list[User] = field(default_factory=list)
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    nsfw: bool = False
    parent: Channel | None = None
    owner: User | None = None
    status: str | None = None
    archived: bool = False
    has_bot: bool = True
    messages: dict[int, Message] = field(default_factory=dict, repr=False)

    @property
    def is_thread(self) -> bool:
        return self.kind in (10, PUBLIC_THREAD, 12)

    @property
    def is_dm(self) -> bool:
        return self.kind in (DM, GROUP_DM)

    @property
    def visible_messages(self) -> list[Message]:
        """What everyone in the channel can read, oldest first."""
        return [m for m in self.messages.values() if not m.deleted and not m.ephemeral]

    async def wait_for_message(
        self, predicate: Callable[[Message], bool] = lambda _: True, within: float = 10.0
    ) -> Message:
        """The first visible message for which ``predicate`` holds, present or to come."""

        def look() -> Message | None:
            return next((message for message in self.visible_messages if predicate(message)), None)

        return await self.world.until(
            look, within, lambda: f"#{self.name} reads {[m.text for m in self.visible_messages]}"
        )
