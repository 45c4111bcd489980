from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albumgen_core.engines.neural.musicgen import load_composer
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS, request


class KilledError(Exception):
    pass


@pytest.fixture(scope="module", params=["float32", "int8"])
def composer(request: pytest.FixtureRequest, mono: Path) -> Any:
    return load_composer(mono, dtype=request.param, window_seconds=3.0, extend_stride=2.0)


def kill_at(fraction: float) -> Any:
    def progress(done: float) -> None:
        if done >= fraction:
            raise KilledError

    return progress


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.55, 0.8])
def test_a_killed_clip_is_resumed_and_comes_out_the_same(
    composer: Any, tmp_path: Path, fraction: float
) -> None:
    path = tmp_path / "tokens.npz"
    wanted = request(seconds=6.0, seed=3, checkpoint=path)
    with pytest.raises(KilledError):
        composer.compose([wanted], on_progress=kill_at(fraction))
    assert path.exists()
    steps: list[float] = []
    (resumed,) = composer.compose([wanted], on_progress=steps.append)
    (whole,) = composer.compose([request(seconds=6.0, seed=3)])
    assert np.array_equal(resumed.tokens, whole.tokens)
    assert np.allclose(resumed.samples, whole.samples, atol=1e-5)
    assert len(steps) < 240  # an uninterrupted clip takes over 300


def test_a_finished_clip_is_not_composed_again(composer: Any, tmp_path: Path) -> None:
    wanted = request(seconds=2.5, checkpoint=tmp_path / "tokens.npz")
    (first,) = composer.compose([wanted])
    steps: list[float] = []
    (again,) = composer.compose([wanted], on_progress=steps.append)
    assert steps == []
    assert np.allclose(again.samples, first.samples, atol=1e-6)


@pytest.mark.slow
def test_only_the_clip_that_was_killed_is_resumed(composer: Any, tmp_path: Path) -> None:
    path = tmp_path / "tokens.npz"
    composer.compose([request(seconds=2.5, seed=1, checkpoint=path)])
    for other in (
        request(seconds=2.5, seed=2, checkpoint=path),
        request(PROMPTS[1], seconds=2.5, seed=1, checkpoint=path),
    ):
        (mine,) = composer.compose([other])
        (expected,) = composer.compose([request(other.prompt, other.seconds, other.seed)])
        assert np.array_equal(mine.tokens, expected.tokens)


@pytest.mark.parametrize("damage", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_a_damaged_file_costs_nothing_but_time(composer: Any, tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "tokens.npz"
    path.write_bytes(damage)
    (clip,) = composer.compose([request(seconds=0.5, seed=1, checkpoint=path)])
    (expected,) = composer.compose([request(seconds=0.5, seed=1)])
    assert np.array_equal(clip.tokens, expected.tokens)


def test_a_folder_that_cannot_be_written_costs_only_the_resumption(composer: Any, tmp_path: Path) -> None:
    wanted = request(seconds=2.5, checkpoint=tmp_path / "gone" / "tokens.npz")
    (clip,) = composer.compose([wanted])
    assert clip.tokens.shape == (4, 125)


@pytest.mark.slow
def test_a_continuation_is_resumed_too(composer: Any, tmp_path: Path) -> None:
    (first,) = composer.compose([request(seconds=2.0, seed=5)])
    wanted = request(seconds=6.0, seed=6, continue_from=first, checkpoint=tmp_path / "tokens.npz")
    with pytest.raises(KilledError):
        composer.compose([wanted], on_progress=kill_at(0.8))
    steps: list[float] = []
    (resumed,) = composer.compose([wanted], on_progress=steps.append)
    (whole,) = composer.compose([request(seconds=6.0, seed=6, continue_from=first)])
    assert np.array_equal(resumed.tokens, whole.tokens)
    assert np.array_equal(resumed.tokens[:, :100], first.tokens)
    # What was given to begin with is no work; what the killed attempt had composed is.
    assert 0.4 < steps[0] < 0.8
    assert steps[-1] == 1.0
