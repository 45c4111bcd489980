"""The genre prior, zero-shot genres, and the two together in the predictor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.retrieval.fitting import fit_predictor
from albumgen_core.retrieval.genre_prior import GenrePrior
from albumgen_core.retrieval.zero_shot import PROMPTS, ZeroShotGenres
from tests.albumgen_core.retrieval.helpers import an_album, unit
from tests.albumgen_core.retrieval.test_predictor import GENRES as THREE
from tests.albumgen_core.retrieval.test_predictor import collection


def direction(word: str) -> NDArray[np.float64]:
    seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
    return np.random.default_rng(seed).normal(size=512)


def embed_texts(sentences: Sequence[str]) -> NDArray[np.float32]:
    """A small text embedder: the genre a sentence names decides, its other words add a little."""
    rows = []
    for sentence in sentences:
        genre = max((genre for genre in GENRES if f" {genre} " in f" {sentence} "), key=len)
        rows.append(direction(genre) + 0.3 * direction(sentence))
    return unit(np.stack(rows))


def covers_of(genres: Sequence[str], noise: float, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return unit(
        np.stack([direction(genre) for genre in genres]) + noise * rng.normal(size=(len(genres), 512))
    )


def sounding(energy: float, genre: str | None, number: int) -> MeasuredAttributes:
    rest = dict.fromkeys(AUDIO_FEATURES, 0.5) | {"energy": energy}
    return MeasuredAttributes(artist_name=str(number), album_genre=genre, **rest)


class TestPrior:
    prior = GenrePrior.from_albums(
        [an_album(n, attributes=sounding(0.9, "metal", n)) for n in range(60)]
        + [an_album(n, attributes=sounding(0.1, "folk", n)) for n in range(60, 180)]
        + [
            an_album(200, attributes=sounding(1.0, "ska", 200)),
            an_album(201, attributes=sounding(0.1, None, 201)),
        ]
    )
    energy = AUDIO_FEATURES.index("energy")

    def test_a_rare_genre_is_drawn_to_the_overall_median(self) -> None:
        centres = dict(zip(self.prior.genres, self.prior.centres[:, self.energy], strict=True))
        assert self.prior.overall[self.energy] == pytest.approx(0.1)
        assert centres["folk"] == pytest.approx(0.1)
        assert centres["metal"] == pytest.approx((60 * 0.9 + 20 * 0.1) / 80)
        assert centres["ska"] == pytest.approx((1.0 + 20 * 0.1) / 21)

    def test_expectations_mix_genres_and_leave_the_rest_to_the_median(self) -> None:
        table = np.array([self.prior.row({"metal": 0.5, "polka": 0.5})[0], np.zeros(len(self.prior.genres))])
        metal = self.prior.centres[self.prior.genres.index("metal")]
        expected = self.prior.expect(table)
        assert expected[0] == pytest.approx(0.5 * metal + 0.5 * self.prior.overall)
        assert expected[1] == pytest.approx(self.prior.overall)
        assert self.prior.one_hot(["folk", None, "polka"]).sum(axis=1).tolist() == [1, 0, 0]

    def test_another_collection_moves_the_centres_and_keeps_the_differences(self) -> None:
        moved = self.prior.recentred(np.full(8, 0.3))
        gap = self.prior.centres - self.prior.overall
        assert moved.centres - moved.overall == pytest.approx(gap)
        assert self.prior.recentred(np.full(8, 0.95)).centres.max() <= 1.0

    def test_a_collection_of_one_s_own_speaks_the_louder_the_larger_it_is(self) -> None:
        own = [an_album(n, attributes=sounding(0.5, "metal", n)) for n in range(60)]
        both = self.prior.informed_by(own)
        at = self.prior.genres.index("metal")
        moved = self.prior.recentred(both.overall).centres[at, self.energy]
        assert both.overall[self.energy] == 0.5
        assert both.centres[at, self.energy] == pytest.approx((60 * 0.5 + 20 * moved) / 80)
        assert both.counts[at] == 120
        folk = self.prior.genres.index("folk")
        assert both.centres[folk] == pytest.approx(self.prior.recentred(both.overall).centres[folk])

    def test_it_survives_json(self) -> None:
        again = GenrePrior.from_json(self.prior.to_json())
        assert (again.genres, again.counts) == (self.prior.genres, self.prior.counts)
        assert again.centres == pytest.approx(self.prior.centres, abs=1e-4)

    def test_without_albums_there_is_none(self) -> None:
        with pytest.raises(ValueError, match="at least one album"):
            GenrePrior.from_albums([])

    def test_the_shipped_statistics_know_how_genres_differ(self) -> None:
        shipped = GenrePrior.shipped()
        assert set(shipped.genres) <= set(GENRES)
        assert len(shipped.genres) >= 40
        assert sum(shipped.counts) > 10_000

        def of(genre: str, attribute: str) -> float:
            return float(shipped.centres[shipped.genres.index(genre), AUDIO_FEATURES.index(attribute)])

        assert of("hip hop", "speechiness") > 2 * of("country", "speechiness")
        assert of("metal", "energy") > of("adult standards", "energy") + 0.2
        assert of("folk", "acousticness") > of("metal", "acousticness") + 0.2
        assert of("disco", "danceability") > of("metal", "danceability") + 0.1


class TestZeroShot:
    def test_covers_near_a_genre_s_words_get_that_genre(self) -> None:
        genres = list(GENRES)
        found = ZeroShotGenres(embed_texts).probabilities(covers_of(genres, noise=1.0))
        assert found.sum(axis=1) == pytest.approx(np.ones(len(genres)))
        right = np.mean([GENRES[row.argmax()] == genre for row, genre in zip(found, genres, strict=True)])
        assert right > 0.95

    def test_each_prompt_takes_a_genre(self) -> None:
        assert all(prompt.format("x").count("x") == prompt.count("x") + 1 for prompt in PROMPTS)
        assert len(set(PROMPTS)) == len(PROMPTS) >= 5

    def test_calibration_makes_the_truth_likelier(self) -> None:
        truth = [GENRES[n % 5] for n in range(100)]
        covers = covers_of(truth, noise=4.0)
        rates = np.array([1.0 if n < 5 else 0.01 for n in range(len(GENRES))])
        zero_shot = ZeroShotGenres(embed_texts, base_rates=rates)

        def surprise() -> float:
            rows = zero_shot.probabilities(covers)
            return float(-np.log([rows[n, GENRES.index(genre)] for n, genre in enumerate(truth)]).mean())

        before = surprise()
        reached = zero_shot.calibrate(covers, truth)
        assert reached == pytest.approx(surprise(), abs=1e-6)
        assert reached < before
        assert zero_shot.trust > 0

    def test_with_no_genre_known_nothing_changes(self) -> None:
        zero_shot = ZeroShotGenres(embed_texts, scale=42.0)
        assert np.isnan(zero_shot.calibrate(covers_of(["rock"], 1.0), [None]))
        assert zero_shot.scale == 42.0


def test_the_predictor_uses_a_genre_that_covers_reveal() -> None:
    """Covers lie by genre and not by sound within it: the genre is all there is to know."""
    records, _ = collection()
    genres = [record.album.attributes.album_genre or "" for record in records]
    vectors = covers_of(genres, noise=5.0)
    prior = GenrePrior.from_albums([record.album for record in records])
    assert prior.genres == THREE
    zero_shot = ZeroShotGenres(embed_texts, prior.genres)
    predictor = fit_predictor(records, vectors, embedder="e", zero_shot=zero_shot, genre_prior=prior)
    assert predictor.zero_shot == zero_shot.to_dict()
    tied = {"acousticness", "instrumentalness", "speechiness"}  # the attributes `collection` ties to genre
    assert {name for name, rule in predictor.blends.items() if rule.signal} == tied
    assert {rule.prior for name, rule in predictor.blends.items() if name in tied} == {"genre"}
    told, other = (predictor.predict([], {genre: 1.0}).features for genre in ("metal", "country"))
    assert told["acousticness"] > other["acousticness"] + 0.3
    assert told["energy"] == other["energy"]
