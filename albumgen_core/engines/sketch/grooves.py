"""Drum patterns by style, written so that they fill any metre.

Four sixteenths a beat: "X" loud, "x" normal, "o" soft, "." rest; among hi-hats "O" is an open one. A groove
says what the foot and the hands do on a beat that carries the kick (K), the snare (S) or neither (W); each
beat has variants, the plainest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KICK, STICK, SNARE, CLAP = 36, 37, 38, 39
CLOSED, PEDAL, OPEN, CRASH, RIDE = 42, 44, 46, 49, 51
SHAKER, TAMBOURINE, CONGA, LOW_CONGA, CLAVES, COWBELL, BRUSH_TAP, BRUSH_SLAP = 82, 54, 63, 64, 75, 56, 38, 40
TOMS = (50, 47, 45, 43)

Cells = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Groove:
    """One groove.

    Attributes:
        kick, snare: variants by role of the beat.
        hats: with little, middling and great drive.
        snare_key, hat_key: what is struck.
        chorus_key: what the hats' hand strikes in choruses.
        extra: (key, variants) of further percussion.
        verse_kick: whether verses have the whole kick pattern; else they have its plainest form.
    """

    kick: Cells
    snare: Cells
    hats: tuple[str, str, str]
    snare_key: int = SNARE
    hat_key: int = CLOSED
    chorus_key: int | None = None
    extra: tuple[tuple[int, Cells], ...] = ()


def _cells(k: str, s: str, w: str = "....") -> Cells:
    return {"K": tuple(k.split()), "S": tuple(s.split()), "W": tuple(w.split())}


_BACKBEAT = _cells("....", "X...")
_GHOSTED = _cells(".... ...o ..o.", "X... X..o", ".... ..o.")

GROOVES: dict[str, Groove] = {
    "pop": Groove(
        _cells("X... X.x. X...", ".... ..x. ...x"), _BACKBEAT, ("x...", "x.o.", "x.O."), chorus_key=OPEN
    ),
    "rock": Groove(
        _cells("X... X.x. X.x.", ".... ..x. ....", "x... ..x."),
        _GHOSTED,
        ("x.o.", "X.x.", "X.x."),
        chorus_key=RIDE,
    ),
    "punk": Groove(
        _cells("X.x. X... X.x.", "..x. ....", "x.x."), _BACKBEAT, ("X.x.", "X.x.", "X.X."), chorus_key=CRASH
    ),
    "metal": Groove(
        _cells("X.x. X.xx Xxxx", "x.x. ..xx xxxx", "x.x. xxxx"),
        _BACKBEAT,
        ("x...", "X.x.", "X.x."),
        chorus_key=CRASH,
    ),
    "indie": Groove(
        _cells("X... X.x.", "..x. ....", "x... ..x."),
        _BACKBEAT,
        ("x.x.", "x.xO", "x.xO"),
        chorus_key=RIDE,
        extra=((TAMBOURINE, _cells("....", "x...")),),
    ),
    "boombap": Groove(
        _cells("X... X..x X.x.", ".... ..x. ...x", "..x. ...."), _GHOSTED, ("x.o.", "x.x.", "x.xo")
    ),
    "trap": Groove(
        _cells("X... X..x X.x.", ".... ...x ..x.", "..x. ...."),
        _BACKBEAT,
        ("x.x.", "x.xo", "xoxo"),
        snare_key=CLAP,
    ),
    "lofi": Groove(
        _cells("X... X..o", ".... ..o. ...o", "..o. ...."),
        _cells(".... ...o", "x...", "...."),
        ("o.o.", "x.o.", "x.o."),
        snare_key=STICK,
    ),
    "soul": Groove(
        _cells("X.x. X... X..x", ".... ..x. ...x", "x... ..x."),
        _GHOSTED,
        ("x.o.", "x.x.", "xoxo"),
        extra=((TAMBOURINE, _cells("....", "x.o.")),),
    ),
    "rnb": Groove(
        _cells("X... X..x X.x.", "..x. ....", "..x."),
        _BACKBEAT,
        ("x.o.", "x.xo", "xoxo"),
        snare_key=CLAP,
        extra=((SHAKER, _cells("..o.", "..o.", "..o.")),),
    ),
    "funk": Groove(
        _cells("X.x. X..x X...", "..x. ...x", "x... ..x."),
        _cells("...o .o.. .o.o", "X..o X.oo", "..o. .o.."),
        ("x.x.", "xoxO", "XoxO"),
    ),
    "disco": Groove(
        _cells("X...", "X...", "X..."),
        _BACKBEAT,
        ("..O.", "o.O.", "ooOo"),
        extra=((TAMBOURINE, _cells("....", "x.o.")),),
    ),
    "gospel": Groove(
        _cells("X... X.x.", ".... ..x.", "x..."),
        _GHOSTED,
        ("x.o.", "x.x.", "x.x."),
        chorus_key=RIDE,
        extra=((TAMBOURINE, _cells("..o.", "x.o.", "..o.")), (CLAP, _cells("....", "x..."))),
    ),
    "house": Groove(
        _cells("X...", "X...", "X..."),
        _BACKBEAT,
        ("..O.", "o.O.", "ooOo"),
        snare_key=CLAP,
        extra=((SHAKER, _cells("oo.o", "oo.o", "oo.o")),),
    ),
    "techno": Groove(
        _cells("X...", "X... X..o", "X..."),
        _cells("....", ".... ...o"),
        ("..x.", "ooOo", "ooOo"),
        snare_key=CLAP,
        extra=((COWBELL, _cells(".... ...o", "..o. ....")),),
    ),
    "trance": Groove(_cells("X...", "X...", "X..."), _BACKBEAT, ("..O.", "..O.", "ooOo"), snare_key=CLAP),
    "synthpop": Groove(_cells("X... X.x.", "X... ....", "x..."), _BACKBEAT, ("x.x.", "x.x.", "xoxo")),
    "breaks": Groove(
        _cells("X... X.x.", "..x. ...x ....", "..x. x..."),
        _cells(".... ...o .o..", "X... X..o", ".o.."),
        ("x.o.", "x.x.", "xoxo"),
        chorus_key=RIDE,
    ),
    "swing": Groove(
        _cells("o...", "o... ....", "o..."),
        _cells(".... ..o.", "..o. .... o...", ".... ..o."),
        ("x...", "x...", "X..."),
        hat_key=RIDE,
        extra=((PEDAL, _cells("....", "x...", "..x.")), (RIDE, _cells("....", "..x."))),
    ),
    "shuffle": Groove(
        _cells("X... X.o.", "..o. ....", "x..."),
        _cells(".... ..o.", "X.o.", "..o."),
        ("x.x.", "X.x.", "X.x."),
        chorus_key=RIDE,
    ),
    "train": Groove(
        _cells("X...", "....", "...."), _cells("o.oo o.o.", "x.oo x.o.", "o.o."), ("o...", "x.o.", "x.x.")
    ),
    "brush": Groove(
        _cells("x... o...", ".... ..o.", "...."),
        _cells("....", "o... x...", "..o. ...."),
        ("o.o.", "o.o.", "x.o."),
        snare_key=BRUSH_SLAP,
        hat_key=SHAKER,
    ),
    "salsa": Groove(
        _cells("..x. ...x", "..x.", "...x"),
        _cells("...x x...", "..x. x..x", "x..."),
        ("x.o.", "x.xo", "xoxo"),
        snare_key=CLAVES,
        hat_key=SHAKER,
        extra=((CONGA, _cells("..x. ...x", "x.xx ..xx", "x..x")), (COWBELL, _cells("x...", "x.o.", "x..."))),
    ),
    "bossa": Groove(
        _cells("x..x", "x..x", "x..."),
        _cells("x..x ..x.", "..x. x...", "..x."),
        ("o.o.", "oooo", "xoxo"),
        snare_key=STICK,
        hat_key=SHAKER,
    ),
    "dembow": Groove(
        _cells("X...", "X...", "X..."),
        _cells("...X", "..X.", "...x"),
        ("x.o.", "x.x.", "x.xo"),
        extra=((SHAKER, _cells("oooo", "oooo", "oooo")),),
    ),
    "onedrop": Groove(
        _cells("....", "X...", "...."),
        _cells(".... ...o", "X... X..o", "...o"),
        ("x.x.", "x.xo", "x.xO"),
        snare_key=STICK,
    ),
    "ska": Groove(_cells("X... X.x.", "....", "x..."), _BACKBEAT, ("..x.", "x.X.", "x.X."), chorus_key=RIDE),
    "afro": Groove(
        _cells("X..x X...", "..x. ...x", "x..."),
        _cells("..x. ...x", "x..x ..x.", "..x."),
        ("x.xo", "x.xo", "xoxo"),
        snare_key=STICK,
        hat_key=SHAKER,
        extra=(
            (CONGA, _cells("x..x ..xx", "..xx x.x.", "x..x")),
            (LOW_CONGA, _cells("..x.", "x..o", "x...")),
        ),
    ),
    "cinematic": Groove(
        _cells("X... X..x", "x... ....", "x..."),
        _cells("....", "..o. ...."),
        ("....", "o.o.", "x.o."),
        snare_key=43,
        hat_key=SHAKER,
        extra=((47, _cells("..o. .o.o", "..oo x.o.", "..o.")),),
    ),
}

LEVEL = {"X": 1.0, "x": 0.84, "O": 0.95, "o": 0.58}
"""Share of a hit's velocity by its sign."""
