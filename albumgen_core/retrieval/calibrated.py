"""A describer whose eight attributes are as good as validation says they can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from albumgen_core.albums import SAME_COVER, Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import Describer, Embedder, FractionCallback, ignore_progress
from albumgen_core.retrieval.index import NearestAlbums
from albumgen_core.retrieval.predictor import NeighbourPredictor
from albumgen_core.retrieval.zero_shot import ZeroShotGenres


class CalibratedDescriber:
    """Another describer, with the eight attributes from a `NeighbourPredictor`.

    Artist, genre, key, metre, tempo and mode are the other describer's. Without neighbours (no RAG) all of
    its answer is. A cover that the index itself holds is not predicted: its album's measured attributes are
    the answer.

    Args:
        reader: the describer.
        predictor: calibrated for `embedder` (`albumgen evaluate retrieval --save-calibration`).
        embedder: of the index; one with `embed_texts` where the predictor was calibrated with genres.
        index: where the predictor's neighbours come from; it may want more than the reader is shown.
    """

    def __init__(
        self, reader: Describer, predictor: NeighbourPredictor, embedder: Embedder, index: NearestAlbums
    ) -> None:
        self._reader = reader
        self._predictor = predictor
        self._embedder = embedder
        self._index = index
        self._genres = _zero_shot(predictor, embedder)

    @property
    def name(self) -> str:
        """What is shown as the source of the attributes."""
        return f"{self._reader.name}, calibrated"

    def describe(
        self,
        cover: Cover,
        neighbours: Sequence[Neighbour] | None,
        *,
        seed: int = 0,
        on_progress: FractionCallback = ignore_progress,
    ) -> MusicalAttributes:
        """Predict the attributes. Raises what the reader raises, and IndexUnavailableError."""
        read = self._reader.describe(cover, neighbours, seed=seed, on_progress=on_progress)
        if not neighbours:
            return read
        same = [n for n in neighbours if n.distance is not None and n.distance <= SAME_COVER]
        if same:
            known = same[0].attributes
            features: Mapping[str, Any] = dict(zip(AUDIO_FEATURES, known.features(), strict=True))
        else:
            features = self._predict(cover)
        return read.replace_fields(features)

    def _predict(self, cover: Cover) -> Mapping[str, float]:
        vectors = self._embedder.embed([cover])
        near = self._index.nearest(vectors[0], self._predictor.k) if self._predictor.k else []
        probabilities = None
        if self._genres is not None:
            row = self._genres.probabilities(vectors)[0]
            probabilities = dict(zip(self._genres.genres, map(float, row), strict=True))
        return self._predictor.predict(near, probabilities).features


def _zero_shot(predictor: NeighbourPredictor, embedder: Embedder) -> ZeroShotGenres | None:
    embed_texts: Any = getattr(embedder, "embed_texts", None)
    if predictor.zero_shot is None or predictor.genres is None or embed_texts is None:
        return None
    return ZeroShotGenres.from_dict(predictor.zero_shot, embed_texts)
