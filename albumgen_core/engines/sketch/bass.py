"""The bass: roots where the harmony needs them, and the way from one to the next."""

from __future__ import annotations

from itertools import pairwise

from albumgen_core.engines.sketch.drums import FASTEST_SIXTEENTHS
from albumgen_core.engines.sketch.form import CALM, WILD, Bar, Brief, Span
from albumgen_core.engines.sketch.harmony import SCALES, nearest, scale_pitches
from albumgen_core.engines.sketch.score import Note, velocity
from albumgen_core.engines.sketch.styles import BassLine

LOW, HIGH = 28, 50
"""E1 to D3."""

_CENTRE = 37.0


def choose_bass_line(brief: Brief) -> BassLine:
    """How the bass moves in this piece; calm music only holds its roots, wild music drives on eighths."""
    line = brief.dice("bass line").choice(brief.style.bass)
    if brief.drive < CALM and line != "walking":
        return "long"
    if brief.drive > WILD and line in ("root", "long"):
        return "eighths"
    return line


def write_bass(brief: Brief, bars: list[Bar], line: BassLine) -> list[Note]:
    """The bass part of all bars but the last, which is only there to lead to."""
    spans = [(bar, span) for bar in bars for span in bar.spans]
    root = int(_CENTRE)
    notes: list[Note] = []
    for (bar, span), (_, following) in pairwise(spans):
        root = _place(span.chord.root, (root + _CENTRE) / 2)
        if bar.section.label == "I" and bar.place == 0 and brief.attributes.energy < 0.5:
            continue
        level = (0.56 + 0.26 * brief.attributes.energy) * (0.85 + 0.15 * bar.section.intensity)
        calm = line if bar.section.label != "C" or line == "walking" else "long"
        for start, length, pitch, accent in _figure(brief, bar, span, following, root, calm):
            notes.append(Note(start, length, pitch, velocity(level * accent)))
    return notes


def _place(pitch_class: int, near: float) -> int:
    return nearest(near, [p for p in range(LOW, HIGH - 6) if p % 12 == pitch_class])


def _figure(
    brief: Brief, bar: Bar, span: Span, following: Span, root: int, line: BassLine
) -> list[tuple[float, float, int, float]]:
    # (start, length, pitch, accent) of one chord's worth of bass.
    beats = int(span.length)
    fifth = nearest(root + 3, [p for p in range(LOW, HIGH) if p % 12 == span.chord.fifth])
    pulses = [span.start + beat for beat in range(beats)]
    roles = [brief.metre.roles[int(at - bar.start) % brief.metre.beats] for at in pulses]
    if line == "long":
        return [(span.start, span.length * 0.97, root, 1.0)]
    if line == "walking":
        return _walk(brief, span, following, root)
    if line == "eighths":
        halves = (0.0, 0.5) if brief.tempo < FASTEST_SIXTEENTHS else (0.0,)
        return [(at + h, 0.92 / len(halves), root, 1.0 if h == 0 else 0.82) for at in pulses for h in halves]
    if line == "octaves" and brief.tempo >= FASTEST_SIXTEENTHS:
        return [(at, 0.8, root + 12 * (i % 2), 1.0 if i % 2 == 0 else 0.85) for i, at in enumerate(pulses)]
    if line == "octaves":
        return [
            (at + h, 0.42, root + (12 if h else 0), 1.0 if h == 0 else 0.85)
            for at in pulses
            for h in (0.0, 0.5)
        ]
    if line == "fifths":
        wide = 1.0 if brief.tempo > 75 else 0.5
        return [
            (at, 0.9, root if i == 0 or (role == "K" and i % 4 == 0) else fifth, 1.0 if i == 0 else 0.85)
            for i, (at, role) in enumerate(zip(pulses, roles, strict=True))
            if role != "W" and (role == "K" or i == 0 or wide < 1 or beats <= 3 or i % 2 == 0)
        ]
    if line == "tumbao":
        return [
            pair
            for at, role in zip(pulses, roles, strict=True)
            for pair in (
                [(at, 0.45, root, 1.0)]
                if role == "K"
                else [(at, 0.45, fifth, 0.9), (at + 0.5, 0.45, root, 0.85)]
            )
        ]
    if line == "funk":
        rng = brief.dice("bass", bar.section.label, bar.place % 2, span.start - bar.start)
        figure = []
        for at, role in zip(pulses, roles, strict=True):
            if role == "K":
                figure.append((at, 0.4, root, 1.0))
            if role != "K" or rng.random() < 0.6:
                figure.append((at + 0.5, 0.35, rng.choice((root, root, fifth, root + 12)), 0.85))
        return figure
    # "root": with the kick, held until the next.
    starts = [at for at, role in zip(pulses, roles, strict=True) if role == "K" or at == span.start]
    ends = [*starts[1:], span.start + span.length]
    return [(at, (end - at) * 0.93, root, 1.0) for at, end in zip(starts, ends, strict=True)]


def _walk(brief: Brief, span: Span, following: Span, root: int) -> list[tuple[float, float, int, float]]:
    # One note a beat: the root, then chord tones and scale steps towards a neighbour of the next root.
    goal = _place(following.chord.root, root)
    tones = sorted(p for p in range(LOW, HIGH) if p % 12 in span.chord.pitch_classes)
    steps = scale_pitches(brief.tonic, SCALES[brief.mode], LOW, HIGH)
    beats = int(span.length)
    pitch, figure = root, []
    for beat in range(beats):
        if beat == beats - 1 and beats > 1:
            below, above = goal - 1, nearest(goal + 2, [s for s in steps if s > goal] or [goal + 2])
            pitch = below if abs(below - pitch) <= abs(above - pitch) and below >= LOW else above
        elif beat:
            ahead = (
                pitch + (goal - pitch) / (beats - beat) + (3 if beat == 1 and abs(goal - pitch) < 3 else 0)
            )
            pitch = nearest(ahead, [t for t in tones if t != pitch])
        figure.append((span.start + beat, 0.92, pitch, 1.0 if beat == 0 else 0.9))
    return figure
