"""Examples as tensors: the prompt exactly as the describer writes it, and a loss on the answer alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from albumgen_core.dataset.pictures import load_cover
from albumgen_core.engines.neural.internvl.chat import Chat
from albumgen_core.engines.neural.internvl.checkpoint import Checkpoint
from albumgen_core.engines.neural.internvl.tiling import pixel_values
from albumgen_core.training.examples import Example
from albumgen_core.training.target import Target

IGNORED = -100
"""Label of a token on which there is no loss (PyTorch's and transformers' convention)."""

Encoded = Mapping[str, Tensor]


class Examples(Dataset[Encoded]):
    """Examples, encoded when they are asked for: covers are read from disk each time.

    An item has `input_ids` and `labels`, int64 (tokens,), and `pixel_values`, float32 (tiles, 3, side, side).
    """

    def __init__(
        self,
        examples: Sequence[Example],
        chat: Chat,
        checkpoint: Checkpoint,
        *,
        max_tiles: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        self._examples = examples
        self._chat = chat
        self._checkpoint = checkpoint
        self._picture: dict[str, Any] = {"max_tiles": max_tiles, "mean": mean, "std": std}

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, position: int) -> Encoded:
        example = self._examples[position]
        pixels = pixel_values(
            load_cover(example.cover).image,
            tile=self._checkpoint.tile,
            thumbnail=self._checkpoint.thumbnail,
            **self._picture,
        )
        prompt = self._chat.encode(example.question, len(pixels))
        answer, labels = encode_target(self._chat, example.target)
        return {
            "input_ids": torch.tensor([*prompt, *answer]),
            "labels": torch.tensor([*([IGNORED] * len(prompt)), *labels]),
            "pixel_values": pixels,
        }

    def longest(self) -> tuple[int, int]:
        """Tokens of the longest example, and of the longest answer, with as many tiles as there may be.

        No picture is read: every cover counts as if it were cut into all its tiles.
        """
        tiles = self._picture["max_tiles"]
        tiles += tiles > 1 and self._checkpoint.thumbnail
        answers = [len(encode_target(self._chat, example.target)[0]) for example in self._examples]
        totals = [
            answer + len(self._chat.encode(example.question, tiles))
            for answer, example in zip(answers, self._examples, strict=True)
        ]
        return max(totals), max(answers)


def encode_target(chat: Chat, target: Target) -> tuple[list[int], list[int]]:
    """Token ids of an answer with the end of the turn, and their labels: unknown values are ignored."""
    spans = chat.encode_spans(target.text)
    ids = [token for token, _, _ in spans]
    labels = [
        IGNORED if any(start < last and first < end for first, last in target.unknown) else token
        for token, start, end in spans
    ]
    return [*ids, chat.turn_end], [*labels, chat.turn_end]


class Collator:
    """Makes a micro-batch: padded on the left, so that all answers end at the same place.

    Logits are asked for from the first labelled token on alone: over 151,674 tokens they are by far the
    largest tensors of a step.
    """

    def __init__(self, padding: int) -> None:
        self._padding = padding

    def __call__(self, items: Sequence[Encoded]) -> dict[str, Any]:
        """`input_ids`, `attention_mask` (n, tokens); `labels` (n, kept); `pixel_values`; `logits_to_keep`."""
        ids = _left_padded([item["input_ids"] for item in items], self._padding)
        labels = _left_padded([item["labels"] for item in items], IGNORED)
        mask = _left_padded([torch.ones_like(item["input_ids"]) for item in items], 0)
        first = int((labels != IGNORED).any(dim=0).nonzero()[0])
        # A token is predicted from the place before it.
        kept = labels.shape[1] - first + 1
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": labels[:, -kept:].contiguous(),
            "pixel_values": torch.cat([item["pixel_values"] for item in items]),
            "logits_to_keep": kept,
        }


def _left_padded(rows: Sequence[Tensor], filler: int) -> Tensor:
    width = max(len(row) for row in rows)
    return torch.stack([torch.nn.functional.pad(row, (width - len(row), 0), value=filler) for row in rows])
