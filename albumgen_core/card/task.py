"""The process that draws the chart of a comparison from two result folders. See `albumgen_core.tasks.child`.

Drawing takes a few tenths of a second that an event loop does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import soundfile

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.card.comparison import render_comparison
from albumgen_core.card.content import CardContent
from albumgen_core.cover.read import load_checked_cover
from albumgen_core.errors import AlbumGenError
from albumgen_core.files import write_durably
from albumgen_core.result import CLIP_OGG, COVER, read_document
from albumgen_core.tasks.child import serve


def _content(folder: Path, language: str) -> CardContent:
    """What the result's folder tells, without its neighbours. Raises AlbumGenError."""
    try:
        document = read_document(folder)
        samples, rate = soundfile.read(folder / CLIP_OGG, dtype="float32", always_2d=True)
        return CardContent(
            cover=load_checked_cover(folder / COVER),
            attributes=MusicalAttributes.from_dict(document["attributes"]),
            audio=Audio(samples.T.copy(), int(rate)),
            family=document["engine"]["family"],
            seed=int(document["seed"]),
            seconds=float(document["seconds"]),
            language=language,
        )
    except (ValueError, KeyError, soundfile.LibsndfileError) as error:
        raise AlbumGenError(f"The result in {folder} is damaged: {error}") from error


def _handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    language = str(payload["language"])
    left, right = (_content(Path(folder), language) for folder in payload["folders"])
    first, second = payload["names"]
    write_durably(Path(payload["out"]), render_comparison(left, right, names=(first, second)))
    return {}


if __name__ == "__main__":
    serve(_handle)
