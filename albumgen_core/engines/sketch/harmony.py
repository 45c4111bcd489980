"""Chords: reading progressions, walking from one chord to the next by the shortest way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product

from albumgen_core.attributes.predicted import Mode

SCALES: dict[Mode, tuple[int, ...]] = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
"""Semitones of the seven degrees above the tonic; minor is the natural one."""

PENTATONIC: dict[Mode, tuple[int, ...]] = {"major": (0, 2, 4, 7, 9), "minor": (0, 3, 5, 7, 10)}

_ROMAN = {"I": 0, "II": 1, "III": 2, "IV": 3, "V": 4, "VI": 5, "VII": 6}
_SYMBOL = re.compile(r"^([b#]?)(VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(.*)$")
_COLOURS: dict[str, tuple[int, ...]] = {
    "": (),
    "7": (10,),
    "maj7": (11,),
    "6": (9,),
    "add9": (14,),
    "9": (10, 14),
    "maj9": (11, 14),
}
_WHOLE: dict[str, tuple[int, ...]] = {
    "5": (0, 7),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "7sus4": (0, 5, 7, 10),
    "dim": (0, 3, 6),
    "m7b5": (0, 3, 6, 10),
}

REGISTER = (52, 77)
"""Lowest and highest note of a chord's upper voices (E3 to F5)."""


@dataclass(frozen=True, slots=True)
class Chord:
    """A chord of a key.

    Attributes:
        root: pitch class, 0 is C.
        intervals: semitones above the root, beginning with 0.
    """

    root: int
    intervals: tuple[int, ...]

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes of the chord, root first."""
        return tuple((self.root + interval) % 12 for interval in self.intervals)

    @property
    def fifth(self) -> int:
        """Pitch class of the fifth (perfect unless the chord has another)."""
        fifth = next((i for i in self.intervals if i in (6, 7)), 7)
        return (self.root + fifth) % 12


@lru_cache(maxsize=4096)
def read_chord(symbol: str, tonic: int, mode: Mode) -> Chord:
    """Read a Roman numeral such as `vi7`, `bVII` or `V7sus4` in a key.

    Capital numerals are major, small ones minor; degrees are those of the key's own scale, so `VI` in
    minor lies eight semitones above the tonic. Raises ValueError for anything else.
    """
    match = _SYMBOL.match(symbol)
    if match is None:
        raise ValueError(f"not a chord symbol: {symbol!r}")
    accidental, numeral, suffix = match.groups()
    # A flat or sharp is counted from the major scale, as in popular chord charts: bVII is a tone below I.
    scale = SCALES["major"] if accidental else SCALES[mode]
    degree = scale[_ROMAN[numeral.upper()]] + {"": 0, "b": -1, "#": 1}[accidental]
    root = (tonic + degree) % 12
    if suffix in _WHOLE:
        return Chord(root, _WHOLE[suffix])
    if suffix not in _COLOURS:
        raise ValueError(f"not a chord symbol: {symbol!r}")
    third = 4 if numeral.isupper() else 3
    return Chord(root, (0, third, 7, *_COLOURS[suffix]))


@lru_cache(maxsize=4096)
def _voicings(pitch_classes: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    low, high = REGISTER
    places = [[p for p in range(low, high + 1) if p % 12 == pc] for pc in pitch_classes]
    found = {
        tuple(sorted(choice))
        for choice in product(*places)
        if 3 <= max(choice) - min(choice) <= 16 and len(set(choice)) == len(choice)
    }
    # Seconds low down are mud: keep two neighbouring voices at least a minor third apart below middle C.
    clear = {v for v in found if all(b - a >= 3 or a >= 60 for a, b in pairwise(v))}
    return tuple(sorted(clear or found))


def _distance(old: Sequence[int], new: Sequence[int]) -> float:
    if len(old) == len(new):
        return sum(abs(a - b) for a, b in zip(old, new, strict=True))
    # A voice appears or falls silent: every note is measured to its nearest neighbour on the other side.
    there = sum(min(abs(a - b) for b in new) for a in old)
    back = sum(min(abs(a - b) for a in old) for b in new)
    return (there + back) / 2


def voice_chord(chord: Chord, previous: Sequence[int] | None, centre: float = 64.0) -> tuple[int, ...]:
    """The chord's upper voices (MIDI notes, low to high) that lie nearest to the previous ones.

    Chords of five notes leave their root to the bass. Among equally near voicings the one closest to the
    register's centre (a MIDI note) wins, so that long progressions do not drift.
    """
    pitch_classes = chord.pitch_classes if len(chord.intervals) < 5 else chord.pitch_classes[1:]

    def cost(voicing: tuple[int, ...]) -> float:
        drift = abs(sum(voicing) / len(voicing) - centre)
        spread = abs(voicing[-1] - voicing[0] - 9)
        return (_distance(previous, voicing) if previous else 0.0) + 0.35 * drift + 0.1 * spread

    return min(_voicings(pitch_classes), key=cost)


def scale_pitches(tonic: int, steps: Sequence[int], low: int, high: int) -> list[int]:
    """MIDI notes of a scale between two bounds, both included."""
    classes = {(tonic + step) % 12 for step in steps}
    return [pitch for pitch in range(low, high + 1) if pitch % 12 in classes]


def nearest(pitch: float, choices: Sequence[int]) -> int:
    """The choice nearest to a pitch; the lower of two equally near ones."""
    return min(choices, key=lambda choice: (abs(choice - pitch), choice))
