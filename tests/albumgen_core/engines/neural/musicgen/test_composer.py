from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albumgen_core.audio.types import Audio
from albumgen_core.engines.neural.musicgen import load_composer
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS, request

BACKENDS = ("transformers", "own")


@pytest.fixture(scope="module", params=BACKENDS)
def composer(request: pytest.FixtureRequest, mono: Path) -> Any:
    # Short windows, so that clips of a few seconds already slide.
    return load_composer(mono, backend=request.param, dtype="float32", window_seconds=2.0, extend_stride=1.2)


def test_a_clip_has_the_length_asked_for_and_keeps_its_tokens(composer: Any) -> None:
    (clip,) = composer.compose([request(seconds=1.37)])
    assert clip.samples.shape == (1, round(1.37 * composer.sample_rate))
    assert clip.tokens.shape == (4, 69)
    assert clip.tokens.dtype == np.int16
    assert clip.tokens.min() >= 0
    assert clip.tokens.max() < 64
    assert clip.samples.std() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_greedy_clips_are_those_of_transformers(
    backend: str, channels: int, mono: Path, stereo: Path, reference: Any, stereo_reference: Any
) -> None:
    folder, model = ((mono, reference), (stereo, stereo_reference))[channels - 1]
    composer = load_composer(folder, backend=backend, dtype="float32", temperature=0.0)
    for prompt in PROMPTS:
        ids = composer.text.tokenize(prompt)
        expected = model.generate(input_ids=ids, do_sample=False, max_new_tokens=60 + 3)[0].numpy()
        (clip,) = composer.compose([request(prompt, seconds=1.2)])
        assert np.abs(clip.samples - expected).max() < 1e-4


def test_the_seed_decides(composer: Any) -> None:
    first, again, other = (composer.compose([request(seed=seed)])[0] for seed in (1, 1, 2))
    assert np.array_equal(first.samples, again.samples)
    assert not np.array_equal(first.tokens, other.tokens)


@pytest.mark.slow
def test_a_clip_does_not_depend_on_the_batch_it_was_made_in(composer: Any) -> None:
    wanted = [
        request(PROMPTS[0], 3.3, seed=5),
        request(PROMPTS[1], 0.5, seed=6),
        request(PROMPTS[2], 1.0, seed=7),
    ]
    together = composer.compose(wanted)
    for one, shared in zip(wanted, together, strict=True):
        (alone,) = composer.compose([one])
        assert np.array_equal(alone.tokens, shared.tokens)
        assert np.allclose(alone.samples, shared.samples, atol=1e-5)


def test_progress_rises_from_step_to_step_and_ends_at_one(composer: Any) -> None:
    seen: list[float] = []
    composer.compose([request(seconds=0.2), request(seconds=2.6)], on_progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) >= 130
    assert seen[-1] == 1.0


def test_a_cancelled_clip_stops_and_the_others_go_on(composer: Any) -> None:
    steps = 0

    def count(_fraction: float) -> None:
        nonlocal steps
        steps += 1

    def cancelled(position: int) -> bool:
        return position == 0 and steps >= 10

    wanted = [request(PROMPTS[0], 2.0, seed=1), request(PROMPTS[1], 0.6, seed=2)]
    gone, kept = composer.compose(wanted, on_progress=count, is_cancelled=cancelled)
    (alone,) = composer.compose([wanted[1]])
    assert gone is None
    assert np.array_equal(kept.tokens, alone.tokens)
    assert steps == 33  # 30 frames and the delay of the last codebook


def test_cancelling_the_whole_batch_ends_it_within_a_step(composer: Any) -> None:
    seen: list[float] = []
    result = composer.compose([request()], on_progress=seen.append, is_cancelled=lambda _: len(seen) >= 4)
    assert result == [None]
    assert len(seen) == 4


def test_a_clip_cancelled_before_it_began_costs_no_step(composer: Any) -> None:
    seen: list[float] = []
    assert composer.compose([request()], on_progress=seen.append, is_cancelled=lambda _: True) == [None]
    assert seen == []


def test_longer_plays_on_from_the_clip_it_was_given(composer: Any) -> None:
    (first,) = composer.compose([request(seconds=1.0, seed=3)])
    (longer,) = composer.compose([request(seconds=3.0, seed=3, continue_from=first)])
    assert longer.tokens.shape == (4, 150)
    assert np.array_equal(longer.tokens[:, :50], first.tokens)
    # The very end of the first clip alone is heard differently: it now has a future.
    same = 1600 - 6 * 32
    assert np.allclose(longer.samples[:, :same], first.samples[:, :same], atol=1e-5)


def test_longer_is_what_the_same_seed_would_have_composed_at_once(composer: Any) -> None:
    (whole,) = composer.compose([request(seconds=3.0, seed=3)])
    start = Audio(whole.samples[:, :1600], whole.sample_rate, whole.tokens[:, :50])
    (longer,) = composer.compose([request(seconds=3.0, seed=3, continue_from=start)])
    assert np.array_equal(longer.tokens, whole.tokens)


def test_sound_without_tokens_is_encoded_to_be_continued(composer: Any, reference: Any) -> None:
    (first,) = composer.compose([request(seconds=1.0)])
    heard = Audio(first.samples, first.sample_rate)
    (longer,) = composer.compose([request(seconds=1.5, continue_from=heard)])
    codes = reference.audio_encoder.encode(torch.from_numpy(first.samples)[None]).audio_codes[0, 0]
    assert np.array_equal(longer.tokens[:, :50], codes.numpy())


def test_sound_of_another_rate_and_channel_count_is_brought_to_the_codecs(composer: Any) -> None:
    tone = np.sin(np.arange(3200) / 20, dtype=np.float32)
    (longer,) = composer.compose([request(seconds=1.5, continue_from=Audio(np.stack([tone, tone]), 3200))])
    assert longer.tokens.shape == (4, 75)


def test_a_clip_no_longer_than_what_it_continues_is_that_clips_beginning(composer: Any) -> None:
    (first,) = composer.compose([request(seconds=1.0)])
    (same,) = composer.compose([request(seconds=0.6, continue_from=first)])
    assert np.array_equal(same.tokens, first.tokens[:, :30])


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_clip_of_no_length_is_refused(composer: Any, seconds: float) -> None:
    with pytest.raises(ValueError, match="longer than"):
        composer.compose([request(seconds=seconds)])


def test_an_empty_batch_is_no_work(composer: Any) -> None:
    assert composer.compose([]) == []


def test_it_is_named_after_its_model_wherever_that_lies(mono: Path, tmp_path: Path) -> None:
    cached = tmp_path / "models--facebook--musicgen-small" / "snapshots" / "4c8334b02c6e"
    cached.parent.mkdir(parents=True)
    cached.symlink_to(mono)
    assert load_composer(cached, dtype="float32").name == "MusicGen (musicgen-small)"
