"""Albums as Chroma metadata and back.

Chroma drops None, NaN and infinite values without a word and refuses NumPy scalars, so nothing but str,
int, bool and finite float gets past `checked_metadata`, and an unknown field is simply left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from albumgen_core.albums import Album
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.dataset.records import artist_key

Scalar = str | int | float | bool

ARTIST_KEY = "artist_key"
FINGERPRINT = "fingerprint"
_ATTRIBUTES = tuple(field.name for field in fields(MeasuredAttributes) if field.name != "artist_name")


def album_to_metadata(album: Album, fingerprint: str = "") -> dict[str, Scalar]:
    """An album as flat metadata; `fingerprint` tells a later build whether anything changed."""
    values: dict[str, Any] = {
        "title": album.title,
        "artist": album.artist,
        ARTIST_KEY: artist_key(album.artist),
        FINGERPRINT: fingerprint,
        "year": album.year,
        **{name: getattr(album.attributes, name) for name in _ATTRIBUTES},
    }
    return checked_metadata({name: value for name, value in values.items() if value is not None})


def album_from_metadata(album_id: str, metadata: Mapping[str, Any]) -> Album:
    """Inverse of `album_to_metadata`. Raises KeyError, TypeError or ValueError when fields are damaged."""
    artist = str(metadata["artist"])
    known = {name: metadata[name] for name in _ATTRIBUTES if name in metadata}
    year = metadata.get("year")
    return Album(
        album_id=album_id,
        title=str(metadata["title"]),
        artist=artist,
        attributes=MeasuredAttributes(artist_name=artist, **known),
        year=None if year is None else int(year),
    )


def checked_metadata(values: Mapping[str, Any]) -> dict[str, Scalar]:
    """The same values, once every one of them is known to survive in Chroma. Raises ValueError."""
    for name, value in values.items():
        # type(), not isinstance: np.float64 is a float to isinstance, and is refused or lost later on.
        if type(value) not in (str, int, float, bool):
            raise ValueError(f"metadata {name} is a {type(value).__name__}, not text, a number or a bool")
        if type(value) is float and not math.isfinite(value):
            raise ValueError(f"metadata {name} is {value}, not a finite number")
    return dict(values)
