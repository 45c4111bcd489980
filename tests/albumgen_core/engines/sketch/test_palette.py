from __future__ import annotations

import numpy as np
import pytest

from albumgen_core.albums import Album, Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES, KEYS
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.engines.sketch.embedding import PaletteEmbedder
from albumgen_core.engines.sketch.genre_means import SPREADS, USUAL_FEATURES
from albumgen_core.engines.sketch.palette import PaletteDescriber, read_picture
from albumgen_core.engines.sketch.picture import PictureStatistics, oklab, statistics_of
from tests.albumgen_core.engines.sketch.pictures import drawn, plain


def neighbour(distance: float, **known: object) -> Neighbour:
    values = dict.fromkeys(AUDIO_FEATURES, 0.5) | known
    return Neighbour(Album("1", "T", "A", MeasuredAttributes(artist_name="A", **values)), distance)  # type: ignore[arg-type]


def test_embeddings_are_unit_vectors_and_do_not_depend_on_the_batch() -> None:
    covers = [drawn(n) for n in range(9)] + [plain((0, 0, 0)), plain((255, 255, 255))]
    embedder = PaletteEmbedder()
    together = embedder.embed(covers)
    assert together.shape == (11, 512)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([embedder.embed([cover]) for cover in covers])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    assert embedder.embed([]).shape == (0, 512)


def test_a_cover_is_nearer_to_its_own_thumbnail_than_to_other_covers() -> None:
    covers = [drawn(n) for n in range(12)]
    small = [type(c)(c.image.resize((80, 80)), c.sha256) for c in covers]
    embedder = PaletteEmbedder()
    likeness = embedder.embed(covers) @ embedder.embed(small).T
    assert list(likeness.argmax(axis=1)) == list(range(12))


def test_oklab_has_its_published_values() -> None:
    # White has lightness 1 and no colour; red is (0.628, 0.225, 0.126) in Ottosson's tables.
    np.testing.assert_allclose(oklab(np.array([[255, 255, 255]], np.uint8))[0], [1, 0, 0], atol=1e-3)
    np.testing.assert_allclose(oklab(np.array([[255, 0, 0]], np.uint8))[0], [0.628, 0.225, 0.126], atol=1e-3)


def test_statistics_have_the_signs_their_names_say() -> None:
    yellow, blue = statistics_of(plain((250, 220, 60))), statistics_of(plain((20, 30, 90)))
    assert yellow.lightness > blue.lightness
    assert yellow.warmth > 0 > blue.warmth
    assert statistics_of(plain((128, 128, 128))).colourfulness < yellow.colourfulness
    assert statistics_of(drawn(3)).busyness > yellow.busyness


def test_bright_saturated_yellow_is_faster_and_more_major_than_dark_grey_blue() -> None:
    bright = PictureStatistics(1.2, 1.5, 1.5, 0.3, 0.0, 0.0, 0.0)
    dark = PictureStatistics(-1.2, -1.0, -1.5, -0.3, 0.0, 0.0, 0.0)
    light_side = [read_picture(bright, str(n)) for n in range(150)]
    dark_side = [read_picture(dark, str(n)) for n in range(150)]

    def mean(side: list, field: str) -> float:
        return float(np.mean([getattr(a, field) for a in side]))

    assert mean(light_side, "tempo") > mean(dark_side, "tempo") + 10
    assert mean(light_side, "valence") > mean(dark_side, "valence") + 0.1
    assert sum(a.mode == "major" for a in light_side) > sum(a.mode == "major" for a in dark_side) + 30


def test_readings_are_repeatable_valid_and_vary_from_cover_to_cover() -> None:
    describer = PaletteDescriber()
    readings = [describer.describe(drawn(n), None, seed=1) for n in range(60)]
    assert readings == [describer.describe(drawn(n), None, seed=1) for n in range(60)]
    assert readings[0] != describer.describe(drawn(0), None, seed=2)
    assert len({a.album_genre for a in readings}) >= 10
    assert len({a.key for a in readings}) >= 8
    assert {a.mode for a in readings} == {"major", "minor"}
    for a in readings:
        assert a.key in KEYS
        assert a.time_signature in (3, 4, 5, 6, 7)
        assert 50 <= a.tempo <= 200
        assert all(0 <= getattr(a, field) <= 1 for field in AUDIO_FEATURES)
        assert a.artist_name == "Unknown artist"


def test_neighbours_weigh_by_the_published_formula() -> None:
    describer, cover = PaletteDescriber(), drawn(5)
    alone = describer.describe(cover, None)
    near = describer.describe(cover, [neighbour(0.4, energy=1.0)] * 4)
    trust = 4 * 0.92**2 / (4 * 0.92**2 + 4)
    assert near.energy == pytest.approx((1 - trust) * alone.energy + trust, abs=1e-3)
    far = describer.describe(cover, [neighbour(1.3, energy=1.0)] * 4)
    assert alone.energy < far.energy < near.energy
    assert describer.describe(cover, [neighbour(1.5)] * 4) == alone  # beyond a right angle nothing is left


def test_an_album_whose_cover_is_the_very_picture_is_believed() -> None:
    others = [neighbour(0.4, album_genre="metal", energy=0.9)] * 4
    own = neighbour(0.01, album_genre="ambient", energy=0.1, tempo=70.0)
    answer = PaletteDescriber().describe(drawn(5), [own, *others])
    assert answer.album_genre == "ambient"
    assert answer.energy < 0.25
    assert abs(answer.tempo - 70) < 8


def test_readings_stay_around_the_usual_album_and_differ_by_genre_all_the_same() -> None:
    readings = [PaletteDescriber().describe(drawn(n), None, seed=1) for n in range(60)]
    table = np.array([a.features() for a in readings])
    # Twice as narrow as albums are spread: what a picture tells of them is close to nothing.
    assert (np.abs(np.median(table, axis=0) - USUAL_FEATURES) < 0.08).all()
    assert (table.std(axis=0) < 0.6 * np.array(SPREADS)).all()
    assert table[:, AUDIO_FEATURES.index("energy")].std() > 0.05


def test_neighbours_that_do_not_know_a_field_leave_the_reading_alone() -> None:
    describer, cover = PaletteDescriber(), drawn(6)
    alone, near = describer.describe(cover, None), describer.describe(cover, [neighbour(0.1)] * 5)
    assert (near.key, near.tempo, near.album_genre) == (alone.key, alone.tempo, alone.album_genre)


def test_genre_and_key_go_to_the_weighted_vote() -> None:
    votes = [neighbour(0.3, album_genre="jazz", key="D", time_signature=3, mode="minor")] * 3
    answer = PaletteDescriber().describe(drawn(7), [*votes, neighbour(0.2, album_genre="metal", key="E")])
    assert (answer.album_genre, answer.key, answer.time_signature, answer.mode) == ("jazz", "D", 3, "minor")


def test_what_a_neighbour_has_but_no_answer_may_have_is_no_vote() -> None:
    cover = drawn(8)
    alone = PaletteDescriber().describe(cover, None)
    odd = [neighbour(0.0, time_signature=1, album_genre="zeuhl", tempo=900.0)] * 5
    answer = PaletteDescriber().describe(cover, odd)
    assert (answer.time_signature, answer.album_genre) == (alone.time_signature, alone.album_genre)
    assert answer.tempo == 190.0
