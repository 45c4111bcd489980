"""Words on a card: the font, measured widths, and what to do with anybody's text.

Inter (SIL Open Font License) is bundled and covers Latin, Greek and Cyrillic. Text in other scripts is
drawn with whatever fonts the system has; where it has none, the font's placeholder box stands for them.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import ImageFont

FONTS = Path(__file__).parent.parent / "assets" / "fonts"
REGULAR, SEMIBOLD = FONTS / "Inter-Regular.ttf", FONTS / "Inter-SemiBold.ttf"

ELLIPSIS = "…"
_MEASURED_AT = 100
_MAX_CHARACTERS = 600
_MAX_MARKS = 2


def clean(text: str) -> str:
    """One line that is safe to draw: no controls, surrogates or direction overrides, few stacked marks."""
    kept: list[str] = []
    marks = 0
    for letter in text[:_MAX_CHARACTERS]:
        category = unicodedata.category(letter)
        if category in {"Cc", "Zl", "Zp", "Zs"}:
            kept.append(" ")
            continue
        if category in {"Cf", "Cs", "Co", "Cn"} and letter != "\u200d":
            continue
        marks = marks + 1 if category.startswith("M") else 0
        if marks <= _MAX_MARKS:
            kept.append(letter)
    return " ".join("".join(kept).split())


def is_bundled(text: str) -> bool:
    """Whether the bundled font has every character."""
    return all(_bundled(letter) for letter in set(text))


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Width in pixels at a font size; characters of other fonts are taken for generously wide."""
    own = "".join(letter for letter in text if _bundled(letter))
    others = (letter for letter in text if not _bundled(letter))
    # The renderer shapes text with optical refinements of its own: two per cent wider at most.
    return 1.02 * _font(bold).getlength(own) * size / _MEASURED_AT + sum(
        _guess(letter) * size for letter in others
    )


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The cleaned text, cut with an ellipsis where it is wider than `room` pixels."""
    text = clean(text)
    if width(text, size, bold=bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + ELLIPSIS, size, bold=bold) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip(" ,.;:-–—") + ELLIPSIS


def wrap(text: str, size: float, room: float, lines: int) -> list[str]:
    """The cleaned text on at most `lines` lines of `room` pixels, the last one cut where it must be."""
    words = clean(text).split()
    wrapped: list[str] = []
    while words and len(wrapped) < lines - 1:
        count = 1
        while count < len(words) and width(" ".join(words[: count + 1]), size) <= room:
            count += 1
        wrapped.append(fit(" ".join(words[:count]), size, room))
        words = words[count:]
    if words:
        wrapped.append(fit(" ".join(words), size, room))
    return wrapped


def text_tag(
    text: str, x: float, y: float, size: float, colour: str, *, bold: bool = False, anchor: str = "start"
) -> str:
    """An SVG text element on the base line y; `text` is escaped here."""
    weight = 600 if bold else 400
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


@lru_cache(maxsize=2)
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    # The basic layout engine measures alike on every machine, whether libraqm is there or not.
    path = SEMIBOLD if bold else REGULAR
    return ImageFont.truetype(str(path), _MEASURED_AT, layout_engine=ImageFont.Layout.BASIC)


def _bundled(letter: str) -> bool:
    code = ord(letter)
    return 0x20 <= code <= 0x52F or 0x1E00 <= code <= 0x1FFF or 0x2010 <= code <= 0x2027 or code == 0x20AC


def _guess(letter: str) -> float:
    """Width of a character of an unknown font, in ems."""
    if unicodedata.category(letter).startswith("M"):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(letter) in {"W", "F"} else 0.75
