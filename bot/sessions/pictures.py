"""Pictures of a session, drawn like the cards: the board's, and the podium of the recap message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import resvg_py
from PIL import Image

from albumgen_core.card import parts
from albumgen_core.card.lettering import REGULAR, SEMIBOLD, fit, is_bundled, text_tag, width
from albumgen_core.card.palette import Palette, palette_of
from bot.i18n import text
from bot.sessions import wording
from bot.sessions.board import Board, submitter_words, take_words, title_words
from bot.sessions.recap import Placed

WIDTH, BOARD_HEIGHT, PODIUM_HEIGHT = 600, 322, 262
SCALE = 2.0

_EDGE = 24.0
_COVER = 196.0
_MEDALS = {1: "#f2c14e", 2: "#c3cad6", 3: "#e0a27a"}
_NEUTRAL = Image.new("RGB", (8, 8), "#4a3f86")
"""Colours for what is hidden: they must not be the cover's."""


def board_png(board: Board, *, scale: float = SCALE) -> bytes | None:
    """What plays: cover, names, music and its chart (blocking, some 50 ms). None between clips.

    Where the board hides cover and submitter, so does the picture, colours included.
    """
    now = board.now
    if now is None:
        return None
    locale = board.locale
    image = opened(now.cover)
    palette = palette_of(image or _NEUTRAL)
    x = _EDGE + _COVER + 22
    room = WIDTH - _EDGE - x
    kicker = text(locale, "board.now" if now.ends_at is not None else "board.now_paused")
    drawn = [
        _cover(image, _EDGE, 24, _COVER, "cover", palette, scale, hidden=now.cover is None),
        text_tag(kicker, _EDGE, 250, 14, palette.accent, bold=True),
        text_tag(fit(submitter_words(now.submitter, locale), 14, _COVER), _EDGE, 272, 14, palette.muted),
    ]
    title = title_words(now, locale)
    size = next((size for size in (25.0, 21.0) if width(title, size, bold=True) <= room), 18.0)
    drawn.append(text_tag(fit(title, size, room, bold=True), x, 48, size, palette.text, bold=True))
    drawn.append(text_tag(fit(now.music, 14, room, bold=True), x, 72, 14, palette.accent, bold=True))
    if now.features is not None:
        drawn.append(parts.radar([(now.features, palette.accent)], (x + room / 2, 180, 62), palette))
    engine = fit(now.engine, parts.LABEL, room)
    drawn.append(text_tag(engine, WIDTH - _EDGE, 306, parts.LABEL, palette.muted, anchor="end"))
    label = take_words(now, locale)
    chip, _ = parts.chip(label, _EDGE + _COVER - 8, 32, palette, filled=now.takes > 1)
    drawn.append(chip)
    return _png("".join(drawn), BOARD_HEIGHT, palette, scale)


def podium_png(
    places: Sequence[Placed], covers: Mapping[int, Path | None], locale: str, *, scale: float = SCALE
) -> bytes | None:
    """The first three covers beside each other with their places (blocking); None without any.

    Args:
        places: best first; the first three are shown.
        covers: pictures by entry id.
    """
    shown = list(places[:3])
    if not shown:
        return None
    images = [opened(covers.get(placed.result.entry.entry_id)) for placed in shown]
    palette = palette_of(images[0] or _NEUTRAL)
    side = 168.0
    gap = (WIDTH - 2 * _EDGE - 3 * side) / 2
    left = (WIDTH - len(shown) * side - (len(shown) - 1) * gap) / 2
    drawn = []
    for number, (placed, image) in enumerate(zip(shown, images, strict=True)):
        x = left + number * (side + gap)
        result = placed.result
        mean = wording.number(result.tally.mean or 0.0, locale)
        votes = wording.counted(locale, "votes", result.tally.voters)
        title = fit(wording.entry_title(result.entry, locale), 15, side, bold=True)
        drawn += [
            _cover(image, x, 24, side, f"cover{number}", palette, scale),
            f'<circle cx="{x + 10:.1f}" cy="32" r="17" fill="{_MEDALS.get(placed.place, palette.muted)}" '
            f'stroke="{palette.background}" stroke-width="4"/>',
            text_tag(str(placed.place), x + 10, 38, 17, "#17122b", bold=True, anchor="middle"),
            text_tag(title, x, 216, 15, palette.text, bold=True),
            text_tag(mean, x, 240, 16, palette.accent, bold=True),
            text_tag(votes, x + width(mean, 16, bold=True) + 8, 240, 13.5, palette.muted),
        ]
    return _png("".join(drawn), PODIUM_HEIGHT, palette, scale)


def opened(path: Path | None) -> Image.Image | None:
    """A cover that AlbumGen stored, 512 px at the longer side; None where it is gone or damaged."""
    if path is None:
        return None
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as stored:
            stored.draft("RGB", (512, 512))
            image = stored.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    image.thumbnail((512, 512))
    return image


def _cover(
    image: Image.Image | None,
    x: float,
    y: float,
    side: float,
    name: str,
    palette: Palette,
    scale: float,
    *,
    hidden: bool = False,
) -> str:
    if image is not None:
        return parts.picture(image, x, y, side, name, round(side * scale), palette.panel)
    drawn = parts.missing_cover(x, y, side, palette)
    if hidden:
        drawn += text_tag(
            "?", x + side / 2, y + side * 0.555, side * 0.15, palette.background, bold=True, anchor="middle"
        )
    return drawn


def _png(body: str, height: int, palette: Palette, scale: float) -> bytes:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="Inter" xml:space="preserve">'
        f"{parts.rectangle(0, 0, WIDTH, height, palette.background, radius=18)}{body}</svg>"
    )
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            width=round(WIDTH * scale),
            height=round(height * scale),
            skip_system_fonts=is_bundled(svg),
            font_files=[str(REGULAR), str(SEMIBOLD)],
            font_family="Inter",
            sans_serif_family="Inter",
        )
    )
