"""The course of a piece: sections, bars, and the chord above each."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from albumgen_core.attributes.fields import KEYS
from albumgen_core.attributes.predicted import Mode, MusicalAttributes
from albumgen_core.engines.sketch.harmony import Chord, read_chord, voice_chord
from albumgen_core.engines.sketch.score import Metre, dice, metre_of
from albumgen_core.engines.sketch.styles import PROGRESSIONS, Style, style_of

_FORMS = ("AABA", "ABAB", "AABB", "ABAC", "AABC", "ABCB")
_INTENSITY = {"A": 0.8, "B": 1.0, "C": 0.6}
_SLOWEST, _FASTEST = 30.0, 260.0

CALM, WILD = 0.3, 0.7
"""Below and above these drives, players leave notes out, or add some."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What the composer works from: the attributes, made ready.

    Attributes:
        attributes: as predicted.
        tonic: pitch class, 0 is C.
        mode: as predicted, or from valence where the prediction names none.
        metre, style: of the time signature and the genre.
        entropy: everything that decides between equally fitting ideas. Tempo, energy, danceability,
            loudness, valence and speechiness are left out on purpose: turn one of them up and the tune
            stays the same, only played differently.
    """

    attributes: MusicalAttributes
    tonic: int
    mode: Mode
    metre: Metre
    style: Style
    entropy: str

    @classmethod
    def of(cls, attributes: MusicalAttributes, seed: int) -> Brief:
        """Make the brief for one seed."""
        mode: Mode = attributes.mode or ("major" if attributes.valence >= 0.45 else "minor")
        kept = (
            seed,
            attributes.album_genre,
            attributes.key,
            mode,
            attributes.time_signature,
            round(attributes.acousticness, 2),
            round(attributes.liveness, 2),
        )
        return cls(
            attributes=attributes,
            tonic=KEYS.index(attributes.key),
            mode=mode,
            metre=metre_of(attributes.time_signature),
            style=style_of(attributes.album_genre),
            entropy="/".join(map(str, kept)),
        )

    @property
    def tempo(self) -> float:
        """Beats a minute, held to what can be played."""
        return min(_FASTEST, max(_SLOWEST, self.attributes.tempo))

    @property
    def drive(self) -> float:
        """How hard the music is driven, in [0, 1]: what energy means for note density and brightness.

        A logistic curve around the energy of the usual album, where most requests lie: 0.3 is nearly still,
        0.45 calm, 0.6 in the middle, 0.75 pushing and 0.9 nearly all that the arranger can do.
        """
        return 1.0 / (1.0 + math.exp(-7.0 * (self.attributes.energy - 0.58)))

    @property
    def beat_seconds(self) -> float:
        """Length of a beat."""
        return 60.0 / self.tempo

    @property
    def bar_seconds(self) -> float:
        """Length of a bar."""
        return self.beat_seconds * self.metre.beats

    def dice(self, *names: object) -> random.Random:
        """The generator for one decision of this piece, the same whatever was decided before."""
        return dice(self.entropy, *names)


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of bars with one idea.

    Attributes:
        label: "I" for the introduction, else "A", "B" or "C".
        variation: how often the idea was heard before.
        bars: its length.
        intensity: in [0, 1].
    """

    label: str
    variation: int
    bars: int
    intensity: float


@dataclass(frozen=True, slots=True)
class Span:
    """One chord and the time it holds.

    Attributes:
        start, length: in beats; start from the beginning of the piece.
        chord: the chord.
        voicing: its upper voices, MIDI notes from low to high.
    """

    start: float
    length: float
    chord: Chord
    voicing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        index: from 0.
        start: in beats from the beginning of the piece.
        section: the section it belongs to.
        place: its place in the section, from 0.
        spans: its chords, in order.
    """

    index: int
    start: float
    section: Section
    place: int
    spans: tuple[Span, ...]

    @property
    def closes(self) -> bool:
        """Whether it is the last bar of its section."""
        return self.place == self.section.bars - 1

    def span_at(self, beat: float) -> Span:
        """The chord that sounds at a beat of the piece."""
        return next((s for s in reversed(self.spans) if s.start <= beat + 1e-6), self.spans[0])


def _sections(brief: Brief) -> Iterator[Section]:
    bar = brief.bar_seconds
    yield Section("I", 0, 1 if bar >= 1.5 else 2, 0.45)
    length = 2 if bar >= 3.2 else 4 if bar >= 1.3 else 8
    form = brief.dice("form").choice(_FORMS)
    heard: dict[str, int] = {}
    for turn in count():
        label = form[turn % len(form)]
        variation = heard.get(label, 0)
        heard[label] = variation + 1
        growth = 0.05 * min(variation, 3)
        yield Section(label, variation, length, min(1.0, _INTENSITY[label] + growth))


def progression(brief: Brief, label: str) -> tuple[Chord, ...]:
    """The four chords of a section's idea."""
    choices = list(PROGRESSIONS[brief.style.progressions][brief.mode])
    brief.dice("progressions").shuffle(choices)
    symbols = choices[{"I": 0, "A": 0, "B": 1, "C": 2}[label] % len(choices)].split()
    return tuple(read_chord(symbol, brief.tonic, brief.mode) for symbol in symbols)


def _spans_of_bar(
    brief: Brief, start: float, place: int, chords: tuple[Chord, ...]
) -> list[tuple[float, float, Chord]]:
    metre = brief.metre
    if brief.bar_seconds > 3.2 and len(metre.groups) > 1:
        half = metre.group_starts[(len(metre.groups) + 1) // 2]
        first, second = chords[place * 2 % 4], chords[(place * 2 + 1) % 4]
        return [(start, half, first), (start + half, metre.beats - half, second)]
    slow = 2 if brief.bar_seconds < 1.3 else 1
    return [(start, metre.beats, chords[place // slow % 4])]


def write_form(brief: Brief, beats: float) -> list[Bar]:
    """The bars from the beginning until `beats` are full, and one more to look ahead to.

    A longer piece begins with the very bars of a shorter one.
    """
    bars: list[Bar] = []
    voicing: tuple[int, ...] | None = None
    for section in _sections(brief):
        chords = progression(brief, section.label)
        for place in range(section.bars):
            start = float(len(bars) * brief.metre.beats)
            spans = []
            for begin, length, chord in _spans_of_bar(brief, start, place, chords):
                voicing = voice_chord(chord, voicing)
                spans.append(Span(begin, float(length), chord, voicing))
            bars.append(Bar(len(bars), start, section, place, tuple(spans)))
            if start >= beats:
                return bars
    raise AssertionError("sections never end")
