"""Clips against their requests: what is measured is what sounds, and swapped requests are found out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.engines.sketch.composer import SketchComposer
from albumgen_core.errors import EvaluationError
from albumgen_core.evaluation.audio import (
    AudioEvaluation,
    ClipResult,
    compose_and_measure,
    drawn_requests,
    evaluate_audio,
)
from albumgen_core.evaluation.audio_features import AudioFeatures, measure
from albumgen_core.evaluation.audio_report import Distance, verdict, write_report
from albumgen_core.evaluation.frechet import (
    DIMENSIONS,
    embed_folder,
    embed_sound,
    frechet_distance,
    halves_distance,
)

pytestmark = pytest.mark.slow

RATE = 22_050


def clicks(
    bpm: float, seconds: float = 8.0, *, gain: float = 0.5, pitch: float = 440.0
) -> NDArray[np.float32]:
    """Short decaying tones on every beat, mono."""
    sound = np.zeros(round(seconds * RATE))
    tone = np.sin(2 * np.pi * pitch * np.arange(RATE // 8) / RATE) * np.exp(-np.arange(RATE // 8) / 600)
    for beat in np.arange(0, seconds - 0.2, 60 / bpm):
        start = round(beat * RATE)
        sound[start : start + len(tone)] += tone[: len(sound) - start]
    return (gain * sound / np.abs(sound).max()).astype(np.float32)


def chord(*pitches: float, seconds: float = 4.0) -> NDArray[np.float32]:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(0.2 * sum(np.sin(2 * np.pi * p * time) for p in pitches), dtype=np.float32)


def audio(sound: NDArray[np.float32], rate: int = RATE) -> Audio:
    return Audio(np.stack([sound, sound]), rate)


@pytest.fixture(scope="module")
def sketches() -> list[ClipResult]:
    return compose_and_measure(SketchComposer(), drawn_requests(12), seconds=5.0, batch=4)


@pytest.fixture(scope="module")
def evaluation(sketches: list[ClipResult]) -> AudioEvaluation:
    return evaluate_audio("sketch", sketches)


@pytest.mark.parametrize("bpm", [75, 120, 160])
def test_tempo_and_onsets_of_clicks(bpm: float) -> None:
    heard = measure(audio(clicks(bpm)))
    assert heard.tempo == pytest.approx(bpm, rel=0.03)
    assert heard.onsets == pytest.approx(bpm / 60, rel=0.15)


def test_loudness_brightness_and_key_of_plain_sounds() -> None:
    time = np.arange(5 * 48_000) / 48_000
    sine = np.asarray(0.1 * np.sin(2 * np.pi * 997 * time), dtype=np.float32)
    heard = measure(audio(sine, 48_000))
    # BS.1770: a full-scale 997 Hz sine in one channel reads -3.01 LUFS; two channels add 3.01 dB.
    assert heard.loudness == pytest.approx(-20.0, abs=0.1)
    assert heard.brightness == pytest.approx(997, rel=0.05)
    minor = measure(audio(chord(220.0, 261.63, 329.63, 440.0)))
    assert (minor.key, minor.mode) == ("A", "minor")
    major = measure(audio(chord(261.63, 329.63, 392.0, 523.25)))
    assert (major.key, major.mode) == ("C", "major")


def test_silence_is_measured_too() -> None:
    heard = measure(audio(np.zeros(RATE * 3, np.float32)))
    assert (heard.tempo, heard.loudness, heard.onsets) == (0.0, -70.0, 0.0)
    assert embed_sound(audio(np.zeros(RATE * 3, np.float32))).shape == (0, DIMENSIONS)
    with pytest.raises(ValueError, match="too short"):
        measure(audio(np.zeros(RATE // 4, np.float32)))


def test_the_sketch_engine_keeps_its_word(evaluation: AudioEvaluation) -> None:
    kept = evaluation.kept
    assert kept["tempo, any octave"].share.mean >= 0.7
    assert kept["key"].share.mean >= 0.5
    for name in kept:
        assert kept[name].swapped < kept[name].share.mean - 0.2
    assert kept["key"].swapped < 0.25
    assert evaluation.speed > 1


def test_swapped_requests_are_not_kept(sketches: list[ClipResult]) -> None:
    turned = [replace(clip, asked=sketches[i - 5].asked) for i, clip in enumerate(sketches)]
    assert evaluate_audio("turned", turned).kept["key"].share.mean < 0.3


def test_relations_follow_what_is_there(sketches: list[ClipResult]) -> None:
    def told(sign: float) -> AudioEvaluation:
        """Clips whose loudness follows the loudness asked for, up or down, and nothing else."""
        chance = np.random.default_rng(0)
        made = []
        for clip in sketches:
            heard = AudioFeatures(
                100.0, "C", "major", sign * 40 * clip.asked.loudness, *chance.uniform(1, 2, 2)
            )
            made.append(replace(clip, heard=heard))
        return evaluate_audio("told", made)

    up, down = told(1).relations[0], told(-1).relations[0]
    assert (up.asked, up.heard) == ("loudness", "loudness")
    assert up.rho.mean == pytest.approx(1)
    assert up.holds
    assert down.rho.mean == pytest.approx(-1)
    assert not down.holds
    same = [replace(clip, heard=sketches[0].heard) for clip in sketches]
    assert math.isnan(evaluate_audio("same", same).relations[0].rho.mean)


def test_requests_are_drawn_over_all_there_is() -> None:
    drawn = drawn_requests(200)
    assert drawn == drawn_requests(200)
    assert drawn != drawn_requests(200, seed=1)
    assert {one.album_genre for one in drawn} == set(GENRES)
    assert len({one.key for one in drawn}) == 12
    assert min(one.tempo for one in drawn) < 60
    assert max(one.tempo for one in drawn) > 180


def test_too_few_clips_say_nothing(sketches: list[ClipResult]) -> None:
    with pytest.raises(EvaluationError, match="3 clips say nothing"):
        evaluate_audio("few", sketches[:3])


def test_the_distance_of_known_gaussians() -> None:
    """Two normal distributions a shift and a scale apart: d·(shift² + (s - 1)²)."""
    rng = np.random.default_rng(0)
    one = rng.normal(size=(200_000, 4))
    other = 1.0 + 3.0 * rng.normal(size=(200_000, 4))
    assert frechet_distance(one, other) == pytest.approx(4 * (1 + 4), rel=0.02)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-3)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))
    assert halves_distance(one) < 0.001
    with pytest.raises(EvaluationError, match="at least two seconds"):
        frechet_distance(one[:1], other)


def test_a_reference_folder(tmp_path: Path, sketches: list[ClipResult]) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        noise = rng.normal(size=RATE * 50).astype(np.float32) * 0.1
        soundfile.write(tmp_path / f"{number}.flac", noise, RATE)
    rows, sounds = embed_folder(tmp_path)
    assert (rows.shape, sounds) == ((150, DIMENSIONS), 3)
    ours = np.concatenate([clip.embedding for clip in sketches])
    assert frechet_distance(ours, rows) > 50 * halves_distance(rows)
    (tmp_path / "3.wav").write_bytes(b"no sound")
    with pytest.raises(EvaluationError, match=r"3\.wav cannot be read"):
        embed_folder(tmp_path)
    with pytest.raises(EvaluationError, match="holds 0 seconds"):
        embed_folder(tmp_path.parent / "nothing")


def test_loudness_does_not_move_the_embedding() -> None:
    loud, soft = (embed_sound(audio(clicks(120, gain=gain))) for gain in (0.8, 0.1))
    assert np.abs(loud - soft).max() < 0.01
    assert np.abs(loud - embed_sound(audio(clicks(120, pitch=2000.0)))).max() > 10


def test_the_report_is_whole(evaluation: AudioEvaluation, tmp_path: Path) -> None:
    distance = Distance(12.5, 1.5, "log-mel-64", 30)
    sentences = write_report(evaluation, tmp_path, distance, "albumgen evaluate audio --engine sketch")
    assert sentences == verdict(evaluation, distance)
    assert sentences[0].startswith("Of 12 clips by sketch")
    assert "30 reference sounds is 12.5" in sentences[-1]
    data = json.loads((tmp_path / "audio.json").read_text())
    assert len(data["clips"]) == 12
    assert data["frechet"]["between_halves"] == 1.5
    assert data["clips"][0]["asked"]["tempo"] == asked(evaluation)[0].tempo
    page = (tmp_path / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "albumgen evaluate audio --engine sketch" in page
    for name in ("tempo-and-keys.png", "relations.png"):
        assert min(Image.open(tmp_path / name).size) > 500


def asked(evaluation: AudioEvaluation) -> Sequence[MusicalAttributes]:
    return [clip.asked for clip in evaluation.clips]
