from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.errors import DatasetError
from albumgen_core.evaluation.retrieval import RetrievalEvaluation, evaluate_retrieval
from albumgen_core.evaluation.retrieval_report import verdict, write_report
from albumgen_core.evaluation.retrieval_split import (
    CHOSEN,
    GENRE_MEDIAN,
    KNN,
    MEAN,
    MEDIAN_BASELINE,
    PREDICTOR,
    RANDOM,
)
from tests.albumgen_core.retrieval.helpers import random_vectors
from tests.albumgen_core.retrieval.test_predictor import collection

SPLITS = 8


@pytest.fixture(scope="module")
def telling() -> RetrievalEvaluation:
    return evaluate_retrieval(*collection(), embedder="telling covers", splits=SPLITS)


@pytest.fixture(scope="module")
def silent() -> RetrievalEvaluation:
    return evaluate_retrieval(*collection(signal=False), embedder="silent covers", splits=SPLITS)


def test_covers_that_tell_are_found_to_tell(telling: RetrievalEvaluation) -> None:
    assert telling.nearest_against_random(5).high < 0
    assert telling.against(CHOSEN).high < 0
    assert telling.against(PREDICTOR).high < 0
    assert telling.mean_absolute(PREDICTOR).mean <= telling.mean_absolute(CHOSEN).mean * 1.02
    assert min(telling.signal.values()) == 1.0
    assert telling.chosen_k < 50
    assert "sound somewhat alike" in " ".join(verdict(telling))


def test_covers_that_do_not_are_found_silent(silent: RetrievalEvaluation) -> None:
    chance = silent.nearest_against_random(5)
    assert chance.low < 0 < chance.high
    assert abs(silent.against(PREDICTOR).mean) < 0.002
    assert max(silent.signal.values()) <= 0.25
    words = " ".join(verdict(silent))
    assert "nothing that can be measured" in words
    assert "finds no attribute on which covers can be believed" in words
    assert silent.against(GENRE_MEDIAN).high < 0  # the genre, had it been known, would have told


def test_random_neighbours_follow_the_law_of_no_signal(silent: RetrievalEvaluation) -> None:
    """Squared error of a mean of k strangers is variance · (1 + 1/k)."""
    curve = silent.curves[RANDOM].squared.mean(axis=(0, 2))
    at = {k: curve[column] for column, k in enumerate(silent.ks)}
    assert at[1] / at[19] == pytest.approx(2 / (1 + 1 / 19), rel=0.05)
    assert at[100] == pytest.approx(silent.methods[MEAN].squared.mean(), rel=0.03)


def test_an_artist_s_other_albums_are_no_help() -> None:
    """Look and sound belong to the artist alone, so whoever finds a signal has looked at the answers."""
    rng = np.random.default_rng(0)
    records, _ = collection(60, signal=False)
    looks = random_vectors(60)
    repeated = []
    for copy in range(4):
        for number, record in enumerate(records):
            album = record.album
            fields = {name: getattr(album, name) for name in ("title", "artist", "attributes", "year")}
            twin = type(album)(album_id=f"{number}-{copy}", **fields)
            repeated.append(AlbumRecord(twin))
    order = rng.permutation(len(repeated))
    evaluation = evaluate_retrieval(
        [repeated[i] for i in order], np.tile(looks, (4, 1))[order], embedder="artists", splits=SPLITS
    )
    assert evaluation.artists == 60
    assert evaluation.nearest_against_random(5).high > 0


def test_median_and_mean_are_the_best_constants(silent: RetrievalEvaluation) -> None:
    methods = silent.methods
    assert methods[MEAN].squared.mean() <= methods[MEDIAN_BASELINE].squared.mean() * 1.02
    assert methods[MEDIAN_BASELINE].absolute.mean() <= methods[MEAN].absolute.mean() * 1.02


def test_the_shapes_and_the_seed(silent: RetrievalEvaluation) -> None:
    assert silent.curves[KNN].absolute.shape == (SPLITS, len(silent.ks), 8)
    assert silent.ks[:19] == tuple(range(1, 20))
    assert silent.ks[-1] == 200
    again = evaluate_retrieval(*collection(signal=False), embedder="silent covers", splits=2)
    assert np.array_equal(again.curves[KNN].absolute, silent.curves[KNN].absolute[:2])
    assert np.array_equal(again.methods[PREDICTOR].absolute, silent.methods[PREDICTOR].absolute[:2])


def test_too_few_albums_or_mismatched_vectors_are_refused() -> None:
    records, vectors = collection(40)
    with pytest.raises(ValueError, match="40 albums, but 39 vectors"):
        evaluate_retrieval(records, vectors[1:], embedder="e")
    with pytest.raises(ValueError, match="20 albums are too few"):
        evaluate_retrieval(records[:20], vectors[:20], embedder="e")


def test_one_artist_alone_is_refused() -> None:
    records, vectors = collection(40)
    alone = [AlbumRecord(record.album, artist_ids=("one",)) for record in records]
    with pytest.raises(DatasetError, match="1 artists are too few to keep apart"):
        evaluate_retrieval(alone, vectors, embedder="e", splits=2)


def test_a_small_collection_is_evaluated_with_the_k_it_has() -> None:
    records, vectors = collection(40)
    evaluation = evaluate_retrieval(records, vectors, embedder="e", splits=2)
    assert evaluation.ks[-1] == 30
    assert set(evaluation.milliseconds) == {1, 5, 19}


def test_the_report_is_whole(telling: RetrievalEvaluation, tmp_path: Path) -> None:
    paths = write_report(telling, tmp_path / "report", "albumgen evaluate retrieval <covers>")
    assert {path.name for path in paths} == {
        "index.html",
        "retrieval.json",
        "squared-error.png",
        "against-baselines.png",
    }
    data = json.loads((tmp_path / "report" / "retrieval.json").read_text())
    assert set(data["methods"][MEDIAN_BASELINE]["absolute"]) == set(AUDIO_FEATURES)
    assert len(data["curves"][KNN]["squared"]["energy"]) == len(data["curves"][KNN]["k"]) == len(telling.ks)
    assert data["methods"][MEDIAN_BASELINE]["less_median"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    page = (tmp_path / "report" / "index.html").read_text()
    for sentence in verdict(telling):
        assert sentence.split("(")[0].strip() in page
    assert "albumgen evaluate retrieval &lt;covers&gt;" in page
    assert page.count("data:image/png;base64,") == 2
    assert ">nan<" not in page
    for name in ("squared-error.png", "against-baselines.png"):
        picture = Image.open(io.BytesIO((tmp_path / "report" / name).read_bytes()))
        assert min(picture.size) > 500
