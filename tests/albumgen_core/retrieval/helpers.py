"""Albums, vectors and covers for the tests: made up, seeded, and small."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.retrieval.writer import Entry, IndexWriter

EMBEDDER = "test-colours"


def an_album(number: int, **changes: object) -> Album:
    rng = np.random.default_rng(number)
    features = {name: float(value) for name, value in zip(AUDIO_FEATURES, rng.random(8), strict=True)}
    artist = f"Artist {number % 7}"
    attributes = MeasuredAttributes(artist_name=artist, tempo=60.0 + number % 120, **features)
    values: dict[str, object] = {
        "album_id": f"album-{number:05d}",
        "title": f"Title {number}",
        "artist": artist,
        "attributes": attributes,
        "year": 1960 + number % 60,
    }
    return Album(**(values | changes))  # type: ignore[arg-type]


def random_vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).normal(size=(count, 512)))


def clustered_vectors(count: int, seed: int = 0, clusters: int = 40) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, 512))
    return unit(centres[rng.integers(clusters, size=count)] + 0.15 * rng.normal(size=(count, 512)))


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def write_index(directory: Path, vectors: NDArray[np.float32], embedder: str = EMBEDDER) -> list[Album]:
    albums = [an_album(number) for number in range(len(vectors))]
    with IndexWriter(directory, embedder) as writer:
        writer.upsert([Entry(album, vector) for album, vector in zip(albums, vectors, strict=True)])
    return albums


class ColourEmbedder:
    """A true embedder: the cover at 13 × 13 pixels, centred and scaled to unit length."""

    name = EMBEDDER

    def embed(self, covers: Sequence[Cover]) -> NDArray[np.float32]:
        if not covers:
            return np.zeros((0, 512), np.float32)
        small = [np.asarray(cover.image.resize((14, 14)), np.float64).ravel()[:512] for cover in covers]
        return unit(np.stack(small) - 127.5)


def draw_covers(folder: Path, count: int, *, size: int = 80) -> Path:
    """A folder of covers and its manifest.csv; picture and attributes follow from the number alone."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        rng = np.random.default_rng(int(hashlib.sha256(str(number).encode()).hexdigest()[:8], 16))
        tiles = rng.integers(0, 255, size=(4, 4, 3), dtype=np.uint8)
        name = f"cover-{number:04d}.jpg"
        Image.fromarray(tiles).resize((size, size), Image.Resampling.NEAREST).save(folder / name, quality=90)
        rows.append(a_row(name, number))
    write_csv(folder / "manifest.csv", rows)
    return folder


def a_row(file: str, number: int = 0, **changes: str) -> dict[str, str]:
    values = np.random.default_rng(number).random(8)
    row = {"file": file, "artist": f"Artist {number % 7}", "album": f"Title {number}", "tempo": "120.5"}
    row |= {name: f"{value:.4f}" for name, value in zip(AUDIO_FEATURES, values, strict=True)}
    row |= {"loudness": f"{-30 * values[5]:.3f}", "genre": "Rock", "year": "1999.0"}
    return row | changes


def write_csv(path: Path, rows: Sequence[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path
