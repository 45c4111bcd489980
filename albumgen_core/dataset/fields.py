"""Single values out of other people's tables: text that means "missing", years, numbers, genres."""

from __future__ import annotations

import math
import re

from albumgen_core.attributes.genres import normalise_genre

MISSING_WORDS = frozenset({"", "-", "missing", "none", "null", "nan", "n/a", "na"})
"""Texts that mean "not known" in a field that is not a title or a name. MusicOSet writes "-"."""

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
