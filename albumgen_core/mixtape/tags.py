"""A mixtape's ID3v2.3 tag: title, chapters, and a picture for each of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mutagen.id3
from PIL import Image

from albumgen_core.audio.tags import ENCODER
from albumgen_core.card.text_layout import clean
from albumgen_core.mixtape.values import Chapter

# mutagen's frames carry annotations in part only, which a strict checker refuses.
_id3: Any = mutagen.id3

_PICTURE = 300


def tape_tag(title: str, chapters: Sequence[Chapter], pictures: Sequence[bytes | None]) -> bytes:
    """ID3v2.3 with CTOC and CHAP frames; each with its picture, where one is given."""
    tag = _id3.ID3()
    text = {"encoding": _id3.Encoding.UTF16}
    names = [f"chp{number}" for number in range(len(chapters))]
    tag.add(_id3.TIT2(**text, text=clean(title)[:200] or "AlbumGen"))
    tag.add(_id3.TPE1(**text, text="AlbumGen"))
    tag.add(_id3.TSSE(**text, text=ENCODER))
    tag.add(_id3.TLEN(**text, text=str(chapters[-1].end_ms)))
    flags = _id3.CTOCFlags.TOP_LEVEL | _id3.CTOCFlags.ORDERED
    tag.add(_id3.CTOC(element_id="toc", flags=flags, child_element_ids=names, sub_frames=[]))
    for number, (name, chapter) in enumerate(zip(names, chapters, strict=True)):
        inner = [_id3.TIT2(**text, text=chapter.title)]
        picture = pictures[number] if number < len(pictures) else None
        if picture is not None:
            inner.append(_front(picture))
        tag.add(
            _id3.CHAP(
                element_id=name,
                start_time=chapter.start_ms,
                end_time=chapter.end_ms,
                # No byte offsets: players are to seek by time.
                start_offset=0xFFFFFFFF,
                end_offset=0xFFFFFFFF,
                sub_frames=inner,
            )
        )
    first = next((picture for picture in pictures if picture is not None), None)
    if first is not None:
        tag.add(_front(first))
    buffer = io.BytesIO()
    tag.save(buffer, v1=0, v2_version=3, padding=lambda _info: 0)
    return buffer.getvalue()


def _front(picture: bytes) -> Any:
    return _id3.APIC(
        encoding=_id3.Encoding.LATIN1,
        mime="image/jpeg",
        type=_id3.PictureType.COVER_FRONT,
        desc="Cover",
        data=picture,
    )


def small_picture(path: Path | None, pixels: int = _PICTURE) -> bytes | None:
    """A small JPEG of a cover, `pixels` at its longer side; None where there is none that can be read."""
    if path is None:
        return None
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture.thumbnail((pixels, pixels))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
