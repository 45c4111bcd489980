"""Who plays: programs chosen by the cover, how many of them, how loud, where and how far away they stand."""

from __future__ import annotations

from dataclasses import dataclass

from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.score import Role
from albumgen_core.prompt.words import ACOUSTIC_ABOVE

VOICES = (52, 53, 54, 91)
"""Choir aahs, voice oohs, synth vox, space voice."""

ARPEGGIOS = (46, 24, 11, 98, 88, 80)
"""Harp, nylon guitar, vibraphone, and three synthesizers."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A player's place in the mix.

    Attributes:
        level: dB relative to the lead.
        pan: -1 left to 1 right.
        distance: share of its sound sent to the room, relative to the piece's own.
        high_pass: frequency in Hz below which nothing of it is needed.
    """

    level: float
    pan: float
    distance: float
    high_pass: float


SEATS: dict[Role, Seat] = {
    "lead": Seat(0.0, 0.06, 0.9, 140.0),
    "voice": Seat(-2.5, -0.25, 1.2, 160.0),
    "chords": Seat(-2.5, -0.3, 0.9, 120.0),
    "pad": Seat(-4.0, 0.1, 1.3, 160.0),
    "arpeggio": Seat(-3.5, 0.4, 1.1, 220.0),
    "bass": Seat(0.0, 0.0, 0.08, 32.0),
    "drums": Seat(1.0, 0.0, 0.4, 28.0),
}


@dataclass(frozen=True, slots=True)
class Ensemble:
    """General MIDI programs of a piece, from 0, for the roles that play; drums name the kit."""

    players: dict[Role, int]

    def __getitem__(self, role: Role) -> int:
        return self.players[role]


def choose_ensemble(brief: Brief) -> Ensemble:
    """Pick the players; the cover decides.

    Acousticness decides which of the style's two bands each one is drawn from, the size of the palette how
    many play, and the number of figures whether a second voice joins.
    """
    rng = brief.cover_dice("players")
    acousticness, instrumental = brief.attributes.acousticness, brief.attributes.instrumentalness

    def band_of() -> bool:
        # A steep slope: 0.25 is all but electric, 0.55 all but acoustic, between them the bands mix.
        return acousticness + 0.25 * (rng.random() - 0.5) > ACOUSTIC_ABOVE

    acoustic, electric = brief.style.acoustic, brief.style.electric
    players: dict[Role, int] = {
        "lead": rng.choice((acoustic if band_of() else electric).lead),
        "chords": rng.choice((acoustic if band_of() else electric).chords),
        "bass": rng.choice((acoustic if band_of() else electric).bass),
        "drums": (acoustic if band_of() else electric).kit,
    }
    pad = rng.choice((acoustic if band_of() else electric).pad)
    voice = rng.choice(VOICES[:2] if acousticness > ACOUSTIC_ABOVE else VOICES)
    arpeggio = rng.choice(ARPEGGIOS[:3] if acousticness > ACOUSTIC_ABOVE else ARPEGGIOS[2:])
    # Music that is sung has a voice for its lead now and then; speech and instrumental music have not.
    if instrumental < 0.3 and brief.attributes.speechiness < 0.3 and rng.random() < 0.15:
        players["lead"] = voice
    without_kit = brief.style.groove == "none"
    if brief.texture.colours > 0.15 or without_kit:
        players["pad"] = pad
    if brief.texture.figures > 0.3 or brief.style_name == "gospel":
        players["voice"] = voice
    if (
        brief.texture.colours > 0.4
        and "arpeggio" not in brief.style.comping
        and rng.random() < 0.35 + brief.drive
    ):
        players["arpeggio"] = arpeggio
    return Ensemble(players)
