"""The weights of MusicGen's decoder, packed for products with few rows, and the operations that use them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers.activations import ACT2FN
from transformers.models.musicgen.modeling_musicgen import MusicgenSinusoidalPositionalEmbedding

from albumgen_core.engines.neural.musicgen import memory
from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.linear import Format, Linear, pack

PREFIX = "decoder.model.decoder."


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's weights; norms are (gain, bias)."""

    self_norm: tuple[Tensor, Tensor]
    qkv: Linear
    self_out: Linear
    cross_norm: tuple[Tensor, Tensor]
    cross_query: Linear
    cross_key: Linear
    cross_value: Linear
    cross_out: Linear
    final_norm: tuple[Tensor, Tensor]
    up: Linear
    down: Linear

    @property
    def nbytes(self) -> int:
        """Bytes of weights that a step reads."""
        read = (self.qkv, self.self_out, self.cross_query, self.cross_out, self.up, self.down)
        return sum(linear.nbytes for linear in read)


class DecoderWeights:
    """MusicGen's decoder in one number format: its weights, packed, and the operations on them.

    Attributes:
        dtype: format of the large matrices.
        guidance_scale: classifier-free guidance; 1 turns it off and halves the batch.
        nbytes: bytes of weights that a step reads: over the memory's bandwidth, its physical floor.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, dtype: Format, guidance_scale: float
    ) -> None:
        config = checkpoint.config.decoder
        self.dtype, self.guidance_scale, self._device = dtype, guidance_scale, device
        self.width, self.heads = config.hidden_size, config.num_attention_heads
        self.codebooks, self.vocabulary = config.num_codebooks, config.vocab_size
        self.activation_name = config.activation_function
        self.activation: Callable[[Tensor], Tensor] = ACT2FN[config.activation_function]
        # A GPU computes in the format itself; on a CPU only the large matrices are narrow.
        self.compute = torch.float32 if device.type == "cpu" else getattr(torch, dtype)
        self._checkpoint = checkpoint
        tables = [self._get(f"embed_tokens.{book}.weight") for book in range(self.codebooks)]
        self.embedding = torch.cat([table.to(self.compute) for table in tables]).to(device)
        self.embedding_start = torch.arange(self.codebooks, device=device) * tables[0].shape[0]
        self.embedding_scale = self.width**0.5 if config.scale_embedding else 1.0
        self.layers = [self._layer(index) for index in range(config.num_hidden_layers)]
        self.norm = self._norm("layer_norm")
        heads = torch.cat([checkpoint.get(f"decoder.lm_heads.{b}.weight") for b in range(self.codebooks)])
        # Errors of the heads go straight into the logits, and they are 2 % of the weights.
        self.lm_heads = pack(heads, "float16" if dtype == "int8" else dtype, device)
        self.nbytes = sum(layer.nbytes for layer in self.layers) + self.lm_heads.nbytes
        checkpoint.release()
        del self._checkpoint, tables, heads
        memory.release()

    @property
    def name(self) -> str:
        """Implementation and number format."""
        return f"albumgen {self.dtype}"

    @property
    def device(self) -> torch.device:
        """Where columns and conditionings live."""
        return self._device

    def sinusoids(self, capacity: int) -> Tensor:
        """Sinusoids of the first `capacity` columns, (capacity, width)."""
        table: Tensor = MusicgenSinusoidalPositionalEmbedding.get_embedding(capacity, self.width)
        return table.to(self._device, self.compute)

    def embed(self, columns: Tensor) -> Tensor:
        """Sum of the codebooks' embeddings: int64 (rows, K) → (rows, width)."""
        x = F.embedding_bag(columns + self.embedding_start, self.embedding, mode="sum")
        return x if self.embedding_scale == 1 else x * self.embedding_scale

    def split(self, x: Tensor) -> Tensor:
        """(rows, columns, width) to one head after another: (rows, heads, columns, width / heads)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def layer_norm(self, x: Tensor, norm: tuple[Tensor, Tensor]) -> Tensor:
        """Layer normalisation over the width."""
        return F.layer_norm(x, (self.width,), *norm)

    def logits(self, x: Tensor) -> Tensor:
        """Guided logits float32 (clips, K, vocabulary) of hidden states.

        Those are (CFG rows * clips, width), the conditional rows first.
        """
        logits = self.lm_heads(self.layer_norm(x, self.norm)).float()
        logits = logits.view(-1, self.codebooks, self.vocabulary)
        if self.guidance_scale == 1:
            return logits
        conditional, unconditional = logits.chunk(2)
        return torch.lerp(unconditional, conditional, self.guidance_scale)

    def _get(self, name: str) -> Tensor:
        return self._checkpoint.get(PREFIX + name)

    def _norm(self, name: str) -> tuple[Tensor, Tensor]:
        gain, bias = (
            self._get(f"{name}.{part}").to(self._device, self.compute, copy=True)
            for part in ("weight", "bias")
        )
        return gain, bias

    def _layer(self, index: int) -> Layer:
        def linear(*names: str) -> Linear:
            weights = [self._get(f"layers.{index}.{name}.weight") for name in names]
            return pack(torch.cat(weights) if len(weights) > 1 else weights[0], self.dtype, self._device)

        def norm(name: str) -> tuple[Tensor, Tensor]:
            return self._norm(f"layers.{index}.{name}_layer_norm")

        self._checkpoint.release()  # what packing the layer before has read,
        memory.release()  # and what it left behind
        return Layer(
            self_norm=norm("self_attn"),
            qkv=linear("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            self_out=linear("self_attn.out_proj"),
            cross_norm=norm("encoder_attn"),
            cross_query=linear("encoder_attn.q_proj"),
            cross_key=linear("encoder_attn.k_proj"),
            cross_value=linear("encoder_attn.v_proj"),
            cross_out=linear("encoder_attn.out_proj"),
            final_norm=norm("final"),
            up=linear("fc1"),
            down=linear("fc2"),
        )
