"""Musical keys as people write them, in English and German.

German calls B natural H and B flat B, writes sharps and flats as endings ("Cis", "Es"), and minor keys in
lower case ("cis-Moll").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from albumgen_core.errors import AttributeRangeError

KEYS: tuple[str, ...] = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
"""Pitch classes in Spotify's numbering: 0 is C."""

MODES: tuple[str, ...] = ("major", "minor")

Mode = Literal["major", "minor"]

# Of two enharmonic keys the one with fewer accidentals; of six sharps and six flats what scores use more.
_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
_WITHOUT_MODE = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SPELLED = {"major": _MAJOR, "minor": _MINOR, None: _WITHOUT_MODE}

_GERMAN_FLATS = {"A": "As", "E": "Es", "B": "B"}
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

_ENGLISH = re.compile(r"([A-Ga-g])\s*(#|♯|b|♭|sharp|flat)?[\s-]*(major|maj|minor|min|M|m)?\.?")
_GERMAN = re.compile(r"(as|es|[a-h])\s*(is|es|#|♯|b|♭)?[\s-]*(dur|moll)?\.?", re.IGNORECASE)
_SHIFT = {"#": 1, "♯": 1, "sharp": 1, "is": 1, "b": -1, "♭": -1, "flat": -1, "es": -1}


def key_name(key: str, mode: str | None, language: str = "en") -> str:
    """A key as musicians spell it: "Eb major", "C# minor", "D"; in German "Es-Dur", "cis-Moll", "D".

    Args:
        key: one of `KEYS`. mode: one of `MODES`, or None.
    """
    spelled = _SPELLED.get(mode, _WITHOUT_MODE)[KEYS.index(key)]
    if language != "de":
        return f"{spelled} {mode}" if mode else spelled
    name = _german(spelled)
    if mode is None:
        return name
    return f"{name}-Dur" if mode == "major" else f"{name.lower()}-Moll"


def mode_name(mode: str, language: str = "en") -> str:
    """ "major", "minor"; in German "Dur", "Moll"."""
    return {"major": "Dur", "minor": "Moll"}[mode] if language == "de" else mode


def parse_key(text: str, languages: Sequence[str] = ("en",)) -> tuple[str, Mode | None]:
    """Read a key: "Db" is ("C#", None), "A minor" and "Am" are ("A", "minor").

    Args:
        text: what somebody wrote.
        languages: whose spellings are understood, in this order. It decides what a bare "B" is; beside a
            mode's name the language of that name does ("B major" is B, "B-Dur" is B flat).

    Raises AttributeRangeError.
    """
    words = text[:40].strip()
    for language in languages:
        found = _read_german(words) if language == "de" else _read_english(words)
        if found is not None:
            return found
    raise AttributeRangeError(
        "key",
        f"{words!r} is not a key; it must be one of {', '.join(KEYS)}",
        "not_a_choice",
        value=repr(words),
    )


def _german(spelled: str) -> str:
    letter, accidental = spelled[0], spelled[1:]
    if accidental == "b":
        return _GERMAN_FLATS.get(letter, f"{letter}es")
    letter = "H" if letter == "B" else letter
    return f"{letter}is" if accidental else letter


def _read_english(words: str) -> tuple[str, Mode | None] | None:
    match = _ENGLISH.fullmatch(words)
    if match is None:
        return None
    letter, accidental, mode = match.groups()
    key = KEYS[(_NATURALS[letter.upper()] + _SHIFT.get(accidental or "", 0)) % 12]
    if mode is None:
        return key, None
    return key, "minor" if mode in ("m", "min", "minor") else "major"


def _read_german(words: str) -> tuple[str, Mode | None] | None:
    match = _GERMAN.fullmatch(words)
    if match is None:
        return None
    letter, accidental, mode = (part and part.lower() for part in match.groups())
    number = {"as": 8, "es": 3, "h": 11, "b": 10}.get(letter)
    if number is None or (letter == "b" and accidental in ("#", "♯", "b", "♭")):
        # With an accidental's sign the letter is the English one: "Bb" is B flat for everybody.
        number = _NATURALS[letter.upper()]
    key = KEYS[(number + _SHIFT.get(accidental or "", 0)) % 12]
    return key, {"dur": "major", "moll": "minor", None: None}[mode]
