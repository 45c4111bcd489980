"""✏️: change what was heard in a cover, and hear it again."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import discord

from albumgen_core.attributes import (
    AUDIO_FEATURES,
    FIELD,
    AttributeRangeError,
    MusicalAttributes,
    field_named,
    parse_field,
)
from bot.buttons import PREFIX, SafeModal
from bot.errors import Refusal
from bot.i18n import text

Submit = Callable[[discord.Interaction[Any], dict[str, Any], float], Awaitable[None]]
"""(the modal's interaction, attributes that were changed, seconds)."""


class EditModal(SafeModal):
    """Five boxes, filled with what the take has: genre, key, tempo, the eight attributes, length.

    Attributes:
        alive: custom ids of the modals that this process can still take.
    """

    alive: ClassVar[set[str]] = set()

    def __init__(self, document: Mapping[str, Any], seconds: float, locale: str, submit: Submit) -> None:
        custom_id = f"{PREFIX}:edit-modal:{secrets.token_hex(8)}"
        super().__init__(title=text(locale, "edit.title"), timeout=1800, custom_id=custom_id)
        self.alive.add(custom_id)
        self._attributes: dict[str, Any] = dict(document["attributes"])
        self._submit = submit
        self._names = {name: text(locale, f"field.{name}") for name in AUDIO_FEATURES}
        mode = self._attributes.get("mode")
        key = f"{self._attributes['key']} {mode}" if mode else str(self._attributes["key"])
        self.genre = self._box(locale, "album_genre", str(self._attributes["album_genre"]), 60)
        self.key = self._box(locale, "key", key, 20)
        self.tempo = self._box(locale, "tempo", f"{self._attributes['tempo']:g}", 10)
        lines = "\n".join(f"{self._names[name]}: {self._attributes[name]:.2f}" for name in AUDIO_FEATURES)
        self.levels = self._box(locale, "levels", lines, 600, long=True)
        self.seconds = self._box(locale, "seconds", f"{seconds:g}", 6)

    def _box(
        self, locale: str, name: str, value: str, longest: int, *, long: bool = False
    ) -> discord.ui.TextInput[Any]:
        box: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=name,
            default=value,
            max_length=longest,
            style=discord.TextStyle.paragraph if long else discord.TextStyle.short,
        )
        self.add_item(
            discord.ui.Label(
                text=text(locale, f"edit.{name}"),
                description=text(locale, f"edit.{name}.hint"),
                component=box,
            )
        )
        return box

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        """Read the boxes; what is wrong is refused by name."""
        typed: dict[str, Any] = {
            "album_genre": self.genre.value,
            "key": self.key.value,
            "tempo": self.tempo.value.lower().removesuffix("bpm").strip().replace(",", "."),
            **self._levels(),
        }
        await self._submit(interaction, changed(self._attributes, typed), self._seconds())

    async def on_timeout(self) -> None:
        """Half an hour is over: what comes now is answered by `is_lost`."""
        self.alive.discard(self.custom_id)

    def _levels(self) -> dict[str, str]:
        values: dict[str, str] = {}
        shown = {words.casefold(): name for name, words in self._names.items()}
        for line in self.levels.value.splitlines():
            if not line.strip():
                continue
            word, found, value = line.replace("=", ":").rpartition(":")
            if not found:
                raise Refusal("refusal.edit_line", line=discord.utils.escape_markdown(line.strip()[:60]))
            name = shown.get(word.strip().casefold()) or field_named(word.strip()).name
            if name not in AUDIO_FEATURES:
                raise AttributeRangeError(name, "is not one of the eight attributes", "not_a_level")
            values[name] = value.strip().replace(",", ".")
        return values

    def _seconds(self) -> float:
        try:
            seconds = float(self.seconds.value.strip().removesuffix("s").strip().replace(",", "."))
        except ValueError:
            seconds = 0.0
        if not 1.0 <= seconds <= 300.0:
            raise Refusal("refusal.edit_seconds")
        return seconds


def is_lost(interaction: discord.Interaction[Any]) -> bool:
    """Whether this is an edit whose modal an earlier process opened, so that nobody listens for it."""
    data: Mapping[str, Any] = interaction.data or {}
    custom_id = str(data.get("custom_id", ""))
    return (
        interaction.type is discord.InteractionType.modal_submit
        and custom_id.startswith(f"{PREFIX}:edit-modal:")
        and custom_id not in EditModal.alive
    )


def changed(attributes: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were really changed, read and checked. Raises AttributeRangeError.

    A number that reads as the one that was shown has not been changed by showing it rounded.
    """
    current = MusicalAttributes.from_dict(dict(attributes))
    changes: dict[str, Any] = {}
    for name, value in typed.items():
        for field, result in parse_field(name, value).items():
            now = getattr(current, field)
            if field in AUDIO_FEATURES and round(float(now), 2) == float(result):
                continue
            if result != now and not (FIELD[field].kind == "number" and _same(now, result)):
                changes[field] = result
    return changes


def _same(now: float, typed: float) -> bool:
    return f"{now:g}" == f"{typed:g}"
