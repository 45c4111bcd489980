"""The score: notes, parts and the time they live in."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Role = Literal["lead", "voice", "chords", "pad", "arpeggio", "bass", "drums"]


class Note(NamedTuple):
    """One note.

    Attributes:
        start, length: in beats from the beginning of the piece.
        pitch: MIDI note number; for drums the General MIDI percussion key.
        velocity: 1 to 127.
    """

    start: float
    length: float
    pitch: int
    velocity: int


class Bend(NamedTuple):
    """A pitch bend from a place in beats on, in semitones."""

    start: float
    semitones: float


class Swell(NamedTuple):
    """An expression level from a place in beats on, in [0, 1]."""

    start: float
    level: float


@dataclass(slots=True)
class Part:
    """What one player plays.

    Attributes:
        role: its place in the arrangement.
        program: General MIDI program, from 0; for drums the number of the kit.
        notes: in any order.
        bends, swells: in order of time.
    """

    role: Role
    program: int
    notes: list[Note] = field(default_factory=list)
    bends: list[Bend] = field(default_factory=list)
    swells: list[Swell] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Metre:
    """A bar of `beats` equal beats, felt in groups.

    The tempo always counts these beats: 6 at 120 BPM is a bar of three seconds, felt as 3 + 3.

    Attributes:
        groups: lengths of the groups, in beats; they add up to the bar.
        roles: one letter a beat: K carries the kick, S the snare, W neither.
    """

    groups: tuple[int, ...]
    roles: str

    @property
    def beats(self) -> int:
        """Beats a bar."""
        return sum(self.groups)

    @property
    def group_starts(self) -> tuple[int, ...]:
        """The beat on which each group begins."""
        return tuple(sum(self.groups[:i]) for i in range(len(self.groups)))

    def strength(self, beat: float) -> float:
        """How strong a place in the bar is, in [0, 1]: downbeat 1, groups 0.75, beats 0.5, between less."""
        beat %= self.beats
        if beat in self.group_starts:
            return 1.0 if beat == 0 else 0.75
        if beat == int(beat):
            return 0.5
        return 0.3 if beat * 2 == int(beat * 2) else 0.15


_METRES: dict[int, Metre] = {
    1: Metre((1,), "K"),
    2: Metre((2,), "KS"),
    3: Metre((3,), "KWS"),
    4: Metre((2, 2), "KSKS"),
    5: Metre((3, 2), "KWSKS"),
    6: Metre((3, 3), "KWWSWW"),
    7: Metre((2, 2, 3), "KSKSKWS"),
}


def metre_of(time_signature: int) -> Metre:
    """The metre of any positive number of beats; beyond 7 it is built of twos with a three at the end."""
    if time_signature in _METRES:
        return _METRES[time_signature]
    beats = max(1, time_signature)
    twos = beats // 2 - beats % 2
    return Metre((2,) * twos + (3,) * (beats % 2), "KS" * twos + "KWS" * (beats % 2))


def dice(*names: object) -> random.Random:
    """A generator that any process rolls alike for the same names (a string seed is hashed with SHA-512)."""
    return random.Random("/".join(str(name) for name in names))


def velocity(level: float) -> int:
    """MIDI velocity of a level in [0, 1]."""
    return max(1, min(127, round(level * 127)))
