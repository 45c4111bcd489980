from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.evaluation.words import (
    COVERS_MEDIAN,
    ORACLE,
    RECOGNISED,
    TITLE_KNOWN,
    WITHOUT,
    Example,
    evaluate_words,
    fit_predictor,
    make_examples,
)
from albumgen_core.evaluation.words_report import against, precision_at, write_report
from albumgen_core.retrieval.catalogue.catalogue import Catalogue, make_catalogue
from tests.albumgen_core.retrieval.helpers import an_album
from tests.albumgen_core.retrieval.text.test_matching import typed

pytestmark = pytest.mark.slow

SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
ARTISTS, EACH = 40, 3


def word(rng: random.Random) -> str:
    return "".join(rng.choice(SYLLABLES) for _ in range(3)).capitalize()


def collection() -> list[Album]:
    """Artists whose albums sound alike: what is left out can be told from what is left."""
    rng, numbers = random.Random(5), np.random.default_rng(5)
    albums = []
    for artist in range(ARTISTS):
        name, centre = f"{word(rng)} {word(rng)}", numbers.uniform(0.1, 0.9, 8)
        for n in range(EACH):
            values = np.clip(centre + numbers.normal(0, 0.03, 8), 0, 1)
            features = dict(zip(AUDIO_FEATURES, map(float, values), strict=True))
            attributes = MeasuredAttributes(artist_name=name, album_genre="rock", **features)
            albums.append(Album(f"{artist}-{n}", f"{word(rng)} {word(rng)}", name, attributes))
    return [*albums, *(an_album(1000 + n, title=f"Filler {n}") for n in range(50))]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return make_catalogue(collection())


@pytest.fixture(scope="module")
def examples(catalogue: Catalogue) -> list[Example]:
    albums = collection()
    rng = random.Random(1)
    shown, lines = [], []
    for album in albums[: ARTISTS * EACH : EACH] + albums[1 : ARTISTS * EACH : EACH]:
        shown.append(album)
        kind = rng.random()
        texts = [album.artist.upper(), album.title] if kind < 0.5 else [album.title] if kind < 0.7 else []
        lines.append(typed(*texts))
    return make_examples(catalogue, albums, shown, lines)


def test_the_album_is_left_out_where_it_is_said_to_be(examples: list[Example], catalogue: Catalogue) -> None:
    for example in examples:
        (own,) = example.own
        assert catalogue.album_artist[own] in [c.artist for c in example.known.candidates] or not (
            example.text.words
        )
        assert all(candidate.album != own for candidate in example.without.candidates)
        assert not example.without.album_right.any()


def test_words_beat_the_median_where_artists_sound_alike(
    catalogue: Catalogue, examples: list[Example]
) -> None:
    found = evaluate_words(catalogue, examples, seed=1)
    errors = {row: values.mean() for row, values in found.errors.items()}
    assert errors[RECOGNISED] < errors[TITLE_KNOWN] < errors[COVERS_MEDIAN]
    assert errors[WITHOUT] < errors[COVERS_MEDIAN]
    assert errors[ORACLE] < 0.5 * errors[COVERS_MEDIAN]
    assert against(found, WITHOUT, COVERS_MEDIAN).high < 0
    assert precision_at(found, "known")[len(examples) // 3] > 0.95


def test_words_that_say_nothing_leave_the_usual_values(catalogue: Catalogue) -> None:
    albums = collection()
    shown = albums[: ARTISTS * EACH : EACH]
    rng = random.Random(2)
    wrong = [typed(rng.choice(albums).artist) for _ in shown]
    nonsense = make_examples(catalogue, albums, shown, wrong)
    found = evaluate_words(catalogue, nonsense)
    assert against(found, WITHOUT, COVERS_MEDIAN).mean < 0.02


def test_the_report_and_the_weights(catalogue: Catalogue, examples: list[Example], tmp_path: Path) -> None:
    found = evaluate_words(catalogue, examples)
    sentences = write_report(found, catalogue, tmp_path / "report", "albumgen evaluate words covers")
    assert len(sentences) == 6
    figures = json.loads((tmp_path / "report" / "words.json").read_text())
    assert figures["covers"] == len(examples)
    assert figures["rows"][RECOGNISED]["against_covers_median"]["high"] < 0
    assert "Confusions" in (tmp_path / "report" / "index.html").read_text()
    fitted = fit_predictor(catalogue, examples, source="made up")
    fitted.save(tmp_path / "words.json")
    assert fitted.predict(catalogue, typed(examples[0].album.artist.upper())).match is not None
