"""Bands: General MIDI programs that go together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Players:
    """General MIDI programs (from 0) to choose from, role by role."""

    lead: tuple[int, ...]
    chords: tuple[int, ...]
    bass: tuple[int, ...]
    pad: tuple[int, ...]
    kit: int


BAND = Players((25, 73, 22, 0), (25, 24, 0), (32, 33), (48, 49), 8)
POP = Players((80, 11, 26, 82), (4, 5, 27, 0), (33, 38), (89, 50), 0)
ROCK = Players((29, 27, 30), (27, 29), (33, 34), (16, 18), 16)
CRUNCH = Players((29, 30), (29, 30), (34,), (18,), 16)
METAL = Players((30, 29), (30,), (34,), (48, 52), 16)
JAZZ = Players((66, 65, 56, 11), (0, 26), (32,), (49,), 40)
SYNTH = Players((81, 80, 87), (90, 81, 62), (38, 39), (89, 90, 50), 24)
RAVE = Players((81, 87), (81, 90), (39, 38), (95, 90), 24)
CHAMBER = Players((40, 73, 68, 71), (0, 46, 45), (43, 42), (48, 49), 48)
RURAL = Players((105, 22, 110), (25, 24), (32,), (48, 21), 8)
SOUL = Players((65, 66, 61, 11), (4, 16, 7), (33, 36), (48, 17), 0)
CHURCH = Players((52, 65, 16), (0, 17), (33,), (52, 16), 0)
URBAN = Players((11, 80, 75, 4), (4, 5, 0), (38, 39), (89, 50), 25)
TRAP = Players((11, 75, 98, 82), (46, 11, 4), (39,), (91, 89), 25)
LOFI = Players((11, 4, 66, 26), (4, 5), (33, 35), (89,), 40)
DREAM = Players((98, 88, 11), (5, 99, 4), (39, 38), (89, 94, 91, 95), 24)
NATURE = Players((77, 75, 46), (46, 0, 24), (32, 43), (49, 48, 52), 40)
TROPIC = Players((56, 73, 57), (0, 24), (32, 33), (61, 48), 8)
RIO = Players((73, 24, 66, 11), (24,), (32,), (49,), 40)
ISLAND = Players((22, 65, 114), (27, 16), (33, 36), (16, 17), 0)
GLOBE = Players((12, 75, 108, 26), (24, 12, 108), (32, 33), (49, 52), 8)
