"""The describer: a cover, and perhaps its neighbours, to thirteen attributes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import FractionCallback, ignore_progress
from albumgen_core.engines.neural.checkpoints.hub import damaged, display_name, locate
from albumgen_core.engines.neural.checkpoints.tensors import choose_device, choose_dtype, memory_errors
from albumgen_core.engines.neural.internvl.adapter import apply_adapter
from albumgen_core.engines.neural.internvl.answer import ANSWER_FIELDS, answer_schema, read_answer
from albumgen_core.engines.neural.internvl.attention import group_queries
from albumgen_core.engines.neural.internvl.chat import Chat
from albumgen_core.engines.neural.internvl.checkpoint import SPEC, Checkpoint, load_model, open_checkpoint
from albumgen_core.engines.neural.internvl.constraint import Constraint, FreeGuide, Guide
from albumgen_core.engines.neural.internvl.decode import write_answer
from albumgen_core.engines.neural.internvl.question import build_question
from albumgen_core.engines.neural.internvl.tiling import IMAGENET_MEAN, IMAGENET_STD, pixel_values

PROMPT_SHARE = 0.4
"""Share of the time until the first token; on a CPU the prompt takes about as long as the answer."""


class InternVLDescriber:
    """Reads attributes with InternVL2, and can answer nothing but valid ones.

    Args:
        folder: a checkpoint in OpenGVLab's or transformers' layout.
        device, dtype: where and in what to compute ("auto" chooses).
        adapter: folder of a LoRA adapter, or "" for none.
        merge_adapter: add the adapter into the weights when loading.
        max_tiles: tiles that a cover is cut into at most, from 1 (fastest) to 12.
        temperature: 0 for the likeliest answer; above, answers differ with the seed.

    Raises EngineUnavailableError when a file is missing, damaged or of another model.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        adapter: str = "",
        merge_adapter: bool = True,
        max_tiles: int = 1,
        temperature: float = 0.0,
    ) -> None:
        self._device = choose_device(device)
        self._dtype = choose_dtype(dtype, self._device)
        self._checkpoint = open_checkpoint(folder)
        self._chat = Chat(self._checkpoint)
        self._model = load_model(
            self._checkpoint, image_token=self._chat.image_token, device=self._device, dtype=self._dtype
        )
        if adapter:
            self._model = apply_adapter(self._model, adapter, merge=merge_adapter)
        if self._device.type == "cpu":
            group_queries(self._model)
        rows = int(self._model.get_output_embeddings().weight.shape[0])
        self._constraint = Constraint(self._chat.tokenizer, rows, self._chat.turn_end, answer_schema())
        self._mean, self._std = picture_statistics(self._checkpoint)
        self._max_tiles = max_tiles
        self._temperature = temperature
        self._name = f"InternVL ({display_name(folder)}{' + LoRA' if adapter else ''})"

    @property
    def name(self) -> str:
        """What is shown as the source of the attributes."""
        return self._name

    def describe(
        self,
        cover: Cover,
        neighbours: Sequence[Neighbour] | None,
        *,
        seed: int = 0,
        on_progress: FractionCallback = ignore_progress,
    ) -> MusicalAttributes:
        """Predict the cover's attributes, with neighbours as context (RAG) or, given None, without.

        Raises MemoryError when the GPU has no room left.
        """
        on_progress(0.0)
        with memory_errors():
            text = self._answer(cover, build_question(neighbours), seed, on_progress)
        on_progress(1.0)
        return read_answer(text)

    def answer_freely(self, cover: Cover, neighbours: Sequence[Neighbour] | None, *, seed: int = 0) -> str:
        """What the model writes when no grammar holds it, valid or not: for evaluation only.

        It ends where the model ends it, or after `constraint.MAX_FREE_TOKENS` tokens.
        """
        with memory_errors():
            return self._answer(
                cover, build_question(neighbours), seed, ignore_progress, FreeGuide(self._chat.turn_end)
            )

    def _answer(
        self,
        cover: Cover,
        question: str,
        seed: int,
        on_progress: FractionCallback,
        guide: Guide | FreeGuide | None = None,
    ) -> str:
        pixels = pixel_values(
            cover.image,
            max_tiles=self._max_tiles,
            tile=self._checkpoint.tile,
            thumbnail=self._checkpoint.thumbnail,
            mean=self._mean,
            std=self._std,
        ).to(self._device, self._dtype)

        def watch(tokens: list[int]) -> None:
            # Each field that has been begun is a step; the braces and names between them are free.
            begun = self._chat.decode(tokens).count('": ')
            on_progress(
                PROMPT_SHARE + (1 - PROMPT_SHARE) * min(begun, len(ANSWER_FIELDS)) / (len(ANSWER_FIELDS) + 1)
            )

        answer = write_answer(
            self._model,
            self._chat.encode(question, len(pixels)),
            pixels,
            self._constraint.start() if guide is None else guide,
            temperature=self._temperature,
            seed=seed,
            on_token=watch,
        )
        return self._chat.decode([token for token in answer.tokens if token != self._chat.turn_end])


def load_describer(
    model: str = SPEC.default,
    revision: str = "main",
    *,
    device: str = "auto",
    dtype: str = "auto",
    adapter: str = "",
    merge_adapter: bool = True,
    max_tiles: int = 1,
    temperature: float = 0.0,
) -> InternVLDescriber:
    """Load InternVL from a folder or the hub's cache; see InternVLDescriber for arguments and errors."""
    return InternVLDescriber(
        locate(SPEC, model, revision),
        device=device,
        dtype=dtype,
        adapter=adapter,
        merge_adapter=merge_adapter,
        max_tiles=max_tiles,
        temperature=temperature,
    )


def picture_statistics(checkpoint: Checkpoint) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation that pictures are normalised with, from a native checkpoint's preprocessor."""
    path = checkpoint.folder / "preprocessor_config.json"
    if checkpoint.layout == "original" or not path.is_file():
        return IMAGENET_MEAN, IMAGENET_STD
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        mean = values.get("image_mean", IMAGENET_MEAN)
        std = values.get("image_std", IMAGENET_STD)
        return tuple(float(x) for x in mean), tuple(float(x) for x in std)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise damaged(SPEC, path, error) from error
