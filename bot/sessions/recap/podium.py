"""The picture of the recap message: the first three covers beside each other, drawn like the cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from albumgen_core.card import parts
from albumgen_core.card.palette import Palette, palette_of
from albumgen_core.card.text_layout import fit, text_tag, width
from bot.sessions import formatting
from bot.sessions.drawing import opened, svg_png
from bot.sessions.recap.statistics import Placed

WIDTH, HEIGHT = 600, 262
SCALE = 2.0

_EDGE, _SIDE = 24.0, 168.0
_MEDALS = {1: "#f2c14e", 2: "#c3cad6", 3: "#e0a27a"}
_INK = "#17122b"
_NEUTRAL = Image.new("RGB", (8, 8), "#4a3f86")
"""Gives the colours where the winner's cover is gone."""


def podium_png(
    places: Sequence[Placed], covers: Mapping[int, Path | None], locale: str, *, scale: float = SCALE
) -> bytes | None:
    """The best three covers with their places, means and votes (blocking, some 50 ms); None without any.

    Args:
        places: best first.
        covers: pictures by entry id; what is missing or damaged is drawn as a blank sleeve.
    """
    shown = list(places[:3])
    if not shown:
        return None
    images = [opened(covers.get(placed.result.entry.entry_id)) for placed in shown]
    palette = palette_of(images[0] or _NEUTRAL)
    gap = (WIDTH - 2 * _EDGE - 3 * _SIDE) / 2
    left = (WIDTH - len(shown) * _SIDE - (len(shown) - 1) * gap) / 2
    drawn = [
        _step(placed, image, left + number * (_SIDE + gap), f"cover{number}", palette, locale, scale)
        for number, (placed, image) in enumerate(zip(shown, images, strict=True))
    ]
    return svg_png("".join(drawn), (WIDTH, HEIGHT), palette, scale)


def _step(
    placed: Placed,
    image: Image.Image | None,
    x: float,
    name: str,
    palette: Palette,
    locale: str,
    scale: float,
) -> str:
    """One cover, its medal, and what it was given."""
    if image is not None:
        cover = parts.picture(image, x, 24, _SIDE, name, round(_SIDE * scale), palette.panel)
    else:
        cover = parts.missing_cover(x, 24, _SIDE, palette)
    result = placed.result
    mean = formatting.number(result.tally.mean or 0.0, locale)
    votes = formatting.counted(locale, "votes", result.tally.voters)
    beside = x + width(mean, 16, bold=True) + 8
    medal = _MEDALS.get(placed.place, palette.muted)
    title = fit(formatting.entry_title(result.entry, locale), 15, _SIDE, bold=True)
    return cover + "".join(
        (
            f'<circle cx="{x + 10:.1f}" cy="32" r="17" fill="{medal}" stroke="{palette.background}" '
            'stroke-width="4"/>',
            text_tag(str(placed.place), x + 10, 38, 17, _INK, bold=True, anchor="middle"),
            text_tag(title, x, 216, 15, palette.text, bold=True),
            text_tag(mean, x, 240, 16, palette.accent, bold=True),
            text_tag(fit(votes, 13.5, x + _SIDE - beside), beside, 240, 13.5, palette.muted),
        )
    )
