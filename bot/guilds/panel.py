"""The panel of `/settings`: what a server has chosen, and the means to change it.

Nothing is kept in the panel itself: each click reads the server's settings, changes one, and shows the panel
anew. So two managers can use it at once, and a panel from before a restart still works.
"""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from bot.guilds.settings import LANGUAGES, GuildSettings, GuildSettingsStore
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.errors import Refusal, answer_error
from bot.services import services_of
from bot.ui.buttons import PREFIX, SafeModal

NUMBERS = ("max_seconds", "cooldown_seconds", "jobs_per_member", "retention_days")
_ACCENT = 0x7A5CFF
_MOST_CHOICES = 25
_CHANNEL_KINDS = [
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.forum,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
]
_LANGUAGE_NAMES = {"en": "English", "de": "Deutsch"}


def custom_id(name: str) -> str:
    """Of the component that changes one setting."""
    return f"{PREFIX}:settings:{name}"


def require_manager(interaction: discord.Interaction[Any]) -> discord.Guild:
    """The server, if this member may manage it. Raises Refusal.

    `default_permissions` only hides the command: a server can show it to anybody, and components are
    checked by nobody else.
    """
    if interaction.guild is None:
        raise Refusal("refusal.server_only")
    if not interaction.permissions.manage_guild:
        raise Refusal("settings.error.not_manager")
    return interaction.guild


class SettingsPanel(ui.LayoutView):
    """The panel as one server sees it.

    Args:
        settings: what holds now. bounds: see `GuildSettingsStore`.
        locale: of the words. guild: whose channels and roles are shown; None for a panel that is never
            shown, and only registered so that older ones are heard.
    """

    def __init__(
        self,
        settings: GuildSettings,
        bounds: dict[str, tuple[int, int]],
        locale: str,
        guild: discord.Guild | None,
    ) -> None:
        super().__init__(timeout=None)
        self._settings, self._bounds, self._locale, self._guild = settings, bounds, locale, guild
        title = text(locale, "settings.title", server=_plain(guild.name) if guild else "")
        self.add_item(
            ui.Container(
                ui.TextDisplay(f"## {title}\n{text(locale, 'settings.intro')}"),
                ui.Separator(),
                ui.TextDisplay(self._choice("channels", settings.channels)),
                ui.ActionRow(self._channels()),
                ui.TextDisplay(self._choice("roles", settings.roles)),
                ui.ActionRow(self._roles()),
                ui.Separator(),
                self._switch("rag", on=settings.rag),
                self._switch("name_artist", on=settings.name_artist),
                self._switch("pictures", on=settings.pictures == "any"),
                ui.Separator(),
                ui.Section(ui.TextDisplay(self._numbers()), accessory=_NumbersButton(locale)),
                ui.Separator(),
                ui.TextDisplay(text(locale, "settings.language")),
                ui.ActionRow(self._languages()),
                accent_colour=_ACCENT,
            )
        )

    async def on_error(
        self, interaction: discord.Interaction[Any], error: Exception, item: ui.Item[Any], /
    ) -> None:
        """See `errors.answer_error`."""
        await answer_error(interaction, error)

    def _choice(self, name: str, chosen: tuple[int, ...]) -> str:
        return text(self._locale, f"settings.{name}.some" if chosen else f"settings.{name}.all")

    def _channels(self) -> ui.ChannelSelect[SettingsPanel]:
        guild = self._guild
        # A channel that was deleted meanwhile must not be named: Discord would refuse the whole panel.
        known = [each for each in self._settings.channels if guild and guild.get_channel(each)]
        return _ChannelChoice(
            custom_id=custom_id("channels"),
            channel_types=_CHANNEL_KINDS,
            placeholder=text(self._locale, "settings.channels.none"),
            min_values=0,
            max_values=_MOST_CHOICES,
            default_values=[
                discord.SelectDefaultValue(id=each, type=discord.SelectDefaultValueType.channel)
                for each in known[:_MOST_CHOICES]
            ],
        )

    def _roles(self) -> ui.RoleSelect[SettingsPanel]:
        guild = self._guild
        known = [each for each in self._settings.roles if guild and guild.get_role(each)]
        return _RoleChoice(
            custom_id=custom_id("roles"),
            placeholder=text(self._locale, "settings.roles.none"),
            min_values=0,
            max_values=_MOST_CHOICES,
            default_values=[
                discord.SelectDefaultValue(id=each, type=discord.SelectDefaultValueType.role)
                for each in known[:_MOST_CHOICES]
            ],
        )

    def _switch(self, name: str, *, on: bool) -> ui.Section[SettingsPanel]:
        state = "on" if on else "off"
        label = text(self._locale, f"settings.{name}.turn_{'off' if on else 'on'}")
        return ui.Section(
            ui.TextDisplay(text(self._locale, f"settings.{name}.{state}")),
            accessory=_Switch(name, label=label, custom_id=custom_id(name)),
        )

    def _numbers(self) -> str:
        lines = []
        for name in NUMBERS:
            low, high = self._bounds[name]
            value = min(max(getattr(self._settings, name), low), high)
            lines.append(text(self._locale, f"settings.{name}.shown", value=value))
        return "\n".join(lines)

    def _languages(self) -> ui.Select[SettingsPanel]:
        return _LanguageChoice(
            custom_id=custom_id("language"),
            placeholder=text(self._locale, "settings.language.choose"),
            options=[
                discord.SelectOption(
                    label=_LANGUAGE_NAMES.get(language) or text(self._locale, "settings.language.own"),
                    value=language or "own",
                    default=language == self._settings.language,
                )
                for language in LANGUAGES
            ],
        )


class _ChannelChoice(ui.ChannelSelect[SettingsPanel]):
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await change(interaction, channels=tuple(sorted(channel.id for channel in self.values)))


class _RoleChoice(ui.RoleSelect[SettingsPanel]):
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await change(interaction, roles=tuple(sorted(role.id for role in self.values)))


class _LanguageChoice(ui.Select[SettingsPanel]):
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await change(interaction, language="" if self.values[0] == "own" else self.values[0])


class _Switch(ui.Button[SettingsPanel]):
    """Turns the setting `name` into its opposite."""

    def __init__(self, name: str, **more: Any) -> None:
        super().__init__(style=discord.ButtonStyle.secondary, **more)
        self._name = name

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        guild = require_manager(interaction)
        now = getattr(await services_of(interaction)[GuildSettingsStore].of(guild.id), self._name)
        if self._name == "pictures":
            await change(interaction, pictures="nsfw_channels" if now == "any" else "any")
        else:
            await change(interaction, **{self._name: not now})


class _NumbersButton(ui.Button[SettingsPanel]):
    """Opens the modal for everything that is a number."""

    def __init__(self, locale: str) -> None:
        super().__init__(label=text(locale, "settings.change"), custom_id=custom_id("numbers"))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        guild = require_manager(interaction)
        store = services_of(interaction)[GuildSettingsStore]
        modal = NumbersModal(await store.of(guild.id), store.bounds, await locale_of(interaction))
        await interaction.response.send_modal(modal)


class NumbersModal(SafeModal):
    """Asks for all numbers at once; what is wrong is said, and nothing is changed."""

    def __init__(self, settings: GuildSettings, bounds: dict[str, tuple[int, int]], locale: str) -> None:
        super().__init__(title=text(locale, "settings.numbers"), custom_id=custom_id("modal"))
        self._locale, self._bounds = locale, bounds
        self._shown: dict[str, int] = {}
        self._inputs: dict[str, ui.TextInput[NumbersModal]] = {}
        for name in NUMBERS:
            low, high = bounds[name]
            shown = self._shown[name] = min(max(getattr(settings, name), low), high)
            self._inputs[name] = ui.TextInput(
                custom_id=name, default=str(shown), min_length=1, max_length=len(str(high)) + 2
            )
            self.add_item(
                ui.Label(
                    text=text(locale, f"settings.{name}.label"),
                    description=text(locale, "settings.range", low=low, high=high),
                    component=self._inputs[name],
                )
            )

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        """Store the numbers that were changed in this modal, all or none."""
        typed = {name: self._number(name) for name in NUMBERS}
        await change(
            interaction, **{name: typed[name] for name in NUMBERS if typed[name] != self._shown[name]}
        )

    def _number(self, name: str) -> int:
        words = self._inputs[name].value.strip()
        low, high = self._bounds[name]
        if not (words.isascii() and words.isdecimal() and low <= int(words) <= high):
            raise Refusal(
                "settings.error.number",
                label=text(self._locale, f"settings.{name}.label"),
                given=_plain(words),
                low=low,
                high=high,
            )
        return int(words)


async def panel_for(interaction: discord.Interaction[Any], guild: discord.Guild) -> SettingsPanel:
    """The panel of a server, in the words of whoever asked."""
    store = services_of(interaction)[GuildSettingsStore]
    return SettingsPanel(await store.of(guild.id), store.bounds, await locale_of(interaction), guild)


async def change(interaction: discord.Interaction[Any], **changes: Any) -> None:
    """Store what was chosen and show the panel anew. Raises Refusal for those who may not."""
    guild = require_manager(interaction)
    await services_of(interaction)[GuildSettingsStore].change(guild.id, **changes)
    await interaction.response.edit_message(view=await panel_for(interaction, guild))


def _plain(words: str) -> str:
    return discord.utils.escape_markdown(discord.utils.escape_mentions(words))
