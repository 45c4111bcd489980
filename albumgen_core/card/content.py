"""What a card shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from albumgen_core.albums import Album, Neighbour
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import Cover
from albumgen_core.vocabulary import Family


@dataclass(frozen=True, slots=True, eq=False)
class CardContent:
    """Everything a card is drawn from.

    Attributes:
        cover: the picture.
        attributes: what was read from it.
        neighbours: the retrieved albums, nearest first; the first five are shown.
        thumbnails: their covers, in the same order, as JPEG or PNG bytes or pictures; None, or a shorter
            sequence, where there is none.
        audio: the clip, for its waveform, or None.
        family: engine family, shown as a label.
        seed: of the composition.
        seconds: length of the clip.
        prompt: the text for the composer; as much of it as fits is shown.
        rag: whether the attributes were reasoned from the neighbours.
        reads: artist and title that were recognised in the words on the cover, "" where nobody was.
        album: the album whose cover this is, or None where that is not known.
        language: of the words, "en" or "de".
    """

    cover: Cover
    attributes: MusicalAttributes
    neighbours: Sequence[Neighbour] = ()
    thumbnails: Sequence[bytes | Image.Image | None] = ()
    audio: Audio | None = None
    family: Family = "sketch"
    seed: int = 0
    seconds: float = 0.0
    prompt: str = ""
    rag: bool = False
    reads: str = ""
    album: Album | None = None
    language: str = "en"
