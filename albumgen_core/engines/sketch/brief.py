"""What the composer works from: attributes, the picture's texture, the style, the seed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from albumgen_core.attributes.fields import KEYS
from albumgen_core.attributes.predicted import Mode, MusicalAttributes
from albumgen_core.engines.sketch.score import Metre, dice, metre_of
from albumgen_core.engines.sketch.style import Style
from albumgen_core.engines.sketch.style_words import style_for
from albumgen_core.engines.sketch.styles import STYLES
from albumgen_core.engines.sketch.texture import UNKNOWN, Texture

_SLOWEST, _FASTEST = 30.0, 260.0

CALM, WILD = 0.3, 0.7
"""Below and above these drives, players leave notes out, or add some."""


@dataclass(frozen=True, slots=True)
class Brief:
    """One piece's terms.

    Attributes:
        attributes: as predicted.
        texture: of the picture.
        tonic: pitch class, 0 is C.
        mode: as predicted, or from valence where the prediction names none.
        metre: of the time signature.
        style_name, style: a key of `styles.STYLES`, and what it names.
        identity: what the cover decides between equally fitting ideas is drawn from this; no seed in it.
        entropy: what the seed decides is drawn from this. Tempo, energy, danceability, loudness, valence
            and speechiness are left out of both on purpose: turn one of them up and the tune stays the same,
            only played differently.
    """

    attributes: MusicalAttributes
    texture: Texture
    tonic: int
    mode: Mode
    metre: Metre
    style_name: str
    style: Style
    identity: str
    entropy: str

    @classmethod
    def of(cls, attributes: MusicalAttributes, seed: int, texture: Texture = UNKNOWN) -> Brief:
        """Make the brief for one seed."""
        mode: Mode = attributes.mode or ("major" if attributes.valence >= 0.45 else "minor")
        kept = (
            attributes.album_genre,
            attributes.key,
            mode,
            attributes.time_signature,
            round(attributes.acousticness, 2),
            round(attributes.liveness, 2),
            texture.identity,
        )
        identity = "/".join(map(str, kept))
        name = style_for(attributes)
        return cls(
            attributes=attributes,
            texture=texture,
            tonic=KEYS.index(attributes.key),
            mode=mode,
            metre=metre_of(attributes.time_signature),
            style_name=name,
            style=STYLES[name],
            identity=identity,
            entropy=f"{seed}/{identity}",
        )

    @property
    def tempo(self) -> float:
        """Beats a minute, held to what can be played."""
        return min(_FASTEST, max(_SLOWEST, self.attributes.tempo))

    @property
    def drive(self) -> float:
        """How hard the music is driven, in [0, 1]: what energy means for note density and brightness.

        A logistic curve around the energy of the usual album, where most requests lie, moved by the
        picture's busyness: 0.3 is nearly still, 0.45 calm, 0.6 in the middle, 0.75 pushing and 0.9 nearly
        all that the arranger can do.
        """
        moved = self.attributes.energy - 0.58 + 0.45 * (self.texture.busyness - 0.5)
        return 1.0 / (1.0 + math.exp(-7.0 * moved))

    @property
    def dynamics(self) -> float:
        """Depth of accents and of section contrasts, 0.7 to 1.3: from the picture's contrast."""
        return 0.7 + 0.6 * self.texture.contrast

    @property
    def looseness(self) -> float:
        """How far players stray from the grid and from their patterns, 0.6 to 1.4; symmetry holds them."""
        return 1.4 - 0.8 * self.texture.symmetry

    @property
    def beat_seconds(self) -> float:
        """Length of a beat."""
        return 60.0 / self.tempo

    @property
    def bar_seconds(self) -> float:
        """Length of a bar."""
        return self.beat_seconds * self.metre.beats

    def dice(self, *names: object) -> random.Random:
        """The generator for one decision of the seed's, the same whatever was decided before."""
        return dice(self.entropy, *names)

    def cover_dice(self, *names: object) -> random.Random:
        """The generator for one decision of the cover's: the same for every seed."""
        return dice(self.identity, *names)
