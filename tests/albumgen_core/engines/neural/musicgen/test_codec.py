"""The codec's layers against transformers', in the variants that an EnCodec configuration allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import EncodecModel

from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.codec import PREFIX, Codec
from albumgen_core.engines.neural.musicgen.codec_layers import Conv, Upsample
from albumgen_core.engines.neural.musicgen.stream import SoundStream
from albumgen_core.errors import EngineUnavailableError
from tests.checkpoints.musicgen import VOCABULARY, tiny_config

VARIANTS: dict[str, dict[str, Any]] = {
    "MusicGen's": {},
    "causal": {"use_causal_conv": True},
    "causal, trimmed on both sides": {"use_causal_conv": True, "trim_right_ratio": 0.5},
    "with shortcuts": {"use_conv_shortcut": True},
    "two dilated blocks": {"num_residual_layers": 2},
    "padded with zeros": {"pad_mode": "constant"},
    "padded with the edge": {"pad_mode": "replicate"},
    "odd strides": {"upsampling_ratios": [5, 3, 2]},
}


def build(variant: dict[str, Any]) -> tuple[Any, Codec]:
    """transformers' model of a variant with random weights, and ours of the same weights."""
    config = tiny_config()
    for name, value in variant.items():
        setattr(config.audio_encoder, name, value)
    codec = config.audio_encoder
    codec.target_bandwidths = [codec.frame_rate * 4 * 6 / 1000]  # four codebooks of 64 entries
    torch.manual_seed(0)
    model = EncodecModel(codec).eval()
    for layer in model.quantizer.layers:
        layer.codebook.embed.normal_(generator=torch.Generator().manual_seed(1))
    readers = {PREFIX + name: (lambda tensor=tensor: tensor) for name, tensor in model.state_dict().items()}
    return model, Codec(Checkpoint(Path("made"), config, readers), torch.device("cpu"))


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_variant_decodes_and_encodes_as_transformers_does(name: str) -> None:
    model, codec = build(VARIANTS[name])
    for frames in (90, 1, 2, 3):  # the last ones are shorter than what pads them
        tokens = torch.randint(0, VOCABULARY, (2, 4, frames), generator=torch.Generator().manual_seed(frames))
        with torch.inference_mode():
            expected = model.decode(tokens[None], [None]).audio_values[:, 0]
        found = codec.decode(tokens)
        assert found.shape == expected.shape
        assert (found - expected).abs().max() < 1e-5
    sound = torch.randn(1, 1, 1987, generator=torch.Generator().manual_seed(2)) / 4
    with torch.inference_mode():
        assert torch.equal(codec.encode(sound[:, 0]), model.encode(sound).audio_codes[0])


@pytest.mark.parametrize("name", list(VARIANTS))
def test_pieces_of_every_variant_are_the_whole(name: str) -> None:
    _, codec = build(VARIANTS[name])
    tokens = torch.randint(0, VOCABULARY, (4, 260), generator=torch.Generator().manual_seed(0))
    stream = SoundStream(codec, 1, 260)
    for known in range(25, 286, 25):
        stream.feed(tokens[:, :known])
    assert torch.allclose(stream.samples, codec.decode(tokens[None]), atol=1e-5)


def test_convolutions_keep_a_column_for_each_stride() -> None:
    config = tiny_config().audio_encoder
    for stride, length in ((1, 17), (2, 17), (4, 18), (5, 3)):
        conv = Conv(torch.randn(6, 4, 2 * stride + 1), torch.randn(6), config, stride=stride)
        assert conv(torch.randn(2, length, 4)).shape == (2, -(-length // stride), 6)


def test_another_kernel_than_twice_the_stride_is_refused() -> None:
    config = tiny_config()
    with pytest.raises(ValueError, match="stride of 4"):
        Upsample(torch.randn(8, 4, 7), torch.randn(4), config.audio_encoder, 4)
    model = EncodecModel(config.audio_encoder)
    state = model.state_dict()
    name = "decoder.layers.3.conv.parametrizations.weight.original1"
    state[name] = state[name][..., :-1]
    readers = {PREFIX + name: (lambda tensor=tensor: tensor) for name, tensor in state.items()}
    with pytest.raises(EngineUnavailableError, match="made"):
        Codec(Checkpoint(Path("made"), config, readers), torch.device("cpu"))
