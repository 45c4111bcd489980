from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from albumgen_core.engines.neural.musicgen.text import TextEncoder
from albumgen_core.prompt.template import compose_prompt
from tests.albumgen_core.engines.neural.musicgen.helpers import PROMPTS

ATTRIBUTES = MusicalAttributes.from_dict(
    {
        "artist_name": "Nobody",
        "acousticness": 0.7,
        "danceability": 0.4,
        "energy": 0.3,
        "instrumentalness": 0.1,
        "liveness": 0.2,
        "loudness": 0.4,
        "speechiness": 0.05,
        "valence": 0.3,
        "key": "D",
        "mode": "minor",
        "tempo": 84.0,
        "time_signature": 3,
        "album_genre": "folk",
    }
)


@pytest.fixture(scope="module")
def text(mono: Path) -> TextEncoder:
    return TextEncoder(open_checkpoint(mono), torch.device("cpu"))


def their_conditioning(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        hidden = model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        result: torch.Tensor = model.enc_to_dec_proj(hidden)
    return result


def written_prompts() -> list[str]:
    """What the pipeline writes, shortest to longest; and one that fills T5's 512 places."""
    styles = [compose_prompt(ATTRIBUTES, style=style, name_artist=True) for style in ("concise", "slides")]
    return [*PROMPTS, *styles, " ".join([*styles, *PROMPTS] * 3)[:1500]]


def test_prompts_of_every_length_are_heard_as_transformers_hears_them(
    text: TextEncoder, reference: Any
) -> None:
    lengths = []
    for prompt in written_prompts():
        ids = text.tokenize(prompt)
        lengths.append(ids.shape[1])
        expected = their_conditioning(reference, ids, torch.ones_like(ids))[0]
        assert (text.encode(prompt) - expected).abs().max() < 1e-5
    assert min(lengths) < 20
    assert max(lengths) > 400


@pytest.mark.slow
def test_a_prompt_is_heard_alike_beside_longer_ones(text: TextEncoder, reference: Any) -> None:
    prompts = written_prompts()
    rows = [text.tokenize(prompt)[0] for prompt in prompts]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    for prompt, row, expected in zip(prompts, rows, their_conditioning(reference, ids, mask), strict=True):
        assert (text.encode(prompt) - expected[: len(row)]).abs().max() < 1e-5
