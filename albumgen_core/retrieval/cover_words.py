"""What a cover says in words, and which albums that leads to."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from albumgen_core.albums import Album, Neighbour
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.retrieval.catalogue.store import CatalogueStore
from albumgen_core.retrieval.text.lines import TextLine
from albumgen_core.retrieval.text.names import name_key
from albumgen_core.retrieval.text.reader import CoverReader
from albumgen_core.retrieval.words import ACCEPTED, Basis, WordsPrediction, WordsPredictor

MOST_SHOWN = 3
"""Lines shown where no name was recognised, the largest."""

_KEPT = 64
_MOST_ALBUMS = 50


@dataclass(frozen=True, slots=True)
class CoverReading:
    """The words of a cover, and what they name.

    Attributes:
        lines: as read, from top to bottom.
        basis: what `features` rest on; see `retrieval.words.WordsPrediction`.
        confidence: how sure that is, in [0, 1].
        features: the eight attributes by name, each in [0, 1].
        artist, title: in the catalogue's spelling, "" where they were not recognised.
        album: what was measured of the recognised album, or None.
        neighbours: the recognised album and others by the recognised artist, likeliest first.
    """

    lines: Sequence[TextLine]
    basis: Basis
    confidence: float
    features: Mapping[str, float]
    artist: str = ""
    title: str = ""
    album: MeasuredAttributes | None = None
    neighbours: Sequence[Neighbour] = field(default=())

    @property
    def shown(self) -> str:
        """What the cover reads: artist and title where recognised, else its largest lines; "" without any."""
        if self.artist:
            return ", ".join(filter(None, (self.artist, self.title)))
        largest = sorted(self.lines, key=lambda line: -line.height)[:MOST_SHOWN]
        return " · ".join(line.text for line in self.lines if line in largest)

    @property
    def sentence(self) -> str:
        """What the prediction rests on and how sure it is."""
        sure = f"{min(self.confidence, 0.99):.0%} sure"
        if self.basis == "album":
            return f"The cover names “{self.shown}”, whose measured values are known ({sure})."
        if self.basis == "artist":
            others = sum(neighbour.reason == "artist" for neighbour in self.neighbours)
            albums = "1 album" if others == 1 else f"{others} albums"
            return f"The cover names {self.artist}, of whom the catalogue has {albums} ({sure})."
        if self.basis == "label":
            return "Nobody on the cover was recognised, but there is a parental advisory label."
        return "Nobody on the cover was recognised, so the usual values are the starting point."

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, for result.json."""
        return {
            "lines": [line.to_dict() for line in self.lines],
            "shown": self.shown,
            "artist": self.artist,
            "title": self.title,
            "basis": self.basis,
            "confidence": round(self.confidence, 4),
            "sentence": self.sentence,
            "features": {name: round(value, 4) for name, value in self.features.items()},
        }


class WordsOnCovers:
    """Reads covers and looks their words up; remembers the last covers, and may be used by several threads.

    Args:
        catalogue: where names are looked up, or None: then nobody is recognised.
        predictor: how matches become attributes.
        reader: the OCR.
    """

    def __init__(
        self,
        catalogue: CatalogueStore | None,
        predictor: WordsPredictor | None = None,
        reader: CoverReader | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._predictor = predictor if predictor is not None else WordsPredictor.shipped()
        self._reader = reader if reader is not None else CoverReader()
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, CoverReading] = OrderedDict()

    def read(self, cover: Cover) -> CoverReading:
        """What `cover` says. Raises CatalogueError where the catalogue is damaged."""
        with self._lock:
            if cover.sha256 in self._kept:
                self._kept.move_to_end(cover.sha256)
                return self._kept[cover.sha256]
            reading = self.look_up(self._reader.read(cover))
            self._kept[cover.sha256] = reading
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return reading

    def look_up(self, lines: Sequence[TextLine]) -> CoverReading:
        """What these lines name."""
        if self._catalogue is None:
            found = self._predictor.without_catalogue(lines)
            return CoverReading(lines, found.basis, found.confidence, found.features)
        found = self._predictor.predict(self._catalogue.catalogue, lines)
        return _reading(self._catalogue, lines, found)


def nothing_read(_cover: Cover) -> CoverReading:
    """The reading of a cover whose words are not looked at: the usual values."""
    found = WordsPredictor.shipped().without_catalogue(())
    return CoverReading((), found.basis, found.confidence, found.features)


def _reading(store: CatalogueStore, lines: Sequence[TextLine], found: WordsPrediction) -> CoverReading:
    match = found.match
    if match is None or match.probability < ACCEPTED:
        return CoverReading(lines, found.basis, found.confidence, found.features)
    recognised = match.album if found.basis == "album" else -1
    numbers = [int(album) for album in store.catalogue.artist_albums[match.artist]][:_MOST_ALBUMS]
    others = store.albums([number for number in numbers if number != recognised])
    own: Album | None = store.album(recognised) if recognised >= 0 else None
    neighbours = [Neighbour(album, None, "artist") for album in others]
    return CoverReading(
        lines,
        found.basis,
        found.confidence,
        found.features,
        artist=store.catalogue.artists[match.artist],
        title=own.title if own is not None else "",
        album=own.attributes if own is not None else None,
        neighbours=[Neighbour(own, None, "album"), *neighbours] if own is not None else neighbours,
    )


def fuse(
    look: Sequence[Neighbour],
    name: Sequence[Neighbour],
    k: int,
    share: float,
    without: Neighbour | None = None,
) -> list[Neighbour]:
    """At most `k` neighbours: those found by name first, in `share` of the places, then those alike in look.

    What one list lacks, the other fills. An album that both hold is shown once, with its distance and the
    reason of its name; the album of `without` is not shown.
    """

    def key(neighbour: Neighbour) -> tuple[str, str]:
        return name_key(neighbour.album.artist), name_key(neighbour.album.title)

    seen = {key(neighbour): neighbour.distance for neighbour in look}
    keys = {key(neighbour) for neighbour in name}
    named = [Neighbour(n.album, seen.get(key(n)), n.reason) for n in name]
    if without is not None:
        named = [neighbour for neighbour in named if key(neighbour) != key(without)]
    alike = [neighbour for neighbour in look if key(neighbour) not in keys]
    places = max(round(k * share), k - len(alike))
    chosen = named[:places]
    return [*chosen, *alike[: k - len(chosen)]]
