from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from albumgen_core.audio.types import Audio
from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.sketch import load_engine
from albumgen_core.engines.sketch.arrangement import arrange
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.closing import plan_ending
from albumgen_core.engines.sketch.composer import SketchComposer
from albumgen_core.engines.sketch.render import render
from albumgen_core.engines.sketch.soundfont import find_soundfont
from tests.albumgen_core.engines.sketch.pictures import attributes, drawn

pytestmark = pytest.mark.slow

COMPOSER = SketchComposer()


def compose(seconds: float = 5.0, seed: int = 1, continue_from: Audio | None = None, **changes: Any) -> Audio:
    clip = COMPOSER.compose([ComposeRequest("", attributes(**changes), seconds, seed, continue_from)])[0]
    assert clip is not None
    return clip


def rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.5, 9.99, 47.0])
@pytest.mark.parametrize("tempo", [50.0, 199.0])
def test_clips_have_the_very_length_and_end_in_silence(seconds: float, tempo: float) -> None:
    clip = compose(seconds, tempo=tempo)
    assert clip.samples.dtype == np.float32
    assert clip.channels == 2
    assert abs(clip.seconds - seconds) < 0.001
    assert np.isfinite(clip.samples).all()
    assert np.abs(clip.samples).max() <= 0.98
    assert rms(clip.samples) > 0.01
    assert np.abs(clip.samples[:, -200:]).max() < 0.003


def test_five_minutes_do_not_stop_or_swell() -> None:
    clip = compose(300.0, album_genre="house", tempo=124.0)
    windows = clip.samples[:, : 290 * 48000].reshape(2, 29, -1)
    levels = [rms(windows[:, i]) for i in range(29)]
    assert min(levels) > 0.25 * max(levels)


def test_the_same_seed_gives_the_same_bytes_in_another_process_whatever_was_played_before() -> None:
    script = (
        "import hashlib; from tests.albumgen_core.engines.sketch.test_composer import compose;"
        "[compose(2.0, 4, album_genre=genre) for genre in ('rock', 'hip hop')];"
        "print(hashlib.sha256(compose(4.0, 7, album_genre='jazz').samples.tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert there == hashlib.sha256(compose(4.0, 7, album_genre="jazz").samples.tobytes()).hexdigest()


def test_other_seeds_sound_different() -> None:
    clips = [compose(5.0, seed).samples.mean(axis=0) for seed in range(5)]
    for i in range(5):
        for j in range(i):
            assert abs(np.corrcoef(clips[i], clips[j])[0, 1]) < 0.6


def test_energy_and_loudness_are_heard() -> None:
    assert rms(compose(energy=0.95, loudness=0.95).samples) > 1.5 * rms(
        compose(energy=0.1, loudness=0.6).samples
    )


def test_a_batch_reports_progress_and_skips_the_cancelled() -> None:
    seen: list[float] = []
    requests = [ComposeRequest("", attributes(), 1.0, seed) for seed in range(4)]
    clips = COMPOSER.compose(requests, on_progress=seen.append, is_cancelled=lambda position: position == 2)
    assert [clip is None for clip in clips] == [False, False, True, False]
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be"):
        compose(seconds)


@pytest.mark.parametrize("genre", ["pop", "jazz", "ambient", "metal"])
def test_playing_on_keeps_the_earlier_clip_and_has_no_seam(genre: str) -> None:
    earlier = compose(8.0, album_genre=genre)
    longer = compose(16.0, album_genre=genre, continue_from=earlier)
    brief = Brief.of(attributes(album_genre=genre), 1)
    whole = Audio(render(arrange(brief, 16.0, opened=8.0), find_soundfont().path), 48_000)
    kept = int(plan_ending(brief, 8.0).cadence * brief.beat_seconds * 48000) - 48000 // 10
    assert kept > 4 * 48000
    np.testing.assert_array_equal(longer.samples[:, :kept], earlier.samples[:, :kept])
    assert longer.samples.shape == whole.samples.shape
    # What follows is the longer piece as if it had been written at once.
    np.testing.assert_allclose(longer.samples, whole.samples, atol=2e-3)


def test_playing_on_finds_its_place_in_a_quieter_delayed_copy() -> None:
    earlier = compose(8.0)
    rng = np.random.default_rng(0)
    copy = 0.5 * np.roll(earlier.samples, 900, axis=1) + rng.normal(0, 0.002, earlier.samples.shape)
    longer = compose(14.0, continue_from=Audio(copy.astype(np.float32), 48000))
    brief = Brief.of(attributes(), 1)
    whole = 0.5 * np.roll(render(arrange(brief, 14.0, opened=8.0), find_soundfont().path), 900, axis=1)
    later = slice(8 * 48000, 13 * 48000)
    assert np.corrcoef(longer.samples[0, later], whole[0, later])[0, 1] > 0.99
    assert rms(longer.samples[:, later]) == pytest.approx(rms(whole[:, later]), rel=0.1)


def test_a_foreign_clip_is_faded_into_the_new_piece() -> None:
    t = np.arange(32000 * 6) / 32000
    hum = (0.2 * np.sin(2 * np.pi * 220 * t))[None].astype(np.float32)
    longer = compose(12.0, continue_from=Audio(hum, 32000))
    assert abs(longer.seconds - 12.0) < 0.001
    assert rms(longer.samples[:, 7 * 48000 : 11 * 48000]) > 0.02
    # The hum is there untouched before the fade, and the fade never falls silent.
    hummed = longer.samples[0, 48000 : 4 * 48000]
    assert np.abs(np.fft.rfft(hummed)).argmax() == 220 * 3
    assert min(rms(w) for w in np.split(longer.samples[0, 4 * 48000 : 8 * 48000], 40)) > 0.01


def test_a_shorter_continuation_is_the_beginning() -> None:
    earlier = compose(6.0)
    cut = compose(4.0, continue_from=earlier)
    np.testing.assert_array_equal(cut.samples[:, :150000], earlier.samples[:, :150000])
    assert abs(cut.seconds - 4.0) < 0.001


def test_the_engine_goes_from_a_picture_to_sound() -> None:
    engine = load_engine()
    assert engine.family == "sketch"
    cover = drawn(1)
    described = engine.describer.describe(cover, None)
    clip = engine.composer.compose([ComposeRequest("", described, 2.0, 0)])[0]
    assert clip is not None
    assert clip.sample_rate == engine.composer.sample_rate == 48000
    assert engine.embedder.embed([cover]).shape == (1, 512)


def test_importing_the_engine_loads_no_heavy_library() -> None:
    script = (
        "import sys; from albumgen_core.engines.sketch import load_engine; load_engine();"
        "heavy = ('torch', 'transformers', 'librosa', 'pretty_midi', 'matplotlib');"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
