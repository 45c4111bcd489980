"""Chords: how the voicings of a progression are played, and the pads and arpeggios around them."""

from __future__ import annotations

from collections.abc import Sequence

from albumgen_core.engines.sketch.brief import CALM, WILD, Brief
from albumgen_core.engines.sketch.drums import FASTEST_SIXTEENTHS
from albumgen_core.engines.sketch.form import Bar, Span
from albumgen_core.engines.sketch.score import Note, Swell, velocity
from albumgen_core.engines.sketch.style import Comping

Strokes = list[tuple[float, float, float]]
"""(start, length, accent) of each time a chord is struck; times in beats of the piece."""

_TWO_BEATS: dict[Comping, tuple[tuple[tuple[float, float, float], ...], ...]] = {
    # (beat, length, accent) within a group of two beats; variants, the plainest first.
    "strum": (
        ((0.0, 0.95, 1.0), (1.0, 0.45, 0.8), (1.5, 0.45, 0.62)),
        ((0.0, 0.48, 1.0), (0.5, 0.4, 0.58), (1.0, 0.45, 0.85), (1.5, 0.45, 0.62)),
        ((0.0, 0.95, 1.0), (1.0, 0.3, 0.8), (1.5, 0.3, 0.6), (1.75, 0.2, 0.55)),
    ),
    "stabs": (
        ((0.5, 0.25, 0.95),),
        ((0.0, 0.25, 0.8), (0.75, 0.2, 1.0)),
        ((0.5, 0.2, 0.85), (1.25, 0.2, 1.0), (1.5, 0.2, 0.75)),
    ),
    "charleston": (
        ((0.0, 0.5, 0.95), (1.5, 0.4, 0.85)),
        ((0.5, 0.35, 0.9),),
        ((1.5, 0.8, 1.0),),
        ((0.0, 0.3, 0.75), (0.5, 0.35, 0.9)),
    ),
    "bossa": (
        ((0.0, 0.45, 0.95), (0.75, 0.6, 0.85), (1.5, 0.4, 0.9)),
        ((0.0, 0.45, 0.9), (1.0, 0.3, 0.8), (1.75, 0.5, 0.9)),
    ),
    "montuno": (
        ((0.0, 0.4, 1.0), (0.5, 0.3, 0.8), (1.0, 0.3, 0.7), (1.5, 0.4, 0.95)),
        ((0.5, 0.4, 0.95), (1.0, 0.25, 0.7), (1.5, 0.4, 0.95)),
    ),
    "skank": (((0.5, 0.2, 1.0), (1.5, 0.2, 0.95)), ((0.5, 0.2, 1.0), (1.5, 0.15, 0.95), (1.75, 0.15, 0.6))),
    "offbeat": (((0.5, 0.3, 0.95), (1.5, 0.3, 0.95)), ((0.5, 0.25, 0.9), (0.75, 0.2, 0.6), (1.5, 0.3, 0.95))),
}


def choose_comping(brief: Brief, bar: Bar) -> Comping:
    """How the chords are played in a bar; little energy smooths them, breakdowns hold them."""
    kind = brief.style.comping[bar.section.full]
    if bar.section.kind in ("breakdown", "outro"):
        return "block"
    if brief.drive < CALM and kind not in ("arpeggio", "block", "strum", "charleston", "bossa", "skank"):
        return "arpeggio" if "arpeggio" in brief.style.comping else "block"
    if brief.drive > WILD and kind == "block":
        return "pulse"
    return kind


def write_chords(brief: Brief, bars: list[Bar], lead: Sequence[Note]) -> list[Note]:
    """The chord part: softer where the lead is busy, ahead of new sections where the style is."""
    notes: list[Note] = []
    for bar in bars:
        kind = choose_comping(brief, bar)
        level = (0.56 + 0.2 * brief.attributes.energy) * (1 - 0.25 * brief.dynamics * (1 - bar.growth))
        busy = sum(bar.start <= note.start < bar.start + brief.metre.beats for note in lead)
        if busy > brief.metre.beats:
            level *= 0.9
        order = brief.dice("order", bar.section.kind).randrange(len(_ORDERS))
        for span in bar.spans:
            if kind == "arpeggio":
                notes += _broken(brief, span, level, order)
                continue
            for start, length, accent in _pushed(brief, bar, _strokes(brief, bar, span, kind)):
                notes += _stroke(brief, span, start, length, level * accent, kind)
    return notes


def _strokes(brief: Brief, bar: Bar, span: Span, kind: Comping) -> Strokes:
    beats = [span.start + beat for beat in range(int(span.length))]
    if kind == "block":
        starts = [at for at in beats if at - bar.start in brief.metre.group_starts] or [span.start]
        if bar.section.kind in ("breakdown", "outro", "intro"):
            starts = [span.start]
        ends = [*starts[1:], span.start + span.length]
        return [
            (at, (end - at) * 0.96, 1.0 if at == starts[0] else 0.82)
            for at, end in zip(starts, ends, strict=True)
        ]
    if kind in _TWO_BEATS:
        return _patterned(brief, bar, span, kind)
    fast = brief.tempo >= FASTEST_SIXTEENTHS
    if kind == "chug":
        return _chugs(brief, bar, beats, fast)
    if brief.drive > WILD and not fast:
        return [(at + half, 0.4, 1.0 if half == 0 else 0.82) for at in beats for half in (0.0, 0.5)]
    rng = brief.dice("pulse", bar.section.kind, bar.place % 4)
    found = [(at, 0.8, 1.0 if at == span.start else 0.82) for at in beats]
    if not fast and brief.drive > CALM:
        found += [(at + 0.5, 0.35, 0.65) for at in beats if rng.random() < 0.25 * brief.looseness]
    return sorted(found)


def _patterned(brief: Brief, bar: Bar, span: Span, kind: Comping) -> Strokes:
    rng = brief.dice(
        "strokes", bar.section.kind, kind, bar.place % 4 if bar.place % 4 == 3 else bar.place % 2
    )
    variants = _TWO_BEATS[kind]
    plain = brief.tempo >= FASTEST_SIXTEENTHS or brief.drive < CALM
    found: Strokes = []
    for group, size in zip(brief.metre.group_starts, brief.metre.groups, strict=True):
        pattern = (
            variants[0] if plain or rng.random() < 0.4 * brief.texture.symmetry else rng.choice(variants)
        )
        beats = [
            *pattern,
            *((beat + 2, length, accent * 0.9) for beat, length, accent in pattern if beat < 1),
        ]
        for beat, length, accent in beats:
            at = bar.start + group + beat
            if beat < size and span.start <= at < span.start + span.length:
                found.append((at, length, accent))
    return found


def _chugs(brief: Brief, bar: Bar, beats: list[float], fast: bool) -> Strokes:
    # Palm-muted eighths with gallops; accents fall on the groups of the metre.
    rng = brief.dice("chugs", bar.section.kind, bar.place % 2)
    found: Strokes = []
    for at in beats:
        accent = 1.0 if brief.metre.strength(at - bar.start) >= 0.75 else 0.85
        found.append((at, 0.4, accent))
        if not fast and brief.drive > CALM:
            found.append((at + 0.5, 0.22 if rng.random() < 0.4 else 0.4, 0.76))
            if rng.random() < 0.3 and brief.tempo < 125:
                found.append((at + 0.75, 0.2, 0.72))
    return found


def _pushed(brief: Brief, bar: Bar, strokes: Strokes) -> Strokes:
    # A section's first stroke comes half a beat early, tied over the bar line.
    push = brief.style.push * brief.looseness
    if bar.index == 0 or bar.place % 2 or not strokes or strokes[0][0] != bar.start or brief.drive < CALM:
        return strokes
    if brief.dice("push", bar.section.kind, bar.place).random() > push:
        return strokes
    start, length, accent = strokes[0]
    return [(start - 0.5, length + 0.5, accent), *strokes[1:]]


def _stroke(brief: Brief, span: Span, start: float, length: float, level: float, kind: Comping) -> list[Note]:
    voices: Sequence[int] = span.voicing
    if kind == "chug":
        root = 40 + (span.chord.root - 40) % 12
        voices = (root, root + 7, root + 12)
    elif kind == "montuno" and length < 0.35:
        voices = (span.voicing[0] + 12, span.voicing[0])
    # A strum crosses the strings in about 12 ms each, downwards on beats and upwards between them.
    down = start == int(start)
    roll = 0.012 / brief.beat_seconds if kind == "strum" else 0.0
    ordered = voices if down or kind != "strum" else tuple(reversed(voices))
    return [
        Note(start + roll * i, max(0.1, length - roll * i), pitch, velocity(level * (1.0 - 0.03 * i)))
        for i, pitch in enumerate(ordered)
    ]


_ORDERS = ((0, 1, 2, 3, 2, 1), (0, 2, 1, 3), (0, 1, 2, 1), (0, 2, 3, 2))


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
        accent = 1.0 if index == 0 else 0.9 if start == int(start) else 0.7
        notes.append(
            Note(start, min(step * 2.4, span.start + span.length - start), pitch, velocity(level * accent))
        )
    return notes


def write_pad(brief: Brief, bars: list[Bar]) -> tuple[list[Note], list[Swell]]:
    """Held chords of three voices under the fuller sections, swelling through each chord."""
    notes: list[Note] = []
    swells: list[Swell] = []
    alone = brief.style.groove == "none"
    for bar in bars:
        if bar.section.kind in ("verse", "pickup") and bar.section.variation == 0 and not alone:
            continue
        level = (0.52 + 0.2 * brief.attributes.energy) * (1 - 0.25 * brief.dynamics * (1 - bar.growth))
        for span in bar.spans:
            notes += [
                Note(span.start, span.length * 0.99, pitch, velocity(level)) for pitch in span.voicing[:3]
            ]
            steps = int(span.length)
            depth = 0.22 * brief.dynamics
            swells += [
                Swell(span.start + i, 1.0 - depth * abs(2 * (i + 0.5) / max(1, steps) - 1))
                for i in range(steps)
            ]
    return notes, swells


def write_arpeggio(brief: Brief, bars: list[Bar]) -> list[Note]:
    """A light figure an octave above the chords, in choruses, builds and what comes after the first verse."""
    step = 0.5 if brief.tempo > 110.0 or brief.drive < WILD else 0.25
    step = 1.0 if brief.tempo > FASTEST_SIXTEENTHS else step
    notes: list[Note] = []
    for bar in bars:
        section = bar.section
        if section.kind in ("intro", "pickup", "outro") or (
            section.kind == "verse" and section.variation == 0
        ):
            continue
        turn = brief.dice("arpeggio", section.kind).choice(_ORDERS)
        level = (0.46 + 0.14 * brief.attributes.energy) * (0.75 + 0.25 * bar.growth)
        for span in bar.spans:
            for index in range(int(span.length / step)):
                start = span.start + index * step
                pitch = span.voicing[turn[index % len(turn)] % len(span.voicing)] + 12
                accent = 1.0 if start == int(start) else 0.76
                notes.append(Note(start, step * 0.9, pitch, velocity(level * accent)))
    return notes
