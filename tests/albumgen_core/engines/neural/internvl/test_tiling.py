"""Tiles: the very grid and pixels of the original pre-processing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from albumgen_core.engines.neural.internvl.tiling import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    choose_grid,
    pixel_values,
)
from tests.albumgen_core.engines.neural.conftest import picture


def original_grid(width: int, height: int, most: int, side: int) -> tuple[int, int]:
    """The published procedure, step by step."""
    candidates = set()
    for n in range(1, most + 1):
        for i in range(1, n + 1):
            for j in range(1, n + 1):
                if 1 <= i * j <= most:
                    candidates.add((i, j))
    closest, difference = (1, 1), float("inf")
    for ratio in sorted(candidates, key=lambda x: x[0] * x[1]):
        here = abs(width / height - ratio[0] / ratio[1])
        if here < difference:
            closest, difference = ratio, here
        elif here == difference and width * height > 0.5 * side * side * ratio[0] * ratio[1]:
            closest = ratio
    return closest


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_grid_is_the_originals(width: int, height: int, most: int) -> None:
    assert choose_grid(width, height, max_tiles=most, tile=448) == original_grid(width, height, most, 448)


@pytest.mark.parametrize(
    ("size", "most", "tiles"),
    [
        ((640, 640), 12, 5),  # four and the thumbnail
        ((640, 640), 6, 5),
        ((640, 640), 1, 1),
        ((600, 600), 12, 1),
        ((640, 320), 12, 3),
        ((16, 640), 12, 13),
        ((1, 1), 12, 1),
    ],
)
def test_number_of_tiles(size: tuple[int, int], most: int, tiles: int) -> None:
    assert pixel_values(Image.new("RGB", size), max_tiles=most, tile=448).shape == (tiles, 3, 448, 448)


@pytest.mark.parametrize("size", [(640, 640), (500, 333), (640, 200), (90, 120)])
@pytest.mark.parametrize("most", [1, 6])
def test_pixels_are_those_of_the_libraries_processor(size: tuple[int, int], most: int) -> None:
    image = picture(3, *size).image
    theirs = GotOcr2ImageProcessorPil(
        size={"height": 448, "width": 448}, image_mean=list(IMAGENET_MEAN), image_std=list(IMAGENET_STD),
        crop_to_patches=True, max_patches=most,
    )(image, return_tensors="pt")["pixel_values"]  # fmt: skip
    ours = pixel_values(image, max_tiles=most, tile=448)
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs.to(torch.float32), atol=2e-6, rtol=0)


def test_grey_pictures_are_read_as_rgb() -> None:
    grey = Image.fromarray(np.full((50, 50), 128, dtype=np.uint8))
    assert pixel_values(grey, max_tiles=1, tile=56).shape == (1, 3, 56, 56)
