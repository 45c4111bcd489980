"""The picture of the recap message: the covers on the first three places, drawn like the cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from albumgen_core.card import parts
from albumgen_core.card.palette import palette_of
from albumgen_core.card.parts import EDGE, LABEL, WIDTH
from albumgen_core.card.sheet import Sheet, rasterise
from albumgen_core.card.text_layout import fit, text_tag, width, wrap
from bot.i18n.catalogue import language_of
from bot.sessions import formatting
from bot.sessions.drawing import opened
from bot.sessions.recap.statistics import Placed

SCALE = 2.0
SHOWN = 6
"""Covers that are shown at most, where places are shared."""

_A_ROW, _SIDE, _TALL = 3, 168.0, 282.0
_MEDALS = {1: "#f2c14e", 2: "#c3cad6", 3: "#e0a27a"}
_INK = "#17122b"
_NEUTRAL = Image.new("RGB", (8, 8), "#4a3f86")
"""Gives the colours where the winner's cover is gone."""


def podium_png(
    places: Sequence[Placed], covers: Mapping[int, Path | None], locale: str, *, scale: float = SCALE
) -> bytes | None:
    """The covers on the first three places with means and votes (blocking, some 50 ms); None without any.

    Three in a row; shared places make a second row.

    Args:
        places: those of the podium, best first.
        covers: pictures by entry id; what is missing or damaged is drawn as a blank sleeve.
    """
    shown = list(places[:SHOWN])
    if not shown:
        return None
    images = [opened(covers.get(placed.result.entry.entry_id)) for placed in shown]
    sheet = Sheet(palette_of(images[0] or _NEUTRAL), scale, language_of(locale))
    gap = (WIDTH - 2 * EDGE - _A_ROW * _SIDE) / (_A_ROW - 1)
    for number, (placed, image) in enumerate(zip(shown, images, strict=True)):
        row, column = divmod(number, _A_ROW)
        in_row = min(_A_ROW, len(shown) - row * _A_ROW)
        left = (WIDTH - in_row * _SIDE - (in_row - 1) * gap) / 2
        x, y = left + column * (_SIDE + gap), EDGE + row * _TALL
        sheet.add(_step(placed, image, (x, y), f"cover{number}", sheet, locale))
    rows = -(-len(shown) // _A_ROW)
    return rasterise(sheet.svg(round(EDGE + rows * _TALL)), scale)


def _step(
    placed: Placed,
    image: Image.Image | None,
    at: tuple[float, float],
    name: str,
    sheet: Sheet,
    locale: str,
) -> str:
    """One cover with its upper left corner at (x, y), its medal, its title and what it was given."""
    (x, y), palette = at, sheet.palette
    if image is not None:
        drawn = [sheet.picture(image, x, y, _SIDE, name)]
    else:
        drawn = [parts.missing_cover(x, y, _SIDE, palette)]
    result = placed.result
    mean = formatting.number(result.tally.mean or 0.0, locale)
    votes = formatting.counted(locale, "votes", result.tally.voters)
    beside = x + width(mean, 20, bold=True) + 8
    medal = _MEDALS.get(placed.place, palette.muted)
    drawn += [
        f'<circle cx="{x + 10:.1f}" cy="{y + 8:.1f}" r="19" fill="{medal}" stroke="{palette.background}" '
        'stroke-width="4"/>',
        text_tag(str(placed.place), x + 10, y + 15, 20, _INK, bold=True, anchor="middle"),
    ]
    below = y + _SIDE + 24
    for line in wrap(formatting.entry_title(result.entry, locale), LABEL, _SIDE, 2):
        drawn.append(text_tag(line, x, below, LABEL, palette.text, bold=True))
        below += 23
    drawn += [
        text_tag(mean, x, below + 4, 20, palette.accent, bold=True),
        text_tag(fit(votes, LABEL, x + _SIDE - beside), beside, below + 4, LABEL, palette.muted),
    ]
    return "".join(drawn)
