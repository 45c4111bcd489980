"""What a style is: its progressions, groove, players, manners of playing and mix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from albumgen_core.engines.sketch.players import Players
from albumgen_core.engines.sketch.score import Role

Comping = Literal[
    "block",
    "strum",
    "arpeggio",
    "offbeat",
    "charleston",
    "chug",
    "pulse",
    "stabs",
    "bossa",
    "skank",
    "montuno",
]
BassLine = Literal[
    "root",
    "eighths",
    "walking",
    "octaves",
    "fifths",
    "long",
    "funk",
    "tumbao",
    "808",
    "offbeat",
    "dub",
    "bossa",
]
Cadence = Literal["authentic", "plagal", "modal"]
Fill = Literal["toms", "snare", "roll", "hats", "brush", "conga", "none"]
Ending = Literal["ring", "stop", "fade"]


@dataclass(frozen=True, slots=True)
class Mix:
    """How a style is mixed.

    Attributes:
        slope: spectral slope from 100 Hz to 8 kHz in dB an octave; see `mix.REFERENCE_SLOPE`.
        duck: dB by which the kick turns pads, chords and bass down (side-chain compression).
        levels: dB by which a role stands out from `instruments.SEATS`.
        doubled: roles played by two detuned takes, one on each side.
        saturation: tape drive in dB.
    """

    slope: float = -4.5
    duck: float = 0.0
    levels: dict[Role, float] = field(default_factory=dict)
    doubled: tuple[Role, ...] = ("pad",)
    saturation: float = 0.0


@dataclass(frozen=True, slots=True)
class Style:
    """How music of a family of genres is written and played.

    Attributes:
        progressions: a key of `progressions.PROGRESSIONS`.
        groove: a key of `grooves.GROOVES`, or "none" for music without a kit.
        comping: how chords are played in verses and in choruses.
        bass: how the bass moves in verses and in choruses.
        acoustic, electric: who plays when acousticness is high, or low.
        swing: place of the second half in its beat, or (`sixteenths`) of the second sixteenth in its eighth:
            0.5 straight, 0.667 triplets.
        pentatonic: whether melodies keep to five notes.
        cadence: how phrases close.
        fill, ending: what drums play into a new section, and how a piece ends.
        laid_back: milliseconds by which snare and lead come late.
        push: share of section starts that chords and bass anticipate by half a beat.
        syncopation: share of melody notes off the beat, in [0, 1].
        lift: whether the last chorus of a long piece is a tone higher.
        static: whether the level stays the same throughout.
    """

    progressions: str
    groove: str
    comping: tuple[Comping, Comping]
    bass: tuple[BassLine, BassLine]
    acoustic: Players
    electric: Players
    swing: float = 0.5
    sixteenths: bool = False
    pentatonic: bool = False
    cadence: Cadence = "authentic"
    fill: Fill = "toms"
    ending: Ending = "ring"
    laid_back: float = 0.0
    push: float = 0.2
    syncopation: float = 0.35
    lift: bool = False
    static: bool = False
    mix: Mix = Mix()
