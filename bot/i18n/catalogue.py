"""Every sentence members read, in English and German, from the catalogues under bot/locales/.

A catalogue is bot/locales/<language>/<room>.json: a flat object of key → text with {placeholders}. What
pictures say too (names of attributes and genres) is in albumgen_core/locales/. English is complete by
definition; a key that another language lacks falls back to it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import discord
from discord import app_commands

from albumgen_core.localisation import LANGUAGES, SOURCE, catalogue_of

__all__ = ["LANGUAGES", "SOURCE", "CatalogueTranslator", "catalogue", "language_of", "languages_of", "text"]


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language. Raises ValueError when two rooms define the same key."""
    core, own = catalogue_of("albumgen_core", language), catalogue_of("bot", language)
    if clash := core.keys() & own.keys():
        raise ValueError(f"bot/locales defines {', '.join(sorted(clash))} a second time")
    return core | own


def language_of(locale: discord.Locale | str | None) -> str:
    """The catalogue that serves a Discord locale: its language where we have one, English otherwise."""
    language = str(locale or SOURCE).split("-")[0].lower()
    return language if language in LANGUAGES else SOURCE


def languages_of(locale: discord.Locale | str | None) -> tuple[str, ...]:
    """Every language we have, the locale's first: in what order to read what a member typed."""
    first = language_of(locale)
    return (first, *(language for language in LANGUAGES if language != first))


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
