"""Sampled clips against transformers' own generate, token for token, from the same random numbers.

Everything of transformers runs as it is: its text encoder with padded prompts, its loop, its cache, its
delay pattern mask, its guidance and its top-k and top-p warpers. Only `torch.multinomial`, which draws the
tokens from the probabilities that all of these have made, reads its randomness from the clips' seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albumgen_core.engines.neural.musicgen import load_composer
from albumgen_core.engines.neural.musicgen.delay import DelayPattern
from albumgen_core.engines.neural.musicgen.sampling import uniforms
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS, request

SEEDS = (11, 12, 13)


class Multinomial:
    """Stands in for torch.multinomial: inverse transform of numbers laid out in advance, a column a call."""

    def __init__(self, channels: int, frames: int) -> None:
        books = 4 * channels
        pattern = DelayPattern(books, channels, pad=64)
        noise = [pattern.to_columns(uniforms(seed, frames, books).T, 0.0) for seed in SEEDS]
        self.columns = torch.cat(noise).T  # (columns, clips * codebooks), the rows of transformers' batch
        self.calls = 0

    def __call__(self, probabilities: torch.Tensor, num_samples: int) -> torch.Tensor:
        assert num_samples == 1
        self.calls += 1
        summed = probabilities.cumsum(-1)
        target = self.columns[self.calls, :, None] * summed[:, -1:]
        return torch.searchsorted(summed, target, right=True).clamp_max(probabilities.shape[-1] - 1)


def stock_clips(
    model: Any, tokenizer: Any, channels: int, frames: int, monkeypatch: pytest.MonkeyPatch, **sampling: Any
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Tokens (K, frames) of every clip, and the sound, as transformers makes them in one batch."""
    batch = tokenizer(list(PROMPTS), padding=True, return_tensors="pt")
    assert not batch.attention_mask.all()  # prompts of different lengths: some are padded
    heard: list[torch.Tensor] = []
    decode = model.audio_encoder.decode

    def listen(audio_codes: torch.Tensor, *rest: Any, **more: Any) -> Any:
        heard.append(audio_codes[0])
        return decode(audio_codes, *rest, **more)

    drawn = Multinomial(channels, frames)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "multinomial", drawn)
        patch.setattr(model.audio_encoder, "decode", listen)
        sound = model.generate(**batch, max_new_tokens=frames + 3, guidance_scale=3.0, **sampling)
    assert drawn.calls == (frames + 3 if sampling["do_sample"] else 0)
    # Left and right are decoded one after the other, and interleave in the tokens.
    return list(torch.stack(heard, dim=2).flatten(1, 2)), sound


SAMPLINGS = {
    "top-k": {"top_k": 10, "top_p": 0.0, "temperature": 1.0},
    "top-p": {"top_k": 0, "top_p": 0.8, "temperature": 1.3},
    "greedy": {"temperature": 0.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["own", "transformers"])
@pytest.mark.parametrize(("channels", "frames"), [(1, 500), (2, 100)])
@pytest.mark.parametrize("way", list(SAMPLINGS))
def test_clips_are_those_of_transformers_token_for_token(
    backend: str,
    channels: int,
    frames: int,
    way: str,
    mono: Path,
    stereo: Path,
    reference: Any,
    stereo_reference: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if backend == "transformers" or way != "top-k":
        frames = min(frames, 100)
    folder, model = ((mono, reference), (stereo, stereo_reference))[channels - 1]
    settings = SAMPLINGS[way]
    composer: Any = load_composer(folder, backend=backend, dtype="float32", **settings)  # type: ignore[arg-type]
    theirs: dict[str, Any] = {"do_sample": False}
    if way != "greedy":
        theirs = {"do_sample": True, **settings, "top_p": settings["top_p"] or 1.0}
    expected, sound = stock_clips(model, composer.text._tokenizer, channels, frames, monkeypatch, **theirs)
    clips = composer.compose(
        [request(prompt, frames / 50, seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
    )
    for clip, tokens, samples in zip(clips, expected, sound, strict=True):
        assert np.array_equal(clip.tokens, tokens.numpy())
        assert np.abs(clip.samples - samples.numpy()).max() < 1e-4
    assert not np.array_equal(clips[0].tokens, clips[1].tokens)
