"""Chords: how the voicings of a progression are played, and the pads and arpeggios around them."""

from __future__ import annotations

from collections.abc import Sequence

from albumgen_core.engines.sketch.drums import FASTEST_SIXTEENTHS
from albumgen_core.engines.sketch.form import CALM, WILD, Bar, Brief, Span
from albumgen_core.engines.sketch.score import Note, velocity
from albumgen_core.engines.sketch.styles import Comping

_STRUMS = (
    ((0.0, 1.0), (1.0, 0.8), (1.5, 0.6)),
    ((0.0, 1.0), (0.5, 0.55), (1.0, 0.85), (1.5, 0.6)),
    ((0.0, 1.0), (1.0, 0.85)),
)
"""Strokes within two beats: (beat, accent)."""


def choose_comping(brief: Brief) -> Comping:
    """How the chords are played in this piece; little energy smooths them."""
    choices = brief.style.comping
    if brief.drive < CALM:
        calm = [kind for kind in choices if kind in ("arpeggio", "block", "strum", "charleston")]
        return brief.dice("comping").choice(calm or ["arpeggio"])
    if brief.drive > WILD:
        choices = tuple(kind for kind in choices if kind != "block") or choices
    return brief.dice("comping").choice(choices)


def write_chords(brief: Brief, bars: list[Bar], kind: Comping) -> list[Note]:
    """The chord part."""
    notes: list[Note] = []
    for bar in bars:
        level = (0.48 + 0.24 * brief.attributes.energy) * (0.85 + 0.15 * bar.section.intensity)
        rng = brief.dice("strokes", bar.section.label, kind)
        strum = rng.choice(_STRUMS) if brief.tempo < FASTEST_SIXTEENTHS else _STRUMS[-1]
        for span in bar.spans:
            if kind == "arpeggio":
                notes += _broken(brief, span, level, rng.randrange(3))
                continue
            for start, length, accent in _strokes(brief, bar, span, kind, strum):
                notes += _stroke(brief, span, start, length, level * accent, kind)
    return notes


def _strokes(
    brief: Brief, bar: Bar, span: Span, kind: Comping, strum: Sequence[tuple[float, float]]
) -> list[tuple[float, float, float]]:
    # (start, length, accent) of each time the chord is struck.
    beats = [span.start + beat for beat in range(int(span.length))]
    places = [at - bar.start for at in beats]
    if kind == "block":
        starts = [at for at, place in zip(beats, places, strict=True) if place in brief.metre.group_starts]
        starts = starts or [span.start]
        ends = [*starts[1:], span.start + span.length]
        return [
            (at, (end - at) * 0.96, 1.0 if at == starts[0] else 0.8)
            for at, end in zip(starts, ends, strict=True)
        ]
    if kind == "strum":
        found = []
        for group, size in zip(brief.metre.group_starts, brief.metre.groups, strict=True):
            for beat, accent in strum:
                at = bar.start + group + beat
                if beat < size and span.start <= at < span.start + span.length:
                    found.append((at, 0.48, accent))
            if size == 3 and span.start <= bar.start + group + 2 < span.start + span.length:
                found.append((bar.start + group + 2, 0.48, 0.75))
        return found
    if kind == "offbeat" and brief.tempo < FASTEST_SIXTEENTHS:
        return [(at + 0.5, 0.3, 0.95) for at in beats] + [(span.start, 0.3, 0.7)]
    if kind == "charleston":
        return [
            (at, 0.7 if first else 0.35, 1.0 if first else 0.75)
            for index, beat in enumerate(beats)
            for at, first in ((beat, True),)
            if index % 2 == 0
        ] + [(beat + 0.5, 0.3, 0.7) for index, beat in enumerate(beats) if index % 4 == 1]
    if kind == "chug":
        halves = (0.0, 0.5) if brief.tempo < FASTEST_SIXTEENTHS and brief.drive > CALM else (0.0,)
        return [(at + half, 0.8 / len(halves), 1.0 if half == 0 else 0.78) for at in beats for half in halves]
    if brief.drive > WILD and brief.tempo < FASTEST_SIXTEENTHS:
        return [(at + half, 0.4, 1.0 if half == 0 else 0.85) for at in beats for half in (0.0, 0.5)]
    return [(at, 0.8, 1.0 if at == span.start else 0.8) for at in beats]


def _stroke(brief: Brief, span: Span, start: float, length: float, level: float, kind: Comping) -> list[Note]:
    voices: Sequence[int] = span.voicing
    if kind == "chug":
        root = 40 + (span.chord.root - 40) % 12
        voices = (root, root + 7, root + 12)
    # A strum crosses the strings in about 12 ms each.
    roll = 0.012 / brief.beat_seconds if kind == "strum" else 0.0
    return [
        Note(start + roll * i, max(0.1, length - roll * i), pitch, velocity(level * (1.0 - 0.03 * i)))
        for i, pitch in enumerate(voices)
    ]


_ORDERS = ((0, 1, 2, 3, 2, 1), (0, 2, 1, 3), (0, 1, 2, 1))


def _broken(brief: Brief, span: Span, level: float, order: int) -> list[Note]:
    # Every note of the arpeggio carries the pulse: eighths as a rule, quarters in calm or very fast music,
    # and one level more where the beat is slow.
    step = 1.0 if brief.drive < CALM or brief.tempo >= FASTEST_SIXTEENTHS else 0.5
    if brief.tempo < 66 or (brief.drive > WILD and brief.tempo < 96):
        step /= 2
    voices = (*span.voicing, span.voicing[0] + 12)
    turn = _ORDERS[order]
    notes = []
    for index in range(int(span.length / step)):
        start = span.start + index * step
        pitch = voices[turn[index % len(turn)] % len(voices)]
        accent = 1.0 if index == 0 else 0.9 if start == int(start) else 0.68
        notes.append(
            Note(start, min(step * 2.4, span.start + span.length - start), pitch, velocity(level * accent))
        )
    return notes


def write_pad(brief: Brief, bars: list[Bar]) -> list[Note]:
    """Held chords under the louder sections; two voices, and the third where there is one."""
    notes: list[Note] = []
    for bar in bars:
        if bar.section.label == "A" and bar.section.variation == 0 and brief.style.progressions != "ambient":
            continue
        level = (0.42 + 0.2 * brief.attributes.energy) * bar.section.intensity
        for span in bar.spans:
            notes += [
                Note(span.start, span.length * 0.99, pitch, velocity(level)) for pitch in span.voicing[:3]
            ]
    return notes


def write_arpeggio(brief: Brief, bars: list[Bar]) -> list[Note]:
    """A light figure an octave above, in the sections that vary or contrast what was heard."""
    step = 0.5 if brief.tempo > 110.0 or brief.drive < WILD else 0.25
    step = 1.0 if brief.tempo > FASTEST_SIXTEENTHS else step
    notes: list[Note] = []
    for bar in bars:
        section = bar.section
        if section.label == "I" or (section.label == "A" and section.variation == 0):
            continue
        turn = brief.dice("arpeggio", section.label).choice(_ORDERS)
        level = 0.36 + 0.16 * brief.attributes.energy
        for span in bar.spans:
            for index in range(int(span.length / step)):
                start = span.start + index * step
                pitch = span.voicing[turn[index % len(turn)] % len(span.voicing)] + 12
                accent = 1.0 if start == int(start) else 0.72
                notes.append(Note(start, step * 0.9, pitch, velocity(level * accent)))
    return notes
