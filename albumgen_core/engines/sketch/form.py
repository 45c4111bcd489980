"""The course of a piece: sections cut to the length asked for, bars, and the chord above each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.harmony import Chord, read_chord, voice_chord
from albumgen_core.engines.sketch.progressions import PROGRESSIONS

Kind = Literal["pickup", "intro", "verse", "chorus", "breakdown", "build", "outro"]

_INTENSITY: dict[Kind, float] = {
    "pickup": 0.5,
    "intro": 0.4,
    "verse": 0.65,
    "chorus": 0.9,
    "breakdown": 0.35,
    "build": 0.7,
    "outro": 0.5,
}
_IDEA: dict[Kind, str] = {
    "pickup": "A",
    "intro": "A",
    "verse": "A",
    "chorus": "B",
    "breakdown": "C",
    "build": "B",
    "outro": "A",
}
SHORT, MIDDLING = 16.0, 48.0
"""Seconds below which a piece is hook and lift, and below which it is intro, A, B, A′ and ending."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of bars with one idea.

    Attributes:
        kind: its place in the form.
        label: the idea whose chords and tune it has: "A", "B" or "C".
        variation: how often the kind was heard before.
        bars: its length.
        intensity: in [0, 1].
        lift: semitones by which it is transposed.
    """

    kind: Kind
    label: str
    variation: int
    bars: int
    intensity: float
    lift: int = 0

    @property
    def full(self) -> bool:
        """Whether the whole band plays."""
        return self.kind == "chorus"


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
        tonic: pitch class of the key in force.
    """

    index: int
    start: float
    section: Section
    place: int
    spans: tuple[Span, ...]
    tonic: int

    @property
    def closes(self) -> bool:
        """Whether it is the last bar of its section."""
        return self.place == self.section.bars - 1

    @property
    def growth(self) -> float:
        """Intensity in this bar: a build rises through its section, an outro falls."""
        section = self.section
        share = (self.place + 1) / section.bars
        if section.kind == "build":
            return 0.45 + (section.intensity - 0.15) * share
        return section.intensity * (1.1 - 0.5 * share) if section.kind == "outro" else section.intensity

    def span_at(self, beat: float) -> Span:
        """The chord that sounds at a beat of the piece."""
        return next((s for s in reversed(self.spans) if s.start <= beat + 1e-6), self.spans[0])


def plan_sections(brief: Brief, beats: float) -> list[Section]:
    """The sections of a piece whose last chord falls on beat `beats`."""
    bars = max(1, int(beats // brief.metre.beats))
    seconds = beats * brief.beat_seconds
    if seconds < SHORT:
        lengths = _short(bars, brief.bar_seconds)
    elif seconds < MIDDLING:
        lengths = _middling(bars)
    else:
        lengths = _long(bars, brief)
    heard: dict[Kind, int] = {}
    sections = []
    last_chorus = max((place for place, (kind, _) in enumerate(lengths) if kind == "chorus"), default=-1)
    for place, (kind, length) in enumerate(lengths):
        variation = heard.get(kind, 0)
        heard[kind] = variation + 1
        last = place == last_chorus and variation >= 2
        intensity = min(1.0, _INTENSITY[kind] + 0.06 * min(variation, 2) + (0.1 if last else 0.0))
        lift = 2 if last and brief.style.lift else 0
        sections.append(Section(kind, _IDEA[kind], variation, length, intensity, lift))
    return sections


def _short(bars: int, bar_seconds: float) -> list[tuple[Kind, int]]:
    # A pickup where a bar is short enough not to keep the hook waiting; then the hook, then its lift.
    pickup = 1 if bars >= 4 and bar_seconds < 2.6 else 0
    hook = max(1, (bars - pickup + 1) // 2)
    lift = bars - pickup - hook
    found: list[tuple[Kind, int]] = [("pickup", pickup), ("verse", hook), ("chorus", lift)]
    return [(kind, length) for kind, length in found if length]


def _middling(bars: int) -> list[tuple[Kind, int]]:
    intro = 1 if bars < 12 else 2
    third = max(1, (bars - intro) // 3)
    if third % 2 and third > 1:
        third += 1 if 2 * (third + 1) < bars - intro else -1
    rest = max(1, bars - intro - 2 * third)
    return [("intro", intro), ("verse", third), ("chorus", third), ("verse", rest)]


def _long(bars: int, brief: Brief) -> list[tuple[Kind, int]]:
    unit = 2 if brief.bar_seconds >= 3.2 else 4 if brief.bar_seconds >= 1.3 else 8
    ends: list[tuple[Kind, int]] = [("intro", max(1, unit // 2))]
    core: list[tuple[Kind, int]] = []
    closing: list[tuple[Kind, int]] = [
        ("breakdown", unit),
        ("build", max(1, unit // 2)),
        ("chorus", unit),
        ("outro", max(1, unit // 2)),
    ]
    room = bars - sum(length for _, length in (*ends, *closing))
    turn: tuple[Kind, ...] = ("verse", "chorus", "verse", "chorus", "breakdown", "verse", "chorus")
    for place in count():
        if room < unit:
            break
        core.append((turn[place % len(turn)], unit))
        room -= unit
    if not core or core[-1][0] == "breakdown":
        closing[0] = ("verse", unit)
    closing[2] = ("chorus", unit + max(0, room))
    return [*ends, *core, *closing]


def _sections(brief: Brief, beats: float, opened: float | None) -> Iterator[Section]:
    # With `opened`, a piece begins with the sections of one that long and goes on from there.
    planned = plan_sections(brief, beats if opened is None else opened)
    yield from planned
    unit = max(2, planned[-1].bars)
    for turn in count():
        kind: Kind = ("chorus", "verse", "breakdown", "chorus", "verse")[turn % 5]
        variation = 1 + turn // 5
        yield Section(kind, _IDEA[kind], variation, unit, min(1.0, _INTENSITY[kind] + 0.05))


def progression(brief: Brief, label: str) -> tuple[Chord, ...]:
    """The four chords of a section's idea, as the cover has them."""
    return _progression(brief, label, 0)


def _progression(brief: Brief, label: str, lift: int) -> tuple[Chord, ...]:
    choices = list(PROGRESSIONS[brief.style.progressions][brief.mode])
    brief.cover_dice("progressions").shuffle(choices)
    symbols = choices[{"A": 0, "B": 1, "C": 2}[label] % len(choices)].split()
    return tuple(read_chord(symbol, (brief.tonic + lift) % 12, brief.mode) for symbol in symbols)


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


def write_form(brief: Brief, final: float, opened: float | None = None) -> list[Bar]:
    """The bars of a piece whose last chord falls on beat `final`, and one more to look ahead to.

    `opened`: the same of a shorter piece whose bars this one is to begin with.
    """
    bars: list[Bar] = []
    voicing: tuple[int, ...] | None = None
    centre = 64.0 + 8.0 * (brief.texture.lightness - 0.5) + brief.dice("voicing").choice((-1.5, 0.0, 1.5))
    for section in _sections(brief, final, opened):
        chords = _progression(brief, section.label, section.lift)
        for place in range(section.bars):
            start = float(len(bars) * brief.metre.beats)
            spans = []
            # A pickup and an intro lead to the idea's first chord from its last ones.
            chord_place = place if section.kind not in ("pickup", "intro") else place - section.bars
            for begin, length, chord in _spans_of_bar(brief, start, chord_place, chords):
                voicing = voice_chord(chord, voicing, centre)
                spans.append(Span(begin, float(length), chord, voicing))
            tonic = (brief.tonic + section.lift) % 12
            bars.append(Bar(len(bars), start, section, place, tuple(spans), tonic))
            if start >= final + brief.metre.beats:
                return bars
    raise AssertionError("sections never end")
