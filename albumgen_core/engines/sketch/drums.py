"""The kit: the style's groove in every bar, changed by section, with fills into the next one."""

from __future__ import annotations

import random

from albumgen_core.engines.sketch.brief import CALM, WILD, Brief
from albumgen_core.engines.sketch.form import Bar
from albumgen_core.engines.sketch.grooves import (
    CLOSED,
    CONGA,
    CRASH,
    GROOVES,
    KICK,
    LEVEL,
    LOW_CONGA,
    OPEN,
    RIDE,
    SNARE,
    TOMS,
    Cells,
    Groove,
)
from albumgen_core.engines.sketch.score import Note, velocity
from albumgen_core.engines.sketch.style import Fill

FASTEST_SIXTEENTHS = 138.0
"""Beats a minute beyond which nothing is played between the eighths."""

_FASTEST_EIGHTHS = 165.0
"""Beats a minute beyond which hats play quarters alone."""

_BUSY = 0.75
"""Busyness of a picture from which hats fill every sixteenth."""

_SLOW = 96.0
"""Beats a minute below which there is room for sixteenths in the hands."""


def choose_groove(brief: Brief) -> Groove | None:
    """The style's groove; quiet music does without a kit where its style allows, or takes brushes."""
    a = brief.attributes
    if brief.style.groove == "none":
        return None
    if a.energy < 0.22 and a.acousticness > 0.8:
        return GROOVES["brush"]
    if brief.style_name == "pop" and a.danceability > 0.78:
        return GROOVES["disco"]
    return GROOVES[brief.style.groove]


def write_drums(brief: Brief, bars: list[Bar], groove: Groove | None) -> list[Note]:
    """The kit's notes for all the bars."""
    if groove is None:
        return []
    notes: list[Note] = []
    for bar, following in zip(bars, [*bars[1:], bars[-1]], strict=True):
        notes += _bar_of_drums(brief, bar, following, groove)
    return notes


def kicks_in(drums: list[Note], bar: Bar, beats: int) -> list[float]:
    """Where the kick falls in a bar, in beats of the piece."""
    return sorted(n.start for n in drums if n.pitch == KICK and bar.start <= n.start < bar.start + beats)


def _level(brief: Brief, bar: Bar) -> float:
    return (0.6 + 0.25 * brief.attributes.energy) * (1 - 0.22 * brief.dynamics * (1 - bar.growth))


def _bar_of_drums(brief: Brief, bar: Bar, following: Bar, groove: Groove) -> list[Note]:
    kind = bar.section.kind
    level = _level(brief, bar)
    if kind == "breakdown":
        return _crash(brief, bar, level) + (_riser(brief, bar, level) if bar.closes else [])
    if kind == "build":
        return _build(brief, bar, level)
    rng = brief.dice("drums", kind, min(bar.section.variation, 2), bar.place % 2)
    fill_from = _fill_start(brief, bar, following)
    notes = _crash(brief, bar, level)
    for beat, role in enumerate(brief.metre.roles):
        at = bar.start + beat
        accent = 1.0 - 0.15 * brief.dynamics * (1 - brief.metre.strength(beat))
        if beat >= fill_from:
            notes += _fill(brief, at, level, rng, beat - fill_from, brief.metre.beats - fill_from)
            continue
        if kind == "pickup" and beat < brief.metre.beats / 2:
            notes += _cell(brief, "x...", groove.hat_key, at, level * 0.8, rng)
            continue
        notes += _hats(brief, bar, groove, at, level * accent, rng)
        if kind == "intro" and bar.place == 0 and brief.attributes.energy < 0.75:
            continue
        notes += _beat(brief, bar, groove, role, at, level * accent, rng)
    return notes


def _beat(
    brief: Brief, bar: Bar, groove: Groove, role: str, at: float, level: float, rng: random.Random
) -> list[Note]:
    plain = brief.tempo > FASTEST_SIXTEENTHS or brief.drive < CALM

    def pick(cells: Cells) -> str:
        # Regular pictures keep to the first variants; busy ones wander.
        variants = cells[role]
        if plain or rng.random() < 0.55 * brief.texture.symmetry:
            return variants[0]
        return rng.choice(variants)

    notes = _cell(brief, pick(groove.kick), KICK, at, level, rng)
    quiet = bar.section.kind in ("intro", "outro")
    if not quiet or bar.place:
        notes += _cell(brief, pick(groove.snare), groove.snare_key, at, level * 0.95, rng)
    if not quiet and (brief.texture.colours > 0.25 or bar.section.full):
        for key, cells in groove.extra:
            notes += _cell(brief, pick(cells), key, at, level * 0.72, rng)
    return notes


def _hats(brief: Brief, bar: Bar, groove: Groove, at: float, level: float, rng: random.Random) -> list[Note]:
    hats = "x..." if brief.drive < CALM else groove.hats[1 if brief.drive < WILD else 2]
    if brief.drive < CALM and groove.hats[0][0] == ".":
        hats = groove.hats[0]
    if brief.drive > WILD and brief.tempo < _SLOW:
        hats = "".join("o" if sign == "." else sign for sign in hats)
    if brief.tempo > FASTEST_SIXTEENTHS:
        # Quarters ride fast music; eighths all alike would be counted in threes.
        lively = brief.tempo < _FASTEST_EIGHTHS and brief.drive > WILD
        hats = (hats[0] if hats[0] != "." else "x") + (".o." if lively else "...")
    elif brief.texture.busyness > _BUSY:
        hats = "".join("o" if sign == "." else sign for sign in hats)
    key = groove.hat_key
    if bar.section.full and groove.chorus_key is not None and brief.drive > CALM:
        key = groove.chorus_key
        if key == CRASH:
            hats = "x..."
        elif key == OPEN:
            key, hats = CLOSED, hats.replace("x.", "x.", 1)
    notes = _cell(brief, hats, key, at, level * (0.7 + 0.2 * brief.drive), rng)
    if brief.style_name == "trap" and rng.random() < 0.25 and brief.tempo <= FASTEST_SIXTEENTHS:
        notes += [Note(at + i / 8, 0.1, CLOSED, velocity(level * (0.45 + 0.04 * i))) for i in (5, 6, 7)]
    return notes


def _crash(brief: Brief, bar: Bar, level: float) -> list[Note]:
    kind, energy = bar.section.kind, brief.attributes.energy
    opens = bar.place == 0 and bar.index > 0
    if not opens or kind in ("build", "outro") or energy < 0.35 or brief.style.fill in ("brush", "none"):
        return []
    if kind in ("verse", "breakdown") and energy < 0.6:
        return []
    return [Note(bar.start, 2.0, CRASH, velocity(level * 0.9))]


def _build(brief: Brief, bar: Bar, level: float) -> list[Note]:
    # Snare (or its like) in ever shorter steps, kick on every beat.
    share = (bar.place + 1) / bar.section.bars
    step = 0.5 if share <= 0.5 or brief.tempo > FASTEST_SIXTEENTHS else 0.25
    notes = [
        Note(bar.start + beat, 0.25, KICK, velocity(level * 0.9))
        for beat in range(brief.metre.beats)
        if not bar.closes or beat < brief.metre.beats - 1
    ]
    for index in range(int(brief.metre.beats / step)):
        rise = 0.5 + 0.5 * (bar.place + index * step / brief.metre.beats) / bar.section.bars
        notes.append(Note(bar.start + index * step, 0.2, SNARE, velocity(level * rise)))
    return notes


def _riser(brief: Brief, bar: Bar, level: float) -> list[Note]:
    first = brief.metre.group_starts[-1]
    return [
        Note(bar.start + first + half / 2, 0.25, SNARE, velocity(level * (0.5 + 0.1 * half)))
        for half in range(2 * brief.metre.groups[-1])
    ]


def _fill_start(brief: Brief, bar: Bar, following: Bar) -> int:
    # The last group of a section's last bar is a fill, when the music has the energy for it.
    if not bar.closes or brief.style.fill == "none" or brief.attributes.energy < 0.3:
        return brief.metre.beats
    grand = following.section.full and brief.attributes.energy > 0.6
    return brief.metre.group_starts[-1] + (0 if grand else brief.metre.groups[-1] - 1)


def _fill(brief: Brief, at: float, level: float, rng: random.Random, step: int, length: int) -> list[Note]:
    fast = brief.tempo > FASTEST_SIXTEENTHS
    slots = (0.0, 0.5) if fast else (0.0, 0.25, 0.5, 0.75)
    keys: dict[Fill, tuple[int, ...]] = {
        "toms": TOMS,
        "snare": (SNARE,),
        "roll": (SNARE,),
        "hats": (CLOSED,),
        "brush": (SNARE, RIDE),
        "conga": (CONGA, LOW_CONGA),
        "none": (),
    }
    kit = keys[brief.style.fill]
    notes = [Note(at, 0.25, KICK, velocity(level * 0.85))]
    for slot in slots:
        if slot and rng.random() < (0.15 if brief.style.fill in ("roll", "hats") else 0.35):
            continue
        share = (step + slot) / length
        key = kit[min(len(kit) - 1, int(share * len(kit)))]
        if brief.style.fill == "toms" and rng.random() < 0.25:
            key = SNARE
        notes.append(Note(at + slot, 0.25, key, velocity(level * (0.7 + 0.3 * share))))
    if brief.style.fill == "hats":
        notes += [Note(at + 0.5 + i / 12, 0.08, CLOSED, velocity(level * (0.5 + 0.06 * i))) for i in range(6)]
    return notes


def _cell(brief: Brief, cell: str, key: int, at: float, level: float, rng: random.Random) -> list[Note]:
    notes = []
    for slot, sign in enumerate(cell):
        if sign == "." or (slot % 2 and brief.tempo > FASTEST_SIXTEENTHS):
            continue
        struck = OPEN if sign == "O" and key == CLOSED else key
        depth = 1 - (1 - LEVEL[sign]) * min(1.25, brief.dynamics)
        shade = 1.0 + 0.05 * brief.looseness * (rng.random() - 0.5)
        notes.append(Note(at + slot / 4, 0.25, struck, velocity(level * depth * shade)))
    return notes
