"""What of a picture is played rather than claimed: its texture and composition.

Sources of the pairings: brightness of a picture with pitch height and with bright timbre is the best
established of all (Marks, 1974; Spence, "Crossmodal correspondences: a tutorial review", 2011); visual
complexity with event density, and symmetry with regularity, follow Spence and Di Stefano (2022) on
crossmodal harmony. Grain as tape noise, contrast as dynamic range, palette size as ensemble size and the
number of figures as solo or ensemble are this program's own choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import label, uniform_filter

from albumgen_core.cover.read import Cover
from albumgen_core.engines.sketch.picture import SIDE, measure, statistics_of

_GRAIN_SIDE = 256
_GRAIN = (0.003, 0.035)
_SYMMETRY = (0.0, 0.85)
_COLOUR_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Texture:
    """How a picture is made, each value in [0, 1]; 0.5 where nothing is known.

    Attributes:
        grain: film grain or noise on its plain areas. Heard as tape noise and saturation.
        contrast: spread of lightness. Heard as dynamic range.
        busyness: share and strength of edges. Heard as density.
        lightness: light above dark. Heard as register and spectral tilt.
        warmth: yellow above blue. Heard as a darker, closer sound.
        symmetry: likeness of the left and the right half. Heard as regularity.
        colours: number of colours in the palette. Heard as the number of instruments.
        figures: one figure (0) or many (1). Heard as solo or ensemble.
    """

    grain: float = 0.5
    contrast: float = 0.5
    busyness: float = 0.5
    lightness: float = 0.5
    warmth: float = 0.5
    symmetry: float = 0.5
    colours: float = 0.5
    figures: float = 0.5

    @property
    def identity(self) -> str:
        """Names the picture coarsely: what choices without a better reason are drawn from."""
        values = (self.contrast, self.busyness, self.lightness, self.warmth, self.symmetry, self.colours)
        return "/".join(f"{value:.2f}" for value in values)


UNKNOWN = Texture()


def texture_of(cover: Cover) -> Texture:
    """Measure a cover."""
    lab = measure([cover])[0]
    seen = statistics_of(cover)
    return Texture(
        grain=_between(_grain(cover), *_GRAIN),
        contrast=_unit(seen.contrast),
        busyness=_unit(seen.busyness),
        lightness=_unit(seen.lightness),
        warmth=_unit(seen.warmth),
        symmetry=_between(_symmetry(lab[..., 0]), *_SYMMETRY),
        colours=_between(_palette_size(lab), 2.0, 11.0),
        figures=_between(_figures(lab), 1.0, 14.0),
    )


def _unit(deviations: float) -> float:
    return round(0.5 + 0.5 * float(np.tanh(deviations / 1.5)), 3)


def _between(value: float, low: float, high: float) -> float:
    return round(float(np.clip((value - low) / (high - low), 0.0, 1.0)), 3)


def _grain(cover: Cover) -> float:
    # Median over small tiles of what a smoothed copy leaves over: edges touch few tiles, grain all of them.
    image = cover.image.convert("L").resize((_GRAIN_SIDE, _GRAIN_SIDE), Image.Resampling.BILINEAR)
    grey = np.asarray(image, np.float64) / 255
    rest = np.square(grey - uniform_filter(grey, 3))
    tiles = rest.reshape(_GRAIN_SIDE // 8, 8, _GRAIN_SIDE // 8, 8).mean(axis=(1, 3))
    return float(np.sqrt(np.median(tiles)))


def _symmetry(lightness: NDArray[np.float64]) -> float:
    centred = lightness - lightness.mean()
    power = float((centred**2).sum())
    return 1.0 if power < 1e-3 else float((centred * centred[:, ::-1]).sum() / power)


def _palette_size(lab: NDArray[np.float64]) -> float:
    # Cells of Oklab, 0.2 wide in lightness and 0.08 in colour, that hold at least 3 % of the picture.
    cells = np.floor(lab.reshape(-1, 3) / np.array([0.2, 0.08, 0.08])).astype(int)
    _, counts = np.unique(cells, axis=0, return_counts=True)
    return float((counts >= _COLOUR_SHARE * SIDE * SIDE).sum())


def _figures(lab: NDArray[np.float64]) -> float:
    # Connected areas that stand out from the border's mean colour.
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]]).mean(axis=0)
    smooth = uniform_filter(lab, (3, 3, 1))
    away = np.linalg.norm((smooth - border) * np.array([1.0, 2.0, 2.0]), axis=2)
    areas, count = label(away > away.mean() + 0.5 * away.std())
    sizes = np.bincount(areas.ravel(), minlength=count + 1)[1:]
    return float((sizes >= 12).sum())
