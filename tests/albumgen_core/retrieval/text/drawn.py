"""Covers drawn for the tests, with text in several fonts, angles and colours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from albumgen_core.cover.read import Cover

SIDE = 640
_FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"

Colour = tuple[int, int, int]


def font(name: str, size: float) -> ImageFont.FreeTypeFont:
    """A font that comes with matplotlib: DejaVuSans, DejaVuSerif-Italic, DejaVuSansMono-Bold, …"""
    return ImageFont.truetype(str(_FONTS / f"{name}.ttf"), size)


def as_cover(image: Image.Image) -> Cover:
    return Cover(image.convert("RGB"), hashlib.sha256(image.tobytes()).hexdigest())


def plain(colour: Colour = (240, 236, 220), side: int = SIDE) -> Image.Image:
    return Image.new("RGB", (side, side), colour)


def write(
    image: Image.Image,
    text: str,
    at: tuple[int, int],
    *,
    face: str = "DejaVuSans-Bold",
    size: float = 48,
    colour: Colour = (20, 20, 30),
    angle: float = 0.0,
) -> None:
    """Draw one line, centred at `at`, turned `angle` degrees clockwise."""
    layer = Image.new("RGBA", image.size, (*colour, 0))
    ImageDraw.Draw(layer).text(at, text, (*colour, 255), font(face, size), anchor="mm")
    turned = layer.rotate(-angle, Image.Resampling.BICUBIC, center=at)
    image.paste(turned, (0, 0), turned)


def cover_with(lines: Sequence[str], *, size: float = 48, face: str = "DejaVuSans-Bold") -> Cover:
    """Lines below each other on a plain ground."""
    image = plain()
    for row, text in enumerate(lines):
        write(image, text, (SIDE // 2, round(size + row * size * 1.5)), size=size, face=face)
    return as_cover(image)


def specks(count: int, seed: int = 0) -> Cover:
    """A texture of small bright strokes that detection takes for text."""
    rng = np.random.default_rng(seed)
    image = plain((30, 34, 40))
    draw = ImageDraw.Draw(image)
    letters = font("DejaVuSans-Bold", 14)
    for x, y, which in zip(*rng.integers(0, SIDE, (2, count)), rng.integers(0, 5, count), strict=True):
        draw.text((int(x), int(y)), "oO08Il|-"[which : which + 2], (220, 210, 190), letters)
    return as_cover(image)
