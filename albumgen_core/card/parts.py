"""What cards are built of: radar chart, waveform, pictures, labels, bars. Each returns SVG markup."""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.names import field_label
from albumgen_core.audio.types import Audio
from albumgen_core.card.palette import Palette
from albumgen_core.card.text_layout import text_tag, width
from albumgen_core.localisation import decimal

WIDTH = 600
"""Of every card, in units."""

EDGE = 24.0
"""Free space around."""

LABEL = 18.5
"""Font size of the smallest words, in units: 11.1 px where a phone shows a card 360 px wide."""

SMALL_LABEL = 12.5
"""That of pictures which are shown 550 px wide."""

_CORE = 0.06
"""Share of the radar's radius at value 0, so that a shape of zeros is still seen."""


def rectangle(x: float, y: float, w: float, h: float, fill: str, *, radius: float = 0, more: str = "") -> str:
    """A rectangle."""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"'
    return f'<rect {place} rx="{radius:g}" fill="{fill}"{more}/>'


def picture(image: Image.Image, x: float, y: float, side: float, name: str, pixels: int, fill: str) -> str:
    """A whole picture in a square with round corners; what a tall or wide one leaves free is filled."""
    shown = image.convert("RGB")
    shown.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=92, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode()
    longest = max(shown.size)
    w, h = side * shown.width / longest, side * shown.height / longest
    radius = max(4.0, side * 0.045)
    clip = rectangle(x, y, side, side, "#fff", radius=radius)
    return (
        f'<clipPath id="{name}">{clip}</clipPath><g clip-path="url(#{name})">'
        f"{rectangle(x, y, side, side, fill)}"
        f'<image x="{x + (side - w) / 2:.2f}" y="{y + (side - h) / 2:.2f}" width="{w:.2f}" '
        f'height="{h:.2f}" preserveAspectRatio="none" href="data:image/jpeg;base64,{data}"/></g>'
    )


def opened(thumbnail: bytes | Image.Image | None) -> Image.Image | None:
    """A thumbnail as a picture; None where there is none or it cannot be decoded."""
    if thumbnail is None or isinstance(thumbnail, Image.Image):
        return thumbnail
    try:
        with Image.open(io.BytesIO(thumbnail), formats=("JPEG", "PNG", "WEBP")) as image:
            if image.width * image.height > 4_000_000:
                return None
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def missing_cover(x: float, y: float, side: float, palette: Palette) -> str:
    """What stands for a cover that the index has no picture of: a record."""
    cx, cy = x + side / 2, y + side / 2
    rings = "".join(
        f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{side * r:.1f}" fill="none" stroke="{palette.line}"/>'
        for r in (0.36, 0.28, 0.20)
    )
    hub = f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{side * 0.09:.1f}" fill="{palette.muted}"/>'
    return rectangle(x, y, side, side, palette.panel, radius=4) + rings + hub


def waveform(audio: Audio | None, x: float, y: float, w: float, h: float, colour: str, bars: int) -> str:
    """The clip's peaks as bars around a middle line, scaled to the loudest; a line without a clip."""
    levels = _peaks(audio, bars)
    step = w / bars
    drawn = []
    for i, level in enumerate(levels):
        tall = max(2.0, h * level)
        drawn.append(
            rectangle(x + i * step, y + (h - tall) / 2, step * 0.62, tall, colour, radius=step * 0.31)
        )
    return "".join(drawn)


def chip(
    text: str, right: float, y: float, palette: Palette, *, filled: bool, label: float = SMALL_LABEL
) -> tuple[str, float]:
    """A label with round ends that ends at `right`; returns it and the x it begins at."""
    tall = label * 1.8
    long = width(text, label, bold=True) + label * 1.6
    x = right - long
    colour, ground, more = palette.text, palette.panel, f' stroke="{palette.line}" stroke-width="1.2"'
    if filled:
        colour, ground, more = palette.background, palette.accent, ""
    body = rectangle(x, y, long, tall, ground, radius=tall / 2, more=more)
    return body + text_tag(text, x + label * 0.8, y + label * 1.25, label, colour, bold=True), x


def radar(
    shapes: Sequence[tuple[Sequence[float], str]],
    around: tuple[float, float, float],
    palette: Palette,
    language: str,
    *,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    label: float = SMALL_LABEL,
) -> str:
    """The eight attributes as polygons, with the range from `low` to `high` shaded behind them.

    Args:
        shapes: (eight values in [0, 1] in the order of AUDIO_FEATURES, colour) each.
        around: centre x, centre y, radius.
        language: of the attributes' names. label: their font size.
    """
    cx, cy, _ = around
    count = len(AUDIO_FEATURES)
    drawn = [
        f'<polygon points="{_points([ring] * count, around)}" fill="none" stroke="{palette.line}"/>'
        for ring in (0.25, 0.5, 0.75, 1.0)
    ]
    for i in range(count):
        px, py = _place(i, 1.0, around)
        drawn.append(
            f'<line x1="{cx:.1f}" y1="{cy:.1f}" x2="{px:.2f}" y2="{py:.2f}" stroke="{palette.line}" '
            'stroke-width="0.8"/>'
        )
    if low is not None and high is not None:
        ring = f"M{_points(high, around)}Z M{_points(low, around)}Z"
        drawn.append(
            f'<path d="{ring}" fill="{palette.text}" fill-opacity="0.17" fill-rule="evenodd" '
            f'stroke="{palette.text}" stroke-opacity="0.38" stroke-width="1" stroke-dasharray="3 3"/>'
        )
    for values, colour in shapes:
        opacity = 0.26 if len(shapes) == 1 else 0.14
        drawn.append(
            f'<polygon points="{_points(values, around)}" fill="{colour}" fill-opacity="{opacity}" '
            f'stroke="{colour}" stroke-width="2.4" stroke-linejoin="round"/>'
        )
        for i, value in enumerate(values):
            px, py = _place(i, value, around)
            drawn.append(f'<circle cx="{px:.2f}" cy="{py:.2f}" r="3" fill="{colour}"/>')
    drawn.extend(_radar_labels(shapes, around, palette, language, label))
    return "".join(drawn)


def feature_range(
    neighbours: Sequence[Neighbour],
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Lowest and highest value of each attribute among the neighbours; (None, None) without any."""
    if not neighbours:
        return None, None
    columns = list(zip(*(neighbour.attributes.features() for neighbour in neighbours), strict=True))
    return tuple(map(min, columns)), tuple(map(max, columns))


def _radar_labels(
    shapes: Sequence[tuple[Sequence[float], str]],
    around: tuple[float, float, float],
    palette: Palette,
    language: str,
    size: float,
) -> list[str]:
    cx, cy, radius = around
    drawn = []
    for i, name in enumerate(AUDIO_FEATURES):
        angle = _angle(i)
        x = cx + (radius + 0.6 * size) * math.cos(angle)
        # The name above its value; the middle of the pair is a little outside the axis's end.
        middle = cy + (radius + 1.2 * size) * math.sin(angle)
        anchor = "start" if math.cos(angle) > 0 else "end"
        label = field_label(name, language)
        drawn.append(text_tag(label, x, middle - 0.2 * size, size, palette.muted, anchor=anchor))
        values = shapes if anchor == "start" else list(reversed(shapes))
        for n, (numbers, colour) in enumerate(values):
            offset = n * 2.7 * size * (1 if anchor == "start" else -1)
            tone = palette.text if len(shapes) == 1 else colour
            shown = decimal(numbers[i], language)
            drawn.append(
                text_tag(shown, x + offset, middle + 0.95 * size, size, tone, bold=True, anchor=anchor)
            )
    return drawn


def _angle(i: int) -> float:
    """Axes begin right of the top and go clockwise; none is level, so that names have room at the sides."""
    return 2 * math.pi * (i + 0.5) / len(AUDIO_FEATURES) - math.pi / 2


def _place(i: int, value: float, around: tuple[float, float, float]) -> tuple[float, float]:
    cx, cy, radius = around
    distance = radius * (_CORE + (1 - _CORE) * value)
    return cx + distance * math.cos(_angle(i)), cy + distance * math.sin(_angle(i))


def _points(values: Sequence[float], around: tuple[float, float, float]) -> str:
    return " ".join("{:.2f},{:.2f}".format(*_place(i, value, around)) for i, value in enumerate(values))


def _peaks(audio: Audio | None, bars: int) -> list[float]:
    if audio is None or audio.samples.size == 0:
        return [0.0] * bars
    loud = np.nan_to_num(np.abs(audio.samples).max(axis=0), nan=0.0, posinf=1.0)
    edges = np.linspace(0, loud.size, bars + 1).astype(int)
    levels = [float(loud[a : max(b, a + 1)].max(initial=0.0)) for a, b in itertools.pairwise(edges)]
    top = max(levels)
    return [level / top if top > 0 else 0.0 for level in levels]
