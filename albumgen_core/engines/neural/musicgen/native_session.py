"""One batch going through the native kernel: int8 products, and keys and values in int8.

With classifier-free guidance (CFG) a clip has two rows in the batch, with its prompt and without; else one. A
slot is where a row's keys and values lie. A step takes one column for every slot. Columns that a window
begins with are prefilled through the same kernel, several rows to a slot, so that what they leave is bit for
bit what steps would have left, and a clip that is resumed goes on as if it had never stopped.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen.huge_pages import Arena
from albumgen_core.engines.neural.musicgen.native import (
    POSITIONS,
    VECTOR,
    Activations,
    CacheStruct,
    LayerStruct,
    NativeLinear,
    NormStruct,
    StepStruct,
    loaded,
)
from albumgen_core.engines.neural.musicgen.session import precompute_cross_attention
from albumgen_core.engines.neural.musicgen.weights import DecoderWeights, Layer

PREFILL_COLUMNS = 16
"""Columns of a clip that are prefilled at once: with guidance, rows for two full tiles of a product."""


class NativeSession:
    """The state of one batch; see `DecoderSession`."""

    def __init__(self, decoder: DecoderWeights, conditioning: Sequence[Tensor], capacity: int) -> None:
        self.decoder = decoder
        self.clips = len(conditioning)
        self.cfg_rows = 1 if decoder.guidance_scale == 1 else 2
        self.position = [0] * self.clips
        """Columns in each clip's cache."""
        self._slots = [
            [clip + part * self.clips for part in range(self.cfg_rows)] for clip in range(self.clips)
        ]
        self._sinusoids = decoder.sinusoids(capacity)
        slots, size = self.cfg_rows * self.clips, decoder.width // decoder.heads
        arena, longest = Arena(), max(len(one) for one in conditioning)
        self._own = [_Cache(arena, slots, decoder.heads, capacity, size) for _ in decoder.layers]
        self._prompts = [_Cache(arena, self.clips, decoder.heads, longest, size) for _ in decoder.layers]
        for cache, (keys, values) in zip(
            self._prompts, precompute_cross_attention(decoder, conditioning)[0], strict=True
        ):
            cache.fill(keys, values)
        self._layers = (LayerStruct * len(decoder.layers))(
            *map(_layer_struct, decoder.layers, self._own, self._prompts)
        )
        lengths = torch.tensor([len(one) for one in conditioning])
        self._workspace = _Workspace(
            decoder, max(slots, self.cfg_rows * PREFILL_COLUMNS), max(capacity, longest), lengths
        )

    @torch.inference_mode()
    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start the rows' windows afresh; see `DecoderSession.begin`."""
        for row, known in zip(rows, columns, strict=True):
            self.position[row] = 0
            for start in range(0, known.shape[1], PREFILL_COLUMNS):
                some = known[:, start : start + PREFILL_COLUMNS]
                self._run([row] * some.shape[1], some.T)

    @torch.inference_mode()
    def step(self, columns: Tensor) -> Tensor:
        """Run one column of every row; see `DecoderSession.step`."""
        return self.decoder.logits(self._run(range(self.clips), columns))

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; see `DecoderSession.keep`. Their slots stay empty."""
        self.position = [self.position[row] for row in rows]
        self._slots = [self._slots[row] for row in rows]
        self.clips = len(self.position)

    def _run(self, rows: Sequence[int], columns: Tensor) -> Tensor:
        """Run `columns`, int64 (n, K), the next ones of clips `rows`; hidden states (cfg_rows * n, width)."""
        positions = []
        for row in rows:
            positions.append(self.position[row])
            self.position[row] += 1
        x = self.decoder.embed(columns) + self._sinusoids[torch.tensor(positions)]
        slots = [self._slots[row][part] for part in range(self.cfg_rows) for row in rows]
        return self._workspace.run(self._layers, x, slots, positions * self.cfg_rows, self.cfg_rows)


class _Cache:
    """One layer's keys and values in int8, zeroed; the layout is _native_attention.h's."""

    def __init__(self, arena: Arena, slots: int, heads: int, positions: int, size: int) -> None:
        positions = -(-positions // POSITIONS) * POSITIONS
        vectors = slots * positions * heads
        self._keys = arena.empty((vectors, size), torch.uint8)
        self._values = arena.empty((vectors, size), torch.int8)
        self._scales = arena.empty((2 * vectors,), torch.float32)
        self.struct = CacheStruct(
            *(tensor.data_ptr() for tensor in (self._keys, self._values, self._scales)), positions
        )

    def fill(self, keys: Tensor, values: Tensor) -> None:
        """Store float32 (slots, heads, count, size) at the first `count` positions."""
        loaded().albumgen_remember(self.struct, keys.data_ptr(), values.data_ptr(), *keys.shape)


class _Workspace:
    """The kernel's buffers, for steps of up to `rows` rows."""

    def __init__(self, decoder: DecoderWeights, rows: int, positions: int, prompts: Tensor) -> None:
        self._threads = torch.get_num_threads()
        first = decoder.layers[0]
        assert isinstance(first.up, NativeLinear)
        inner = first.up.struct.out
        # Of a thread, in floats. A head takes scores in float32, two bytes a position and ten a channel.
        positions, size = -(-positions // POSITIONS) * POSITIONS, decoder.width // decoder.heads
        spare = decoder.heads * (6 * positions + 10 * size) // 4
        self._slot, self._position, self._clip = (torch.zeros(rows, dtype=torch.int64) for _ in range(3))
        self._prompts = prompts
        self._hidden = torch.zeros(rows, decoder.width)
        self._work = torch.zeros(rows * (3 * decoder.width + inner) + self._threads * spare)
        self._ready = Activations(rows, max(inner, decoder.width))
        buffers = (self._slot, self._position, self._clip, prompts, self._hidden, self._work)
        self._step = StepStruct(
            0, 0, decoder.width, inner, decoder.heads, 0,
            *(buffer.data_ptr() for buffer in buffers), spare, self._ready.struct, self._threads,
        )  # fmt: skip

    def run(
        self,
        layers: ctypes.Array[LayerStruct],
        x: Tensor,
        slots: Sequence[int],
        positions: Sequence[int],
        cfg_rows: int,
    ) -> Tensor:
        """`x`, float32 (conditional rows, width), through all layers, for every CFG row."""
        conditional, rows = len(x), len(slots)
        self._slot[:rows] = torch.tensor(slots)
        self._position[:rows] = torch.tensor(positions)
        # Conditional slots are numbered as the clips are.
        self._clip[:conditional] = self._slot[:conditional]
        self._hidden[:rows].view(cfg_rows, conditional, -1).copy_(x)
        self._step.rows, self._step.conditional = rows, conditional
        self._step.ahead = len(set(slots)) < rows
        loaded().albumgen_step(self._step, layers, len(layers))
        return self._hidden[:rows]


def _layer_struct(layer: Layer, own: _Cache, prompt: _Cache) -> LayerStruct:
    norms = (layer.self_norm, layer.cross_norm, layer.final_norm)
    linears = (layer.qkv, layer.self_out, layer.cross_query, layer.cross_out, layer.up, layer.down)
    return LayerStruct(
        *(NormStruct(gain.data_ptr(), bias.data_ptr()) for gain, bias in norms),
        *(linear.struct for linear in linears),  # type: ignore[attr-defined]
        own.struct,
        prompt.struct,
    )


def supports(decoder: DecoderWeights) -> bool:
    """Whether the kernel can run whole steps of this decoder."""
    size = decoder.width // decoder.heads
    return (
        decoder.activation_name == "gelu"
        and size % VECTOR == 0
        and all(
            isinstance(linear, NativeLinear)
            for layer in decoder.layers
            for linear in (
                layer.qkv,
                layer.self_out,
                layer.cross_query,
                layer.cross_out,
                layer.up,
                layer.down,
            )
        )
    )
