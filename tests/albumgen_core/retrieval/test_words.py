from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.errors import CalibrationError
from albumgen_core.retrieval.catalogue.catalogue import Catalogue, make_catalogue
from albumgen_core.retrieval.words import WordsPredictor, artist_features
from tests.albumgen_core.retrieval.helpers import an_album
from tests.albumgen_core.retrieval.text.test_matching import typed


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    titles = ("Salt Meridian", "Ember")
    quist = [an_album(n, artist="Mara Quist", title=title) for n, title in enumerate(titles)]
    others = [an_album(n, artist=f"Zz{n} Qx{n}", title=f"Vv{n} Kk") for n in range(2, 300)]
    return make_catalogue([*quist, *others])


def distance(a: dict[str, float], b: np.ndarray) -> float:
    return float(np.abs(np.array([a[name] for name in AUDIO_FEATURES]) - b).mean())


def test_a_recognised_album_has_its_measured_values(catalogue: Catalogue) -> None:
    found = WordsPredictor.shipped().predict(catalogue, typed("Mara Quist", "Salt Meridian"))
    assert found.basis == "album"
    assert found.confidence > 0.8
    usual = WordsPredictor.shipped().weights.usual
    measured = catalogue.features[0]
    assert distance(dict(found.features), measured) < 0.2 * float(np.abs(usual - measured).mean())


def test_an_artist_moves_the_prediction_towards_their_albums(catalogue: Catalogue) -> None:
    predictor = WordsPredictor.shipped()
    found = predictor.predict(catalogue, typed("MARA QUIST"))
    assert found.basis == "artist"
    target = artist_features(catalogue, found.match.artist if found.match else -1, predictor.weights)
    assert target is not None
    usual = dict(zip(AUDIO_FEATURES, predictor.weights.usual, strict=True))
    assert distance(dict(found.features), target) < distance(usual, target)


def test_without_words_it_is_the_usual(catalogue: Catalogue) -> None:
    predictor = WordsPredictor.shipped()
    found = predictor.predict(catalogue, [])
    assert (found.basis, found.match, found.confidence) == ("usual", None, 1.0)
    assert distance(dict(found.features), predictor.weights.usual) < 1e-9


def test_a_parental_advisory_label_is_a_hint(catalogue: Catalogue) -> None:
    predictor = WordsPredictor.shipped()
    found = predictor.predict(catalogue, typed("PARENTAL ADVISORY"))
    assert found.basis == "label"
    assert found.features["speechiness"] > predictor.weights.usual[AUDIO_FEATURES.index("speechiness")] + 0.03


def test_hidden_albums_are_not_used(catalogue: Catalogue) -> None:
    weights = WordsPredictor.shipped().weights
    quist = list(catalogue.artists).index("Mara Quist")
    alone = artist_features(catalogue, quist, weights, hidden={0})
    both = artist_features(catalogue, quist, weights)
    assert alone is not None
    assert both is not None
    assert not np.allclose(alone, both)
    assert artist_features(catalogue, quist, weights, hidden={0, 1}) is None


def test_saved_and_loaded_it_predicts_the_same(catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    WordsPredictor.shipped().save(path)
    lines = typed("Mara Quist", "Ember")
    again = WordsPredictor.load(path).predict(catalogue, lines)
    assert again == WordsPredictor.shipped().predict(catalogue, lines)


def test_what_is_no_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    with pytest.raises(CalibrationError, match="cannot be read"):
        WordsPredictor.load(path)
    for text in ("not json", "{}", '{"schema": 99}', '{"schema": 1, "weights": 3}'):
        path.write_text(text)
        with pytest.raises(CalibrationError, match="no calibration"):
            WordsPredictor.load(path)
