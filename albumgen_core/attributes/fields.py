"""The thirteen fields (and mode): names, ranges, units and explanations, each written down once.

The JSON schema, the regular expression for constrained decoding, validation, display and help texts are
all derived from `FIELDS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.keys import KEYS, MODES
from albumgen_core.errors import AttributeRangeError

__all__ = [
    "AUDIO_FEATURES",
    "FIELD",
    "FIELDS",
    "KEYS",
    "MAX_ARTIST_NAME",
    "MODES",
    "FieldSpec",
    "Kind",
    "field_named",
]

MAX_ARTIST_NAME = 100
"""Longest artist name, in characters."""

Kind = Literal["text", "choice", "integer", "number"]


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field.

    Attributes:
        name: attribute of `MusicalAttributes`.
        json_name: as the vision-language model writes it.
        display_name: as people read it.
        explanation: one sentence for help texts.
        kind: "text", "choice" (one of `choices`), "integer" or "number".
        minimum, maximum: bounds, included; of a text, of its length.
        step: resolution to which answers are rounded.
        unit: "" where there is none.
        choices: what a choice may be.
        optional: whether None is allowed.
    """

    name: str
    json_name: str
    display_name: str
    explanation: str
    kind: Kind
    minimum: float = 0.0
    maximum: float = 1.0
    step: float = 0.001
    unit: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False

    def range_text(self) -> str:
        """The allowed values, for people: "0 to 1", "40 to 220 BPM", "one of C, C#, …"."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "text":
            return f"at most {self.maximum:g} characters"
        return f"{self.minimum:g} to {self.maximum:g}{' ' + self.unit if self.unit else ''}"

    def display(self, value: str | float | None) -> str:
        """A value for people: "0.74", "116 BPM", "3/4", "C#"; "unknown" for None or ""."""
        if value is None or value == "":
            return "unknown"
        if self.name == "time_signature":
            return f"{value}/4"
        if self.kind == "number":
            return f"{float(value):.0f} {self.unit}" if self.unit else f"{float(value):.2f}"
        return str(value)

    def rounded(self, value: float) -> float:
        """A number at the field's resolution; infinities and NaN stay what they are."""
        if not math.isfinite(value):
            return value
        decimals = max(0, round(-math.log10(self.step)))
        return round(value, decimals)


def _unit_interval(name: str, explanation: str) -> FieldSpec:
    return FieldSpec(name, name, name.capitalize(), explanation, "number")


FIELDS: tuple[FieldSpec, ...] = (
    FieldSpec(
        "artist_name",
        "Artist Name",
        "Artist",
        "The artist this cover brings to mind; a guess, not a fact.",
        "text",
        maximum=MAX_ARTIST_NAME,
        step=1,
    ),
    FieldSpec("album_genre", "Album Genre", "Genre", "The genre of the music.", "choice", choices=GENRES),
    FieldSpec("key", "key", "Key", "The tonic, one of the twelve pitch classes.", "choice", choices=KEYS),
    FieldSpec(
        "time_signature",
        "time_signature",
        "Metre",
        "Quarter-note beats in a bar.",
        "integer",
        # Spotify's analysis documents 3 to 7. MusicOSet also holds 1 (61 of 20,405 tracks) and 0 (one):
        # "no metre found", which cannot be played.
        minimum=3,
        maximum=7,
        step=1,
        unit="beats",
    ),
    _unit_interval("acousticness", "How likely the music is played on acoustic instruments."),
    _unit_interval("danceability", "How well the music suits dancing: steady tempo, strong beat."),
    _unit_interval("energy", "How intense and active the music is."),
    _unit_interval("instrumentalness", "How likely the music has no vocals."),
    _unit_interval("liveness", "How likely the music was recorded before an audience."),
    _unit_interval("loudness", "Overall level: 0 is -60 dB, 1 is 0 dB."),
    _unit_interval("speechiness", "How much of the music is spoken words."),
    _unit_interval("valence", "How positive the music sounds, from sad or angry to cheerful."),
    FieldSpec(
        "tempo",
        "tempo",
        "Tempo",
        "Beats a minute.",
        "number",
        # Of MusicOSet's 20,405 tracks three lie outside 40 to 220 (0, 37 and 231 BPM), as does nothing
        # between its 0.1 % and 99.9 % quantiles (60 and 207); slower or faster, listeners hear half or
        # twice the beat anyway.
        minimum=40,
        maximum=220,
        step=0.1,
        unit="BPM",
    ),
    FieldSpec(
        "mode",
        "mode",
        "Mode",
        "Major or minor, where an engine can tell.",
        "choice",
        choices=MODES,
        optional=True,
    ),
)
"""The thirteen fields in the order of the model's answer, then mode."""

FIELD: dict[str, FieldSpec] = {spec.name: spec for spec in FIELDS}
"""The same by name."""

AUDIO_FEATURES: tuple[str, ...] = tuple(
    spec.name for spec in FIELDS if spec.kind == "number" and spec.name != "tempo"
)
"""The eight attributes in [0, 1], in the slides' order."""


def field_named(name: str) -> FieldSpec:
    """A field by its name, JSON name or display name; case, spaces and hyphens do not matter.

    Raises AttributeRangeError, which lists the fields there are.
    """
    wanted = _folded(name)
    for spec in FIELDS:
        if wanted in {_folded(spec.name), _folded(spec.json_name), _folded(spec.display_name)}:
            return spec
    raise AttributeRangeError(
        name[:40], "there is no such field; the fields are " + ", ".join(FIELD), "unknown_field"
    )


def _folded(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
