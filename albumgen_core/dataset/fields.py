"""Single values out of other people's tables: text that means "missing", years, numbers, genres."""

from __future__ import annotations

import math
import re

from albumgen_core.attributes.genres import normalise_genre
from albumgen_core.attributes.predicted import normalise_loudness

MISSING_WORDS = frozenset({"", "-", "missing", "none", "null", "nan", "n/a", "na"})
"""Texts that mean "not known" in a field that is not a title or a name. MusicOSet writes "-"."""

PLAUSIBLE_DECIBELS = (-70.0, 10.0)
"""Spotify's loudness lies between -60 and about 4 dB."""
PLAUSIBLE_TEMPO = (10.0, 500.0)
"""BPM; Spotify's estimates end below 250, some genres are counted at twice that."""
PLAUSIBLE_YEARS = (1860, 2100)
"""The first recording of sound is of 1860."""

_YEAR = re.compile(r"\s*(\d{4})(?:\.0+)?(?:[-/].*)?\s*$")


def text_or_none(text: str | None) -> str | None:
    """A category as written, or None where the text means that it is missing.

    For titles and names use the text itself: an album may well be called "None".
    """
    if text is None or text.strip().casefold() in MISSING_WORDS:
        return None
    return text.strip()


def number_or_none(text: str | None) -> float | None:
    """A finite number, None where it is missing. Raises ValueError for anything else."""
    if text is None or text.strip().casefold() in MISSING_WORDS:
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()!r} is not a finite number")
    return value


def unit_loudness(decibels: float) -> float:
    """A loudness in dB on the unit scale. Raises ValueError where no recording is as quiet or as loud."""
    low, high = PLAUSIBLE_DECIBELS
    if not low <= decibels <= high:
        raise ValueError(f"loudness is {decibels:g} dB, outside {low:g} to {high:g} dB")
    return normalise_loudness(decibels)


def plausible_tempo(tempo: float | None) -> float | None:
    """A tempo in BPM; None for 0 and below, where none was found. Raises ValueError beyond reason."""
    if tempo is None or tempo <= 0:
        return None
    low, high = PLAUSIBLE_TEMPO
    if not low <= tempo <= high:
        raise ValueError(f"tempo is {tempo:g} BPM, outside {low:g} to {high:g} BPM")
    return tempo


def plausible_year(text: str | None) -> int | None:
    """As `year_or_none`, but raises ValueError for a number that is no year of a record."""
    year = year_or_none(text)
    known = text_or_none(text)
    low, high = PLAUSIBLE_YEARS
    if known is None or (year is not None and low <= year <= high):
        return year
    try:
        number = float(known)
    except ValueError:
        return year
    if number <= 0:
        return None
    raise ValueError(f"year is {known[:40]}, outside {low} to {high}")


def year_or_none(text: str | None) -> int | None:
    """The year of "2007", "2007.0", "1967-03" or "1967-03-10"; None when there is none in 1000–2999."""
    match = _YEAR.match(text or "")
    if match is None:
        return None
    year = int(match.group(1))
    return year if 1000 <= year <= 2999 else None


def genre_or_none(raw: str | None) -> str | None:
    """A source's genre in AlbumGen's vocabulary; None when it is missing or belongs to none of its genres."""
    known = text_or_none(raw)
    return None if known is None else normalise_genre(known)
