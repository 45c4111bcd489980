"""The decoder as transformers wrote it: the reference that ours is measured against, and a fallback.

One forward pass a step with transformers' own cache. Rows at the same column share a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from transformers import DynamicCache, EncoderDecoderCache, MusicgenForCausalLM
from transformers.models.musicgen.modeling_musicgen import MusicgenSinusoidalPositionalEmbedding

from albumgen_core.engines.neural.checkpoints.hub import damaged, unusable
from albumgen_core.engines.neural.musicgen.checkpoint import SPEC, Checkpoint

PREFIX = "decoder."


def build_causal_lm(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:
    """transformers' MusicgenForCausalLM with the checkpoint's weights, read once."""
    config = checkpoint.config.decoder
    with torch.device("meta"):
        model: Any = MusicgenForCausalLM(config)
    weights = {name: tensor.to(dtype) for name, tensor in checkpoint.section(PREFIX)}
    weights.pop("model.decoder.embed_positions.weights", None)
    try:
        result = model.load_state_dict(weights, strict=False, assign=True)
    except RuntimeError as error:
        raise damaged(SPEC, checkpoint.folder, error) from error
    if result.missing_keys:
        raise unusable(SPEC, checkpoint.folder, f"lacks the tensor {PREFIX}{result.missing_keys[0]}")
    # Sinusoids are no part of a checkpoint; on the meta device they were never computed.
    positions = MusicgenSinusoidalPositionalEmbedding.get_embedding(
        config.max_position_embeddings, config.hidden_size
    )
    model.model.decoder.embed_positions.weights = nn.Buffer(positions.to(dtype), persistent=False)
    return model.eval().requires_grad_(False).to(device)


@dataclass(slots=True)
class _Group:
    """Rows that stand at the same column."""

    rows: list[int]
    cache: Any


class HFDecoder:
    """transformers' decoder behind the Decoder protocol."""

    def __init__(self, model: Any, guidance_scale: float) -> None:
        self.model = model
        self.guidance_scale = guidance_scale
        self.name = f"transformers {str(model.dtype).removeprefix('torch.')}"

    @property
    def device(self) -> torch.device:
        """Where tokens are expected."""
        device: torch.device = self.model.device
        return device

    def open(self, conditioning: Sequence[Tensor], capacity: int) -> HFSession:
        """A session for as many rows as there are conditionings; the cache grows by itself."""
        return HFSession(self.model, self.guidance_scale, list(conditioning))


class HFSession:
    """Caches of one batch."""

    def __init__(self, model: Any, guidance_scale: float, conditioning: list[Tensor]) -> None:
        self._model = model
        self._scale = guidance_scale
        self._conditioning = conditioning
        # Fixed for the session's life, as cached cross-attention keys are this wide.
        self._width = max(len(one) for one in conditioning)
        self._groups: list[_Group] = []

    @torch.inference_mode()
    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start the rows' windows afresh with the columns (K, n) they already know."""
        for group in self._groups:
            self._shrink(group, [row for row in group.rows if row not in rows])
        self._groups = [group for group in self._groups if group.rows]
        for length in sorted({column.shape[1] for column in columns}):
            chosen = [
                (row, column) for row, column in zip(rows, columns, strict=True) if column.shape[1] == length
            ]
            cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
            group = _Group([row for row, _ in chosen], cache)
            if length:
                self._forward(group, torch.stack([column for _, column in chosen]))
            self._groups.append(group)

    @torch.inference_mode()
    def step(self, columns: Tensor) -> Tensor:
        """Feed one column (rows, K) each; guided logits float32 (rows, K, vocabulary)."""
        logits: Tensor | None = None
        for group in self._groups:
            guided = self._forward(group, columns[group.rows].unsqueeze(-1))
            if logits is None:
                logits = guided.new_zeros(columns.shape[0], *guided.shape[1:])
            logits[group.rows] = guided
        assert logits is not None
        return logits

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; those kept are renumbered in the order given."""
        number = {row: new for new, row in enumerate(rows)}
        for group in self._groups:
            self._shrink(group, [row for row in group.rows if row in number])
            group.rows = [number[row] for row in group.rows]
        self._groups = [group for group in self._groups if group.rows]
        self._conditioning = [self._conditioning[row] for row in rows]

    def _shrink(self, group: _Group, rows: list[int]) -> None:
        if rows == group.rows:
            return
        kept = [group.rows.index(row) for row in rows]
        halves = kept + [len(group.rows) + index for index in kept] if self._scale != 1 else kept
        if rows:
            group.cache.batch_select_indices(torch.tensor(halves, device=self._model.device))
        group.rows = rows

    def _forward(self, group: _Group, columns: Tensor) -> Tensor:
        """Columns (rows, K, n) through the model; guided logits of the last (rows, K, vocabulary)."""
        hidden, mask = self._padded(group.rows)
        guided = self._scale != 1
        ids = columns.reshape(-1, columns.shape[-1])
        output = self._model(
            input_ids=torch.cat([ids, ids]) if guided else ids,
            encoder_hidden_states=hidden,
            encoder_attention_mask=mask,
            past_key_values=group.cache,
            use_cache=True,
        )
        logits: Tensor = output.logits[:, -1].float()
        logits = logits.view(-1, columns.shape[1], logits.shape[-1])
        if not guided:
            return logits
        conditional, unconditional = logits.chunk(2)
        return unconditional + (conditional - unconditional) * self._scale

    def _padded(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        chosen = [self._conditioning[row] for row in rows]
        hidden = torch.stack([F.pad(one, (0, 0, 0, self._width - len(one))) for one in chosen])
        hidden = hidden.to(self._model.dtype)
        lengths = torch.tensor([len(one) for one in chosen], device=hidden.device)
        mask = (torch.arange(self._width, device=hidden.device) < lengths[:, None]).long()
        if self._scale == 1:
            return hidden, mask
        # The unconditional half hears nothing: every place of its prompt is masked.
        return torch.cat([hidden, torch.zeros_like(hidden)]), torch.cat([mask, torch.zeros_like(mask)])
