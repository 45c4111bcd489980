"""What was predicted is what is heard: tempo and key as other people's tools measure them.

A short version of benchmarks/sketch_fidelity.py, which measures hundreds of clips.
"""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from albumgen_core.attributes.fields import KEYS
from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.sketch.composer import SketchComposer
from tests.albumgen_core.engines.sketch.pictures import attributes

pytestmark = pytest.mark.slow

PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
"""Krumhansl and Kessler, 1982."""

CASES = [
    ("pop", 4, 120.0, "C", "major"),
    ("rock", 4, 138.0, "A", "minor"),
    ("hip hop", 4, 88.0, "D#", "minor"),
    ("jazz", 4, 132.0, "F", "major"),
    ("classical", 3, 96.0, "G", "major"),
    ("house", 4, 124.0, "F#", "minor"),
    ("metal", 7, 140.0, "E", "minor"),
    ("folk", 6, 104.0, "D", "major"),
    ("reggae", 4, 76.0, "B", "major"),
    ("ambient", 4, 72.0, "G#", "minor"),
    ("latin", 5, 110.0, "A#", "minor"),
    ("country", 4, 116.0, "E", "major"),
]


@pytest.fixture(scope="module")
def heard() -> list[tuple[float, list[tuple[str, str]]]]:
    composer = SketchComposer()
    results = []
    for number, (genre, metre, tempo, key, mode) in enumerate(CASES):
        wanted = attributes(album_genre=genre, time_signature=metre, tempo=tempo, key=key, mode=mode)
        clip = composer.compose([ComposeRequest("", wanted, 10.0, number)])[0]
        assert clip is not None
        mono = clip.samples.mean(axis=0)
        sound = librosa.resample(mono, orig_sr=clip.sample_rate, target_sr=22_050, res_type="polyphase")
        envelope = librosa.onset.onset_strength(y=sound, sr=22_050, hop_length=128)
        measured = float(librosa.feature.tempo(onset_envelope=envelope, sr=22_050, hop_length=128)[0])
        chroma = librosa.feature.chroma_cqt(y=sound, sr=22_050).mean(axis=1)
        scores = {
            (KEYS[tonic], name): float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
            for name, profile in PROFILES.items()
            for tonic in range(12)
        }
        results.append((measured, sorted(scores, key=lambda candidate: -scores[candidate])))
    return results


def test_the_tempo_is_heard_up_to_an_octave(heard: list[tuple[float, list[tuple[str, str]]]]) -> None:
    found = [
        any(abs(measured / (case[2] * ratio) - 1) < 0.03 for ratio in (0.5, 1.0, 2.0))
        for (measured, _), case in zip(heard, CASES, strict=True)
    ]
    assert sum(found) >= 11, list(zip(CASES, heard, strict=True))


def test_the_key_is_among_the_two_likeliest(heard: list[tuple[float, list[tuple[str, str]]]]) -> None:
    found = [(case[3], case[4]) in ranking[:2] for (_, ranking), case in zip(heard, CASES, strict=True)]
    assert sum(found) >= 11
