"""Attributes from the words on a cover: the album itself, else its artist's other albums, else the usual.

Every match moves the prediction from the usual values towards what the catalogue knows of it, by its
probability. Which usual values, and how strongly, is fitted on covers of known albums
(`albumgen evaluate words --save`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.errors import CalibrationError
from albumgen_core.files import write_durably
from albumgen_core.retrieval.catalogue.catalogue import Catalogue
from albumgen_core.retrieval.text.fragments import CoverText, cover_text
from albumgen_core.retrieval.text.lines import TextLine
from albumgen_core.retrieval.text.matching import Match, Matcher, read_lines, weigh_candidates

Array = NDArray[np.float64]
Basis = Literal["album", "artist", "label", "usual"]

SHIPPED = "words.json"
SCHEMA = 1

ACCEPTED = 0.5
"""Probability from which a match is said to be the album or the artist."""

_LEAST_PROBABILITY = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """How evidence is weighed.

    Attributes:
        usual: float64 (8,), the median of the albums it was fitted on.
        labelled: float64 (8,), what is added where a parental advisory label is on the cover.
        shrinkage: how many albums of an artist the median of the artist's genre counts as.
        power: a match of probability p moves the prediction by p ** power.
    """

    usual: Array
    labelled: Array
    shrinkage: float
    power: float


@dataclass(frozen=True, slots=True)
class WordsPrediction:
    """Predicted attributes and what they rest on.

    Attributes:
        features: the eight attributes by name, each in [0, 1].
        basis: "album" (recognised, its measured values), "artist" (other albums of theirs), "label" (no name,
            but a parental advisory label), or "usual".
        match: the likeliest match, or None when nothing in the catalogue is spelled like the cover's words.
        confidence: probability of what `basis` says; 1 for "label" and "usual".
    """

    features: Mapping[str, float]
    basis: Basis
    match: Match | None
    confidence: float


def artist_features(
    catalogue: Catalogue, artist: int, weights: Weights, hidden: Collection[int] = frozenset()
) -> Array | None:
    """Median of an artist's albums, drawn towards the genre's; float64 (8,), or None without any album.

    The genre's median is moved as far as the usual values differ from the catalogue's.
    """
    albums = [int(album) for album in catalogue.artist_albums[artist] if int(album) not in hidden]
    if not albums:
        return None
    genres = [genre for album in albums if (genre := int(catalogue.album_genre[album])) >= 0]
    centre = catalogue.genre_medians[max(set(genres), key=genres.count)] if genres else catalogue.median
    centre = np.clip(centre + weights.usual - catalogue.median, 0.0, 1.0)
    own = np.median(catalogue.features[albums], axis=0)
    summed = len(albums) * own + weights.shrinkage * centre
    return np.asarray(summed / (len(albums) + weights.shrinkage), np.float64)


def combine(
    catalogue: Catalogue,
    matches: Sequence[Match],
    weights: Weights,
    *,
    labelled: bool = False,
    hidden: Collection[int] = frozenset(),
    known_albums: bool = True,
) -> Array:
    """The eight attributes, float64 (8,).

    Args:
        hidden: albums whose measured attributes must not be used.
        known_albums: False predicts from artists alone, as if no album were recognised.
    """
    base = weights.usual + (weights.labelled if labelled else 0.0)
    answer = base.copy()
    total = max(1.0, sum(match.probability for match in matches))
    for match in matches:
        if match.probability < _LEAST_PROBABILITY:
            continue
        target = artist_features(catalogue, match.artist, weights, hidden)
        if known_albums and match.album >= 0 and match.album not in hidden:
            share = match.album_probability / match.probability
            measured = catalogue.features[match.album].astype(np.float64)
            target = measured if target is None else share * measured + (1 - share) * target
        if target is not None:
            answer += (match.probability / total) ** weights.power * (target - base)
    return np.clip(answer, 0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class WordsPredictor:
    """Reads a cover's lines against a catalogue.

    Attributes:
        matcher, weights: fitted together.
        source: what they were fitted on, in words.
    """

    matcher: Matcher
    weights: Weights
    source: str = ""

    def match(self, catalogue: Catalogue, text: CoverText) -> list[Match]:
        """Whom the text may name, most likely first."""
        return self.matcher.matches(*weigh_candidates(catalogue, text))

    def predict(self, catalogue: Catalogue, lines: Sequence[TextLine]) -> WordsPrediction:
        """Predict from the lines on a cover; [] gives the usual values."""
        text = read_lines(catalogue, lines)
        matches = self.match(catalogue, text)
        values = combine(catalogue, matches, self.weights, labelled=text.labelled)
        best = matches[0] if matches else None
        basis: Basis = "label" if text.labelled else "usual"
        confidence = 1.0
        if best is not None and best.album_probability >= ACCEPTED:
            basis, confidence = "album", best.album_probability
        elif best is not None and best.probability >= ACCEPTED:
            basis, confidence = "artist", best.probability
        features = dict(zip(AUDIO_FEATURES, map(float, values), strict=True))
        return WordsPrediction(features, basis, best, confidence)

    def without_catalogue(self, lines: Sequence[TextLine]) -> WordsPrediction:
        """Predict from what needs no catalogue: whether there is a parental advisory label."""
        labelled = cover_text(lines).labelled
        values = np.clip(self.weights.usual + (self.weights.labelled if labelled else 0.0), 0.0, 1.0)
        features = dict(zip(AUDIO_FEATURES, map(float, values), strict=True))
        return WordsPrediction(features, "label" if labelled else "usual", None, 1.0)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        weights = {
            key: dict(zip(AUDIO_FEATURES, map(float, value.round(4)), strict=True))
            if isinstance(value, np.ndarray)
            else value
            for key, value in asdict(self.weights).items()
        }
        data = {"schema": SCHEMA, "source": self.source, "weights": weights, **self.matcher.to_dict()}
        write_durably(path, (json.dumps(data, indent=1) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> WordsPredictor:
        """Inverse of `save`. Raises CalibrationError when it is missing or damaged."""
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise CalibrationError(f"{path} cannot be read ({error.strerror}).") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CalibrationError(f"{path} is no calibration of AlbumGen for words on covers.") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WordsPredictor:
        """From the content of the JSON file. Raises KeyError, TypeError or ValueError."""
        if data["schema"] != SCHEMA:
            raise ValueError("another schema")
        weights = data["weights"]
        usual, labelled = (
            np.array([float(weights[key][name]) for name in AUDIO_FEATURES]) for key in ("usual", "labelled")
        )
        rules = Weights(usual, labelled, float(weights["shrinkage"]), float(weights["power"]))
        return cls(Matcher.from_dict(data), rules, str(data["source"]))

    @classmethod
    @cache
    def shipped(cls) -> WordsPredictor:
        """The one that comes with AlbumGen."""
        text = resources.files(__package__).joinpath(SHIPPED).read_text(encoding="utf-8")
        return cls.from_dict(json.loads(text))
