"""Help that explains each attribute and every command, in both languages, within Discord's limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from albumgen_core.attributes.fields import AUDIO_FEATURES, FIELDS
from bot.help.pages import attribute_page
from bot.i18n.catalogue import LANGUAGES, text
from tests.bot.running_bot import RunningBot, running_bot


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[RunningBot]:
    async with running_bot(tmp_path) as made:
        yield made


@pytest.mark.parametrize("spec", FIELDS, ids=lambda spec: spec.name)
def test_english_help_says_what_the_field_itself_says(spec: object) -> None:
    assert text("en", f"attribute.{spec.name}") == spec.explanation  # type: ignore[attr-defined]


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_attribute_has_its_page_with_range_and_unit(locale: str) -> None:
    for spec in FIELDS:
        (embed,) = attribute_page(spec, locale).embeds
        assert embed.title == text(locale, f"field.{spec.name}")
        words = "\n".join(field.value or "" for field in embed.fields)
        if spec.name in AUDIO_FEATURES:
            assert ("0 to 1" if locale == "en" else "0 bis 1") in words
        assert len(embed) < 6000
    (tempo,) = attribute_page(next(spec for spec in FIELDS if spec.name == "tempo"), locale).embeds
    assert "40" in str(tempo.fields[0].value)
    assert "BPM" in str(tempo.fields[0].value)


async def test_pages_turn_and_attributes_are_chosen(place: RunningBot) -> None:
    used = await place.ann.slash(place.channel, "albumgen-help")
    shown = await used.wait_message()
    assert shown.ephemeral
    assert "/albumgen" in shown.text
    assert "Dieses Album erklingen lassen" in shown.text
    for button, words in (
        ("Befehle", "**/privacy forget-me** – Alles löschen"),
        ("Buttons", "🔁 **Noch einmal**"),
        ("Attribute", "**Tempo** · 40 bis 220 Schläge"),
        ("So geht es", "Warteschlange"),
    ):
        await place.ann.click(shown, button)
        await shown.wait_until(lambda m, words=words: words in m.text)  # type: ignore[misc]
    await place.ann.select(shown, "Ein Attribut erklären", "Heiterkeit")
    await shown.wait_until(lambda m: "Wie positiv die Musik klingt" in m.text)
    assert "0 bis 1" in shown.text


async def test_every_registered_command_is_listed(place: RunningBot) -> None:
    used = await place.owner.slash(place.channel, "albumgen-help")
    shown = await used.wait_message()
    await place.owner.click(shown, "Commands")
    await shown.wait_until(lambda m: "**/albumgen** –" in m.text)
    for command in place.loopback.commands():
        assert command["name"] in shown.text
    assert "Imagine this album" in shown.text


async def test_one_attribute_can_be_asked_for_also_in_direct_messages(place: RunningBot) -> None:
    used = await place.ann.slash(place.ann.dm, "albumgen-help", attribute="valence")
    shown = await used.wait_message()
    assert "traurig, angespannt oder zornig" in shown.text
    used = await place.owner.slash(place.owner.dm, "albumgen-help", attribute="key")
    assert "C, C#, D" in (await used.wait_message()).text
