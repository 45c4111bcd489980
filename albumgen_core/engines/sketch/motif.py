"""Motifs and phrases: rhythms on a grid, contours in scale steps, and how they are developed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from albumgen_core.engines.sketch.brief import CALM, Brief

_SIXTEENTHS = 116.0
"""Beats a minute below which a tune may have sixteenths."""

_DENSITY = {"calm": 0.55, "steady": 0.95, "busy": 1.45, "spoken": 2.3}
"""Notes a beat."""


@dataclass(frozen=True, slots=True)
class Tone:
    """One note: start and length in beats from the phrase's beginning, scale steps from the anchor."""

    start: float
    length: float
    step: int


Phrase = tuple[Tone, ...]


def density(brief: Brief, label: str) -> str:
    """How busy an idea's tune is."""
    a = brief.attributes
    rng = brief.cover_dice("density", label)
    if a.speechiness > 0.25 and brief.tempo < 125 and label != "B" and rng.random() < 0.3 + a.speechiness:
        return "spoken"
    if brief.drive < CALM or label == "C":
        return "calm"
    wish = (
        0.2
        + 0.45 * brief.drive
        + 0.25 * a.danceability
        + 0.2 * rng.random()
        - (0.15 if label == "B" else 0.0)
    )
    wish -= max(0.0, (brief.tempo - 120) / 120)
    return "calm" if wish < 0.38 else "steady" if wish < 0.72 or brief.tempo > 125 else "busy"


def invent(brief: Brief, label: str, bars: int) -> Phrase:
    """The statement of an idea: a motif of a bar, continued for `bars` bars, closing with room to breathe."""
    rng = brief.dice("motif", label)
    beats = brief.metre.beats
    busy = density(brief, label)
    rhythm = _rhythm(brief, rng, busy)
    contour = _contour(brief, rng, len(rhythm), label)
    motif = tuple(Tone(start, 0.0, step) for start, step in zip(rhythm, contour, strict=True))
    tones = list(motif)
    for bar in range(1, bars):
        developed = _development(rng, motif, bar == bars - 1, beats)
        if developed and developed[0].start == 0.0 and rng.random() < 0.25 + brief.style.syncopation:
            # The first note comes half a beat early and is tied over the bar line.
            developed = (Tone(-0.5, 0.0, developed[0].step), *developed[1:])
        tones += [Tone(tone.start + bar * beats, 0.0, tone.step) for tone in developed]
    breath = max(1.0, 0.2 * bars * beats)
    return lengthened(_spaced(tones), bars * beats - (0.0 if busy == "spoken" else breath / 2), bars * beats)


def answer(brief: Brief, statement: Phrase, beats: float, closing: bool) -> Phrase:
    """The statement's first half again, then a way down to a long note on the last strong beat."""
    hold = max(1.0, beats - brief.metre.beats + brief.metre.group_starts[-1])
    if beats == brief.metre.beats:
        hold = float(max(1, brief.metre.group_starts[-1] or brief.metre.beats - 1))
    head = [tone for tone in statement if tone.start < hold - 0.4]
    falling = [Tone(t.start, 0.0, t.step if t.start < beats / 2 else max(0, t.step - 1)) for t in head]
    early = 0.5 if brief.style.syncopation > 0.4 and brief.dice("close").random() < 0.5 else 0.0
    tail = Tone(hold - early if head else hold, 0.0, 0 if closing else 2)
    return lengthened(_spaced([*falling, tail]), hold + 0.75 * (beats - hold), beats)


def varied(brief: Brief, phrase: Phrase, way: str, beats: float) -> Phrase:
    """A phrase developed: in sequence (all steps moved), inverted, or its first half twice (fragment)."""
    if way == "sequence":
        return tuple(Tone(t.start, t.length, t.step + 2) for t in phrase)
    if way == "inversion":
        first = phrase[0].step if phrase else 0
        return tuple(Tone(t.start, t.length, 2 * first - t.step) for t in phrase)
    if way == "fragment" and beats >= 4:
        half = [t for t in phrase if t.start < beats / 2 - 0.4]
        again = [Tone(t.start + beats / 2, t.length, t.step + 1) for t in half]
        return lengthened(_spaced([*half, *again]), beats - 0.5, beats)
    return phrase


def lengthened(tones: Sequence[Tone], last_end: float, beats: float) -> Phrase:
    """Each tone held to the next one, at most two and a half beats; the last to `last_end`."""
    found: list[Tone] = []
    for tone, following in zip(tones, (*tones[1:], None), strict=bool(tones)):
        end = following.start if following else max(last_end, tone.start + 0.5)
        found.append(Tone(tone.start, min(2.5, end - tone.start, beats - tone.start + 0.01), tone.step))
    return tuple(found)


def _rhythm(brief: Brief, rng: random.Random, busy: str) -> list[float]:
    metre, share = brief.metre, _DENSITY[busy]
    fine = 0.25 if busy in ("busy", "spoken") and brief.tempo < _SIXTEENTHS else 0.5
    if busy == "calm" and brief.style.syncopation < 0.2:
        fine = 1.0
    places = [index * fine for index in range(round(metre.beats / fine))]
    off = brief.style.syncopation

    def weight(place: float) -> float:
        strong = metre.strength(place)
        on = (
            0.45 + 0.55 * strong
            if place == int(place)
            else off * (1.1 if place * 2 == int(place * 2) else 0.6)
        )
        return on + 0.55 * brief.looseness * rng.random()

    ranked = sorted(places, key=weight, reverse=True)
    count = max(1, min(len(places), round(share * metre.beats + rng.uniform(-0.5, 0.5))))
    return sorted(ranked[:count])


def _contour(brief: Brief, rng: random.Random, notes: int, label: str) -> list[int]:
    # An arch, a valley, a rise or a fall, with small steps on it; speech keeps to a few notes.
    shape = rng.choice(("arch", "valley", "rise", "fall", "wave"))
    width = rng.choice((3, 4, 5)) * (0.35 if brief.attributes.speechiness > 0.35 else 1.0)
    steps = []
    for index in range(notes):
        x = index / max(1, notes - 1)
        curve = {
            "arch": 1 - abs(2 * x - 1),
            "valley": abs(2 * x - 1),
            "rise": x,
            "fall": 1 - x,
            "wave": (0.0, 1.0, 0.4, -0.4)[index % 4],
        }[shape]
        steps.append(round(curve * width + rng.choice((-1, 0, 0, 1)) * min(1.0, width / 2)))
    return [step + (3 if label == "B" else 0) for step in steps]


def _development(rng: random.Random, motif: Phrase, last: bool, beats: int) -> Phrase:
    way = rng.choice(("repeat", "sequence", "inversion", "tail"))
    if way == "sequence":
        found = tuple(Tone(t.start, 0.0, t.step - rng.choice((1, 2))) for t in motif)
    elif way == "inversion":
        found = tuple(Tone(t.start, 0.0, motif[0].step - (t.step - motif[0].step)) for t in motif)
    elif way == "tail":
        found = tuple(Tone(t.start, 0.0, t.step + (1 if t.start >= beats / 2 else 0)) for t in motif)
    else:
        found = motif
    if last:
        found = tuple(t for t in found if t.start < 0.62 * beats) or found[:1]
    return found


def _spaced(tones: Sequence[Tone]) -> list[Tone]:
    # No two closer than a sixteenth.
    found: list[Tone] = []
    for tone in sorted(tones, key=lambda t: t.start):
        if not found or tone.start - found[-1].start >= 0.24:
            found.append(tone)
    return found
