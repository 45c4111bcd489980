"""The picture of a session's panel, drawn like the cards, by a process of its own.

Drawing takes a few tenths of a second that the event loop does not have. See `albumgen_core.tasks.child`.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.names import field_label
from albumgen_core.card import parts
from albumgen_core.card.palette import Palette, palette_of
from albumgen_core.card.parts import EDGE, LABEL, WIDTH
from albumgen_core.card.sheet import Sheet, rasterise
from albumgen_core.card.text_layout import fit, text_tag, width, wrap
from albumgen_core.errors import TaskError
from albumgen_core.files import write_durably
from albumgen_core.tasks.child import run_task, serve
from bot.sessions.drawing import opened

log = logging.getLogger(__name__)

HEIGHT = 420
SCALE = 2.0

_COVER = 200.0
_NEUTRAL = Image.new("RGB", (8, 8), "#4a3f86")
"""Colours for what is hidden: they must not be the cover's."""
_DRAWING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class PanelPicture:
    """All that the picture holds, ready to be drawn; equal values give equal pictures.

    Attributes:
        kicker: the word above ("Now playing"). title, submitter, take, music, engine: lines, cleaned.
        compared: whether the take is one of two.
        features: eight values in [0, 1] in the order of AUDIO_FEATURES, or None.
        cover: path of the picture, None where it is hidden or gone. hidden: whether to draw a riddle.
        language: of the attributes' names.
    """

    kicker: str
    title: str
    submitter: str
    take: str
    compared: bool
    music: str
    engine: str
    features: tuple[float, ...] | None
    cover: str | None
    hidden: bool
    language: str


async def draw_in_child(picture: PanelPicture) -> bytes | None:
    """The PNG, drawn by a child; None where that fails, for the panel's words matter more."""
    with tempfile.TemporaryDirectory(prefix="albumgen-") as folder:
        out = Path(folder) / "board.png"
        try:
            await run_task("bot.sessions.panel.picture", asdict(picture) | {"out": out}, _DRAWING_SECONDS)
            return await asyncio.to_thread(out.read_bytes)
        except (TaskError, OSError) as error:
            log.warning("no picture for the panel: %s", error)
            return None


def draw(picture: PanelPicture, *, scale: float = SCALE) -> bytes:
    """`panel_svg` as a PNG, `scale` pixels per unit (blocking)."""
    return rasterise(panel_svg(picture, scale=scale), scale)


def panel_svg(picture: PanelPicture, *, scale: float = SCALE) -> str:
    """The SVG of 600 × 420 units (blocking). Where the cover is hidden, the colours are not its own.

    No letter is smaller than 18.4 units: 11 px where a phone shows the picture 360 px wide.
    """
    image = opened(Path(picture.cover) if picture.cover is not None else None)
    sheet = Sheet(palette_of(image or _NEUTRAL), scale, picture.language)
    palette = sheet.palette
    sheet.add(_sleeve(image, sheet, hidden=picture.hidden), _headline(picture, sheet))
    if picture.features is not None:
        for place, (name, value) in enumerate(zip(AUDIO_FEATURES, picture.features, strict=True)):
            row, column = place % 4, place // 4
            sheet.add(_bar(field_label(name, picture.language), value, column, 262 + 33 * row, palette))
    engine = fit(picture.engine, LABEL, WIDTH - 2 * EDGE)
    sheet.add(text_tag(engine, EDGE, HEIGHT - 22, LABEL, palette.muted))
    return sheet.svg(HEIGHT)


def _headline(picture: PanelPicture, sheet: Sheet) -> str:
    """The words beside the cover."""
    x, palette = EDGE + _COVER + 22, sheet.palette
    room = WIDTH - EDGE - x
    chip, chip_x = parts.chip(picture.take, WIDTH - EDGE, EDGE, palette, filled=picture.compared, label=LABEL)
    kicker = fit(picture.kicker, LABEL, chip_x - x - 10, bold=True)
    genre, _, facts = picture.music.partition(" · ")
    size = next((size for size in (30.0, 26.0) if width(picture.title, size, bold=True) <= room), 24.0)
    lines = wrap(picture.title, size, room, 2)
    drawn = [
        chip,
        text_tag(kicker, x, 45, LABEL, palette.accent, bold=True),
        text_tag(fit(picture.submitter, LABEL, room), x, 222, LABEL, palette.muted),
    ]
    below = 92.0 if len(lines) == 2 else 102.0
    for line in lines:
        drawn.append(text_tag(line, x, below, size, palette.text, bold=True))
        below += size + 2
    for words in (genre, facts):
        drawn.append(text_tag(fit(words, 20, room, bold=True), x, below + 4, 20, palette.accent, bold=True))
        below += 27
    return "".join(drawn)


def _sleeve(image: Image.Image | None, sheet: Sheet, *, hidden: bool) -> str:
    if image is not None:
        return sheet.picture(image, EDGE, EDGE, _COVER, "cover")
    drawn = parts.missing_cover(EDGE, EDGE, _COVER, sheet.palette)
    if hidden:
        middle, below = EDGE + _COVER / 2, EDGE + _COVER * 0.555
        ground = sheet.palette.background
        drawn += text_tag("?", middle, below, _COVER * 0.15, ground, bold=True, anchor="middle")
    return drawn


def _bar(label: str, value: float, column: int, y: float, palette: Palette) -> str:
    """An attribute's name and a bar for its value in [0, 1], in the left or right half (column 0, 1)."""
    x = EDGE + column * (WIDTH / 2 - EDGE + 8)
    left, room = x + 162, 98.0
    return (
        text_tag(fit(label, LABEL, 156), x, y, LABEL, palette.muted)
        + parts.rectangle(left, y - 11, room, 9, palette.line, radius=4.5)
        + parts.rectangle(left, y - 11, max(9.0, room * value), 9, palette.accent, radius=4.5)
    )


def _draw_picture(payload: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(payload)
    out = Path(values.pop("out"))
    if values["features"] is not None:
        values["features"] = tuple(values["features"])
    write_durably(out, draw(PanelPicture(**values)))
    return {}


if __name__ == "__main__":
    serve(_draw_picture)
