"""Attributes from neighbours that are believed as far as they have earned it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.errors import CalibrationError
from albumgen_core.files import write_durably
from albumgen_core.retrieval.calibration import GENRE, Blend, blend
from albumgen_core.retrieval.genre_prior import GenrePrior

NO_SIGNAL = (
    "On validation, covers did not tell how albums sound: with retrieval, attributes are the usual values."
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted attributes and what they rest on.

    Attributes:
        features: the eight attributes by name, each in [0, 1].
        usual: names of those that are the prior alone, because nothing better was found on validation.
        expected_error: mean absolute error on validation, by name.
        notice: one sentence when no attribute rests on this cover at all, else "".
    """

    features: Mapping[str, float]
    usual: tuple[str, ...]
    expected_error: Mapping[str, float]
    notice: str


class NeighbourPredictor:
    """Predicts the eight attributes of a cover from its neighbours and, where there is one, its genre.

    Args:
        blends: one for every attribute, from `calibration.calibrate`.
        medians: float64 (8,), the training albums' medians: the usual values.
        embedder: name of the embedder whose neighbours it was calibrated on.
        genres: typical attributes by genre, or None when it was calibrated without genres.
        zero_shot: the `ZeroShotGenres` it was calibrated with, as `to_dict` gives it, or None.
    """

    def __init__(
        self,
        blends: Mapping[str, Blend],
        medians: NDArray[np.float64],
        embedder: str,
        genres: GenrePrior | None = None,
        zero_shot: Mapping[str, Any] | None = None,
    ) -> None:
        missing = [name for name in AUDIO_FEATURES if name not in blends]
        if missing:
            raise ValueError(f"there is no blend for {missing[0]}")
        self.blends = dict(blends)
        self.medians = np.asarray(medians, np.float64)
        self.embedder = embedder
        self.genres = genres
        self.zero_shot = zero_shot

    @property
    def k(self) -> int:
        """Neighbours to retrieve for a prediction; 0 when none are believed."""
        return max(blend.k for blend in self.blends.values())

    @property
    def has_signal(self) -> bool:
        """Whether any attribute beats the median baseline on validation."""
        return any(blend.signal for blend in self.blends.values())

    def predict(
        self, neighbours: Sequence[Neighbour], genre_probabilities: Mapping[str, float] | None = None
    ) -> Prediction:
        """Predict from at least `k` neighbours, nearest first, and genre probabilities by name.

        Without neighbours, or without the probabilities a blend was calibrated with, the usual values
        stand in for what is missing.
        """
        neighbours = [neighbour for neighbour in neighbours if neighbour.distance is not None]
        distances = np.array([[neighbour.distance for neighbour in neighbours]], np.float64)
        values = np.array([[neighbour.attributes.features() for neighbour in neighbours]])
        values = values.reshape(1, len(neighbours), len(AUDIO_FEATURES))
        by_genre = self._by_genre(genre_probabilities)
        features = {}
        for column, name in enumerate(AUDIO_FEATURES):
            rule = self.blends[name]
            prior = by_genre if rule.prior == GENRE else self.medians
            answer = blend(
                distances,
                values[:, :, column : column + 1],
                prior[None, column : column + 1],
                k=rule.k,
                bandwidth=rule.bandwidth,
                strength=rule.strength,
            )
            features[name] = float(np.clip(answer[0, 0], 0.0, 1.0))
        return Prediction(
            features=features,
            usual=tuple(name for name in AUDIO_FEATURES if not self.blends[name].signal),
            expected_error={name: self.blends[name].error for name in AUDIO_FEATURES},
            notice="" if self.has_signal else NO_SIGNAL,
        )

    def _by_genre(self, probabilities: Mapping[str, float] | None) -> NDArray[np.float64]:
        if self.genres is None or probabilities is None:
            return self.medians
        return np.asarray(self.genres.expect(self.genres.row(probabilities))[0])

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        data: dict[str, Any] = {
            "embedder": self.embedder,
            "medians": dict(zip(AUDIO_FEATURES, map(float, self.medians), strict=True)),
            "blends": {name: rule.to_dict() for name, rule in self.blends.items()},
            "genres": None if self.genres is None else json.loads(self.genres.to_json()),
            "zero_shot": self.zero_shot,
        }
        write_durably(path, json.dumps(data, indent=1).encode(), private=False)

    @classmethod
    def load(cls, path: Path, *, embedder: str) -> NeighbourPredictor:
        """Inverse of `save`. Raises CalibrationError when it is missing, damaged or another embedder's."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            genres, softmax = data["genres"], data["zero_shot"]
            if softmax is not None and not {"scale", "trust", "base_rates"} <= set(softmax):
                raise ValueError("no scale, trust or base rates")
            found = cls(
                {name: Blend.from_dict(rule) for name, rule in data["blends"].items()},
                np.array([data["medians"][name] for name in AUDIO_FEATURES]),
                str(data["embedder"]),
                None if genres is None else GenrePrior.from_json(json.dumps(genres)),
                softmax,
            )
        except OSError as error:
            raise CalibrationError(f"{path} cannot be read ({error.strerror}).") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CalibrationError(f"{path} is no calibration of AlbumGen.") from error
        if found.embedder != embedder:
            raise CalibrationError(f"{path} was calibrated for {found.embedder}, not for {embedder}.")
        return found
