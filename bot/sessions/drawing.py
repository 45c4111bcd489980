"""Reads covers for the pictures of a session.

Without discord.py, so that a process that draws one picture starts twice as fast.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image


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
