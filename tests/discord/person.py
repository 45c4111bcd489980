"""A member at the keyboard: everything the tests let people do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.discord import forms, messages, offers, reactions
from tests.discord.interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from tests.discord.messages import Upload
from tests.discord.permissions import P
from tests.discord.state import GROUP_DM, Channel, Guild, Json, Message, User

if TYPE_CHECKING:
    from tests.discord.server import Server

BUTTON = 2


class NotOfferedError(AssertionError):
    """The person would not see this in Discord: no such command, button, option, or no permission for it."""


class Person:
    """A user who acts. Each action returns as soon as the event left; wait on what it returns."""

    def __init__(self, server: Server, user: User) -> None:
        self.server = server
        self.user = user

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def mention(self) -> str:
        return f"<@{self.user.id}>"

    @property
    def dm(self) -> Channel:
        """The direct messages with the bot."""
        return self.server.world.dm(self.user)

    def group_dm(self, *others: Person) -> Channel:
        """A private group in which the bot is not; commands work there when the app is user-installed."""
        people = [self.user, *(each.user for each in others)]
        return self.server.world.add_private(GROUP_DM, people, has_bot=False)

    # messages and reactions

    async def say(
        self, channel: Channel, content: str = "", files: dict[str, bytes] | None = None
    ) -> Message:
        """Posts a message, with files by name."""
        if not self.server.may(self.user, channel, P.SEND_MESSAGES):
            raise NotOfferedError(f"{self.user.name} may not write in #{channel.name}")
        uploads = {
            index: Upload(name, "application/octet-stream", data)
            for index, (name, data) in enumerate((files or {}).items())
        }
        return messages.create(self.server.world, channel, self.user, {"content": content}, uploads)

    async def react(self, message: Message, emoji: str) -> None:
        if message.deleted or message.ephemeral:
            raise NotOfferedError("this message cannot be reacted to")
        reactions.add(message, self.user, emoji)

    async def unreact(self, message: Message, emoji: str) -> None:
        reactions.remove(message, self.user, emoji)

    async def delete(self, message: Message) -> None:
        """Deletes a message, with the right to do so."""
        mine = message.author is self.user
        if not mine and not self.server.may(self.user, message.channel, P.MANAGE_MESSAGES):
            raise NotOfferedError(f"{self.user.name} may not delete this message")
        messages.delete(message)

    # voice

    async def join(self, channel: Channel, *, deaf: bool = False) -> None:
        """Sits down in a voice channel, or changes over from another one."""
        assert channel.guild is not None
        self.server.voice.place(self.user, channel.guild, channel, self_deaf=deaf)

    async def leave(self, guild: Guild) -> None:
        """Leaves voice."""
        self.server.voice.place(self.user, guild, None)

    # commands

    async def slash(
        self, channel: Channel, command: str, /, *, user_install: bool = False, **options: Any
    ) -> Interaction:
        """Runs ``/command`` (``"session start"`` for a subcommand).

        A file is ``bytes`` (named ``cover.png``) or ``(name, bytes)``; a person or a channel is itself.
        """
        kind, resolved = COMMAND, offers.Resolved(self.server)
        data = self._command(channel, command, options, resolved, user_install=user_install, partial=False)
        return self._send(kind, channel, data, user_install=user_install)

    async def autocomplete(
        self, channel: Channel, command: str, focused: str, /, *, user_install: bool = False, **options: Any
    ) -> list[Json]:
        """The suggestions while ``focused`` is being typed."""
        resolved = offers.Resolved(self.server)
        data = self._command(channel, command, options, resolved, user_install=user_install, partial=True)
        offers.focus(data, focused)
        interaction = self._send(AUTOCOMPLETE, channel, data, user_install=user_install)
        return await interaction.wait_choices()

    def _command(
        self,
        channel: Channel,
        command: str,
        options: Json,
        resolved: offers.Resolved,
        *,
        user_install: bool,
        partial: bool,
    ) -> Json:
        name, *path = command.split()
        registered = self._offered(name, 1, channel, user_install=user_install)
        try:
            return offers.fill(registered, path, options, resolved, channel, partial=partial)
        except offers.BadOptionError as error:
            raise NotOfferedError(f"/{command}: {error}") from None

    def _offered(self, name: str, kind: int, channel: Channel, *, user_install: bool) -> Json:
        command = self.server.world.find_command(name, kind, channel.guild)
        if command is None:
            raise NotOfferedError(f"no command {name!r} is registered")
        reason = offers.hidden(self.server, command, self.user, channel, user_install=user_install)
        if reason:
            raise NotOfferedError(f"{name!r} is not offered: {reason}")
        return command

    async def message_command(
        self, message: Message, name: str, *, user_install: bool = False
    ) -> Interaction:
        """Right click on a message, Apps, ``name``."""
        command = self._offered(name, 3, message.channel, user_install=user_install)
        return self._send(
            COMMAND,
            message.channel,
            offers.on_message(command, message, self.user),
            user_install=user_install,
        )

    async def user_command(self, channel: Channel, target: Person, name: str) -> Interaction:
        """Right click on a person, Apps, ``name``."""
        command = self._offered(name, 2, channel, user_install=False)
        resolved = offers.Resolved(self.server)
        resolved.user(target.user, channel)
        data = {"id": command["id"], "name": name, "type": 2, "target_id": str(target.id)}
        return self._send(COMMAND, channel, data | {"resolved": resolved.tables}, user_install=False)

    # components and modals

    async def click(self, message: Message, which: str) -> Interaction:
        """Presses a button, found by custom id, label or emoji (part of the label is enough)."""
        button = self._component(message, which, {BUTTON})
        data = {"custom_id": button["custom_id"], "component_type": BUTTON, "id": button["id"]}
        return self._send(COMPONENT, message.channel, data, source=message)

    async def select(self, message: Message, which: str, *values: Any) -> Interaction:
        """Chooses in a select, found by custom id or placeholder; options by value or label."""
        part = self._component(message, which, {3, 5, 6, 7, 8})
        resolved = offers.Resolved(self.server)
        try:
            chosen = forms.choose(part, list(values), resolved, message.channel)
        except offers.BadOptionError as error:
            raise NotOfferedError(str(error)) from None
        data: Json = {"custom_id": part["custom_id"], "component_type": part["type"], "id": part["id"]}
        data["values"] = chosen
        if resolved.tables:
            data["resolved"] = resolved.tables
        return self._send(COMPONENT, message.channel, data, source=message)

    def _component(self, message: Message, which: str, kinds: set[int]) -> Json:
        if message.deleted:
            raise NotOfferedError("the message is deleted")
        shown = [part for part in message.parts() if part["type"] in kinds and "custom_id" in part]
        for part in shown:
            words = [
                part.get("label") or "",
                (part.get("emoji") or {}).get("name") or "",
                part.get("placeholder") or "",
            ]
            if part["custom_id"] == which or which in words or any(which in word for word in words):
                if part.get("disabled"):
                    raise NotOfferedError(f"{which!r} is disabled")
                return part
        raise NotOfferedError(f"no {which!r} among {[p.get('label') or p['custom_id'] for p in shown]}")

    async def submit_modal(self, opened: Interaction, values: Json | None = None, **more: Any) -> Interaction:
        """Sends the modal that ``opened`` was answered with.

        Fields go by custom id or label; those not named keep what they show.
        """
        modal = await opened.wait_modal()
        resolved = offers.Resolved(self.server)
        try:
            rows = forms.submit(modal, {**(values or {}), **more}, resolved, opened.channel)
        except offers.BadOptionError as error:
            raise NotOfferedError(f"modal {modal['title']!r}: {error}") from None
        data: Json = {"custom_id": modal["custom_id"], "components": rows}
        if resolved.tables:
            data["resolved"] = resolved.tables
        return self._send(MODAL, opened.channel, data, source=opened.source, user_install=opened.user_install)

    def _send(
        self,
        kind: int,
        channel: Channel,
        data: Json,
        *,
        source: Message | None = None,
        user_install: bool = False,
    ) -> Interaction:
        if channel.guild and "guild_id" not in data and channel.has_bot and kind in (COMMAND, AUTOCOMPLETE):
            data = data | {"guild_id": str(channel.guild.id)}
        return self.server.interactions.create(
            kind, self.user, channel, data, source=source, user_install=user_install
        )
