"""What was measured of an album's music: like a prediction, except that fields may be unknown.

`MusicalAttributes` is an answer, and an answer is whole. A data set is not: most give no key for an
album, many no genre. Such a field is None here; nothing downstream should invent it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from albumgen_core.attributes.fields import AUDIO_FEATURES, KEYS
from albumgen_core.attributes.predicted import Mode


@dataclass(frozen=True, slots=True)
class MeasuredAttributes:
    """Measured attributes of an album: means over its tracks.

    Attributes:
        artist_name: as the source writes it.
        acousticness … valence: the eight attributes, each in [0, 1]; always known.
        album_genre: genre in AlbumGen's vocabulary, or None.
        key, mode: of the majority of the tracks, or None.
        time_signature: beats a bar of the majority of the tracks, or None.
        tempo: beats a minute, > 0, or None.
        raw_genre: genre as the source writes it, or None.
        tracks: number of tracks behind the means, ≥ 1, or None when the source does not say.

    Raises ValueError when a value is out of its range or not finite.
    """

    artist_name: str
    acousticness: float
    danceability: float
    energy: float
    instrumentalness: float
    liveness: float
    loudness: float
    speechiness: float
    valence: float
    album_genre: str | None = None
    key: str | None = None
    mode: Mode | None = None
    time_signature: int | None = None
    tempo: float | None = None
    raw_genre: str | None = None
    tracks: int | None = None

    def __post_init__(self) -> None:
        for name in AUDIO_FEATURES:
            value = float(getattr(self, name))
            if not 0.0 <= value <= 1.0:  # false for NaN too
                raise ValueError(f"{name} is {value:g}, outside 0 to 1")
            object.__setattr__(self, name, value)
        if self.tempo is not None and not (math.isfinite(self.tempo) and self.tempo > 0):
            raise ValueError(f"tempo is {self.tempo:g}, not a positive number")
        if self.key is not None and self.key not in KEYS:
            raise ValueError(f"key is {self.key!r}, not one of {', '.join(KEYS)}")
        if self.mode not in (None, "major", "minor"):
            raise ValueError(f"mode is {self.mode!r}, neither major nor minor")
        if self.time_signature is not None and not 1 <= self.time_signature <= 16:
            raise ValueError(f"time_signature is {self.time_signature}, outside 1 to 16")
        if self.tracks is not None and self.tracks < 1:
            raise ValueError(f"tracks is {self.tracks}, below 1")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON-ready values, unknown fields as None; `from_dict` inverts it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MeasuredAttributes:
        """Inverse of `to_dict`; absent optional fields are unknown."""
        return cls(**data)

    def features(self) -> tuple[float, ...]:
        """The eight attributes in the order of `AUDIO_FEATURES`."""
        return tuple(float(getattr(self, name)) for name in AUDIO_FEATURES)
