"""A card's colours: taken from the cover, and always readable."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image

TEXT_CONTRAST = 7.0
"""Contrast of body text with the card (WCAG 2 level AAA)."""

ACCENT_CONTRAST = 5.0
"""Contrast of accents with the card, above WCAG 2 level AA for text (4.5)."""

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as "#rrggbb".

    Attributes:
        background, panel, line: the card, raised areas on it, rules and grids.
        text, muted: words, and words of less weight.
        accent, second: what the cover gives, and its counterpart for comparisons.
    """

    background: str
    panel: str
    line: str
    text: str
    muted: str
    accent: str
    second: str


def palette_of(image: Image.Image) -> Palette:
    """The palette for a cover (RGB). Covers without colour give a silver accent."""
    hue, saturation = _leading_colour(image)
    tint = min(0.30, 0.5 * saturation)
    background = colorsys.hls_to_rgb(hue, 0.085, tint)
    strength = 0.0 if saturation < 0.12 else max(0.55, saturation)
    accent = _readable((hue, 0.62 if strength else 0.80, strength), background)
    if strength:
        second = _readable(((hue + 0.45) % 1.0, 0.68, 0.60), background)
    else:
        second = _readable((0.11, 0.62, 0.75), background)
    return Palette(
        background=_hex(background),
        panel=_hex(colorsys.hls_to_rgb(hue, 0.135, tint)),
        line=_hex(colorsys.hls_to_rgb(hue, 0.24, tint * 0.8)),
        text="#f5f5f7",
        muted=_hex(_lifted((hue, 0.70, min(0.12, tint)), background, TEXT_CONTRAST)),
        accent=_hex(accent),
        second=_hex(second),
    )


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two colours "#rrggbb", 1 to 21."""
    return _contrast(_rgb(first), _rgb(second))


def _leading_colour(image: Image.Image) -> tuple[float, float]:
    """Hue and saturation (HLS, in [0, 1]) of the colour that catches the eye: vivid, and enough of it."""
    pixels = np.asarray(image.convert("RGB").resize((48, 48), Image.Resampling.BOX)).reshape(-1, 3) / 255.0
    high, low = pixels.max(axis=1), pixels.min(axis=1)
    chroma = high - low
    if float(np.quantile(chroma, 0.98)) < 0.10:
        return 0.63, 0.0
    safe = np.where(chroma > 0, chroma, 1.0)
    red, green, blue = pixels.T
    hue = np.where(
        high == red,
        ((green - blue) / safe) % 6,
        np.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    bins = np.minimum((hue / 6 * 24).astype(int), 23)
    weights = np.bincount(bins, weights=chroma**1.5, minlength=24)
    # A colour at the border of two bins counts in both.
    best = int(np.argmax(weights + 0.5 * (np.roll(weights, 1) + np.roll(weights, -1))))
    chosen = (bins == best) & (chroma > 0.08)
    if not chosen.any():
        return 0.63, 0.0
    mean_hue = float(np.average(hue[chosen], weights=chroma[chosen])) / 6
    vivid = float(np.average(chroma[chosen], weights=chroma[chosen]))
    return mean_hue % 1.0, min(0.9, 1.4 * vivid)


def _readable(hls: tuple[float, float, float], background: Rgb) -> Rgb:
    return _lifted(hls, background, ACCENT_CONTRAST)


def _lifted(hls: tuple[float, float, float], background: Rgb, wanted: float) -> Rgb:
    """The colour, made lighter until it stands out from the background."""
    hue, lightness, saturation = hls
    while True:
        rgb = colorsys.hls_to_rgb(hue, min(1.0, lightness), saturation)
        if _contrast(rgb, background) >= wanted + 0.1 or lightness >= 1.0:
            return rgb
        lightness += 0.02


def _contrast(first: Rgb, second: Rgb) -> float:
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _hex(rgb: Rgb) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255
