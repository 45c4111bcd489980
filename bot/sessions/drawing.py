"""What the pictures of a session share: covers that are read, and drawings that become PNGs.

Without discord.py, so that a process that draws one picture starts twice as fast.
"""

from __future__ import annotations

from pathlib import Path

import resvg_py
from PIL import Image

from albumgen_core.card import parts
from albumgen_core.card.fonts import REGULAR, SEMIBOLD
from albumgen_core.card.palette import Palette
from albumgen_core.card.text_layout import is_bundled


def opened(path: Path | None) -> Image.Image | None:
    """A stored cover, 512 px at the longer side; None where it is gone or damaged."""
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


def svg_png(body: str, size: tuple[int, int], palette: Palette, scale: float) -> bytes:
    """SVG elements on a rounded ground of `size` units (width, height), `scale` pixels each (blocking)."""
    width, height = size
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="Inter" xml:space="preserve">'
        f"{parts.rectangle(0, 0, width, height, palette.background, radius=18)}{body}</svg>"
    )
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            width=round(width * scale),
            height=round(height * scale),
            skip_system_fonts=is_bundled(svg),
            font_files=[str(REGULAR), str(SEMIBOLD)],
            font_family="Inter",
            sans_serif_family="Inter",
        )
    )
