"""Who plays: programs chosen by genre and acousticness, and how loud, where and how far away they stand."""

from __future__ import annotations

from dataclasses import dataclass

from albumgen_core.engines.sketch.form import Brief
from albumgen_core.engines.sketch.score import Role
from albumgen_core.prompt.words import ACOUSTIC_ABOVE

_VOICES = (52, 53, 54, 91)
"""Choir aahs, voice oohs, synth vox, space voice."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A player's place in the mix.

    Attributes:
        level: dB relative to the lead.
        pan: -1 left to 1 right.
        distance: share of its sound sent to the room, relative to the piece's own.
    """

    level: float
    pan: float
    distance: float


SEATS: dict[Role, Seat] = {
    "lead": Seat(0.0, 0.08, 0.9),
    "voice": Seat(-5.0, -0.2, 1.2),
    "chords": Seat(-5.0, -0.28, 0.9),
    "pad": Seat(-12.0, 0.1, 1.3),
    "arpeggio": Seat(-9.0, 0.4, 1.1),
    "bass": Seat(-1.0, 0.0, 0.15),
    "drums": Seat(0.0, 0.0, 0.45),
}


@dataclass(frozen=True, slots=True)
class Ensemble:
    """General MIDI programs of a piece, role by role, from 0; drums names the kit."""

    programs: dict[Role, int]

    def __getitem__(self, role: Role) -> int:
        return self.programs[role]


def choose_ensemble(brief: Brief) -> Ensemble:
    """Pick the players. Acousticness decides which of the style's two bands each one is drawn from."""
    rng = brief.dice("players")
    acousticness, instrumental = brief.attributes.acousticness, brief.attributes.instrumentalness

    def band_of() -> bool:
        # A steep slope: 0.25 is all but electric, 0.55 all but acoustic, between them the bands mix.
        return acousticness + 0.25 * (rng.random() - 0.5) > ACOUSTIC_ABOVE

    acoustic, electric = brief.style.acoustic, brief.style.electric
    lead = rng.choice((acoustic if band_of() else electric).lead)
    chords = rng.choice((acoustic if band_of() else electric).chords)
    bass = rng.choice((acoustic if band_of() else electric).bass)
    pad = rng.choice((acoustic if band_of() else electric).pad)
    kit = (acoustic if band_of() else electric).kit
    voice = rng.choice(_VOICES[:2] if acousticness > ACOUSTIC_ABOVE else _VOICES)
    # Music that is sung has a voice for its lead now and then; speech and instrumental music have not.
    if instrumental < 0.3 and brief.attributes.speechiness < 0.3 and rng.random() < 0.25:
        lead = voice
    arpeggio = rng.choice((46, 24, 11) if acousticness > ACOUSTIC_ABOVE else (98, 88, 11, 80))
    return Ensemble(
        {
            "lead": lead,
            "voice": voice if instrumental < 0.5 else lead,
            "chords": chords,
            "pad": pad,
            "arpeggio": arpeggio,
            "bass": bass,
            "drums": kit,
        }
    )
