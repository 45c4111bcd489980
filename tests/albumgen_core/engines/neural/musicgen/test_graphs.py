"""The GPU's replayed steps, with a capture that runs on a CPU: the same buffers, depths and recaptures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen import graphs, load_composer
from albumgen_core.engines.neural.musicgen.decoder import FastDecoder
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from albumgen_core.engines.neural.musicgen.session import FastSession
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS, request

CPU = torch.device("cpu")


def replayable(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Like a CUDA graph: the work is fixed once, reads the same buffers, and writes the same result."""
    result = work()

    def replay() -> None:
        result.copy_(work())

    return replay, result


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_replayed_steps_equal_those_run_one_by_one(
    mono: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    monkeypatch.setattr(graphs, "DEPTH", 16)
    where = torch.device(device)
    decoder = FastDecoder(open_checkpoint(mono), where, "float32", 3.0)
    conditioning = [
        torch.randn(n, 32, generator=torch.Generator().manual_seed(n)).to(where) for n in (3, 9, 5)
    ]
    capture = graphs.cuda_capture if device == "cuda" else replayable
    replayed = graphs.GraphSession(decoder, conditioning, 60, capture)
    eager = FastSession(decoder, conditioning, 60)
    columns = torch.randint(0, 64, (3, 4, 60), generator=torch.Generator().manual_seed(0)).to(where)
    starts = [columns[0, :, :0], columns[1, :, :11], columns[2, :, :40]]
    for session in (replayed, eager):
        session.begin([0, 1, 2], starts)

    def check(rows: Tensor, steps: int) -> None:
        for step in range(steps):
            now = columns[rows, :, step]
            assert torch.allclose(replayed.step(now), eager.step(now), atol=1e-4)

    check(torch.tensor([0, 1, 2]), 18)
    for session in (replayed, eager):
        session.keep([2, 0])
        session.begin([1], [columns[0, :, :5]])
    check(torch.tensor([2, 0]), 2)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_clips_composed_by_replay_are_those_composed_step_by_step(
    mono: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Different prompts, lengths and windows: rows begin anew, fall out of step, and leave.
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    monkeypatch.setattr(graphs, "DEPTH", 16)
    wanted = [
        request(prompt, seconds, seed)
        for seed, (prompt, seconds) in enumerate(zip(PROMPTS, (3.1, 0.7, 1.5), strict=True))
    ]
    composer: Any = load_composer(
        mono, device=device, dtype="float32", window_seconds=1.2, extend_stride=0.7, temperature=0.8
    )
    captures = 0

    def counted(work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        nonlocal captures
        captures += 1
        return (graphs.cuda_capture if device == "cuda" else replayable)(work)

    def compose(kind: Callable[..., FastSession]) -> list[Any]:
        monkeypatch.setattr(FastDecoder, "open", kind)
        return [clip.tokens for clip in composer.compose(wanted)]

    expected = compose(lambda *state: FastSession(*state))
    replayed = compose(lambda *state: graphs.GraphSession(*state, counted))
    for one, other in zip(replayed, expected, strict=True):
        assert np.array_equal(one, other)
    assert 3 <= captures < 20  # far fewer than the 155 steps and more
