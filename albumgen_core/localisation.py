"""Texts in English and German: catalogues of key → text with {placeholders}.

A package's catalogues are the JSON files `locales/<language>/<room>.json` inside it. English is complete by
definition; a key that another language lacks falls back to it.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

SOURCE = "en"
LANGUAGES = ("en", "de")


@cache
def catalogue_of(package: str, language: str) -> dict[str, str]:
    """All texts of a package in a language. Raises ValueError when two rooms define the same key."""
    texts: dict[str, str] = {}
    for file in sorted(
        resources.files(package).joinpath("locales", language).iterdir(), key=lambda f: f.name
    ):
        if file.name.endswith(".json"):
            entries: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
            if clash := texts.keys() & entries.keys():
                raise ValueError(f"{file.name} defines {', '.join(sorted(clash))} a second time")
            texts |= entries
    return texts


def core_text(language: str, key: str, /, **values: Any) -> str:
    """A text of this package's own catalogues. Raises KeyError for an unknown key."""
    entry = catalogue_of("albumgen_core", language if language in LANGUAGES else SOURCE).get(key)
    if entry is None:
        entry = catalogue_of("albumgen_core", SOURCE)[key]
    return entry.format(**values)


def decimal(value: float, language: str, digits: int = 2) -> str:
    """A number with the language's decimal separator: "0.74", in German "0,74"."""
    shown = f"{value:.{digits}f}"
    return shown.replace(".", ",") if language == "de" else shown
