"""Reading the words on a cover with PP-OCRv6, whose models come inside the rapidocr package.

Detection finds lines, an orientation classifier turns those that stand on their head, and recognition reads
them. A texture can look like hundreds of lines, so only the largest are recognised, and none that is much
longer than a line of large print: the cost of a cover is bounded whatever it shows.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumgen_core.cover.read import Cover
from albumgen_core.retrieval.text.lines import Point, TextLine, clean_text, line_angle

READER = "rapidocr PP-OCRv6 small"

MAX_LINES = 24
"""Lines recognised on one cover, the largest first."""

MAX_ASPECT = 25.0
"""A line wider than this many times its height is not recognised."""

MIN_CONFIDENCE = 0.5
"""Lines read with less confidence than this are not text, or not legible."""

_TURN = 0.9
"""How sure the orientation classifier has to be before a line is turned."""

_SIDE = 640
"""Longest side at which covers are read, in pixels; that of a checked cover."""

# A recognition width of 96 pixels, to which short lines are padded, reads 482 covers as well as the usual 320
# and takes half the time.
_PARAMS = {
    "Global.log_level": "error",
    "Det.limit_type": "max",
    "Det.limit_side_len": _SIDE,
    "Det.thresh": 0.2,
    "Det.box_thresh": 0.35,
    "Det.max_candidates": 300,
    "Cls.cls_thresh": _TURN,
    "Rec.rec_img_shape": [3, 48, 96],
}


class CoverReader:
    """Reads lines of text from covers; its models load on first use (about half a second).

    Safe to use from several threads, one cover at a time.
    """

    name = READER

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def read(self, cover: Cover) -> list[TextLine]:
        """The lines on a cover, from top to bottom; [] where there are none.

        The same for the same picture. At most `MAX_LINES`, each of at least `MIN_CONFIDENCE`.
        """
        with self._lock:
            picture = _enlarged(np.asarray(cover.image.convert("RGB"))[:, :, ::-1])
            found = self._engine.text_det(picture)
            if found.boxes is None:
                return []
            boxes = _largest(np.asarray(found.boxes, np.float32), found.scores)
            if not len(boxes):
                return []
            crops = self._engine.crop_text_regions(picture, boxes)
            upright, turned = self._upright(crops)
            read = self._engine.recognize_txt(upright)
        height, width = picture.shape[:2]
        lines = [
            _line(text, float(score), box, over, width, height)
            for text, score, box, over in zip(read.txts, read.scores, boxes, turned, strict=True)
            if score >= MIN_CONFIDENCE and clean_text(text)
        ]
        return sorted(lines, key=lambda line: (line.top + line.bottom, line.left))

    def _upright(self, crops: list[Any]) -> tuple[list[Any], list[bool]]:
        """Crops with those on their head turned, and which were."""
        upright, result = self._engine.cls_and_rotate(crops)
        return upright, [label == "180" and score > _TURN for label, score in result.cls_res]

    @cached_property
    def _engine(self) -> Any:
        # Imported on first use: OpenCV and onnxruntime take half a second, and most processes never read.
        from rapidocr import RapidOCR

        engine: Any = RapidOCR(params=_PARAMS)
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        engine._load_det_model()
        engine._load_cls_model()
        engine._load_rec_model()
        return engine


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Small pictures at the size at which the models read best; BGR, uint8 (h, w, 3)."""
    import cv2

    scale = _SIDE / max(picture.shape[:2])
    if scale <= 1.0:
        return np.ascontiguousarray(picture)
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_CUBIC))


def _largest(boxes: NDArray[np.float32], scores: Sequence[float]) -> NDArray[np.float32]:
    """The `MAX_LINES` boxes with the most area for their score, without those too long to be a line."""
    wide = np.linalg.norm(boxes[:, 0] - boxes[:, 1], axis=1)
    high = np.linalg.norm(boxes[:, 0] - boxes[:, 3], axis=1)
    short, long = np.minimum(wide, high), np.maximum(wide, high)
    rank = np.argsort(-(wide * high * np.asarray(scores)), kind="stable")
    return boxes[[row for row in rank if long[row] <= MAX_ASPECT * short[row]][:MAX_LINES]]


def _line(
    text: str, score: float, box: NDArray[np.float32], turned: bool, width: int, height: int
) -> TextLine:
    wide, high = math.dist(box[0], box[1]), math.dist(box[0], box[3])
    corners: list[Point] = [(float(x) / width, float(y) / height) for x, y in box]
    if high >= 1.5 * wide:  # rapidocr turns a standing crop a quarter counter-clockwise before it is read
        corners = [*corners[1:], corners[0]]
        wide, high = high, wide
    if turned:
        corners = [*corners[2:], *corners[:2]]
    first, second, third, fourth = corners
    return TextLine(
        clean_text(text),
        min(1.0, score),
        (first, second, third, fourth),
        high / max(width, height),
        line_angle(corners, width, height),
    )
