from __future__ import annotations

import json
from pathlib import Path

import pytest

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.engines.sketch.genre_means import USUAL_FEATURES
from albumgen_core.engines.sketch.palette import PaletteDescriber
from albumgen_core.jobs.spec import ClipOptions
from albumgen_core.pipeline.build import open_pipeline
from albumgen_core.pipeline.request import ClipRequest
from albumgen_core.retrieval.catalogue.store import CatalogueStore, write_catalogue
from albumgen_core.retrieval.cover_words import CoverReading, WordsOnCovers, fuse, nothing_read
from albumgen_core.retrieval.describing import WordsDescriber
from albumgen_core.retrieval.words import WordsPredictor
from albumgen_core.settings import CatalogueSettings, IndexSettings, Settings
from tests.albumgen_core.retrieval.helpers import an_album
from tests.albumgen_core.retrieval.text.drawn import cover_with
from tests.albumgen_core.retrieval.text.test_matching import typed


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> WordsOnCovers:
    path = tmp_path_factory.mktemp("words") / "catalogue.db"
    titles = ("Salt Meridian", "Ember Field", "Low Orchard")
    quist = [an_album(n, artist="Mara Quist", title=title) for n, title in enumerate(titles)]
    others = [an_album(n, artist=f"Zz{n} Qx{n}", title=f"Vv{n} Kk") for n in range(3, 200)]
    write_catalogue(path, [("made up", album) for album in [*quist, *others]])
    return WordsOnCovers(CatalogueStore(path))


def test_a_recognised_album(words: WordsOnCovers) -> None:
    reading = words.read(cover_with(["Mara Quist", "Salt Meridian"]))
    assert (reading.artist, reading.title, reading.basis) == ("Mara Quist", "Salt Meridian", "album")
    assert reading.shown == "Mara Quist, Salt Meridian"
    assert reading.album is not None
    assert [(n.album.title, n.reason, n.distance) for n in reading.neighbours] == [
        ("Salt Meridian", "album", None),
        ("Ember Field", "artist", None),
        ("Low Orchard", "artist", None),
    ]
    assert "% sure" in reading.sentence


def test_an_artist_without_a_title(words: WordsOnCovers) -> None:
    reading = words.read(cover_with(["MARA QUIST"]))
    assert (reading.shown, reading.title, reading.album) == ("Mara Quist", "", None)
    assert len(reading.neighbours) == 3
    assert "3 albums" in reading.sentence


def test_nobody(words: WordsOnCovers) -> None:
    reading = words.read(cover_with(["lorem ipsum", "dolor"]))
    assert (reading.artist, reading.basis, list(reading.neighbours)) == ("", "usual", [])
    assert reading.shown == "lorem ipsum · dolor"
    assert "usual values" in reading.sentence


def test_without_a_catalogue_only_the_label_is_noticed() -> None:
    alone = WordsOnCovers(None)
    assert alone.look_up(typed("Mara Quist")).basis == "usual"
    assert alone.look_up(typed("PARENTAL ADVISORY")).basis == "label"


def test_a_reading_is_json_ready(words: WordsOnCovers) -> None:
    document = json.loads(json.dumps(words.read(cover_with(["Mara Quist", "Salt Meridian"])).to_dict()))
    assert document["artist"] == "Mara Quist"
    assert [line["text"] for line in document["lines"]] == ["Mara Quist", "Salt Meridian"]


def test_fusing_by_name_and_by_look() -> None:
    look = [Neighbour(an_album(n), 0.3 + n / 10) for n in range(5)]
    name = [Neighbour(an_album(n), None, "artist") for n in (1, 10, 11, 12)]
    both = fuse(look, name, 5, 0.6)
    assert [n.album.album_id for n in both] == [an_album(n).album_id for n in (1, 10, 11, 0, 2)]
    assert (both[0].reason, both[0].distance) == ("artist", 0.4), "it looks alike, too"
    assert [n.reason for n in both] == ["artist"] * 3 + ["look"] * 2
    assert fuse(look, (), 5, 0.6) == look
    assert len(fuse((), name, 3, 0.0)) == 3, "what one list lacks, the other fills"
    assert [n.reason for n in fuse(look, name, 4, 0.0)] == ["look"] * 4
    assert fuse((), (), 5, 0.6) == []


def describer(words: WordsOnCovers | None) -> WordsDescriber:
    return WordsDescriber(
        PaletteDescriber(), words.read if words is not None else nothing_read, USUAL_FEATURES
    )


def test_claims_of_a_recognised_album_are_its_measured_values(words: WordsOnCovers) -> None:
    found = describer(words).describe(cover_with(["Mara Quist", "Salt Meridian"]), None)
    measured = an_album(0).attributes
    assert found.features() == pytest.approx(measured.features(), abs=0.001)
    assert found.tempo == pytest.approx(measured.tempo, abs=0.1)
    assert found.artist_name == "Mara Quist"


def test_claims_for_nobody_stay_near_the_usual_but_not_all_alike() -> None:
    usual = WordsPredictor.shipped().weights.usual
    covers = [cover_with([text]) for text in ("lorem ipsum", "dolor sit", "amet")]
    found = [describer(None).describe(cover, None).features() for cover in covers]
    assert len(set(found)) == 3
    for claims in found:
        assert sum(abs(a - b) for a, b in zip(claims, usual, strict=True)) / 8 < 0.06


def test_a_cover_that_the_index_knows_is_answered_by_it(words: WordsOnCovers) -> None:
    cover = cover_with(["Mara Quist", "Salt Meridian"])
    same = [Neighbour(an_album(77), 0.01)]
    found, plain = (reader.describe(cover, same) for reader in (describer(words), PaletteDescriber()))
    assert found.features() == plain.features()


def test_the_neural_engine_keeps_its_own_reading_where_only_the_artist_is_known(words: WordsOnCovers) -> None:
    cover = cover_with(["MARA QUIST"])
    found = WordsDescriber(PaletteDescriber(), words.read).describe(cover, None)
    plain = PaletteDescriber().describe(cover, None)
    assert found.features() == plain.features()
    assert found.artist_name == "Mara Quist"


def test_the_usual_reading_has_all_features() -> None:
    reading: CoverReading = nothing_read(cover_with(["x"]))
    assert set(reading.features) == set(AUDIO_FEATURES)


def test_the_catalogue_file_is_found_by_the_pipeline(tmp_path: Path) -> None:
    write_catalogue(
        tmp_path / "catalogue.db",
        [("made up", an_album(n, artist="Mara Quist", title=f"Salt Meridian {n}")) for n in range(3)],
    )
    there = Settings(catalogue=CatalogueSettings(path=tmp_path / "catalogue.db"))
    pipeline = open_pipeline(there, composing=False)
    assert pipeline.words is not None
    by_look = there.model_copy(update={"index": IndexSettings(rag="look")})
    missing = Settings(catalogue=CatalogueSettings(path=tmp_path / "none.db"))
    assert open_pipeline(by_look, composing=False).words is None
    assert open_pipeline(missing, composing=False).words is None
    request = ClipRequest(cover_with(["Mara Quist", "Salt Meridian 1"]))
    attributes, neighbours, *_ = pipeline.read(request)
    assert attributes.artist_name == "Mara Quist"
    assert [neighbour.reason for neighbour in neighbours] == ["album", "artist", "artist"]
    _, alone, *_ = pipeline.read(ClipRequest(request.cover, ClipOptions(rag=False)))
    assert list(alone) == []
