"""Interactions: their payloads, their three seconds, their fifteen minutes, and what answers them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tests.discord import form_limits, messages, payloads
from tests.discord.errors import ApiError, Problems, invalid_webhook_token, unknown
from tests.discord.messages import Uploads
from tests.discord.permissions import DIRECT
from tests.discord.state import EPHEMERAL, GROUP_DM, LOADING, Channel, Json, Message, User
from tests.discord.world import World

T = TypeVar("T")

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
TOKEN_SECONDS = 900.0
ALLOWED = {COMMAND: {4, 5, 9}, COMPONENT: {4, 5, 6, 7, 9}, AUTOCOMPLETE: {8}, MODAL: {4, 5, 6, 7}}


@dataclass(eq=False)
class Interaction:
    """One use of a command, component or modal, and everything the bot answered.

    ``sent_at`` and ``acknowledged_at`` are on the event loop's clock, in seconds.
    """

    id: int
    token: str
    kind: int
    user: User
    channel: Channel
    world: World = field(repr=False)
    data: Json = field(repr=False)
    source: Message | None = None
    user_install: bool = False
    created: float = 0.0
    sent_at: float = 0.0
    acknowledged_at: float | None = None
    response_type: int | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] | None = None
    refused: list[ApiError] = field(default_factory=list)

    @property
    def latency(self) -> float:
        """Seconds from the event to its acknowledgement."""
        assert self.acknowledged_at is not None, "not acknowledged"
        return self.acknowledged_at - self.sent_at

    @property
    def message(self) -> Message:
        """The reply (for a component's update: the message it sits on)."""
        assert self.original is not None, "no reply yet"
        return self.original

    async def wait_acknowledged(self, within: float = 5.0) -> Interaction:
        """Waits for any answer to the interaction itself."""
        return await self._until(lambda: self if self.acknowledged_at is not None else None, within)

    async def wait_message(self, within: float = 5.0) -> Message:
        """Waits for the reply with real content, past any "thinking"."""
        return await self._until(
            lambda: self.original if self.original and not self.original.loading else None, within
        )

    async def wait_followup(self, number: int = 0, within: float = 5.0) -> Message:
        """Waits for the follow-up message ``number``."""
        return await self._until(
            lambda: self.followups[number] if len(self.followups) > number else None, within
        )

    async def wait_modal(self, within: float = 5.0) -> Json:
        """Waits for the modal that the bot opens."""
        return await self._until(lambda: self.modal, within)

    async def wait_choices(self, within: float = 5.0) -> list[Json]:
        """Waits for autocomplete's suggestions."""
        return await self._until(lambda: self.choices, within)

    async def wait_refused(self, within: float = 5.0) -> ApiError:
        """Waits for an answer that Discord turned down (too late, twice, or over a limit)."""
        return await self._until(lambda: self.refused[0] if self.refused else None, within)

    async def _until(self, look: Callable[[], T | None], within: float) -> T:
        return await self.world.until(look, within, lambda: f"interaction answered with {self.response_type}")

    def metadata(self) -> Json:
        """What the reply says about where it came from."""
        body: Json = {
            "id": str(self.id),
            "type": self.kind,
            "user": self.user.payload(),
            "authorizing_integration_owners": self.owners(),
        }
        if self.kind == COMMAND:
            body["name"] = self.data.get("name")
        if self.kind == COMPONENT and self.source:
            body["interacted_message_id"] = str(self.source.id)
        if self.kind == MODAL:
            inner = {"id": str(self.id), "type": COMMAND, "user": self.user.payload()}
            body["triggering_interaction_metadata"] = inner | {
                "authorizing_integration_owners": self.owners()
            }
        return body

    def owners(self) -> Json:
        if self.user_install:
            return {"1": str(self.user.id)}
        return {"0": str(self.channel.guild.id) if self.channel.guild else "0"}

    def payload(self) -> Json:
        """The INTERACTION_CREATE event."""
        world, channel, guild = self.world, self.channel, self.channel.guild
        context = 0 if guild else 1 if channel.has_bot else 2
        body: Json = {
            "id": str(self.id),
            "application_id": str(world.bot.id),
            "type": self.kind,
            "token": self.token,
            "version": 1,
            "data": self.data,
            "channel_id": str(channel.id),
            "channel": payloads.channel(channel)
            | {"permissions": str(int(world.permissions(self.user, channel)))},
            "app_permissions": str(int(world.app_permissions(channel))),
            "locale": self.user.locale,
            "entitlements": [],
            "authorizing_integration_owners": self.owners(),
            "context": context,
            "attachment_size_limit": world.size_limit(guild),
        }
        if channel.kind == GROUP_DM:
            body["app_permissions"] = str(int(DIRECT))
        if guild:
            permissions = str(int(world.permissions(self.user, channel)))
            body |= {"guild_id": str(guild.id), "guild_locale": guild.locale}
            body["guild"] = {"id": str(guild.id), "locale": guild.locale, "features": []}
            body["member"] = guild.members[self.user.id].payload() | {"permissions": permissions}
        else:
            body["user"] = self.user.payload()
        if self.source:
            body["message"] = payloads.message(self.source)
        return body


class Interactions:
    """All interactions of a run, by id and by token."""

    def __init__(self, world: World, acknowledge_within: float = 3.0) -> None:
        self.world = world
        self.acknowledge_within = acknowledge_within
        self.by_id: dict[int, Interaction] = {}
        self.by_token: dict[str, Interaction] = {}

    def create(
        self,
        kind: int,
        user: User,
        channel: Channel,
        data: Json,
        *,
        source: Message | None = None,
        user_install: bool = False,
    ) -> Interaction:
        """Makes an interaction and sends it to the bot."""
        world = self.world
        interaction = Interaction(
            world.clock.snowflake(),
            secrets.token_urlsafe(48),
            kind,
            user,
            channel,
            world,
            data,
            source,
            user_install or not channel.has_bot,
            world.clock.now(),
            asyncio.get_running_loop().time(),
        )
        self.by_id[interaction.id] = interaction
        self.by_token[interaction.token] = interaction
        world.announce("INTERACTION_CREATE", interaction.payload(), channel)
        return interaction

    def respond(self, interaction_id: int, token: str, body: Json, uploads: Uploads) -> Json:
        """The callback; answers what ``with_response`` asks for."""
        interaction = self.by_id.get(interaction_id)
        if interaction is None or interaction.token != token:
            raise unknown("interaction")
        if interaction.acknowledged_at is not None:
            raise self._refuse(
                interaction, ApiError(400, 40060, "Interaction has already been acknowledged.")
            )
        if self.world.clock.now() - interaction.created > self.acknowledge_within:
            raise self._refuse(interaction, unknown("interaction"))
        try:
            answer(interaction, int(body.get("type") or 0), body.get("data") or {}, uploads)
        except ApiError as error:
            raise self._refuse(interaction, error) from None
        interaction.response_type = int(body["type"])
        interaction.acknowledged_at = asyncio.get_running_loop().time()
        self.world.changed()
        return callback_response(interaction)

    def _refuse(self, interaction: Interaction, error: ApiError) -> ApiError:
        interaction.refused.append(error)
        self.world.changed()
        return error

    def of_token(self, token: str) -> Interaction:
        """The interaction that a webhook token belongs to; 404 when unknown, 401 after fifteen minutes."""
        interaction = self.by_token.get(token)
        if interaction is None or interaction.acknowledged_at is None:
            raise unknown("webhook")
        if self.world.clock.now() - interaction.created > TOKEN_SECONDS:
            raise invalid_webhook_token()
        return interaction

    def find_message(self, interaction: Interaction, which: str) -> Message:
        """``@original`` or a message id that this token may touch."""
        if which == "@original":
            message = interaction.original
        else:
            known = [interaction.original, *interaction.followups]
            message = next((m for m in known if m and m.id == int(which)), None)
        if message is None or message.deleted:
            raise unknown("message")
        return message

    def follow_up(self, interaction: Interaction, body: Json, uploads: Uploads) -> Message:
        """A follow-up; the first one after a deferred reply takes that reply's place."""
        original = interaction.original
        if original and original.loading and not original.deleted:
            return messages.edit(original, body, uploads)
        message = send(interaction, body, uploads)
        interaction.followups.append(message)
        self.world.changed()
        return message


def send(interaction: Interaction, body: Json, uploads: Uploads, flags: int = 0) -> Message:
    """A message in the interaction's name."""
    world = interaction.world
    target = interaction.data.get("type", 1) if interaction.kind == COMMAND else 0
    kind = {1: 20, 2: 23, 3: 23}.get(target, 0)
    return messages.create(
        world,
        interaction.channel,
        world.bot,
        body,
        uploads,
        kind=kind,
        flags=flags,
        interaction=interaction.metadata(),
        application_id=world.bot.id,
    )


def answer(interaction: Interaction, kind: int, data: Json, uploads: Uploads) -> None:
    """Carries out one callback type."""
    allowed = ALLOWED[interaction.kind] - (set() if interaction.source else {6, 7})
    if kind not in allowed:
        problems = Problems()
        problems.add("type", "INTERACTION_CALLBACK_TYPE_INVALID", f"Value must be one of {sorted(allowed)}.")
        problems.raise_if_any()
    if kind == 4:
        interaction.original = send(interaction, data, uploads)
    elif kind == 5:
        flags = LOADING | int(data.get("flags") or 0) & EPHEMERAL
        interaction.original = send(interaction, {}, {}, flags)
    elif kind == 6:
        interaction.original = interaction.source
    elif kind == 7:
        assert interaction.source is not None
        interaction.original = messages.edit(interaction.source, data, uploads)
    elif kind == 8:
        choices = data.get("choices") or []
        form_limits.check_choices(choices)
        interaction.choices = choices
    elif kind == 9:
        form_limits.check_modal(data)
        messages.number_parts(data["components"])
        interaction.modal = data


def callback_response(interaction: Interaction) -> Json:
    about: Json = {"id": str(interaction.id), "type": interaction.kind}
    resource: Json = {"type": interaction.response_type}
    message = interaction.original
    if message:
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": message.loading,
            "response_message_ephemeral": message.ephemeral,
        }
        if interaction.response_type in (4, 5, 7):
            resource["message"] = payloads.message(message)
    return {"interaction": about, "resource": resource}
