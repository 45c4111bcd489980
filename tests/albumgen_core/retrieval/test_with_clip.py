"""The index and the predictor on the neural embedder's own code, with a tiny checkpoint of random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from albumgen_core.dataset.folder import read_folder
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.engines.neural.clip import ClipEmbedder
from albumgen_core.errors import IndexUnavailableError
from albumgen_core.evaluation.retrieval import evaluate_retrieval
from albumgen_core.evaluation.retrieval_split import PREDICTOR
from albumgen_core.retrieval import AlbumIndex, build_index
from albumgen_core.retrieval.genre_prior import GenrePrior
from albumgen_core.retrieval.zero_shot import ZeroShotGenres
from tests.albumgen_core.retrieval.helpers import EMBEDDER, ColourEmbedder, draw_covers
from tests.checkpoints import clip


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> ClipEmbedder:
    return ClipEmbedder(clip.build(tmp_path_factory.mktemp("clip") / "tiny"), device="cpu")


def test_covers_find_themselves_and_spaces_stay_apart(embedder: ClipEmbedder, tmp_path: Path) -> None:
    covers = draw_covers(tmp_path / "covers", 20)
    source = read_folder(covers)
    build_index(source, ColourEmbedder(), tmp_path / "index")
    with pytest.raises(IndexUnavailableError, match=f"was built with {EMBEDDER}, not with "):
        AlbumIndex.open(tmp_path / "index", embedder_name=embedder.name)
    build_index(source, embedder, tmp_path / "index")
    with AlbumIndex.open(tmp_path / "index", embedder_name=embedder.name) as index:
        for name in ("cover-0000.jpg", "cover-0013.jpg"):
            vector = embedder.embed([load_cover(covers / name)])
            assert index.nearest(vector)[0].album.album_id == name


def test_genres_come_from_its_text_tower_and_reach_the_predictor(
    embedder: ClipEmbedder, tmp_path: Path
) -> None:
    source = read_folder(draw_covers(tmp_path / "covers", 60))
    vectors = embedder.embed([load_cover(record.cover) for record in source if record.cover])
    prior = GenrePrior.shipped()
    zero_shot = ZeroShotGenres(embedder.embed_texts, prior.genres)
    probabilities = zero_shot.probabilities(vectors)
    assert probabilities.shape == (60, len(prior.genres))
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(60))
    evaluation = evaluate_retrieval(
        source.records, vectors, embedder=embedder.name, splits=2, zero_shot=zero_shot, genre_prior=prior
    )
    assert 0 < evaluation.mean_absolute(PREDICTOR).mean < 0.5
