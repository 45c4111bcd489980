"""audiocraft's MusicGen and ours, from the same weights; runs where audiocraft is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albumgen_core.audio.types import Audio
from albumgen_core.engines.neural.musicgen import audiocraft_backend as audiocraft
from albumgen_core.engines.neural.musicgen import load_composer
from albumgen_core.errors import EngineUnavailableError
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS, request
from tests.checkpoints import musicgen
from tests.checkpoints.audiocraft import language_model

INSTALLED = importlib.util.find_spec("audiocraft") is not None
SAMPLING = {"use_sampling": False, "top_k": 250, "top_p": 0.0, "temperature": 1.0}


@pytest.mark.skipif(INSTALLED, reason="audiocraft is installed")
def test_without_the_package_the_error_says_what_to_do() -> None:
    with pytest.raises(EngineUnavailableError, match=r"docs/musicgen\.md"):
        load_composer("facebook/musicgen-small", backend="audiocraft")


needs_audiocraft = pytest.mark.skipif(not INSTALLED, reason="audiocraft is not installed")


@needs_audiocraft
def test_a_checkpoint_it_cannot_load_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="audiocraft cannot load"):
        audiocraft.load_composer(tmp_path)


@needs_audiocraft
@pytest.mark.parametrize(("seconds", "window"), [(1.2, 30.0), (3.4, 2.0)])
def test_both_compose_the_same_music(tmp_path: Path, seconds: float, window: float) -> None:
    theirs = composer(window)
    ours = load_composer(
        musicgen.build(tmp_path), temperature=0.0, dtype="float32", window_seconds=window, extend_stride=1.2
    )
    for prompt in PROMPTS:
        fractions: list[float] = []
        (expected,) = theirs.compose([request(prompt, seconds)], on_progress=fractions.append)
        (clip,) = ours.compose([request(prompt, seconds)])
        assert expected is not None
        assert clip is not None
        assert np.array_equal(clip.tokens, expected.tokens)
        assert np.allclose(clip.samples, expected.samples, atol=1e-4)
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0


@needs_audiocraft
def test_both_play_on_alike(tmp_path: Path) -> None:
    theirs = composer(30.0)
    ours = load_composer(musicgen.build(tmp_path), temperature=0.0, dtype="float32")
    (first,) = ours.compose([request(seconds=1.0)])
    assert first is not None
    wanted = request(PROMPTS[1], 2.0, continue_from=Audio(first.samples, first.sample_rate))
    (expected,), (clip,) = theirs.compose([wanted]), ours.compose([wanted])
    assert expected is not None
    assert clip is not None
    assert np.array_equal(clip.tokens, expected.tokens)


@needs_audiocraft
def test_cancelling_leaves_audiocrafts_loop() -> None:
    asked = 0

    def cancelled(position: int) -> bool:
        nonlocal asked
        asked += position == 0
        return position == 0 and asked > 5

    gone, kept = composer(30.0).compose([request(seconds=2.0), request(seconds=0.4)], is_cancelled=cancelled)
    assert gone is None
    assert kept is not None


def composer(window: float) -> audiocraft.AudiocraftComposer:
    """audiocraft's own classes around the tiny checkpoint's weights."""
    import audiocraft.modules as modules
    import audiocraft.quantization as quantization
    from audiocraft.models.encodec import EncodecModel
    from audiocraft.models.musicgen import MusicGen
    from audiocraft.modules.conditioners import TextConditioner

    source = musicgen.tiny_model()
    tokenizer = musicgen.tiny_tokenizer()

    class TinyT5(TextConditioner):  # type: ignore[misc]
        """audiocraft's T5Conditioner, which accepts published T5 models only, around the tiny one."""

        def tokenize(self, x: Any) -> Any:
            return x

        def forward(self, x: list[str | None]) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = [
                source.text_encoder(tokenizer(text, return_tensors="pt").input_ids).last_hidden_state[0]
                if text
                else torch.zeros(1, self.dim)
                for text in x
            ]
            padded = torch.nn.utils.rnn.pad_sequence(hidden, batch_first=True)
            mask = torch.zeros(padded.shape[:2])
            for row, (text, states) in enumerate(zip(x, hidden, strict=True)):
                mask[row, : len(states)] = float(bool(text))
            return self.output_proj(padded) * mask[..., None], mask

    lm = language_model(source.config.decoder, {"description": TinyT5(24, 32)}, guidance=3.0)
    lm.load_state_dict(musicgen.lm_package(source)["best_state"])
    package = musicgen.codec_package(source)
    seanet = {
        "n_filters": 4, "n_residual_layers": 1, "dimension": 16, "ratios": [4, 4, 2], "causal": False,
        "pad_mode": source.config.audio_encoder.pad_mode, "true_skip": True, "lstm": 2, "norm": "weight_norm",
    }  # fmt: skip
    codec = EncodecModel(
        modules.SEANetEncoder(**seanet),
        modules.SEANetDecoder(**seanet),
        quantization.ResidualVectorQuantizer(dimension=16, bins=64, n_q=4),
        frame_rate=musicgen.FRAME_RATE,
        sample_rate=musicgen.SAMPLE_RATE,
        channels=1,
    )
    codec.load_state_dict(package["best_state"])
    model = MusicGen("tiny", codec.eval(), lm.eval(), max_duration=30.0)
    model.max_duration = window  # its constructor refuses windows shorter than the default stride
    settings = SAMPLING | {"cfg_coef": 3.0, "extend_stride": 1.2}
    return audiocraft.AudiocraftComposer(model, "audiocraft", settings)
