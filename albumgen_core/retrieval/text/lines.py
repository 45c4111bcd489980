"""A line of text on a cover, as read."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_LINE_CHARACTERS = 120
"""A longer line is cut: no name of an artist or album is longer."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text and where it stands.

    Attributes:
        text: cleaned by `clean_text`, never empty.
        confidence: of the recognition, in [0, 1].
        corners: top left, top right, bottom right, bottom left of the text as it is read; x and y as shares
            of the cover's width and height, in [0, 1].
        height: of the letters, as a share of the cover's longer side.
        angle: of the baseline in degrees, clockwise, in (-180, 180]; 0 is level, left to right.
    """

    text: str
    confidence: float
    corners: tuple[Point, Point, Point, Point]
    height: float
    angle: float = 0.0

    @property
    def left(self) -> float:
        """Least x of its corners."""
        return min(x for x, _ in self.corners)

    @property
    def right(self) -> float:
        """Greatest x of its corners."""
        return max(x for x, _ in self.corners)

    @property
    def top(self) -> float:
        """Least y of its corners."""
        return min(y for _, y in self.corners)

    @property
    def bottom(self) -> float:
        """Greatest y of its corners."""
        return max(y for _, y in self.corners)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` inverts it up to 4 decimals."""
        return {
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "corners": [[round(x, 4), round(y, 4)] for x, y in self.corners],
            "height": round(self.height, 4),
            "angle": round(self.angle, 1),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TextLine:
        """Inverse of `to_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        first, second, third, fourth = ((float(x), float(y)) for x, y in data["corners"])
        return cls(
            str(data["text"]),
            float(data["confidence"]),
            (first, second, third, fourth),
            float(data["height"]),
            float(data["angle"]),
        )


def clean_text(text: str, limit: int = MAX_LINE_CHARACTERS) -> str:
    """Text without control, format (direction overrides, zero-width) and private characters.

    Combining marks beyond three on one letter are dropped, white space becomes single spaces, and at most
    `limit` characters are kept. May be empty.
    """
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        marks = marks + 1 if category.startswith("M") else 0
        if char.isspace():
            kept.append(" ")
        elif category[0] != "C" and marks <= 3:
            kept.append(char)
    return " ".join("".join(kept).split())[:limit].rstrip()


def line_angle(corners: Sequence[Point], width: int, height: int) -> float:
    """Angle of the baseline in degrees, for corners as in `TextLine` on a picture of `width` × `height`."""
    (x0, y0), (x1, y1) = corners[0], corners[1]
    return math.degrees(math.atan2((y1 - y0) * height, (x1 - x0) * width))
