"""What attributes, genres and modes are called in members' languages, and the way back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from albumgen_core.attributes.genres import GENRES, normalise_genre
from albumgen_core.attributes.keys import MODES, mode_name
from albumgen_core.localisation import core_text


def field_label(field: str, language: str) -> str:
    """A field's name: "Energy", "Energie"."""
    return core_text(language, f"field.{field}")


def genre_label(genre: str, language: str) -> str:
    """A genre of `GENRES` as a heading: "R&B", "Classical", "Klassik"; another word with a capital."""
    if genre not in GENRES:
        return genre[:1].upper() + genre[1:]
    return core_text(language, f"genre.{re.sub(r'[^a-z]+', '_', genre)}")


def genre_named(words: str, languages: Sequence[str] = ("en",)) -> str | None:
    """A genre by the name it is shown with, or by any word that `normalise_genre` knows."""
    wanted = " ".join(words.casefold().split())
    for language in languages:
        if genre := _genres(language).get(wanted):
            return genre
    return normalise_genre(words)


def mode_named(words: str, languages: Sequence[str] = ("en",)) -> str:
    """A mode by its name, in any case; words that name none are given back in lower case."""
    wanted = words.strip().casefold()
    for language in languages:
        for mode in MODES:
            if mode_name(mode, language).casefold() == wanted:
                return mode
    return wanted


@cache
def _genres(language: str) -> dict[str, str]:
    return {genre_label(genre, language).casefold(): genre for genre in GENRES}
