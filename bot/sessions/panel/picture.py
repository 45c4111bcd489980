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

from albumgen_core.card import parts
from albumgen_core.card.palette import Palette, palette_of
from albumgen_core.card.text_layout import fit, text_tag, width
from albumgen_core.errors import TaskError
from albumgen_core.files import write_durably
from albumgen_core.tasks.child import run_task, serve
from bot.sessions.drawing import opened, svg_png

log = logging.getLogger(__name__)

WIDTH, HEIGHT = 600, 322
SCALE = 2.0

_EDGE, _COVER = 24.0, 196.0
_NAME = _COVER + 76
"""Room for the submitter, up to where the chart's labels begin."""
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
    """The PNG of 600 × 322 units (blocking). Where the cover is hidden, the colours are not its own."""
    image = opened(Path(picture.cover) if picture.cover is not None else None)
    palette = palette_of(image or _NEUTRAL)
    x = _EDGE + _COVER + 22
    room = WIDTH - _EDGE - x
    size = next((size for size in (25.0, 21.0) if width(picture.title, size, bold=True) <= room), 18.0)
    chip, _ = parts.chip(picture.take, _EDGE + _COVER - 8, 32, palette, filled=picture.compared)
    engine = fit(picture.engine, parts.SMALL_LABEL, room)
    drawn = [
        _sleeve(image, palette, scale, hidden=picture.hidden),
        chip,
        text_tag(picture.kicker, _EDGE, 250, 14, palette.accent, bold=True),
        text_tag(fit(picture.submitter, 14, _NAME), _EDGE, 272, 14, palette.muted),
        text_tag(fit(picture.title, size, room, bold=True), x, 48, size, palette.text, bold=True),
        text_tag(fit(picture.music, 14, room, bold=True), x, 72, 14, palette.accent, bold=True),
        text_tag(engine, WIDTH - _EDGE, 306, parts.SMALL_LABEL, palette.muted, anchor="end"),
    ]
    if picture.features is not None:
        shape = [(picture.features, palette.accent)]
        drawn.append(parts.radar(shape, (x + room / 2, 180, 62), palette, picture.language))
    return svg_png("".join(drawn), (WIDTH, HEIGHT), palette, scale)


def _sleeve(image: Image.Image | None, palette: Palette, scale: float, *, hidden: bool) -> str:
    if image is not None:
        return parts.picture(image, _EDGE, 24, _COVER, "cover", round(_COVER * scale), palette.panel)
    drawn = parts.missing_cover(_EDGE, 24, _COVER, palette)
    if hidden:
        middle, below = _EDGE + _COVER / 2, 24 + _COVER * 0.555
        drawn += text_tag("?", middle, below, _COVER * 0.15, palette.background, bold=True, anchor="middle")
    return drawn


def _handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(payload)
    out = Path(values.pop("out"))
    if values["features"] is not None:
        values["features"] = tuple(values["features"])
    write_durably(out, draw(PanelPicture(**values)))
    return {}


if __name__ == "__main__":
    serve(_handle)
