"""Genre from a cover without training: its embedding against those of sentences that name genres.

CLIP places pictures and sentences in one space (Radford et al., 2021, section 3.1); several sentences a
genre, averaged, do better than one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from albumgen_core.attributes.genres import GENRES

PROMPTS: tuple[str, ...] = (
    "the cover of a {} album",
    "album art for {} music",
    "a {} record sleeve",
    "the front cover of a {} LP",
    "a typical {} album cover",
    "artwork of a {} single",
)
"""Sentences that a genre is put into."""

CLIP_SCALE = 100.0
"""The factor on cosines that CLIP was trained to (its logit scale is clipped at 100)."""

_SCALES = (5.0, 10.0, 20.0, 35.0, 50.0, 75.0, 100.0, 150.0)
_TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_FLOOR = 1e-6

TextEmbedder = Callable[[Sequence[str]], NDArray[np.float32]]
"""Embeds sentences in the covers' space: float32 (n, 512), rows of unit L2 norm."""


class ZeroShotGenres:
    """Genre probabilities of covers.

    Args:
        embed_texts: the text half of the model that embedded the covers.
        genres: the genres to choose from.
        scale: factor on the cosines before the softmax, > 0.
        base_rates: how frequent each genre is, positive, (genres,), or None for all alike.
        trust: how far the base rates count, from 0 (not at all) to 1 (Bayes' rule).
    """

    def __init__(
        self,
        embed_texts: TextEmbedder,
        genres: Sequence[str] = GENRES,
        *,
        scale: float = CLIP_SCALE,
        base_rates: NDArray[np.float64] | None = None,
        trust: float = 0.0,
    ) -> None:
        self.genres = tuple(genres)
        sentences = [prompt.format(genre) for genre in self.genres for prompt in PROMPTS]
        texts = embed_texts(sentences).astype(np.float64).reshape(len(self.genres), len(PROMPTS), -1)
        self._texts = texts.mean(axis=1)
        self._texts /= np.linalg.norm(self._texts, axis=1, keepdims=True)
        rates = np.ones(len(self.genres)) if base_rates is None else np.asarray(base_rates, np.float64)
        self._rates = rates
        self._log_rates = np.log(np.maximum(rates / rates.sum(), _FLOOR))
        self.scale, self.trust = scale, trust

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Genre probabilities of covers: float64 (n, genres), rows summing to 1."""
        return self._softmax(vectors, self.scale, self.trust)

    def calibrate(self, vectors: NDArray[np.float32], genres: Sequence[str | None]) -> float:
        """Set scale and trust to what makes the true genres of these covers likeliest.

        Returns the mean negative log-likelihood reached, in nats. Covers whose genre is not known are
        passed over; with none left nothing changes and NaN comes back.
        """
        place = {genre: column for column, genre in enumerate(self.genres)}
        known = [(row, place[genre]) for row, genre in enumerate(genres) if genre in place]
        if not known:
            return float("nan")
        rows, columns = (np.array(part) for part in zip(*known, strict=True))
        best = min(
            (
                float(
                    -np.log(
                        np.maximum(
                            self._softmax(vectors[rows], scale, trust)[np.arange(len(rows)), columns], _FLOOR
                        )
                    ).mean()
                ),
                scale,
                trust,
            )
            for scale in _SCALES
            for trust in _TRUSTS
        )
        likelihood, self.scale, self.trust = best
        return likelihood

    def to_dict(self) -> dict[str, Any]:
        """What the probabilities rest on beside the model, JSON-ready; `from_dict` inverts it."""
        rates = dict(zip(self.genres, map(float, self._rates), strict=True))
        return {"scale": self.scale, "trust": self.trust, "base_rates": rates}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], embed_texts: TextEmbedder) -> ZeroShotGenres:
        """Inverse of `to_dict`, over the same model's text half. Raises ValueError, KeyError or TypeError."""
        rates = {str(genre): float(rate) for genre, rate in data["base_rates"].items()}
        scale, trust = float(data["scale"]), float(data["trust"])
        return cls(
            embed_texts, tuple(rates), scale=scale, base_rates=np.array(list(rates.values())), trust=trust
        )

    def _softmax(self, vectors: NDArray[np.float32], scale: float, trust: float) -> NDArray[np.float64]:
        logits = scale * (vectors.astype(np.float64) @ self._texts.T) + trust * self._log_rates
        logits -= logits.max(axis=1, keepdims=True)
        weights = np.exp(logits)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))
