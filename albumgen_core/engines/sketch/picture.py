"""What can be measured of a picture: colours as the eye orders them, edges, layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from albumgen_core.cover.read import Cover

SIDE = 64
"""Covers are measured at 64 x 64 pixels."""

_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
"""Oklab (Bjorn Ottosson, 2020): equal distances look about equally large."""


def oklab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB bytes (…, 3) to Oklab (…, 3): lightness in [0, 1], green–red and blue–yellow in about ±0.4."""
    value = rgb.astype(np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _RGB_TO_LMS.T) @ _LMS_TO_LAB.T)


def measure(covers: Sequence[Cover]) -> NDArray[np.float64]:
    """Covers as Oklab pictures: (n, 64, 64, 3)."""
    small = [np.asarray(c.image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)) for c in covers]
    return oklab(np.stack(small)) if small else np.zeros((0, SIDE, SIDE, 3))


def gradients(lightness: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Strength and direction (in [0, pi)) of the edges of (n, h, w) pictures."""
    dy, dx = np.gradient(lightness, axis=(1, 2))
    return np.hypot(dx, dy), np.arctan2(dy, dx) % np.pi


@dataclass(frozen=True, slots=True)
class PictureStatistics:
    """What the describer reads of one cover, each value in standard deviations from the usual cover.

    Attributes:
        lightness: light above dark.
        colourfulness: mean chroma; saturated above grey.
        warmth: yellow above blue.
        redness: red above green.
        contrast: spread of lightness.
        busyness: share and strength of edges.
        variety: how many hues there are.
    """

    lightness: float
    colourfulness: float
    warmth: float
    redness: float
    contrast: float
    busyness: float
    variety: float


USUAL = {
    "lightness": (0.547, 0.191),
    "colourfulness": (0.044, 0.039),
    "warmth": (0.014, 0.033),
    "redness": (0.013, 0.032),
    "contrast": (0.194, 0.069),
    "busyness": (0.061, 0.027),
    "variety": (0.435, 0.258),
}
"""Mean and standard deviation of each raw statistic over some five hundred album covers."""


def raw_statistics(lab: NDArray[np.float64]) -> dict[str, float]:
    """The statistics of one Oklab picture (64, 64, 3), in their own units."""
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = np.arctan2(lab[..., 2], lab[..., 1])
    hues, _ = np.histogram(hue, bins=12, range=(-np.pi, np.pi), weights=chroma)
    share = hues / max(hues.sum(), 1e-9)
    entropy = -float(np.sum(share * np.log(share + 1e-12))) / np.log(12)
    strength, _ = gradients(lab[None, ..., 0])
    return {
        "lightness": float(lab[..., 0].mean()),
        "colourfulness": float(chroma.mean()),
        "warmth": float(lab[..., 2].mean()),
        "redness": float(lab[..., 1].mean()),
        "contrast": float(lab[..., 0].std()),
        "busyness": float(strength.mean()),
        "variety": max(0.0, entropy) if chroma.mean() > 0.004 else 0.0,
    }


def statistics_of(cover: Cover) -> PictureStatistics:
    """Measure one cover; every value is held within three standard deviations."""
    raw = raw_statistics(measure([cover])[0])
    return PictureStatistics(
        **{name: float(np.clip((raw[name] - mean) / spread, -3, 3)) for name, (mean, spread) in USUAL.items()}
    )
