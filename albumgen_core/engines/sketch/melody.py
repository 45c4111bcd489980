"""The tune: phrases of two bars or so laid over the sections, each note fitted to the harmony under it."""

from __future__ import annotations

from itertools import groupby

from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.form import Bar, Span
from albumgen_core.engines.sketch.harmony import PENTATONIC, SCALES, nearest
from albumgen_core.engines.sketch.motif import Phrase, Tone, answer, invent, varied
from albumgen_core.engines.sketch.score import Note, velocity

LOW, HIGH = 62, 84
"""D4 to C6: above the chords, within reach of every lead."""


def write_lead(brief: Brief, bars: list[Bar]) -> list[Note]:
    """The melody: silent in introductions and builds, an upbeat in pickups."""
    notes: list[Note] = []
    anchor = round(69 + 8 * (brief.texture.lightness - 0.5)) + brief.dice("anchor").choice((-1, 0, 1))
    last = anchor
    for _, group in groupby(bars, key=lambda bar: bar.index - bar.place):
        section = list(group)
        for first, phrase, unit in _phrases(brief, section):
            notes += _sung(brief, bars, first, phrase, anchor, last, unit)
            last = notes[-1].pitch if notes else last
    return _monophonic(notes)


def _unit(brief: Brief) -> int:
    return 1 if brief.bar_seconds >= 3.0 else 2 if brief.bar_seconds >= 1.2 else 4


def _phrases(brief: Brief, section: list[Bar]) -> list[tuple[Bar, Phrase, float]]:
    # (first bar, phrase, its length in beats) of a section.
    kind, label = section[0].section.kind, section[0].section.label
    beats = brief.metre.beats
    if kind in ("intro", "build"):
        return []
    if kind == "pickup":
        return [(section[-1], _upbeat(brief), beats)]
    unit = _unit(brief)
    found = []
    rng = brief.dice("development", kind, section[0].section.variation)
    planned = section[0].section.bars
    for number, place in enumerate(range(0, len(section), unit)):
        span = min(unit, planned - place)
        statement = invent(brief, label, span)
        last = place + unit >= planned
        if number % 2 or (last and planned > unit):
            phrase = answer(brief, statement, span * beats, closing=last)
        elif number >= 2 or section[0].section.variation:
            phrase = varied(
                brief, statement, rng.choice(("sequence", "same", "inversion", "fragment")), span * beats
            )
        else:
            phrase = statement
        if kind in ("breakdown", "outro") and number % 2 == 0 and number:
            continue
        found.append((section[place], phrase, float(span * beats)))
    return found


def _upbeat(brief: Brief) -> Phrase:
    # Two or three notes of the last beats, rising or falling to the hook's first one.
    first = invent(brief, "A", 1)[0].step
    rng = brief.dice("upbeat")
    beats = brief.metre.beats
    count = 2 if brief.drive < 0.45 else 3
    step = 0.5
    way = rng.choice((-1, 1))
    return tuple(Tone(beats - step * (count - i), step, first + way * (count - i)) for i in range(count))


def _sung(
    brief: Brief, bars: list[Bar], first: Bar, phrase: Phrase, anchor: int, last: int, beats: float
) -> list[Note]:
    level = (0.66 + 0.18 * brief.attributes.energy) * (1 - 0.18 * brief.dynamics * (1 - first.growth))
    rng = brief.dice("ornaments", first.section.kind, first.section.variation, first.place)
    lift = 2 if first.section.kind == "chorus" and first.section.variation >= 2 else 0
    notes: list[Note] = []
    for place, tone in enumerate(phrase):
        at = first.start + tone.start
        # A note before the bar line belongs to the harmony that it is tied into.
        sounding = at + 0.5 if tone.length > 0.5 and at % 1 else at
        bar = bars[min(len(bars) - 1, int(max(0.0, sounding) // brief.metre.beats))]
        strong = brief.metre.strength(at) >= 0.75 or tone.length >= 1.0
        last = _pitch(brief, bar, bar.span_at(sounding), anchor + lift, tone.step, last, strong)
        shape = 1 - 0.12 * abs(2 * tone.start / beats - 0.9) * brief.dynamics
        accent = (0.88 + 0.12 * brief.metre.strength(at)) * shape
        length = tone.length * _touch(brief, tone.length)
        if first.section.variation and tone.length == 1.0 and place and rng.random() < 0.25:
            # A neighbouring grace note leads into a repeated idea.
            scale = _scale(brief, bar, bar.span_at(sounding))
            grace = nearest(last + 2, [p for p in scale if p > last] or [last])
            notes.append(Note(at, 0.22, grace, velocity(level * accent * 0.8)))
            at, length = at + 0.25, length - 0.25
        notes.append(Note(at, max(0.1, length), last, velocity(level * accent)))
    return notes


def _touch(brief: Brief, length: float) -> float:
    # Danceable music is played short, calm music bound.
    return 0.97 - 0.3 * brief.attributes.danceability * (length <= 0.5) - 0.05 * brief.attributes.energy


def _scale(brief: Brief, bar: Bar, span: Span) -> list[int]:
    steps = (PENTATONIC if brief.style.pentatonic else SCALES)[brief.mode]
    classes = {(bar.tonic + step) % 12 for step in steps}
    for tone in span.chord.pitch_classes:
        # A note the chord has altered drives its neighbour a semitone away out of the scale.
        if tone not in classes:
            classes -= {(tone + 1) % 12, (tone - 1) % 12}
            classes.add(tone)
    return [pitch for pitch in range(LOW, HIGH + 1) if pitch % 12 in classes]


def _pitch(brief: Brief, bar: Bar, span: Span, anchor: int, step: int, last: int, strong: bool) -> int:
    scale = _scale(brief, bar, span)
    tones = [pitch for pitch in scale if pitch % 12 in span.chord.pitch_classes[:4]] or scale
    ground = scale.index(nearest(anchor, scale))
    goal = scale[max(0, min(len(scale) - 1, ground + step))]
    choices = tones if strong else scale
    # Leaps cost more than missing the contour; so does standing still, unless the tune is spoken.
    repeated = 0.0 if brief.attributes.speechiness >= 0.3 else 2.0
    reach = 4 if strong else 2

    def cost(pitch: int) -> tuple[float, int]:
        leap = abs(pitch - last)
        return abs(pitch - goal) + 1.7 * max(0, leap - reach) + repeated * (leap == 0), pitch

    return min(choices, key=cost)


def _monophonic(notes: list[Note]) -> list[Note]:
    # A note ends where the next begins, whichever phrase that is of.
    found: list[Note] = []
    for note in sorted(notes):
        if note.start < 0:
            continue
        if found and found[-1].start + found[-1].length > note.start:
            if note.start - found[-1].start < 0.1:
                found.pop()
            else:
                found[-1] = found[-1]._replace(length=note.start - found[-1].start)
        found.append(note)
    return found


def write_voice(brief: Brief, bars: list[Bar], lead: list[Note]) -> list[Note]:
    """A second voice under the lead in choruses: the nearest chord tone at least a third below."""
    notes = []
    for note in lead:
        bar = bars[min(len(bars) - 1, int(note.start // brief.metre.beats))]
        if not bar.section.full or note.length < 0.4:
            continue
        classes = bar.span_at(note.start).chord.pitch_classes
        tones = [p for p in range(LOW - 12, note.pitch - 2) if p % 12 in classes]
        notes.append(note._replace(pitch=max(tones), velocity=max(1, int(note.velocity * 0.85))))
    return notes
