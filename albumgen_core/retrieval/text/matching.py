"""How likely it is that a cover names an artist or an album: two logistic regressions over the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumgen_core.errors import CalibrationError
from albumgen_core.retrieval.catalogue.catalogue import Catalogue, title_pieces
from albumgen_core.retrieval.text.candidates import (
    FEATURES,
    Candidate,
    describe_candidates,
    find_candidates,
)
from albumgen_core.retrieval.text.fragments import CoverText, cover_text
from albumgen_core.retrieval.text.lines import TextLine

Array = NDArray[np.float64]

_LEAST_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class Match:
    """An artist of the catalogue whom a cover may name.

    Attributes:
        artist: number in the catalogue.
        probability: that the album is by this artist, in [0, 1].
        album: number of the album whose title was found, or −1.
        album_probability: that it is that album, in [0, 1]; 0 without one.
        candidate: the evidence.
    """

    artist: int
    probability: float
    album: int
    album_probability: float
    candidate: Candidate


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """A logistic regression on standardised features.

    Attributes:
        weights, mean, scale: of each feature, float64 (features,).
    """

    weights: Array
    bias: float
    mean: Array
    scale: Array

    def __call__(self, table: Array) -> Array:
        """Probabilities, float64 (rows,), of a table (rows, features)."""
        score = (table - self.mean) / self.scale @ self.weights + self.bias
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0))))

    @classmethod
    def fit(cls, table: Array, truth: Array, strength: float) -> Logistic:
        """Fit with an L2 penalty; `strength` is its inverse. Where all truths are one, that is the answer.

        Raises CalibrationError where scikit-learn is not installed.
        """
        try:
            from sklearn.linear_model import LogisticRegression
        except ImportError as error:
            raise CalibrationError(
                "Fitting needs scikit-learn; run `pip install 'albumgen[evaluation]'`."
            ) from error
        mean, scale = table.mean(axis=0), np.maximum(table.std(axis=0), _LEAST_SCALE)
        if len(set(truth.tolist())) < 2:
            return cls(np.zeros(table.shape[1]), 30.0 if truth[0] else -30.0, mean, scale)
        model = LogisticRegression(C=strength, max_iter=3000).fit((table - mean) / scale, truth)
        return cls(model.coef_[0].astype(np.float64), float(model.intercept_[0]), mean, scale)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, by the names of the features."""
        columns = {"weights": self.weights, "mean": self.mean, "scale": self.scale}
        named = {key: dict(zip(FEATURES, map(float, v.round(6)), strict=True)) for key, v in columns.items()}
        return {**named, "bias": round(self.bias, 6)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Logistic:
        """Inverse of `to_dict`. Raises KeyError when a feature is missing."""
        weights, mean, scale = (
            np.array([data[key][name] for name in FEATURES]) for key in ("weights", "mean", "scale")
        )
        return cls(weights, float(data["bias"]), mean, scale)


@dataclass(frozen=True, slots=True, eq=False)
class Matcher:
    """Both regressions: for the artist, and for the album whose title was found."""

    artist: Logistic
    album: Logistic

    def matches(self, candidates: Sequence[Candidate], table: Array) -> list[Match]:
        """Candidates with their probabilities, most likely first."""
        if not candidates:
            return []
        named, titled = self.artist(table), self.album(table)
        found = [
            Match(c.artist, float(p), c.album, float(min(p, q)) if c.album >= 0 else 0.0, c)
            for c, p, q in zip(candidates, named, titled, strict=True)
        ]
        return sorted(found, key=lambda match: (-match.probability, match.artist))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"artist": self.artist.to_dict(), "album": self.album.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Matcher:
        """Inverse of `to_dict`."""
        return cls(Logistic.from_dict(data["artist"]), Logistic.from_dict(data["album"]))


def read_lines(catalogue: Catalogue, lines: Sequence[TextLine]) -> CoverText:
    """A cover's lines, taken apart with what the catalogue knows."""
    names, titles = catalogue.names.position, catalogue.titles.position
    return cover_text(lines, lambda text: text in names or text in titles)


def weigh_candidates(
    catalogue: Catalogue,
    text: CoverText,
    hidden: Collection[int] = frozenset(),
    hidden_titles: Sequence[Sequence[str]] = (),
) -> tuple[list[Candidate], Array]:
    """Candidates and their evidence, float64 (candidates, len(FEATURES)).

    Albums in `hidden` count as not in the catalogue; `hidden_titles` are the words of their titles.
    """
    candidates = find_candidates(catalogue, text, hidden)
    pieces = Counter(piece for title in hidden_titles for piece in title_pieces(title))
    return candidates, describe_candidates(catalogue, text, candidates, hidden, pieces)
