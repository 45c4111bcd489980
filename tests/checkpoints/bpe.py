"""Small byte-level BPE tokenizers, trained on a few sentences, for the tiny checkpoints."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

CORPUS = [
    "This is the cover of a music album. Predict how the album sounds, from its colours and its mood.",
    '{"artist_name": "The Band", "album_genre": "rock", "key": "C#", "time_signature": 4, "tempo": 120.5}',
    '"acousticness": 0.123, "danceability": 0.456, "energy": 0.789, "instrumentalness": 0.01, "liveness"',
    '"loudness": 0.8, "speechiness": 0.05, "valence": 0.5, jazz folk metal hip hop electronic classical pop',
    "system user assistant a calm acoustic ballad, an energetic dance track, a picture of the sea at night",
]


@lru_cache(maxsize=4)
def train(size: int, suffix: str = "") -> tuple[dict[str, int], list[tuple[str, str]]]:
    """(vocabulary, merges) of a byte-level BPE of about `size` tokens; `suffix` marks the ends of words."""
    options: dict[str, Any] = {"end_of_word_suffix": suffix} if suffix else {}
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        **options,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    state = json.loads(tokenizer.to_str())["model"]
    return state["vocab"], [tuple(pair) for pair in state["merges"]]


@lru_cache(maxsize=1)
def train_on_english(size: int = 8000) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """As `train`, on the manual that comes with Python and cut as Qwen2 cuts text, each digit by itself.

    A question to a describer becomes about as many tokens as Qwen2's own vocabulary makes of it.
    """
    import pydoc_data.topics

    tokenizer = Tokenizer(models.BPE())
    cut = Regex(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(cut, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(pydoc_data.topics.topics.values(), trainer)
    state = json.loads(tokenizer.to_str())["model"]
    return state["vocab"], [tuple(pair) for pair in state["merges"]]


def merges_text(merges: list[tuple[str, str]]) -> str:
    """The content of a merges.txt."""
    return "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)]) + "\n"
