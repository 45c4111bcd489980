"""Words on a card: measured widths, and what to do with anybody's text."""

from __future__ import annotations

import unicodedata
from xml.sax.saxutils import escape

from albumgen_core.card import fonts
from albumgen_core.card.fonts import BUNDLED

ELLIPSIS = "…"
_MAX_CHARACTERS = 600
_MAX_MARKS = 2
_SHAPED = 1.02
"""The renderer shapes the bundled font with optical refinements of its own: two per cent wider at most."""


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
    return all(map(fonts.is_bundled, set(text)))


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Width in pixels at a font size."""
    return _SHAPED * size * sum(fonts.advance(piece, family, bold=bold) for piece, family in fonts.runs(text))


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
    """An SVG text element on the base line y; `text` is escaped here.

    Each script is placed on its own: resvg sets a line of several fonts with the first one's shapes, and
    leaves boxes where letters join (Devanagari, emoji of several parts).
    """
    pieces = fonts.runs(text)
    if len(pieces) > 1:
        lengths = [size * fonts.advance(piece, family, bold=bold) for piece, family in pieces]
        x -= {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * sum(lengths)
        anchor = "start"
    else:
        lengths = [0.0]
    weight = 600 if bold else 400
    drawn = []
    for (piece, family), length in zip(pieces, lengths, strict=False):
        families = f' font-family="{family}, {BUNDLED}"' if family != BUNDLED else ""
        drawn.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" fill="{colour}" '
            f'text-anchor="{anchor}"{families}>{escape(piece)}</text>'
        )
        x += length
    return "".join(drawn)
