"""The sketch family's Embedder: where a cover's colours, edges and textures lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import EMBEDDING_DIMENSIONS
from albumgen_core.engines.sketch.picture import SIDE, gradients, measure

_BATCH = 64
_CHROMA_GAIN = 4.0
"""Oklab's colour axes are short beside lightness; this makes them count alike."""

_BLOCKS = (("layout", 192, 1.0), ("colours", 144, 1.0), ("edges", 128, 0.8), ("texture", 48, 0.5))
"""Name, dimensions and weight of each block of the embedding; 512 in all."""


class PaletteEmbedder:
    """Embeds covers by picture statistics alone: no weights, the same numbers everywhere.

    The blocks are: the layout of lightness and colour on an 8 x 8 grid; histograms of lightness and
    colour, and of hue in three bands; the directions of edges on a 4 x 4 grid; the strength of detail at
    three scales on the same grid. Each is brought to its weight before the whole is normalised.
    """

    @property
    def name(self) -> str:
        """Identity of the embedding space."""
        return "sketch-palette-v1"

    def embed(self, covers: Sequence[Cover]) -> NDArray[np.float32]:
        """Embed covers: float32 (n, 512), rows of unit L2 norm; (0, 512) for no cover."""
        rows = [_embed(measure(covers[at : at + _BATCH])) for at in range(0, len(covers), _BATCH)]
        if not rows:
            return np.zeros((0, EMBEDDING_DIMENSIONS), np.float32)
        return np.concatenate(rows)


def _embed(lab: NDArray[np.float64]) -> NDArray[np.float32]:
    makers = {"layout": _layout, "colours": _colours, "edges": _edges, "texture": _texture}
    blocks = []
    for name, _, weight in _BLOCKS:
        block = makers[name](lab)
        # The small constant leaves an empty block (a plain cover has no edges) near nothing, not at random.
        norm = np.sqrt((block**2).sum(axis=1, keepdims=True) + 1e-6)
        blocks.append(weight * block / norm)
    whole = np.concatenate(blocks, axis=1)
    unit = (whole / np.linalg.norm(whole, axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(unit / np.linalg.norm(unit, axis=1, keepdims=True), dtype=np.float32)


def _grid(values: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    # Means of (n, 64, 64, k) over a grid of cells: (n, cells, cells, k).
    n, height, width, k = values.shape
    tiles = values.reshape(n, cells, height // cells, cells, width // cells, k)
    return np.asarray(tiles.mean(axis=(2, 4)))


def _layout(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = (lab - np.array([0.55, 0.0, 0.0])) * np.array([1.0, _CHROMA_GAIN, _CHROMA_GAIN])
    return _grid(centred, 8).reshape(len(lab), -1)


def _histogram(values: NDArray[np.float64], bins: int, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    # Each value in [0, 1] is shared between the two bins it lies between, so that no shade is an edge.
    place = np.clip(values, 0, 1) * (bins - 1)
    low = np.minimum(place.astype(int), bins - 2)
    share = place - low
    found = np.zeros((len(values), bins))
    rows = np.broadcast_to(np.arange(len(values))[:, None], low.shape)
    np.add.at(found, (rows, low), (1 - share) * weights)
    np.add.at(found, (rows, low + 1), share * weights)
    return np.asarray(found / values.shape[1])


def _colours(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(lab)
    flat = lab.reshape(n, -1, 3)
    plain = np.ones(flat.shape[:2])
    chroma = np.hypot(flat[..., 1], flat[..., 2])
    lightness = _histogram(flat[..., 0], 16, plain)
    saturation = _histogram(chroma / 0.3, 16, plain)
    # Joint histogram of the two colour axes, 8 x 8, soft along both.
    a, b = (np.clip(flat[..., i] / 0.4 + 0.5, 0, 1) for i in (1, 2))
    row = np.minimum((a * 7).astype(int), 6)
    joint = np.zeros((n, 8, 8))
    for step in (0, 1):
        weight = 1 - np.abs(a * 7 - row - step)
        for line in range(8):
            joint[:, line] += _histogram(b, 8, weight * (row + step == line))
    hue = (np.arctan2(lab[..., 2], lab[..., 1]) / (2 * np.pi)) % 1.0
    strength = np.hypot(lab[..., 1], lab[..., 2]) * _CHROMA_GAIN
    bands = []
    for band in np.array_split(np.arange(SIDE), 3):
        ring = _histogram(hue[:, band].reshape(n, -1), 17, strength[:, band].reshape(n, -1))
        ring[:, 0] += ring[:, 16]  # the circle closes
        bands.append(ring[:, :16])
    whole = np.concatenate([lightness, saturation, joint.reshape(n, -1), *bands], axis=1)
    # Square roots of shares: the L2 distance between them is Hellinger's.
    return np.asarray(np.sqrt(whole))


def _edges(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    strength, direction = gradients(lab[..., 0])
    bins = 8
    place = direction / np.pi * bins
    low = np.floor(place).astype(int) % bins
    share = place - np.floor(place)
    oriented = np.zeros((*strength.shape, bins))
    for index in range(bins):
        oriented[..., index] = strength * ((low == index) * (1 - share) + ((low + 1) % bins == index) * share)
    return np.asarray(np.sqrt(_grid(oriented, 4).reshape(len(lab), -1)))


def _texture(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    lightness = lab[..., :1]
    scales = []
    for size in (2, 4, 8):
        coarse = _grid(lightness, SIDE // size).repeat(size, axis=1).repeat(size, axis=2)
        scales.append(_grid((lightness - coarse) ** 2, 4))
    return np.asarray(np.sqrt(np.concatenate(scales, axis=3).reshape(len(lab), -1)))
