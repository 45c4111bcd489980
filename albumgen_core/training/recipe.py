"""The figures of a fine-tuning run, written down once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Contexts = Literal["mixed", "both", "rag", "plain"]
"""Which questions are trained on: with neighbours ("rag"), without ("plain"), every album once and half of
them with ("mixed"), or every album twice ("both")."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. The defaults are OpenGVLab's for LoRA on InternVL2-1B (their second-stage script), with
    rank 4 and one epoch.

    Attributes:
        rank: of the LoRA matrices (Hu et al. 2021); alpha is twice as much.
        dropout: on the adapters' input.
        learning_rate: at its peak, after the warm-up; falls along a cosine to 0.
        warmup: share of the steps in which it rises from 0.
        weight_decay: AdamW's, with betas 0.9 and 0.999.
        batch: examples a step; a last batch that is not full is dropped.
        micro_batch: examples that are on the device at a time; divides `batch`.
        epochs: passes over the examples.
        max_tiles: tiles a cover is cut into at most (256 tokens each at full size).
        contexts: see `Contexts`.
        neighbours: albums in the context of a question with neighbours.
        check_every: steps between checkpoints, each with a validation.
        patience: stop after so many validations without a better loss; 0 never stops early.
        seed: of the order, the dropout and the adapters' first values.
    """

    rank: int = 4
    dropout: float = 0.05
    learning_rate: float = 4e-5
    warmup: float = 0.03
    weight_decay: float = 0.01
    batch: int = 16
    micro_batch: int = 1
    epochs: int = 1
    max_tiles: int = 1
    contexts: Contexts = "mixed"
    neighbours: int = 5
    check_every: int = 10
    patience: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch % self.micro_batch:
            raise ValueError(f"a batch of {self.batch} cannot be made of micro-batches of {self.micro_batch}")

    @property
    def accumulation(self) -> int:
        """Micro-batches a step."""
        return self.batch // self.micro_batch

    def steps(self, examples: int) -> int:
        """Steps over `examples` examples: 1,102 in batches of 16 are 68 an epoch."""
        return examples // self.batch * self.epochs

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON-ready values."""
        return asdict(self)
