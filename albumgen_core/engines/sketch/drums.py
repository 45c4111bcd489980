"""The kit: a pattern for every groove and metre, and fills between sections."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from albumgen_core.engines.sketch.form import CALM, WILD, Bar, Brief
from albumgen_core.engines.sketch.score import Note, velocity
from albumgen_core.engines.sketch.styles import Groove

KICK, STICK, SNARE, CLAP = 36, 37, 38, 39
CLOSED, PEDAL, OPEN, CRASH, RIDE = 42, 44, 46, 49, 51
SHAKER, TAMBOURINE, CONGA, LOW_CONGA, CLAVES = 82, 54, 63, 64, 75
TOMS = (50, 47, 45, 43)

FASTEST_SIXTEENTHS = 138.0
"""Beats a minute beyond which nothing is played between the eighths."""


_SLOW = 96.0
"""Beats a minute below which there is room for sixteenths in the hands."""


@dataclass(frozen=True, slots=True)
class _Cells:
    # Four sixteenths a beat: "X" loud, "x" normal, "o" soft, "." rest. A groove says what the foot and the
    # hands do on a beat that carries the kick (K), the snare (S), or neither (W); that makes any metre.
    kick: Mapping[str, tuple[str, ...]]
    snare: Mapping[str, tuple[str, ...]]
    hats: tuple[str, str, str]  # little, middling, great energy
    snare_key: int = SNARE
    hat_key: int = CLOSED
    extra: tuple[int, Mapping[str, str]] | None = None


_BACKBEAT = {"K": ("....",), "S": ("X...",), "W": ("....",)}

_GROOVES: dict[Groove, _Cells] = {
    "pop": _Cells(
        {"K": ("X...", "X.x."), "S": ("....", "..x."), "W": ("....",)}, _BACKBEAT, ("x...", "x.o.", "x.x.")
    ),
    "rock": _Cells(
        {"K": ("X...", "X.x."), "S": ("....", "..x."), "W": ("x...", "..x.")},
        _BACKBEAT,
        ("x.o.", "X.x.", "X.x."),
    ),
    "four": _Cells(
        {"K": ("X...",), "S": ("X...",), "W": ("X...",)},
        {"K": ("....",), "S": ("x...",), "W": ("....",)},
        ("o.x.", "o.X.", "xoXo"),
        snare_key=CLAP,
    ),
    "hiphop": _Cells(
        {"K": ("X...", "X..x", "X.x."), "S": ("....", "..x.", "...x"), "W": ("..x.", "....")},
        {"K": ("....",), "S": ("X...",), "W": ("....", "...o")},
        ("x.o.", "x.x.", "xoxo"),
    ),
    "funk": _Cells(
        {"K": ("X.x.", "X..x", "X..."), "S": ("..x.", "...x"), "W": ("x...", "..x.")},
        {"K": ("...o", "....", ".o.."), "S": ("X..o", "X..."), "W": ("..o.",)},
        ("x.o.", "xoxo", "Xoxo"),
    ),
    "breaks": _Cells(
        {"K": ("X...", "X.x."), "S": ("..x.", "...."), "W": ("..x.", "x...")},
        {"K": ("....", "...o"), "S": ("X...", "X..o"), "W": (".o..",)},
        ("x.o.", "x.x.", "xoxo"),
    ),
    "metal": _Cells(
        {"K": ("X.x.", "Xxxx", "X.xx"), "S": ("x.x.", "..xx"), "W": ("x.x.",)},
        _BACKBEAT,
        ("x...", "X.x.", "X.x."),
    ),
    "swing": _Cells(
        {"K": ("o...",), "S": ("o...", "...."), "W": ("o...",)},
        {"K": ("....", "..o."), "S": ("....", "..o.", "o..."), "W": ("....", "..o.")},
        ("x...", "x...", "X..."),
        hat_key=RIDE,
        extra=(PEDAL, {"K": "....", "S": "x.x.", "W": "..x."}),
    ),
    "train": _Cells(
        {"K": ("X...",), "S": ("....",), "W": ("....",)},
        {"K": ("o.o.", "o..."), "S": ("x.o.",), "W": ("o.o.",)},
        ("o...", "x.o.", "x.x."),
    ),
    "brush": _Cells(
        {"K": ("x...",), "S": ("....",), "W": ("....",)},
        {"K": ("....",), "S": ("o...",), "W": ("..o.",)},
        ("o.o.", "x.o.", "x.x."),
        snare_key=STICK,
        hat_key=SHAKER,
    ),
    "reggae": _Cells(
        {"K": ("o...",), "S": ("X...",), "W": ("....",)},
        {"K": ("....",), "S": ("x...",), "W": ("...o",)},
        ("x.x.", "x.x.", "x.xo"),
        snare_key=STICK,
    ),
    "latin": _Cells(
        {"K": ("X...", "X..x"), "S": ("..x.", "...x"), "W": ("...x",)},
        {"K": ("...x",), "S": ("..x.", "x..."), "W": ("x...",)},
        ("x.o.", "x.xo", "xoxo"),
        snare_key=STICK,
        hat_key=SHAKER,
        extra=(CONGA, {"K": "..x.", "S": "x.xx", "W": "x..x"}),
    ),
}

_LEVEL = {"X": 1.0, "x": 0.82, "o": 0.5}


def choose_groove(brief: Brief) -> Groove:
    """The groove of a piece: danceable music may dance on four beats, quiet music may do without a kit."""
    energy, dance = brief.attributes.energy, brief.attributes.danceability
    choices = list(brief.style.grooves)
    if "none" in choices:
        others = [groove for groove in choices if groove != "none"]
        return brief.dice("groove").choice(others) if others and energy > 0.5 else "none"
    if energy < 0.22 and brief.attributes.acousticness > 0.8:
        return "brush"
    if "four" in choices and len(choices) > 1 and dance < 0.6:
        choices.remove("four")
    return brief.dice("groove").choice(choices)


def write_drums(brief: Brief, bars: list[Bar], groove: Groove) -> list[Note]:
    """The kit's notes for all the bars."""
    if groove == "none":
        return []
    cells = _GROOVES[groove]
    notes: list[Note] = []
    for bar in bars:
        notes += _bar_of_drums(brief, bar, cells)
    return notes


def _bar_of_drums(brief: Brief, bar: Bar, cells: _Cells) -> list[Note]:
    section = bar.section
    rng = brief.dice("drums", section.label, min(section.variation, 2), bar.place % 2)
    level = (0.5 + 0.35 * brief.attributes.energy) * (0.75 + 0.25 * section.intensity)
    intro = section.label == "I"
    broken = section.label == "C"
    fill_from = _fill_start(brief, bar)
    hats = "x..." if brief.drive < CALM else cells.hats[1 if brief.drive < WILD else 2]
    if brief.drive > WILD and brief.tempo < _SLOW:
        hats = "Xxxx"  # wild music fills what a slow beat leaves open
    shine = 0.35 + 0.4 * brief.drive
    if brief.tempo > FASTEST_SIXTEENTHS:
        hats = hats[0] + "..."  # quarters ride fast music; eighths all alike would be counted in threes
    notes: list[Note] = []
    for beat, role in enumerate(brief.metre.roles):
        at = bar.start + beat
        accent = 0.85 + 0.15 * brief.metre.strength(beat)
        # Syncopation at speed blurs the beat: fast music keeps to each groove's plainest cell.
        plain = brief.tempo > FASTEST_SIXTEENTHS or brief.drive < CALM
        kick = cells.kick[role][0] if plain else rng.choice(cells.kick[role])
        snare = cells.snare[role][0] if plain else rng.choice(cells.snare[role])
        if beat >= fill_from:
            notes += _fill(brief, at, level, rng, beat - fill_from)
            notes.append(Note(at, 0.25, KICK, velocity(level * 0.9)))
            continue
        notes += _cell(
            brief, hats, cells.hat_key, at, level * accent * (shine if not intro else 0.8 * shine), rng
        )
        if intro and bar.place == 0 and brief.attributes.energy < 0.75:
            continue
        if cells.extra:
            extra = cells.extra[1][role][0] + "..." if plain else cells.extra[1][role]
            notes += _cell(brief, extra, cells.extra[0], at, level * 0.6, rng)
        notes += _cell(brief, kick, KICK, at, level * accent * (0.8 if broken else 1.0), rng)
        if not broken:
            notes += _cell(brief, snare, cells.snare_key, at, level * accent * 0.92, rng)
    if not intro and bar.place == 0 and brief.attributes.energy > 0.35:
        notes.append(Note(bar.start, 2.0, CRASH, velocity(level * 0.75)))
    return notes


def _fill_start(brief: Brief, bar: Bar) -> int:
    # The last group of a section's last bar is a fill, when the music has the energy for it.
    if not bar.closes or bar.section.label == "I" or brief.attributes.energy < 0.3:
        return brief.metre.beats
    return brief.metre.group_starts[-1] + (brief.metre.groups[-1] - 1 if brief.attributes.energy < 0.6 else 0)


def _fill(brief: Brief, at: float, level: float, rng: random.Random, step: int) -> list[Note]:
    slots = (0.0, 0.5) if brief.tempo > FASTEST_SIXTEENTHS else (0.0, 0.25, 0.5, 0.75)
    notes = []
    for slot in slots:
        if slot and rng.random() < 0.3:
            continue
        drum = SNARE if rng.random() < 0.35 else TOMS[min(3, step * 2 + int(slot * 2))]
        notes.append(Note(at + slot, 0.25, drum, velocity(level * (0.95 if slot == 0 else 0.7))))
    return notes


def _cell(brief: Brief, cell: str, key: int, at: float, level: float, rng: random.Random) -> list[Note]:
    notes = []
    for slot, sign in enumerate(cell):
        if sign == "." or (slot % 2 and brief.tempo > FASTEST_SIXTEENTHS):
            continue
        shade = 1.0 + 0.06 * (rng.random() - 0.5)
        notes.append(Note(at + slot / 4, 0.25, key, velocity(level * _LEVEL[sign] * shade)))
    return notes
