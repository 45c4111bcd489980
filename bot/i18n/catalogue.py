"""Every sentence members read, in English and German, from the catalogues under bot/locales/.

A catalogue is bot/locales/<language>/<room>.json: a flat object of key → text with {placeholders}. English
is complete by definition; a key that another language lacks falls back to it.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import discord
from discord import app_commands

SOURCE = "en"
LANGUAGES = ("en", "de")


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language. Raises ValueError when two rooms define the same key."""
    texts: dict[str, str] = {}
    for file in sorted(resources.files("bot").joinpath("locales", language).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".json"):
            entries: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
            if clash := texts.keys() & entries.keys():
                raise ValueError(f"{file.name} defines {', '.join(sorted(clash))} a second time")
            texts |= entries
    return texts


def language_of(locale: discord.Locale | str | None) -> str:
    """The catalogue that serves a Discord locale: its language where we have one, English otherwise."""
    language = str(locale or SOURCE).split("-")[0].lower()
    return language if language in LANGUAGES else SOURCE


def text(locale: discord.Locale | str | None, key: str, /, **values: Any) -> str:
    """The sentence for `key`, with its placeholders filled in. Raises KeyError for an unknown key."""
    entry = catalogue(language_of(locale)).get(key)
    if entry is None:
        entry = catalogue(SOURCE)[key]
    return entry.format(**values)


class CatalogueTranslator(app_commands.Translator):
    """Names and descriptions of commands: `locale_str("…", key="command.albumgen")` looks its key up."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The translation, or None where the source text serves."""
        language = language_of(locale)
        key = string.extras.get("key")
        if key is None or language == SOURCE:
            return None
        return catalogue(language).get(key)
