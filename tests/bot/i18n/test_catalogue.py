from __future__ import annotations

import ast
import json
import re
import string

import discord
import pytest
from discord import app_commands

from albumgen_core.localisation import catalogue_of
from bot.i18n.catalogue import LANGUAGES, SOURCE, CatalogueTranslator, catalogue, language_of, text
from tests.paths import REPOSITORY

PACKAGES = ("albumgen_core", "bot", "cogs")
OTHERS = [language for language in LANGUAGES if language != SOURCE]


def placeholders(entry: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(entry) if name is not None}


def spoken(*packages: str) -> tuple[set[str], list[re.Pattern[str]]]:
    """Every string in the source that could be a key, and as patterns those that are put together there."""
    words: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for file in [file for folder in packages for file in (REPOSITORY / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
                if node.value.endswith("."):  # "field." + name
                    patterns.append(re.compile(re.escape(node.value) + r"[\w.]+"))
            elif isinstance(node, ast.JoinedStr):
                fixed = [str(part.value) for part in node.values if isinstance(part, ast.Constant)]
                if any("." in part for part in fixed):
                    patterns.append(re.compile("".join(map(_pattern, node.values))))
    return words, patterns


def _pattern(part: ast.expr) -> str:
    return re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"[\w.]+"


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_says_everything_with_the_same_placeholders(language: str) -> None:
    source, other = catalogue(SOURCE), catalogue(language)
    assert source.keys() == other.keys()
    assert {key: placeholders(source[key]) for key in source} == {
        key: placeholders(other[key]) for key in other
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_padded(language: str) -> None:
    assert [key for key, entry in catalogue(language).items() if not entry or entry != entry.strip()] == []


@pytest.mark.slow
def test_every_key_is_used_and_every_room_has_both_languages() -> None:
    for owner, users in (("bot", PACKAGES[1:]), ("albumgen_core", PACKAGES)):
        words, patterns = spoken(*users)
        unused = [
            key
            for key in catalogue_of(owner, SOURCE)
            if key not in words and not any(pattern.fullmatch(key) for pattern in patterns)
        ]
        assert unused == []
    for folder in ("bot", "albumgen_core"):
        rooms = [
            {file.name for file in (REPOSITORY / folder / "locales" / each).glob("*.json")}
            for each in LANGUAGES
        ]
        assert len(set(map(frozenset, rooms))) == 1


def test_every_room_is_sorted_into_one_file_only() -> None:
    for language in LANGUAGES:
        seen: dict[str, str] = {}
        rooms = [
            (REPOSITORY / folder / "locales" / language).glob("*.json") for folder in ("bot", "albumgen_core")
        ]
        for file in sorted(file for room in rooms for file in room):
            for key, entry in json.loads(file.read_text("utf-8")).items():
                assert key not in seen, f"{key} is in {seen[key]} and {file.name}"
                assert isinstance(entry, str)
                seen[key] = file.name


def test_a_locale_finds_its_language_and_unknown_ones_get_english() -> None:
    assert language_of(discord.Locale.german) == "de"
    assert language_of("de-AT") == "de"
    assert language_of(discord.Locale.british_english) == "en"
    assert language_of("ja") == "en"
    assert language_of(None) == "en"
    assert text("ja", "settings.change") == "Change …"
    with pytest.raises(KeyError):
        text("en", "no.such.key")


async def test_command_descriptions_are_translated_where_there_is_a_translation() -> None:
    translator = CatalogueTranslator()
    where = app_commands.TranslationContext(
        location=app_commands.TranslationContextLocation.command_description, data=None
    )
    described = app_commands.locale_str("Change how …", key="settings.command")
    german = await translator.translate(described, discord.Locale.german, where)
    assert german == catalogue("de")["settings.command"]
    assert await translator.translate(described, discord.Locale.japanese, where) is None
    assert await translator.translate(app_commands.locale_str("x"), discord.Locale.german, where) is None
