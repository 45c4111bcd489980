"""From a cover to InternVL's tiles: its "dynamic resolution" (Chen et al. 2024, InternVL 1.5, section 3.2).

A picture is stretched over the grid of square tiles whose shape is nearest to its own, cut up, and shown
once more as a whole (the thumbnail) when there is more than one tile.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""InternVL normalises with ImageNet's statistics, not with CLIP's."""


@lru_cache(maxsize=16)
def grids(max_tiles: int) -> tuple[tuple[int, int], ...]:
    """Every grid (columns, rows) of at most `max_tiles` tiles, the smaller first."""
    sides = range(1, max_tiles + 1)
    # A set, sorted by size alone, as the original has it: its order settles what is equally good.
    found = {(c, r) for n in sides for c in range(1, n + 1) for r in range(1, n + 1) if c * r <= max_tiles}
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def choose_grid(width: int, height: int, *, max_tiles: int, tile: int) -> tuple[int, int]:
    """The grid (columns, rows) for a picture of `width` × `height` pixels with tiles of `tile` pixels.

    The nearest aspect ratio wins; among equals the larger grid, while the picture has more than half as many
    pixels as that grid.
    """
    best, nearest = (1, 1), float("inf")
    for columns, rows in grids(max_tiles):
        distance = abs(width / height - columns / rows)
        fills = width * height > 0.5 * tile * tile * columns * rows
        if distance < nearest or (distance == nearest and fills):
            best, nearest = (columns, rows), distance
    return best


def cut_tiles(image: Image.Image, *, max_tiles: int, tile: int, thumbnail: bool = True) -> list[Image.Image]:
    """The tiles of `image`, row by row, each `tile` × `tile`; the thumbnail last, if there are several."""
    columns, rows = choose_grid(*image.size, max_tiles=max_tiles, tile=tile)
    whole = image.resize((columns * tile, rows * tile), Image.Resampling.BICUBIC)
    tiles = [
        whole.crop((x * tile, y * tile, (x + 1) * tile, (y + 1) * tile))
        for y in range(rows)
        for x in range(columns)
    ]
    if thumbnail and len(tiles) > 1:
        tiles.append(image.resize((tile, tile), Image.Resampling.BICUBIC))
    return tiles


def pixel_values(
    image: Image.Image,
    *,
    max_tiles: int,
    tile: int,
    thumbnail: bool = True,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
) -> Tensor:
    """The normalised tiles of `image`: float32 (tiles, 3, tile, tile)."""
    tiles = cut_tiles(image.convert("RGB"), max_tiles=max_tiles, tile=tile, thumbnail=thumbnail)
    stacked = torch.from_numpy(np.stack([np.asarray(part) for part in tiles]))
    unit = stacked.permute(0, 3, 1, 2).to(torch.float32) / 255
    scale = torch.tensor(std).view(1, 3, 1, 1)
    return ((unit - torch.tensor(mean).view(1, 3, 1, 1)) / scale).contiguous()
