"""The musical attributes read from a cover: fields, ranges, units, vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Mode = Literal["major", "minor"]

KEYS: tuple[str, ...] = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
"""Pitch classes in Spotify's numbering: 0 is C."""

AUDIO_FEATURES: tuple[str, ...] = (
    "acousticness",
    "danceability",
    "energy",
    "instrumentalness",
    "liveness",
    "loudness",
    "speechiness",
    "valence",
)
"""The eight attributes in [0, 1], in the slides' order."""


@dataclass(frozen=True, slots=True)
class MusicalAttributes:
    """The thirteen fields, plus mode where an engine can tell. No value out of range can exist."""

    artist_name: str
    album_genre: str
    key: str
    time_signature: int
    acousticness: float
    danceability: float
    energy: float
    instrumentalness: float
    liveness: float
    loudness: float
    speechiness: float
    valence: float
    tempo: float
    mode: Mode | None = None
    raw_genre: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON-ready values; `from_dict` inverts it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MusicalAttributes:
        """Inverse of `to_dict`."""
        return cls(**data)
