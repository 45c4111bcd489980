"""The tune: motifs, their answers, and the cadences that close them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from albumgen_core.engines.sketch.form import CALM, Bar, Brief, Span
from albumgen_core.engines.sketch.harmony import PENTATONIC, SCALES, nearest
from albumgen_core.engines.sketch.score import Note, velocity

LOW, HIGH = 62, 84
"""D4 to C6: above the chords, within reach of every lead."""

_CELLS: dict[str, tuple[tuple[float, ...], ...]] = {
    # Note lengths within one beat; a negative one is a rest.
    "calm": ((1.0,), (1.0,), (-1.0,), (1.0,), (0.5, 0.5)),
    "steady": ((1.0,), (0.5, 0.5), (-0.5, 0.5), (0.5, 0.5), (1.0,)),
    "busy": ((0.5, 0.5), (0.5, 0.25, 0.25), (0.25, 0.25, 0.5), (-0.5, 0.5), (0.5, 0.5), (0.75, 0.25)),
    "spoken": ((0.25, 0.25, 0.25, 0.25), (-0.25, 0.25, 0.25, 0.25), (0.5, 0.25, 0.25), (0.25, 0.25, 0.5)),
}


@dataclass(frozen=True, slots=True)
class Motif:
    """A rhythm and a contour, a bar long.

    Attributes:
        rhythm: (start, length) in beats from the bar's beginning.
        contour: steps of the scale above or below the phrase's anchor, one a note.
    """

    rhythm: tuple[tuple[float, float], ...]
    contour: tuple[int, ...]


def invent_motif(brief: Brief, label: str, number: int) -> Motif:
    """A motif for a section's idea: dense with energy and danceability, syllabic with speechiness."""
    rng = brief.dice("motif", label, number)
    rhythm: list[tuple[float, float]] = []
    clock = 0.0
    for beat in range(brief.metre.beats):
        cell = rng.choice(_CELLS[_density(brief, label, rng)])
        if beat == 0 and cell[0] < 0 and number == 0:
            cell = (1.0,)
        for length in cell:
            if length > 0:
                rhythm.append((clock, length))
            clock += abs(length)
        if beat == brief.metre.beats - 1 and number == 1 and len(rhythm) > 2:
            rhythm.pop()  # room to breathe before the next phrase
    return Motif(tuple(rhythm), _contour(brief, rng, len(rhythm), label))


def _density(brief: Brief, label: str, rng: random.Random) -> str:
    a = brief.attributes
    if a.speechiness > 0.25 and brief.tempo < 125 and label != "B" and rng.random() < 0.3 + a.speechiness:
        return "spoken"
    if brief.drive < CALM:
        return "calm"
    wish = (
        0.15
        + 0.4 * brief.drive
        + 0.25 * a.danceability
        + 0.25 * rng.random()
        - (0.2 if label == "B" else 0.0)
    )
    wish -= max(0.0, (brief.tempo - 120) / 120)
    return "calm" if wish < 0.4 else "steady" if wish < 0.68 or brief.tempo > 125 else "busy"


def _contour(brief: Brief, rng: random.Random, notes: int, label: str) -> tuple[int, ...]:
    # An arch, a valley, a rise or a fall, with small steps on it; speech keeps to a few notes.
    shape = rng.choice(("arch", "valley", "rise", "fall", "wave"))
    width = rng.choice((2, 3, 4)) * (0.4 if brief.attributes.speechiness > 0.35 else 1.0)
    steps = []
    for index in range(notes):
        x = index / max(1, notes - 1)
        curve = {
            "arch": 1 - abs(2 * x - 1),
            "valley": abs(2 * x - 1),
            "rise": x,
            "fall": 1 - x,
            "wave": (0.0, 1.0, 0.3, -0.5)[index % 4],
        }[shape]
        steps.append(round(curve * width + rng.choice((-1, 0, 0, 0, 1)) * min(1.0, width / 2)))
    return tuple(step + (2 if label == "B" else 0) for step in steps)


def write_lead(brief: Brief, bars: list[Bar]) -> list[Note]:
    """The melody of all bars but the introduction."""
    notes: list[Note] = []
    anchor = brief.dice("anchor").randrange(66, 72)
    last = anchor
    for bar in bars:
        if bar.section.label == "I":
            continue
        phrase = _phrase(brief, bar)
        rng = brief.dice("tune", bar.section.label, min(bar.section.variation, 3), bar.place)
        level = (0.62 + 0.22 * brief.attributes.energy) * (0.85 + 0.15 * bar.section.intensity)
        for (start, length), step in zip(phrase.rhythm, phrase.contour, strict=True):
            at = bar.start + start
            strong = brief.metre.strength(start) >= 0.75 or length >= 1.0
            span = bar.span_at(at)
            last = _pitch(brief, span, anchor, step, last, strong)
            accent = 0.86 + 0.14 * brief.metre.strength(start) + 0.04 * (rng.random() - 0.5)
            notes.append(Note(at, length * _touch(brief, length), last, velocity(level * accent)))
            if _ornamented(bar, length, rng):
                turn = nearest(last + 2, [p for p in _scale(brief, span) if p > last] or [last])
                half = notes.pop()
                notes.append(half._replace(length=length / 2 * 0.95))
                notes.append(Note(at + length / 2, length / 2 * 0.9, turn, velocity(level * accent * 0.85)))
                last = turn
    return notes


def _ornamented(bar: Bar, length: float, rng: random.Random) -> bool:
    return bar.section.variation > 0 and length == 1.0 and rng.random() < 0.3


def _touch(brief: Brief, length: float) -> float:
    # Danceable music is played short, calm music bound.
    return 0.97 - 0.3 * brief.attributes.danceability * (length <= 0.5) - 0.05 * brief.attributes.energy


def _phrase(brief: Brief, bar: Bar) -> Motif:
    # Motif, answer, motif, cadence; a section of two bars has motif and cadence.
    label, place = bar.section.label, bar.place % 4
    if bar.closes or place == 3:
        return _cadence(brief, label, bar.closes)
    motif = invent_motif(brief, label, place % 2)
    if place == 2:
        return Motif(motif.rhythm, tuple(step + 1 for step in motif.contour))
    return motif


def _cadence(brief: Brief, label: str, closing: bool) -> Motif:
    motif = invent_motif(brief, label, 0)
    hold = brief.metre.group_starts[-1] if len(brief.metre.groups) > 1 else brief.metre.beats - 1
    head = [(note, step) for note, step in zip(motif.rhythm, motif.contour, strict=True) if note[0] < hold]
    # The last note falls to the anchor's region, and rests long enough to be heard as an end.
    length = max(1.0, (brief.metre.beats - hold) * 0.75)
    tail = ((float(hold), length), 0 if closing else 2)
    falling = [(note, max(0, step - index)) for index, (note, step) in enumerate(head)]
    return Motif(tuple(n for n, _ in [*falling, tail]), tuple(s for _, s in [*falling, tail]))


def _scale(brief: Brief, span: Span) -> list[int]:
    steps = (PENTATONIC if brief.style.pentatonic else SCALES)[brief.mode]
    classes = {(brief.tonic + step) % 12 for step in steps}
    for tone in span.chord.pitch_classes:
        # A note the chord has altered drives its neighbour a semitone away out of the scale.
        if tone not in classes:
            classes -= {(tone + 1) % 12, (tone - 1) % 12}
            classes.add(tone)
    return [pitch for pitch in range(LOW, HIGH + 1) if pitch % 12 in classes]


def _pitch(brief: Brief, span: Span, anchor: int, step: int, last: int, strong: bool) -> int:
    scale = _scale(brief, span)
    tones = [pitch for pitch in scale if pitch % 12 in span.chord.pitch_classes[:4]] or scale
    ground = scale.index(nearest(anchor, scale))
    goal = scale[max(0, min(len(scale) - 1, ground + step))]
    choices = tones if strong else scale
    near = [pitch for pitch in choices if abs(pitch - last) <= 9] or choices
    if not strong:
        # Between the strong notes the tune walks: a step or two towards where it is going.
        near = [pitch for pitch in near if abs(pitch - last) <= 4] or near
    return nearest(goal, near)


def write_voice(brief: Brief, bars: list[Bar], lead: list[Note]) -> list[Note]:
    """A second voice under the lead in the B sections: the nearest chord tone at least a third below."""
    notes = []
    by_start = {bar.index: bar for bar in bars}
    for note in lead:
        bar = by_start[int(note.start // brief.metre.beats)]
        if bar.section.label != "B" and bar.section.variation == 0:
            continue
        if note.length < 0.4:
            continue
        tones = [
            p
            for p in range(LOW - 12, note.pitch - 2)
            if p % 12 in bar.span_at(note.start).chord.pitch_classes
        ]
        notes.append(note._replace(pitch=max(tones), velocity=max(1, int(note.velocity * 0.8))))
    return notes
