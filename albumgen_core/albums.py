"""Albums and their measured attributes, as data sets hold them and the index returns them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from albumgen_core.attributes.measured import MeasuredAttributes

Reason = Literal["look", "artist", "album"]

_UNNAMED = frozenset({"", "unknown", "unknown artist", "various artists"})


def is_named(artist: str) -> bool:
    """Whether an artist's name says who it is."""
    return artist.strip().casefold() not in _UNNAMED


SAME_COVER = 0.1
"""L2 distance up to which two covers are the same picture, perhaps saved again or at another size.

Of 80 covers saved as small or poor JPEGs the sketch embedder finds 90 % within 0.08; of 482 covers no two
different ones are nearer than 0.26.
"""


@dataclass(frozen=True, slots=True)
class Album:
    """One album of the index, as retrieved.

    Attributes:
        album_id: stable identifier, unique in its index.
        title, artist: as its source writes them.
        attributes: its measured attributes (means over its tracks); key, metre, genre, mode and tempo may
            be None, because most data sets do not know them all.
        year: year of release, when known.
    """

    album_id: str
    title: str
    artist: str
    attributes: MeasuredAttributes
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An album that is kin to a cover.

    Attributes:
        album: the album.
        distance: L2 distance between the unit embeddings, in [0, 2] (Chroma's squared value, rooted); None
            for an album that was found by a name on the cover alone.
        reason: why it is here: its cover looks alike, it is by the artist named on the cover, or it is the
            album named there.
    """

    album: Album
    distance: float | None
    reason: Reason = "look"

    @property
    def attributes(self) -> MeasuredAttributes:
        """The album's measured attributes."""
        return self.album.attributes
