"""Sentences that the core wrote into the journal or into a result, said again in the member's language.

Its errors carry a code, which is a key of the catalogues, and what stands in the placeholders. Notices, and
errors that an earlier version has journalled, are English sentences only: the English catalogue holds them
word for word (keys "core.…" and "cover.…"), so that a sentence finds its key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from bot.i18n.catalogue import SOURCE, catalogue, language_of, text

_ROOMS = ("core.", "cover.")

NO_RETRIEVAL = "No retrieval:"
"""How the notice begins that similar albums were asked for and not to be had."""

_BEGINNINGS = {
    NO_RETRIEVAL: "take.no_retrieval",
    "The album index at ": "core.index_unavailable",
    "Something went wrong while making this clip.": "ending.failed",
    "The words on the cover were not looked up:": "core.words_not_looked_up",
    "Made with the sketch engine, because the neural one is unavailable": "core.stand_in",
}
"""How sentences begin that are said in other words: what only an operator can mend, the log has."""


def coded(code: str, params: Mapping[str, str | int | float], locale: str) -> str | None:
    """The sentence of an error's code in a language; None for codes without one."""
    return text(locale, code, **params) if code in catalogue(language_of(SOURCE)) else None


def retold(sentence: str, locale: str) -> str:
    """The sentence in a language, without paths of the operator's disk; unknown ones stay as they are."""
    for beginning, key in _BEGINNINGS.items():
        if sentence.startswith(beginning):
            return text(locale, key)
    for key, pattern in _patterns():
        if match := pattern.fullmatch(sentence):
            return text(locale, key, **match.groupdict())
    return sentence


def is_known(sentence: str) -> bool:
    """Whether `retold` can say it in every language."""
    return sentence.startswith(tuple(_BEGINNINGS)) or any(
        pattern.fullmatch(sentence) for _, pattern in _patterns()
    )


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """(key, the English sentence with its placeholders as groups)."""
    source = catalogue(language_of(SOURCE))
    return [(key, _pattern(source[key])) for key in source if key.startswith(_ROOMS)]


def _pattern(entry: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", entry)
    return re.compile(
        "".join(re.escape(part) if place % 2 == 0 else f"(?P<{part}>.+?)" for place, part in enumerate(parts))
    )
