"""The bass: with the kick where the style wants it, roots where the harmony needs them, and ways between."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from albumgen_core.engines.sketch.brief import CALM, WILD, Brief
from albumgen_core.engines.sketch.drums import FASTEST_SIXTEENTHS, kicks_in
from albumgen_core.engines.sketch.form import Bar, Span
from albumgen_core.engines.sketch.harmony import SCALES, nearest, scale_pitches
from albumgen_core.engines.sketch.score import Bend, Note, velocity
from albumgen_core.engines.sketch.style import BassLine

LOW, HIGH = 28, 50
"""E1 to D3."""

_CENTRE = 37.0

Figure = list[tuple[float, float, int, float]]
"""(start, length, pitch, accent); times in beats of the piece."""


@dataclass(frozen=True, slots=True)
class _Place:
    # One chord to be played on.
    brief: Brief
    bar: Bar
    span: Span
    following: Span
    root: int
    kicks: list[float]

    @property
    def end(self) -> float:
        return self.span.start + self.span.length

    @property
    def fifth(self) -> int:
        return nearest(self.root + 3, [p for p in range(LOW, HIGH) if p % 12 == self.span.chord.fifth])

    @property
    def pulses(self) -> list[float]:
        return [self.span.start + beat for beat in range(int(self.span.length))]

    @property
    def roles(self) -> list[str]:
        metre = self.brief.metre
        return [metre.roles[int(at - self.bar.start) % metre.beats] for at in self.pulses]


def choose_bass_line(brief: Brief, bar: Bar) -> BassLine:
    """How the bass moves in a bar; calm music only holds its roots, wild music drives on eighths."""
    line = brief.style.bass[bar.section.full]
    if bar.section.kind in ("breakdown", "intro", "outro") and line != "walking":
        return "long"
    if brief.drive < CALM and line not in ("walking", "dub", "bossa"):
        return "long"
    if brief.drive > WILD and line in ("root", "long"):
        return "eighths"
    return line


def write_bass(brief: Brief, bars: list[Bar], drums: list[Note]) -> tuple[list[Note], list[Bend]]:
    """The bass part of all bars but the last, which is only there to lead to; and its glides."""
    spans = [(bar, span) for bar in bars for span in bar.spans]
    root = int(_CENTRE)
    notes: list[Note] = []
    for (bar, span), (_, following) in pairwise(spans):
        root = _near(span.chord.root, (root + _CENTRE) / 2)
        if bar.section.kind == "intro" and bar.place == 0 and brief.attributes.energy < 0.5:
            continue
        if bar.section.kind == "pickup" and brief.attributes.energy < 0.6:
            continue
        place = _Place(brief, bar, span, following, root, kicks_in(drums, bar, brief.metre.beats))
        line = choose_bass_line(brief, bar)
        level = (0.62 + 0.2 * brief.attributes.energy) * (1 - 0.18 * brief.dynamics * (1 - bar.growth))
        figure = _approached(place, _FIGURES[line](place), line)
        notes += [
            Note(start, length, pitch, velocity(level * accent)) for start, length, pitch, accent in figure
        ]
    return notes, _glides(brief, notes)


def _near(pitch_class: int, near: float) -> int:
    return nearest(near, [p for p in range(LOW, HIGH - 6) if p % 12 == pitch_class])


def _held(starts: list[float], end: float, share: float = 0.93) -> list[tuple[float, float]]:
    return [(at, (until - at) * share) for at, until in zip(starts, [*starts[1:], end], strict=True)]


def _long(place: _Place) -> Figure:
    return [(place.span.start, place.span.length * 0.97, place.root, 1.0)]


def _root(place: _Place) -> Figure:
    # With the kick, held until the next one.
    inside = [at for at in place.kicks if place.span.start <= at < place.end - 0.2]
    starts = sorted({place.span.start, *inside})
    return [
        (at, length, place.root, 1.0 if at == starts[0] else 0.9) for at, length in _held(starts, place.end)
    ]


def _eighths(place: _Place) -> Figure:
    halves = (0.0, 0.5) if place.brief.tempo < FASTEST_SIXTEENTHS else (0.0,)
    kicks = set(place.kicks)
    return [
        (at + h, 0.9 / len(halves), place.root, 1.0 if at + h in kicks else 0.84)
        for at in place.pulses
        for h in halves
    ]


def _octaves(place: _Place) -> Figure:
    if place.brief.tempo >= FASTEST_SIXTEENTHS:
        return [
            (at, 0.8, place.root + 12 * (i % 2), 1.0 - 0.15 * (i % 2)) for i, at in enumerate(place.pulses)
        ]
    return [
        (at + h, 0.42, place.root + (12 if h else 0), 1.0 if h == 0 else 0.85)
        for at in place.pulses
        for h in (0.0, 0.5)
    ]


def _offbeat(place: _Place) -> Figure:
    # Between the kicks, as house and trance have it; sixteenths after it where there is room.
    slots = (0.5,) if place.brief.drive < 0.6 or place.brief.tempo > 134 else (0.5, 0.75)
    return [
        (at + s, 0.4 if s == 0.5 else 0.22, place.root, 1.0 if s == 0.5 else 0.8)
        for at in place.pulses
        for s in slots
    ]


def _fifths(place: _Place) -> Figure:
    wide = place.brief.tempo > 75
    beats = len(place.pulses)
    return [
        (
            at,
            0.9,
            place.root if i == 0 or (role == "K" and i % 4 == 0) else place.fifth,
            1.0 if i == 0 else 0.85,
        )
        for i, (at, role) in enumerate(zip(place.pulses, place.roles, strict=True))
        if role != "W" and (role == "K" or i == 0 or not wide or beats <= 3 or i % 2 == 0)
    ]


def _tumbao(place: _Place) -> Figure:
    # Fifth on the and of two, the next chord's root on four: it comes a beat before the chord does.
    figure: Figure = []
    for i, (at, role) in enumerate(zip(place.pulses, place.roles, strict=True)):
        if i == 0:
            figure.append((at, 0.9, place.root, 1.0))
        elif role == "S":
            figure.append((at + 0.5, 0.45, place.fifth, 0.92))
            if i == len(place.pulses) - 1:
                figure[-1] = (at, 0.9, _near(place.following.chord.root, place.root), 0.95)
    return figure


def _bossa(place: _Place) -> Figure:
    figure: Figure = []
    for i, at in enumerate(place.pulses):
        pitch = place.root if i % 4 < 2 else place.fifth
        if i % 2 == 0:
            figure.append((at, 1.4, pitch, 1.0 if i == 0 else 0.88))
        else:
            figure.append((at + 0.5, 0.45, pitch, 0.82))
    return figure


def _dub(place: _Place) -> Figure:
    # A riff of few notes with holes in it, the same in every bar of a section.
    rng = place.brief.dice(
        "dub", place.bar.section.kind, place.bar.place % 2, place.span.start - place.bar.start
    )
    figure: Figure = []
    for i, at in enumerate(place.pulses):
        if i and rng.random() < 0.35:
            continue
        figure.append((at, 0.55, place.root if i % 3 == 0 else rng.choice((place.root, place.fifth)), 1.0))
        if rng.random() < 0.5:
            figure.append((at + 0.5, 0.4, rng.choice((place.root, place.fifth, place.root)), 0.86))
    return figure or [(place.span.start, 0.9, place.root, 1.0)]


def _funk(place: _Place) -> Figure:
    # On the kick's places; ghosts and octaves between them.
    rng = place.brief.dice(
        "bass", place.bar.section.kind, place.bar.place % 2, place.span.start - place.bar.start
    )
    inside = [at for at in place.kicks if place.span.start <= at < place.end]
    figure: Figure = [(at, 0.4, place.root, 1.0) for at in sorted({place.span.start, *inside})]
    taken = {at for at, *_ in figure}
    fine = (0.5, 0.75) if place.brief.tempo < 112 else (0.5,)
    for at in place.pulses:
        for slot in fine:
            if at + slot not in taken and rng.random() < 0.4:
                choice = rng.choice((place.root + 12, place.fifth, place.root, place.root + 10))
                figure.append((at + slot, 0.22, choice, 0.78))
    return sorted(figure)


def _eight_oh_eight(place: _Place) -> Figure:
    inside = [at for at in place.kicks if place.span.start <= at < place.end - 0.2]
    starts = inside or [place.span.start]
    return [(at, length, place.root, 1.0) for at, length in _held(starts, place.end, 0.98)]


def _walk(place: _Place) -> Figure:
    # One note a beat: the root, then chord tones and scale steps towards a neighbour of the next root.
    goal = _near(place.following.chord.root, place.root)
    tones = sorted(p for p in range(LOW, HIGH) if p % 12 in place.span.chord.pitch_classes)
    steps = scale_pitches(place.bar.tonic, SCALES[place.brief.mode], LOW, HIGH)
    beats = len(place.pulses)
    rng = place.brief.dice("walk", place.bar.index, place.span.start)
    pitch, figure = place.root, []
    for beat in range(beats):
        if beat == beats - 1 and beats > 1:
            below, above = goal - 1, nearest(goal + 2, [s for s in steps if s > goal] or [goal + 2])
            pitch = below if abs(below - pitch) <= abs(above - pitch) and below >= LOW else above
        elif beat:
            detour = rng.choice((-4, 3, 5)) if beat == 1 and abs(goal - pitch) < 4 else 0
            ahead = pitch + (goal - pitch) / (beats - beat) + detour
            pitch = nearest(ahead, [t for t in tones if t != pitch])
        figure.append((place.span.start + beat, 0.92, pitch, 1.0 if beat == 0 else 0.9))
        if beat and rng.random() < 0.12 * place.brief.looseness and place.brief.tempo < FASTEST_SIXTEENTHS:
            figure.append((place.span.start + beat + 0.5, 0.3, pitch, 0.6))
    return figure


_FIGURES = {
    "long": _long,
    "root": _root,
    "eighths": _eighths,
    "octaves": _octaves,
    "offbeat": _offbeat,
    "fifths": _fifths,
    "tumbao": _tumbao,
    "bossa": _bossa,
    "dub": _dub,
    "funk": _funk,
    "808": _eight_oh_eight,
    "walking": _walk,
}


def _approached(place: _Place, figure: Figure, line: BassLine) -> Figure:
    # The last half beat before a new root leads to it, now and then, by a scale step or a semitone.
    if line in ("walking", "long", "tumbao", "808") or place.brief.drive < CALM or not figure:
        return figure
    goal = _near(place.following.chord.root, place.root)
    chance = 0.7 if place.bar.closes else 0.3 * place.brief.looseness
    rng = place.brief.dice(
        "approach", place.bar.section.kind, place.bar.place, place.span.start - place.bar.start
    )
    if goal == place.root or rng.random() > chance:
        return figure
    at = place.end - 0.5
    step = goal - 1 if rng.random() < 0.35 else goal - 2 if goal > place.root else goal + 2
    classes = {(place.bar.tonic + s) % 12 for s in SCALES[place.brief.mode]}
    step = step if step % 12 in classes or abs(step - goal) == 1 else step + (1 if step < goal else -1)
    kept = [(s, min(length, at - s), pitch, accent) for s, length, pitch, accent in figure if s < at - 0.01]
    return [*kept, (at, 0.45, max(LOW - 2, step), 0.88)]


def _glides(brief: Brief, notes: list[Note]) -> list[Bend]:
    # An 808 slides into the next note now and then; the bend ends where that note begins.
    if "808" not in brief.style.bass:
        return []
    bends: list[Bend] = []
    for note, following in pairwise(notes):
        leap = following.pitch - note.pitch
        rng = brief.dice("glide", round(note.start * 4))
        if not 0 < abs(leap) <= 7 or note.length < 0.7 or rng.random() > 0.55:
            continue
        end = note.start + note.length
        bends += [Bend(end - 0.3 + 0.06 * i, leap * (i + 1) / 5) for i in range(5)]
        bends.append(Bend(following.start - 0.002, 0.0))
    return bends
