from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albumgen_core.engines.neural.musicgen import load_composer
from albumgen_core.engines.neural.musicgen.codec import Codec
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from albumgen_core.engines.neural.musicgen.stream import SoundStream
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS, request


@pytest.fixture(scope="module")
def codec(mono: Path) -> Codec:
    return Codec(open_checkpoint(mono), torch.device("cpu"))


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(0, 64, (4, 260), generator=torch.Generator().manual_seed(0))


def test_the_codec_decodes_as_transformers_does(codec: Codec, tokens: torch.Tensor, reference: Any) -> None:
    with torch.inference_mode():
        expected = reference.audio_encoder.decode(tokens[None, None], [None]).audio_values[0]
    assert (codec.decode(tokens[None]) - expected).abs().max() < 1e-4


def test_the_codec_encodes_as_transformers_does(codec: Codec, reference: Any) -> None:
    sound = torch.randn(1, 1, 1987, generator=torch.Generator().manual_seed(2)) / 4
    with torch.inference_mode():
        expected = reference.audio_encoder.encode(sound).audio_codes[0]
    assert torch.equal(codec.encode(sound[:, 0]), expected)


@pytest.mark.parametrize("step", [1, 7, 64, 259])
@pytest.mark.parametrize("channels", [1, 2])
def test_pieces_are_what_the_whole_clip_would_have_been(
    codec: Codec, tokens: torch.Tensor, step: int, channels: int
) -> None:
    interleaved = torch.stack([tokens, tokens.flip(1)], dim=1).flatten(0, 1) if channels == 2 else tokens
    whole = codec.decode(torch.stack([tokens, tokens.flip(1)][:channels]))
    stream = SoundStream(codec, channels, 260)
    ready = []
    for known in range(step, 260, step):
        stream.feed(interleaved[:, :known])
        ready.append(stream.ready)
        assert torch.allclose(stream.samples[:, : stream.ready], whole[:, : stream.ready], atol=1e-5)
    stream.feed(interleaved)
    assert ready == sorted(ready)
    assert stream.ready == whole.shape[1]
    assert torch.allclose(stream.samples, whole, atol=1e-5)


def test_the_first_second_sounds_before_the_last_is_composed(mono: Path) -> None:
    composer: Any = load_composer(mono, dtype="float32")
    fractions: list[float] = []
    heard: list[tuple[int, float, np.ndarray]] = []

    def hear(position: int, samples: np.ndarray) -> None:
        heard.append((position, fractions[-1], samples))

    clips = composer.compose(
        [request(PROMPTS[0], 4.0), request(PROMPTS[1], 3.0)], on_progress=fractions.append, on_sound=hear
    )
    for place, clip in enumerate(clips):
        pieces = [samples for position, _, samples in heard if position == place]
        assert np.array_equal(np.concatenate(pieces, axis=1), clip.samples)
        first = next(fraction for position, fraction, _ in heard if position == place)
        assert first < 0.9


@pytest.mark.slow
def test_the_windows_of_a_long_clip_join_without_a_seam(mono: Path) -> None:
    composer: Any = load_composer(mono, dtype="float32", window_seconds=1.0, extend_stride=0.6)
    (clip,) = composer.compose([request(seconds=4.0, seed=9)])
    whole = composer.codec.decode(torch.from_numpy(clip.tokens.astype(np.int64))[None]).numpy()
    assert np.abs(clip.samples - whole).max() < 1e-5
    jumps = np.abs(np.diff(clip.samples[0]))
    hop, joins = composer.codec.hop, [50, 80, 110, 140, 170]
    at_joins = max(jumps[join * hop - 2 : join * hop + 2].max() for join in joins)
    assert at_joins <= jumps.max()
    # No click: the steps around joins are of the size of the steps everywhere else.
    assert at_joins < np.quantile(jumps, 0.999)
