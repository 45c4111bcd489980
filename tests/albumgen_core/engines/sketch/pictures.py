"""Covers and attributes that the tests make themselves."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cover.read import Cover


def cover_of(image: Image.Image) -> Cover:
    return Cover(image, hashlib.sha256(image.tobytes()).hexdigest())


def plain(colour: tuple[int, int, int]) -> Cover:
    return cover_of(Image.new("RGB", (96, 96), colour))


def drawn(number: int) -> Cover:
    rng = np.random.default_rng(number)
    image = Image.new("RGB", (160, 160), tuple(int(v) for v in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 30))):
        x, y, size = (int(v) for v in rng.integers(8, 150, 3))
        draw.ellipse(
            (x - size, y - size, x + size, y + size), fill=tuple(int(v) for v in rng.integers(0, 256, 3))
        )
    return cover_of(image)


def attributes(**changes: Any) -> MusicalAttributes:
    values: dict[str, Any] = {
        "artist_name": "Unknown artist",
        "album_genre": "pop",
        "key": "A",
        "mode": "minor",
        "time_signature": 4,
        "acousticness": 0.3,
        "danceability": 0.6,
        "energy": 0.65,
        "instrumentalness": 0.1,
        "liveness": 0.2,
        "loudness": 0.85,
        "speechiness": 0.05,
        "valence": 0.6,
        "tempo": 112.0,
    }
    return MusicalAttributes(**{**values, **changes})
