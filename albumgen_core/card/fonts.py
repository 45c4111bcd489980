"""Fonts for the pictures: the bundled one, and Noto's for other scripts and emoji where they are installed.

Inter (SIL Open Font License) is bundled and covers Latin, Greek and Cyrillic. A character that it lacks is
drawn with the Noto font of its script, without one with any font of the system that has it, and at last as
the font's placeholder box.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FONTS = Path(__file__).parent.parent / "assets" / "fonts"
REGULAR, SEMIBOLD = FONTS / "Inter-Regular.ttf", FONTS / "Inter-SemiBold.ttf"

BUNDLED = "Inter"
_EMOJI, _HAN = "Noto Color Emoji", "Noto Sans CJK JP"
_FILES = {_EMOJI: "NotoColorEmoji", _HAN: "NotoSansCJK-{weight}"}
_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path("/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
_CJK = {"Cjk", "Hiragana", "Katakana", "Hangul", "Ideographic", "Fullwidth", "Halfwidth", "Bopomofo"}
_JOINERS = frozenset("\u200d\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_SIZE = 109
"""At which widths are measured, in pixels: the only one that Noto Color Emoji has."""


def is_bundled(letter: str) -> bool:
    """Whether the bundled font has a character."""
    code = ord(letter)
    return 0x20 <= code <= 0x52F or 0x1E00 <= code <= 0x1FFF or 0x2010 <= code <= 0x2027 or code == 0x20AC


def runs(text: str) -> list[tuple[str, str]]:
    """The text in pieces of one font family each: (piece, family).

    A space goes with what stands before it, so that a sentence of one script is one piece, and its words
    keep their order where it is written from right to left.
    """
    pieces: list[tuple[str, str]] = []
    for letter in text:
        before = pieces[-1][1] if pieces else None
        family = _family(letter, before)
        if family == before:
            pieces[-1] = (pieces[-1][0] + letter, family)
        else:
            pieces.append((letter, family))
    return pieces


def advance(piece: str, family: str, *, bold: bool) -> float:
    """Width of a piece in ems; a generous guess where its font is not installed."""
    font = _font(family, bold)
    if font is not None:
        return font.getlength(piece) / _SIZE
    return sum(_guess(letter) for letter in piece)


def _family(letter: str, before: str | None) -> str:
    if before is not None:
        if letter in _JOINERS or unicodedata.category(letter).startswith("M"):
            return before
        if letter == " " and before != _EMOJI:
            return before
    if is_bundled(letter):
        return BUNDLED
    if 0x1F000 <= ord(letter) <= 0x1FAFF:
        return _EMOJI
    # "DEVANAGARI LETTER KA" is in Noto Sans Devanagari.
    script = unicodedata.name(letter, "").partition(" ")[0].title()
    if script in _CJK:
        return _HAN
    return f"Noto Sans {script}" if unicodedata.category(letter).startswith("L") else BUNDLED


@lru_cache(maxsize=64)
def _font(family: str, bold: bool) -> ImageFont.FreeTypeFont | None:
    if family == BUNDLED:
        # The basic layout engine measures alike on every machine, whether libraqm is there or not.
        path: Path | None = SEMIBOLD if bold else REGULAR
        engine = ImageFont.Layout.BASIC
    else:
        name = _FILES.get(family, family.replace(" ", "") + "-{weight}")
        path = _installed().get(name.format(weight="Bold" if bold else "Regular"))
        engine = ImageFont.Layout.RAQM
    try:
        return ImageFont.truetype(str(path), _SIZE, layout_engine=engine) if path is not None else None
    except OSError:
        return None


@lru_cache(maxsize=1)
def _installed() -> dict[str, Path]:
    """Noto's files on this machine by their names without endings."""
    return {
        path.stem: path for folder in _FOLDERS if folder.is_dir() for path in folder.rglob("Noto*.[ot]t[fc]")
    }


def _guess(letter: str) -> float:
    if unicodedata.category(letter).startswith("M") or letter in _JOINERS:
        return 0.0
    return 1.05 if unicodedata.east_asian_width(letter) in {"W", "F"} else 0.75
