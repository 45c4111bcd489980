from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.dataset.split import split_albums
from albumgen_core.errors import CalibrationError
from albumgen_core.retrieval import ExactIndex
from albumgen_core.retrieval.fitting import fit_predictor
from albumgen_core.retrieval.predictor import NO_SIGNAL, NeighbourPredictor
from tests.albumgen_core.retrieval.helpers import an_album, unit

GENRES = ("country", "hip hop", "metal")


def collection(
    count: int = 400, *, signal: bool = True, seed: int = 0
) -> tuple[list[AlbumRecord], np.ndarray]:
    """Albums whose covers do, or do not, lie where their sound does."""
    rng = np.random.default_rng(seed)
    places = rng.random((count, 3))
    sound = places if signal else rng.random((count, 3))
    features = np.clip(
        0.1 + 0.8 * sound[:, [0, 1, 2, 0, 1, 2, 0, 1]] + 0.03 * rng.normal(size=(count, 8)), 0, 1
    )
    basis = rng.normal(size=(3, 512))
    vectors = unit((places - 0.5) @ basis + 0.02 * rng.normal(size=(count, 512)))
    records = []
    for number, row in enumerate(features):
        genre = GENRES[int(sound[number, 0] * 3)]
        measured = MeasuredAttributes(
            artist_name=f"Artist {number}",
            album_genre=genre,
            **dict(zip(AUDIO_FEATURES, map(float, row), strict=True)),
        )
        records.append(AlbumRecord(an_album(number, artist=f"Artist {number}", attributes=measured)))
    return records, vectors


def mean_error(
    predictor: NeighbourPredictor, records: list[AlbumRecord], vectors: np.ndarray
) -> tuple[float, float]:
    """Mean absolute error on the test albums: of the predictor, and of the training medians."""
    parts = split_albums(records)
    train = [i for i, r in enumerate(records) if parts[r.album.album_id] == "train"]
    test = [i for i, r in enumerate(records) if parts[r.album.album_id] == "test"]
    index = ExactIndex([records[i].album for i in train], vectors[train])
    errors, usual = [], []
    for i in test:
        truth = np.array(records[i].album.attributes.features())
        answer = predictor.predict(index.nearest(vectors[i], predictor.k))
        errors.append(np.abs(np.array([answer.features[name] for name in AUDIO_FEATURES]) - truth).mean())
        usual.append(np.abs(predictor.medians - truth).mean())
    return float(np.mean(errors)), float(np.mean(usual))


def test_where_covers_tell_it_beats_the_median_on_albums_it_has_not_seen() -> None:
    records, vectors = collection()
    predictor = fit_predictor(records, vectors, embedder="e")
    assert predictor.has_signal
    error, usual = mean_error(predictor, records, vectors)
    assert error < 0.7 * usual
    assert predictor.predict([], None).notice == ""


def test_where_they_do_not_it_says_so_and_returns_the_usual_values() -> None:
    records, vectors = collection(signal=False)
    predictor = fit_predictor(records, vectors, embedder="e")
    assert not predictor.has_signal
    assert predictor.k == 0
    neighbour = Neighbour(records[0].album, 0.1)
    answer = predictor.predict([neighbour] * 5)
    assert answer.notice == NO_SIGNAL
    assert answer.usual == AUDIO_FEATURES
    assert list(answer.features.values()) == pytest.approx(list(predictor.medians))
    error, usual = mean_error(predictor, records, vectors)
    assert error == pytest.approx(usual)


def test_without_neighbours_the_usual_values_stand_in() -> None:
    records, vectors = collection()
    predictor = fit_predictor(records, vectors, embedder="e")
    assert list(predictor.predict([]).features.values()) == pytest.approx(list(predictor.medians))


def test_too_few_albums_are_refused() -> None:
    records, vectors = collection(1)
    with pytest.raises(ValueError, match="1 albums are too few to calibrate on"):
        fit_predictor(records, vectors, embedder="e")


class TestSaving:
    def test_it_predicts_the_same_after_loading(self, tmp_path: Path) -> None:
        records, vectors = collection()
        predictor = fit_predictor(records, vectors, embedder="e")
        predictor.save(tmp_path / "p.json")
        again = NeighbourPredictor.load(tmp_path / "p.json", embedder="e")
        neighbours = [Neighbour(record.album, 0.1 * n) for n, record in enumerate(records[:20])]
        assert again.predict(neighbours) == predictor.predict(neighbours)

    def test_another_embedder_or_a_damaged_file_is_one_sentence(self, tmp_path: Path) -> None:
        path = tmp_path / "p.json"
        with pytest.raises(CalibrationError, match="cannot be read"):
            NeighbourPredictor.load(path, embedder="e")
        fit_predictor(*collection(120), embedder="e").save(path)
        with pytest.raises(CalibrationError, match="was calibrated for e, not for other"):
            NeighbourPredictor.load(path, embedder="other")
        data = json.loads(path.read_text())
        del data["blends"]["energy"]
        for text in (path.read_text()[:50], "[]", "{}", json.dumps(data)):
            path.write_text(text)
            with pytest.raises(CalibrationError, match="is no calibration of AlbumGen"):
                NeighbourPredictor.load(path, embedder="e")
