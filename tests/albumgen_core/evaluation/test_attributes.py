"""Readings against the truth: who reads is found to read, who guesses is found to guess."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from albumgen_core.albums import Album, Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.dataset.pictures import load_cover
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.engines.base import FractionCallback, ignore_progress
from albumgen_core.errors import AttributeRangeError, EvaluationError
from albumgen_core.evaluation.attribute_scores import Scores, baseline_errors, score
from albumgen_core.evaluation.attributes import (
    GENRE_MEDIAN,
    MEAN,
    MEDIAN,
    AttributeEvaluation,
    Condition,
    groups_of,
    read_covers,
    what_is_known,
)
from albumgen_core.evaluation.attributes_report import verdict, write_report
from albumgen_core.retrieval.leak_free import LeakFreeNeighbours
from tests.albumgen_core.retrieval.helpers import random_vectors

COUNT = 60


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[AlbumRecord]:
    """Albums of three artists in ten; the colour of a cover is the album's energy, its genre follows."""
    folder = tmp_path_factory.mktemp("albums")
    rng = np.random.default_rng(0)
    found = []
    for number in range(COUNT):
        energy = rng.uniform(0.1, 0.9)
        cover = folder / f"{number}.png"
        Image.new("RGB", (32, 32), (round(255 * energy), number, 0)).save(cover)
        measured = MeasuredAttributes(
            artist_name=f"Artist {number // 3}",
            album_genre="metal" if energy > 0.5 else "ambient",
            tempo=100 + 60 * energy,
            key="C" if energy > 0.5 else "A",
            mode="major" if energy > 0.5 else "minor",
            **dict.fromkeys(AUDIO_FEATURES, energy),
        )
        found.append(AlbumRecord(Album(str(number), f"T{number}", f"Artist {number // 3}", measured), cover))
    return found


class Reader:
    """Reads energy off the red channel, or says it wrongly, dimly or not at all."""

    def __init__(self, *, sighted: bool = True, octave: float = 1.0, mute: bool = False) -> None:
        self.sighted, self.octave, self.mute = sighted, octave, mute
        self.contexts: list[Sequence[Neighbour] | None] = []
        self.name = "reader"

    def describe(
        self,
        cover: Cover,
        neighbours: Sequence[Neighbour] | None,
        *,
        seed: int = 0,
        on_progress: FractionCallback = ignore_progress,
    ) -> MusicalAttributes:
        self.contexts.append(neighbours)
        red, number, _ = cover.image.getpixel((0, 0))  # type: ignore[misc]
        if self.mute and number % 2:
            raise AttributeRangeError("answer", "is not valid JSON")
        energy = red / 255 if self.sighted else 0.1 + 0.8 * ((number * 37) % COUNT) / COUNT
        return MusicalAttributes(
            artist_name="",
            album_genre="metal" if energy > 0.5 else "ambient",
            key="C",
            mode="major",
            time_signature=4,
            tempo=(100 + 60 * energy) * self.octave,
            **dict.fromkeys(AUDIO_FEATURES, energy),
        )

    def answer_freely(self, cover: Cover, neighbours: Sequence[Neighbour] | None, *, seed: int = 0) -> str:
        number = cover.image.getpixel((0, 0))[1]  # type: ignore[index]
        return json.dumps(self.describe(cover, neighbours).to_model_dict()) if number % 4 else "I hear a song"


def evaluation_of(records: list[AlbumRecord], *conditions: Condition) -> AttributeEvaluation:
    known = what_is_known(records, records)
    return AttributeEvaluation(records, groups_of(records), len(records), known, conditions, 5, "colours")


def scores_of(records: list[AlbumRecord], reader: Reader, *, free: bool = False) -> Scores:
    condition = read_covers(reader, "a reader", records, free=free)
    return score(evaluation_of(records, condition), condition)


def test_who_reads_beats_the_median(records: list[AlbumRecord]) -> None:
    found = scores_of(records, Reader())
    assert found.valid == 1.0
    assert found.free_valid is None
    assert found.overall.mean < 0.005
    assert found.less_median["overall"].high < -0.1
    assert found.less_swapped.high < -0.1
    assert found.correlation["energy"] > 0.99
    assert found.diversity.spread["valence"] == pytest.approx(1, abs=0.02)
    assert found.genre.interval.mean == found.tempo.interval.mean == 1.0
    assert found.genre.baseline is not None
    assert found.genre.baseline < 0.7
    metal = np.mean([record.album.attributes.album_genre == "metal" for record in records])
    assert found.key.interval.mean == pytest.approx(metal)
    assert found.key_weighted.interval.mean == pytest.approx(metal + 0.3 * (1 - metal))


def test_who_guesses_is_found_out(records: list[AlbumRecord]) -> None:
    found = scores_of(records, Reader(sighted=False))
    assert found.less_median["overall"].low > 0
    assert found.less_swapped.low < 0 < found.less_swapped.high
    assert abs(found.correlation["energy"]) < 0.3


def test_an_octave_is_forgiven_where_it_says_so(records: list[AlbumRecord]) -> None:
    found = scores_of(records, Reader(octave=0.5))
    assert found.tempo.interval.mean == 0
    assert found.tempo_octave.interval.mean == 1


def test_invalid_answers_are_counted_and_left_out(records: list[AlbumRecord]) -> None:
    found = scores_of(records, Reader(mute=True))
    assert found.valid == 0.5
    assert found.overall.mean < 0.005
    assert found.genre.of == COUNT // 2
    odd = [records[1], records[3]]
    with pytest.raises(EvaluationError, match="None of the answers is valid"):
        scores_of(odd, Reader(mute=True))


def test_free_answers_are_judged_by_their_form(records: list[AlbumRecord]) -> None:
    assert scores_of(records, Reader(), free=True).free_valid == 0.75


def test_baselines_know_no_album_of_the_artist(records: list[AlbumRecord]) -> None:
    """Whoever adds an extreme album by the same artist changes nothing for that artist's albums."""
    loud = replace(records[0].album.attributes, **dict.fromkeys(AUDIO_FEATURES, 1.0))
    extreme = AlbumRecord(Album("loud", "Loud", "artist 0", loud), records[0].cover)
    before = what_is_known(records, records)
    after = what_is_known(records, [*records, extreme])
    for name in (MEAN, MEDIAN, GENRE_MEDIAN):
        changed = np.abs(before.features[name] - after.features[name]).max(axis=1)
        assert (changed[:3] == 0).all()
        assert changed[3:].max() > 0
    with pytest.raises(EvaluationError, match="no album by another artist"):
        what_is_known(records[:1], records[:3])


def test_neighbours_are_by_others(records: list[AlbumRecord]) -> None:
    vectors, reader = random_vectors(COUNT), Reader()
    condition = read_covers(
        reader, "r", records[:6], shelf=LeakFreeNeighbours(records, vectors), vectors=vectors, k=4
    )
    assert condition.name == "r, with neighbours"
    for record, near in zip(records[:6], reader.contexts, strict=True):
        assert near is not None
        assert len(near) == 4
        assert record.album.artist not in {neighbour.album.artist for neighbour in near}


@pytest.mark.slow
def test_the_report_is_whole(records: list[AlbumRecord], tmp_path: Path) -> None:
    blind = read_covers(Reader(sighted=False), "<blind>", records)
    near = replace(read_covers(Reader(), "<blind>", records, free=True), with_neighbours=True)
    evaluation = evaluation_of(records, blind, near)
    sentences = write_report(evaluation, tmp_path, "albumgen evaluate attributes covers")
    scores = {condition.name: score(evaluation, condition) for condition in evaluation.conditions}
    assert sentences == verdict(evaluation, scores)
    assert "higher than the median" in sentences[0]
    assert "nothing shows that its answers fit their own albums better" in sentences[0]
    assert "lower than the median" in sentences[1]
    assert "Neighbours lower <blind>'s error" in sentences[2]
    data = json.loads((tmp_path / "attributes.json").read_text())
    assert data["conditions"]["<blind>, with neighbours"]["free_valid"] == 0.75
    assert data["baselines"][MEDIAN]["overall"]["mean"] == pytest.approx(
        baseline_errors(evaluation, MEDIAN)[0].mean, abs=1e-6
    )
    page = (tmp_path / "index.html").read_text()
    assert "&lt;blind&gt;" in page
    assert "<blind>" not in page
    assert page.count("data:image/png;base64,") == 2
    assert "nan" not in page.replace("dominant", "")[:4000]
    for name in ("against-median.png", "spread.png"):
        assert min(Image.open(tmp_path / name).size) > 500


def test_covers_are_read_as_they_lie_on_disk(records: list[AlbumRecord]) -> None:
    assert records[0].cover is not None
    assert load_cover(records[0].cover).image.size == (32, 32)
