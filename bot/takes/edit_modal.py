"""✏️: change what was heard in a cover, and hear it again.

Its custom_id names the job, so what was typed into a modal that an earlier process had opened is not lost:
`left_open` reads it out of the interaction itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

import discord

from albumgen_core.attributes.fields import AUDIO_FEATURES, FIELD, field_named
from albumgen_core.attributes.keys import key_name
from albumgen_core.attributes.names import genre_label
from albumgen_core.attributes.predicted import MusicalAttributes, parse_field
from albumgen_core.errors import AttributeRangeError
from bot.i18n.catalogue import LANGUAGES, language_of, languages_of, text
from bot.messages.errors import Refusal
from bot.ui.buttons import PREFIX, SafeModal

Typed = Mapping[str, str]
"""Box → what is in it."""

Submit = Callable[[discord.Interaction[Any], str, Typed], Awaitable[None]]
"""(the modal's interaction, the job that is changed, what was typed)."""

MOST_SECONDS = 300.0

_BOXES = {"album_genre": 60, "key": 20, "tempo": 10, "levels": 600, "seconds": 6}
"""Box → most characters in it."""

_HEARD_SECONDS = 5.0
"""Within this every listener has seen a submitted modal."""

_MOST_DRAFTS = 1000


class EditModal(SafeModal):
    """Five boxes, filled with what the take has: genre, key, tempo, the eight attributes, length.

    Attributes:
        alive: custom ids of the modals that this process can still take.
    """

    alive: ClassVar[set[str]] = set()

    def __init__(
        self,
        document: Mapping[str, Any],
        job_id: str,
        seconds: float,
        locale: str,
        submit: Submit,
        *,
        longest: float = MOST_SECONDS,
        typed: Typed | None = None,
    ) -> None:
        custom_id = f"{PREFIX}:edit-modal:{job_id}:{secrets.token_hex(8)}"
        super().__init__(title=text(locale, "edit.title"), timeout=1800, custom_id=custom_id)
        self.alive.add(custom_id)
        self._job_id, self._submit = job_id, submit
        attributes, language = document["attributes"], language_of(locale)
        genre = genre_label(str(attributes["album_genre"]), language)
        key = key_name(attributes["key"], attributes.get("mode"), language)
        lines = "\n".join(
            f"{text(locale, f'field.{name}')}: {attributes[name]:.2f}" for name in AUDIO_FEATURES
        )
        shown = {
            "album_genre": genre,
            "key": key,
            "tempo": f"{attributes['tempo']:g}",
            "levels": lines,
            "seconds": f"{seconds:g}",
            **(typed or {}),
        }
        self._boxes = {name: self._box(locale, name, shown[name], longest) for name in _BOXES}

    def _box(self, locale: str, name: str, value: str, longest: float) -> discord.ui.TextInput[Any]:
        box: discord.ui.TextInput[Any] = discord.ui.TextInput(
            custom_id=name,
            default=value,
            max_length=_BOXES[name],
            style=discord.TextStyle.paragraph if name == "levels" else discord.TextStyle.short,
        )
        self.add_item(
            discord.ui.Label(
                text=text(locale, f"edit.{name}"),
                description=text(locale, f"edit.{name}.hint", longest=f"{longest:g}"),
                component=box,
            )
        )
        return box

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        """Hand over what was typed; what is wrong is refused by name."""
        typed = {name: box.value for name, box in self._boxes.items()}
        try:
            await self._submit(interaction, self._job_id, typed)
        finally:
            # Not before: whoever else hears of this interaction now would take it for one left open.
            asyncio.get_running_loop().call_later(_HEARD_SECONDS, self.alive.discard, self.custom_id)

    async def on_timeout(self) -> None:
        """Half an hour is over: what comes now is found by `left_open`."""
        self.alive.discard(self.custom_id)


class EditDrafts:
    """What members typed into edits that were refused, so that they need not type it again."""

    def __init__(self) -> None:
        self._typed: OrderedDict[tuple[int, str], Typed] = OrderedDict()

    def keep(self, user_id: int, job_id: str, typed: Typed) -> None:
        """Remember a member's latest edit of a take; the oldest of all are forgotten."""
        self._typed[user_id, job_id] = typed
        self._typed.move_to_end((user_id, job_id))
        if len(self._typed) > _MOST_DRAFTS:
            self._typed.popitem(last=False)

    def of(self, user_id: int, job_id: str) -> Typed | None:
        """What was typed; None where nothing is remembered (after a restart, say)."""
        return self._typed.get((user_id, job_id))


def left_open(interaction: discord.Interaction[Any]) -> tuple[str, Typed] | None:
    """(job, what was typed) of an edit whose modal nobody here listens for any more; None for all else.

    An earlier process opened it, or it stood open for longer than half an hour.
    """
    data: Mapping[str, Any] = interaction.data or {}
    custom_id = str(data.get("custom_id", ""))
    start = f"{PREFIX}:edit-modal:"
    if (
        interaction.type is not discord.InteractionType.modal_submit
        or not custom_id.startswith(start)
        or custom_id in EditModal.alive
    ):
        return None
    return custom_id.removeprefix(start).partition(":")[0], _values(data.get("components", ()))


def _values(components: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Box → what is in it, out of a modal's raw components (labels hold one component, rows a list)."""
    found: dict[str, str] = {}
    for part in components:
        inner = [part["component"]] if "component" in part else part.get("components", [])
        found |= _values(inner)
        if part.get("custom_id") in _BOXES:
            found[part["custom_id"]] = str(part.get("value") or "")
    return found


def read_edit(
    document: Mapping[str, Any], typed: Typed, locale: str, longest: float = MOST_SECONDS
) -> tuple[dict[str, Any], float]:
    """(attributes that were changed, length in seconds). Raises AttributeRangeError, Refusal.

    Names are understood in every language, those of `locale` first: a bare "B" is B flat in German.
    """
    values: dict[str, Any] = {
        "album_genre": typed["album_genre"],
        "key": typed["key"],
        "tempo": typed["tempo"].lower().removesuffix("bpm").strip().replace(",", "."),
        **_levels(typed["levels"]),
    }
    return changed(document["attributes"], values, languages_of(locale)), _seconds(typed["seconds"], longest)


def _levels(lines: str) -> dict[str, str]:
    values: dict[str, str] = {}
    # In any language: the server's may have changed since the modal was shown.
    shown = {
        text(language, f"field.{name}").casefold(): name for language in LANGUAGES for name in AUDIO_FEATURES
    }
    for line in lines.splitlines():
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


def _seconds(typed: str, longest: float) -> float:
    try:
        seconds = float(typed.strip().removesuffix("s").strip().replace(",", "."))
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= longest:
        raise Refusal("refusal.edit_seconds", limit=f"{longest:g}")
    return seconds


def changed(
    attributes: Mapping[str, Any], typed: Mapping[str, Any], languages: Sequence[str] = ("en",)
) -> dict[str, Any]:
    """The fields that were really changed, read and checked. Raises AttributeRangeError.

    A number that reads as the one that was shown has not been changed by showing it rounded. Key and mode
    go together: where one was changed, both are given.
    """
    current = MusicalAttributes.from_dict(dict(attributes))
    changes: dict[str, Any] = {}
    for name, value in typed.items():
        for field, result in parse_field(name, value, languages).items():
            now = getattr(current, field)
            if field in AUDIO_FEATURES and round(float(now), 2) == float(result):
                continue
            if result != now and not (FIELD[field].kind == "number" and FIELD[field].rounded(now) == result):
                changes[field] = result
    if changes.keys() & {"key", "mode"}:
        changes = {"key": current.key, "mode": current.mode, **changes}
    return changes
