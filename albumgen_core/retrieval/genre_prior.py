"""What music of each genre usually measures: the prior that neighbours have to argue against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES

SHIPPED = "genre_statistics.json"
_SHRINKAGE = 20.0
"""A genre's centre counts as much as the overall one once it rests on this many albums."""


@dataclass(frozen=True, slots=True, eq=False)
class GenrePrior:
    """Typical attributes by genre.

    Attributes:
        genres: names, in AlbumGen's vocabulary.
        centres: float64 (genres, 8), each genre's medians drawn towards the overall ones by how few its
            albums are; columns in the order of `AUDIO_FEATURES`.
        counts: how many albums each genre's centre rests on.
        overall: float64 (8,), the medians over all albums, those without a genre included.
        source: where the figures come from, in words.
    """

    genres: tuple[str, ...]
    centres: NDArray[np.float64]
    counts: tuple[int, ...]
    overall: NDArray[np.float64]
    source: str = ""

    @classmethod
    def from_albums(cls, albums: Sequence[Album], source: str = "") -> GenrePrior:
        """Count it from measured albums. Raises ValueError for none.

        Medians, because they are the constants with the least absolute error.
        """
        if not albums:
            raise ValueError("a prior needs at least one album")
        features = np.array([album.attributes.features() for album in albums])
        overall = np.median(features, axis=0)
        rows: dict[str, list[int]] = {}
        for row, album in enumerate(albums):
            if album.attributes.album_genre is not None:
                rows.setdefault(album.attributes.album_genre, []).append(row)
        genres = tuple(sorted(rows))
        centres = [
            _shrunk(np.median(features[rows[genre]], axis=0), len(rows[genre]), overall) for genre in genres
        ]
        table = np.array(centres).reshape(len(genres), len(AUDIO_FEATURES))
        return cls(genres, table, tuple(len(rows[genre]) for genre in genres), overall, source)

    @classmethod
    def shipped(cls) -> GenrePrior:
        """The statistics that come with AlbumGen, counted from MusicOSet's 12,741 albums."""
        return cls.from_json(resources.files(__package__).joinpath(SHIPPED).read_text(encoding="utf-8"))

    def recentred(self, overall: NDArray[np.float64]) -> GenrePrior:
        """The same differences between genres around other overall medians.

        One collection is sadder or louder than another as a whole; how metal differs from folk carries over.
        """
        moved = np.clip(self.centres - self.overall + overall, 0.0, 1.0)
        return GenrePrior(self.genres, moved, self.counts, np.asarray(overall, np.float64), self.source)

    def informed_by(self, albums: Sequence[Album]) -> GenrePrior:
        """These centres, recentred on a collection of one's own and drawn towards its own genres' medians.

        A genre of which the collection has 20 albums is half its own and half this prior's. Genres that this
        prior does not know stay unknown. Raises ValueError for no album.
        """
        own = GenrePrior.from_albums(albums, f"{self.source}; and {len(albums):,} albums of the collection")
        moved = self.recentred(own.overall)
        features = np.array([album.attributes.features() for album in albums])
        genres = np.array([album.attributes.album_genre or "" for album in albums])
        centres, counts = moved.centres.copy(), list(moved.counts)
        for column, genre in enumerate(self.genres):
            inside = genres == genre
            if inside.any():
                centres[column] = _shrunk(
                    np.median(features[inside], axis=0), int(inside.sum()), centres[column]
                )
                counts[column] += int(inside.sum())
        return GenrePrior(self.genres, centres, tuple(counts), own.overall, own.source)

    def expect(self, distribution: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected attributes, float64 (n, 8), under genre probabilities (n, genres).

        What a row lacks of 1 goes to the overall medians, so a row of zeros means "no idea".
        """
        rest = np.clip(1.0 - distribution.sum(axis=1, keepdims=True), 0.0, 1.0)
        return np.asarray(distribution @ self.centres + rest * self.overall)

    def one_hot(self, genres: Sequence[str | None]) -> NDArray[np.float64]:
        """Certain genres as probabilities (n, genres); None and strangers are rows of zeros."""
        place = {genre: column for column, genre in enumerate(self.genres)}
        table = np.zeros((len(genres), len(self.genres)))
        for row, genre in enumerate(genres):
            if genre in place:
                table[row, place[genre]] = 1.0
        return table

    def row(self, probabilities: Mapping[str, float]) -> NDArray[np.float64]:
        """Probabilities by name as one row (1, genres); strangers are left out."""
        return np.array([[probabilities.get(genre, 0.0) for genre in self.genres]])

    def to_json(self) -> str:
        """As JSON text; `from_json` inverts it up to 4 decimals."""
        genres = {
            genre: {"albums": count, **_named(centre)}
            for genre, count, centre in zip(self.genres, self.counts, self.centres, strict=True)
        }
        whole = {"source": self.source, "overall": _named(self.overall), "genres": genres}
        return json.dumps(whole, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> GenrePrior:
        """Inverse of `to_json`."""
        data = json.loads(text)
        names = tuple(data["genres"])
        centres = np.array([[data["genres"][name][a] for a in AUDIO_FEATURES] for name in names])
        return cls(
            names,
            centres.reshape(len(names), len(AUDIO_FEATURES)),
            tuple(int(data["genres"][name]["albums"]) for name in names),
            np.array([data["overall"][a] for a in AUDIO_FEATURES]),
            str(data["source"]),
        )


def _shrunk(centre: NDArray[np.float64], count: int, overall: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((count * centre + _SHRINKAGE * overall) / (count + _SHRINKAGE))


def _named(values: NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in zip(AUDIO_FEATURES, values, strict=True)}
