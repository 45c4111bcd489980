"""Our decoder against transformers': the same numbers from the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from transformers import MusicgenForCausalLM

from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.decoder import FastDecoder
from albumgen_core.engines.neural.musicgen.delay import DelayPattern
from albumgen_core.engines.neural.musicgen.hf_decoder import HFDecoder, build_causal_lm
from albumgen_core.engines.neural.musicgen.linear import Format
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from albumgen_core.engines.neural.musicgen.text import TextEncoder
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS
from tests.checkpoints.musicgen import tiny_config, with_outlier_channels

CPU = torch.device("cpu")
STEPS = 500


def teacher(channels: int, frames: int = STEPS) -> torch.Tensor:
    books = 4 * channels
    tokens = torch.randint(0, 64, (books, frames), generator=torch.Generator().manual_seed(1))
    return DelayPattern(books, channels, pad=64).grid(tokens, frames)[:, :frames]


def guided_logits(
    model: Any, text: TextEncoder, prompt: str, columns: torch.Tensor, scale: float
) -> torch.Tensor:
    """transformers' logits of every column in one pass, guided: (columns, K, vocabulary)."""
    hidden = text.encode(prompt)[None]
    with torch.inference_mode():
        halves = [
            model.decoder(
                input_ids=columns, encoder_hidden_states=states, encoder_attention_mask=mask
            ).logits.transpose(0, 1)
            for states, mask in (
                (hidden, torch.ones(hidden.shape[:2], dtype=torch.long)),
                (torch.zeros_like(hidden), torch.zeros(hidden.shape[:2], dtype=torch.long)),
            )
        ]
    return halves[1] + (halves[0] - halves[1]) * scale


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_float32_logits_are_those_of_transformers_at_each_of_500_steps(
    channels: int, scale: float, mono: Path, stereo: Path, reference: Any, stereo_reference: Any
) -> None:
    folder, model = ((mono, reference), (stereo, stereo_reference))[channels - 1]
    checkpoint = open_checkpoint(folder)
    text = TextEncoder(checkpoint, CPU)
    columns = teacher(channels)
    expected = guided_logits(model, text, PROMPTS[0], columns, scale)
    decoder = FastDecoder(checkpoint, CPU, "float32", scale)
    session = decoder.open([text.encode(PROMPTS[0])], STEPS)
    session.begin([0], [columns[:, :0]])
    worst = 0.0
    for step in range(STEPS):
        logits = session.step(columns[None, :, step])
        worst = max(worst, float((logits[0] - expected[step]).abs().max()))
    assert worst < 1e-4


@pytest.fixture(scope="module")
def parts(mono: Path) -> tuple[Any, TextEncoder]:
    checkpoint = open_checkpoint(mono)
    return checkpoint, TextEncoder(checkpoint, CPU)


def sessions(parts: tuple[Any, TextEncoder], number: Format = "float32") -> tuple[Any, Any]:
    checkpoint, text = parts
    conditioning = [text.encode(prompt) for prompt in PROMPTS]
    stock = HFDecoder(build_causal_lm(checkpoint, CPU, torch.float32), 3.0)
    return stock.open(conditioning, 80), FastDecoder(checkpoint, CPU, number, 3.0).open(conditioning, 80)


def test_rows_of_any_prompt_and_column_go_together_and_leave(parts: tuple[Any, TextEncoder]) -> None:
    columns = teacher(1, 60)
    stock, own = sessions(parts)
    starts = [columns[:, :0], columns[:, :7], columns[:, :30]]
    heard = [0, 7, 30]

    def check(rows: list[int]) -> None:
        now = torch.stack([columns[:, heard[row]] for row in rows])
        assert (stock.step(now) - own.step(now)).abs().max() < 1e-4
        for row in rows:
            heard[row] += 1

    for session in (stock, own):
        session.begin([0, 1, 2], starts)
    for _ in range(5):
        check([0, 1, 2])
    for session in (stock, own):
        session.keep([2, 0])
    for _ in range(3):
        check([2, 0])
    # The second row left, which was clip 0, slides to its next window.
    heard[0] = 20
    for session in (stock, own):
        session.begin([1], [columns[:, :20]])
    for _ in range(3):
        check([2, 0])
    for session in (stock, own):
        session.keep([1])
    check([0])


def test_the_masked_step_equals_the_sliced_one(parts: tuple[Any, TextEncoder]) -> None:
    columns = teacher(1, 40)
    _, sliced = sessions(parts)
    _, masked = sessions(parts)
    for step in range(40):
        now = columns[:, step].expand(3, -1)
        expected = sliced.step(now)
        assert torch.allclose(masked.step_masked(now, torch.full((3,), step)), expected, atol=1e-5)


@pytest.mark.parametrize("number", ["float32", "float16", "int8"])
def test_a_row_hears_nothing_of_its_neighbours(parts: tuple[Any, TextEncoder], number: Format) -> None:
    checkpoint, text = parts
    columns = teacher(1, 20)
    decoder = FastDecoder(checkpoint, CPU, number, 3.0)
    alone = decoder.open([text.encode(PROMPTS[1])], 30)
    together = decoder.open([text.encode(prompt) for prompt in PROMPTS], 30)
    for step in range(20):
        now = columns[:, step]
        others = torch.stack([(now + 1) % 64, now, (now + 2) % 64])
        assert torch.allclose(alone.step(now[None])[0], together.step(others)[1], atol=1e-4)


BOUNDS = {"bfloat16": (0.90, 2e-2), "float16": (0.99, 1e-5), "int8": (0.95, 2e-3)}
"""Least top-1 agreement with float32, and greatest mean KL divergence in nats, on random weights."""


@pytest.mark.slow
@pytest.mark.parametrize("number", list(BOUNDS))
@pytest.mark.parametrize("outliers", [False, True])
def test_narrow_formats_stay_close_to_float32(
    parts: tuple[Any, TextEncoder], number: Format, outliers: bool
) -> None:
    checkpoint, text = parts
    if outliers:
        checkpoint = with_outlier_channels(checkpoint)
    columns = teacher(1, 300)
    exact = FastDecoder(checkpoint, CPU, "float32", 3.0).open([text.encode(PROMPTS[0])], 300)
    narrow = FastDecoder(checkpoint, CPU, number, 3.0).open([text.encode(PROMPTS[0])], 300)
    agreed, divergence = [], []
    for step in range(300):
        now = columns[None, :, step]
        p, q = exact.step(now), narrow.step(now)
        agreed.append((p.argmax(-1) == q.argmax(-1)).float().mean())
        divergence.append(
            F.kl_div(q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="sum") / 4
        )
    least, most = BOUNDS[number]
    assert torch.stack(agreed).mean() >= least
    assert torch.stack(divergence).mean() <= most


@pytest.mark.parametrize(("width", "heads", "layers"), [(48, 3, 4), (96, 6, 3)])
def test_other_sizes_than_small_are_decoded_alike(width: int, heads: int, layers: int) -> None:
    # Medium and large have other widths, heads and depths; none of these is a power of two.
    config = tiny_config(hidden=width, layers=layers)
    config.decoder.num_attention_heads = heads
    torch.manual_seed(0)
    model = MusicgenForCausalLM(config.decoder).eval()
    weights = {f"decoder.{name}": weight.detach() for name, weight in model.state_dict().items()}
    checkpoint = Checkpoint(
        Path("made"), config, {name: (lambda tensor=tensor: tensor) for name, tensor in weights.items()}
    )
    columns, conditioning = teacher(1, 60), torch.randn(7, width)
    session = FastDecoder(checkpoint, CPU, "float32", 1.0).open([conditioning], 60)
    with torch.inference_mode():
        expected = model(input_ids=columns, encoder_hidden_states=conditioning.expand(1, -1, -1)).logits
    for step in range(60):
        assert torch.allclose(session.step(columns[None, :, step])[0], expected[:, step], atol=1e-4)
