"""The last notes of every part: a penultimate chord, then the last one, in the manner of the style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from albumgen_core.engines.sketch import melody
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.form import Bar
from albumgen_core.engines.sketch.grooves import CRASH, KICK, RIDE, SNARE
from albumgen_core.engines.sketch.harmony import Chord, nearest, read_chord, voice_chord
from albumgen_core.engines.sketch.score import Note, Role, velocity

_SHORTEST_RING, _LONGEST_RING = 0.9, 2.8
_LONGEST_STOP = 1.8
"""Seconds between the last chord's stroke and the end of the clip; a piece that stops short waits less."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a piece closes.

    Attributes:
        cadence: beat from which the penultimate chord sounds. Before it, a longer piece is the same.
        final: beat on which the last chord is struck.
    """

    cadence: float
    final: float


def plan_ending(brief: Brief, seconds: float) -> Ending:
    """Where the cadence and the last chord fall in a piece of a given length.

    The last chord is struck on the strongest beat that leaves it between 0.9 and 2.8 seconds (1.8 where the
    style stops short) to ring, or as near to that as a short clip allows.
    """
    total = seconds / brief.beat_seconds
    shortest = min(_SHORTEST_RING, 0.4 * seconds)
    longest = _LONGEST_STOP if brief.style.ending == "stop" else _LONGEST_RING
    metre = brief.metre
    candidates = [b for b in range(int(total) + 1) if (total - b) * brief.beat_seconds >= shortest]
    late = [b for b in candidates if (total - b) * brief.beat_seconds <= longest] or candidates[-1:]
    final = max(late, key=lambda b: (metre.strength(b), b))
    if final == 0:
        return Ending(0.0, 0.0)
    # The penultimate chord takes the group before the last one, whatever bar that lies in.
    back = 1
    while back < metre.beats and metre.strength(final - back) < 0.75:
        back += 1
    if back == 1 and final >= 2 and brief.beat_seconds < 0.8:
        back = 2
    return Ending(float(max(0, final - back)), float(final))


def cadence_chords(brief: Brief, tonic: int | None = None) -> tuple[Chord, Chord]:
    """The penultimate and the last chord, as the style closes; in the brief's key unless a tonic is given."""
    minor = brief.mode == "minor"
    symbols = {
        "authentic": ("V7", "i" if minor else "I"),
        "plagal": ("iv" if minor else "IV", "i" if minor else "I"),
        "modal": ("VII" if minor else "V", "i" if minor else "I"),
    }[brief.style.cadence]
    key = brief.tonic if tonic is None else tonic
    before, last = (read_chord(symbol, key, brief.mode) for symbol in symbols)
    return before, last


@dataclass(frozen=True, slots=True)
class Closing:
    """What the parts need to know to close.

    Attributes:
        brief, bars, ending: of the piece.
        seconds: its length.
    """

    brief: Brief
    bars: list[Bar]
    ending: Ending
    seconds: float

    @property
    def tonic(self) -> int:
        """Pitch class of the key in which the piece ends."""
        at = max(0.0, self.ending.cadence - 0.01)
        return next(bar.tonic for bar in reversed(self.bars) if bar.start <= at)

    @property
    def level(self) -> float:
        """Force of the closing chords."""
        return 0.6 + 0.25 * self.brief.attributes.energy

    @property
    def ring(self) -> float:
        """Beats that the last chord is held."""
        if self.brief.style.ending == "stop":
            return 0.6
        return max(0.5, self.seconds / self.brief.beat_seconds - self.ending.final)

    @property
    def wait(self) -> float:
        """Beats of the penultimate chord."""
        return self.ending.final - self.ending.cadence

    def notes(self, role: Role, written: list[Note]) -> list[Note]:
        """A part's last notes, given what it would have played."""
        writers: dict[Role, Callable[[list[Note]], list[Note]]] = {
            "drums": self._drums,
            "bass": self._bass,
            "lead": self._lead,
            "voice": lambda _: [],
            "arpeggio": lambda _: [],
        }
        return writers[role](written) if role in writers else self._chords(role)

    def _bass(self, _: list[Note]) -> list[Note]:
        before, last = cadence_chords(self.brief, self.tonic)
        places = ((self.ending.cadence, self.wait, before), (self.ending.final, self.ring, last))
        return [
            Note(
                at,
                length * 0.98,
                nearest(37, [p for p in range(28, 45) if p % 12 == chord.root]),
                velocity(self.level),
            )
            for at, length, chord in places
            if length > 0
        ]

    def _chords(self, role: Role) -> list[Note]:
        before, last = cadence_chords(self.brief, self.tonic)
        played = self.bars[0].span_at(0.0).voicing
        for bar in self.bars:
            for span in bar.spans:
                played = span.voicing if span.start < self.ending.cadence else played
        first = voice_chord(before, played)
        second = voice_chord(last, first if self.wait else None)
        soft = self.level * (0.85 if role == "pad" else 0.95)
        beats = range(1, int(self.wait)) if role == "chords" else range(0)
        # Chords are struck on every beat, so that the pulse holds until the last one.
        length = 0.9 if beats else self.wait * 0.98
        closing = [
            Note(self.ending.cadence, length, pitch, velocity(soft)) for pitch in first if self.wait > 0
        ]
        closing += [Note(self.ending.cadence + i, 0.9, p, velocity(soft * 0.9)) for i in beats for p in first]
        roll = 0.03 / self.brief.beat_seconds if self.brief.style.ending != "stop" else 0.0
        return closing + [
            Note(self.ending.final + roll * i, self.ring, pitch, velocity(soft))
            for i, pitch in enumerate(second)
        ]

    def _lead(self, written: list[Note]) -> list[Note]:
        before, _ = cadence_chords(self.brief, self.tonic)
        near = max((note for note in written if note.start < self.ending.cadence), default=None)
        here = near.pitch if near else 69
        tonic = nearest(here, [p for p in range(melody.LOW, melody.HIGH + 1) if p % 12 == self.tonic])
        notes = [Note(self.ending.final, self.ring, tonic, velocity(self.level * 1.02))]
        if self.wait > 0:
            # The last note but one is a neighbour of the tonic that the chord has.
            doors = [
                p
                for p in (tonic + 2, tonic - 1, tonic - 2, tonic + 4, tonic + 3)
                if p % 12 in before.pitch_classes
            ]
            pitch = doors[0] if doors else tonic
            notes.insert(0, Note(self.ending.cadence, self.wait * 0.97, pitch, velocity(self.level)))
        return notes

    def _drums(self, written: list[Note]) -> list[Note]:
        if not written:
            return []
        gentle = self.brief.style.fill in ("brush", "none")
        notes = [Note(self.ending.final, 0.5, KICK, velocity(self.level))]
        if self.brief.attributes.energy > 0.35:
            cymbal = RIDE if gentle else CRASH
            notes.append(Note(self.ending.final, 2.0, cymbal, velocity(self.level * 0.9)))
        for beat in range(int(self.wait)):
            at = self.ending.cadence + beat
            notes.append(Note(at, 0.25, KICK, velocity(self.level * 0.9)))
            for half in (0.0, 0.5) if not gentle else (0.0,):
                force = self.level * (0.68 if gentle else 0.88 if half else 0.78)
                notes.append(Note(at + half, 0.25, SNARE, velocity(force)))
        return notes
