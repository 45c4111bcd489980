"""One batch going through the native kernel: int8 products, and keys and values in int8.

A row is a column that one guidance half of a clip hears; a slot is where keys and values of that half lie.
In a step every slot hears one column. Before the first step of a window a clip may have heard columns: they
go through the same kernel, several rows to a slot, so that what they leave is bit for bit what steps would
have left, and a clip that is resumed goes on as if it had never stopped.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen.decoder import Layer, OwnDecoder
from albumgen_core.engines.neural.musicgen.huge import Arena
from albumgen_core.engines.neural.musicgen.native import (
    PLACES,
    VECTOR,
    Activations,
    CacheStruct,
    LayerStruct,
    NativeLinear,
    NormStruct,
    StepStruct,
    loaded,
)
from albumgen_core.engines.neural.musicgen.session import hear_prompts

HEARD_TOGETHER = 16
"""Columns of a clip that are heard at once: with guidance, rows for two full tiles of a product."""


class NativeSession:
    """The state of one batch; see `DecoderSession`."""

    def __init__(self, decoder: OwnDecoder, conditioning: Sequence[Tensor], capacity: int) -> None:
        self.decoder = decoder
        self.clips = len(conditioning)
        self.halves = 1 if decoder.guidance_scale == 1 else 2
        self.place = [0] * self.clips
        """Columns each clip has heard."""
        self._slots = [
            [clip + half * self.clips for half in range(self.halves)] for clip in range(self.clips)
        ]
        self._positions = decoder.positions(capacity)
        slots, size = self.halves * self.clips, decoder.width // decoder.heads
        arena, longest = Arena(), max(len(one) for one in conditioning)
        self._own = [_Cache(arena, slots, decoder.heads, capacity, size) for _ in decoder.layers]
        self._prompts = [_Cache(arena, self.clips, decoder.heads, longest, size) for _ in decoder.layers]
        for cache, (keys, values) in zip(self._prompts, hear_prompts(decoder, conditioning)[0], strict=True):
            cache.fill(keys, values)
        self._layers = (LayerStruct * len(decoder.layers))(
            *map(_describe, decoder.layers, self._own, self._prompts)
        )
        lengths = torch.tensor([len(one) for one in conditioning])
        self._room = _Room(decoder, slots, self.halves * HEARD_TOGETHER, max(capacity, longest), lengths)

    @torch.inference_mode()
    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start the rows' windows afresh; see `DecoderSession.begin`."""
        for row, known in zip(rows, columns, strict=True):
            self.place[row] = 0
            for start in range(0, known.shape[1], HEARD_TOGETHER):
                some = known[:, start : start + HEARD_TOGETHER]
                self._hear([row] * some.shape[1], some.T)

    @torch.inference_mode()
    def step(self, columns: Tensor) -> Tensor:
        """Hear one column of every row; see `DecoderSession.step`."""
        return self.decoder.logits(self._hear(range(self.clips), columns))

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; see `DecoderSession.keep`. Their slots stay empty."""
        self.place = [self.place[row] for row in rows]
        self._slots = [self._slots[row] for row in rows]
        self.clips = len(self.place)

    def _hear(self, rows: Sequence[int], columns: Tensor) -> Tensor:
        """Hear `columns`, int64 (n, K), next ones of `rows`; returns hidden states (halves * n, width)."""
        places = []
        for row in rows:
            places.append(self.place[row])
            self.place[row] += 1
        x = self.decoder.embed(columns) + self._positions[torch.tensor(places)]
        slots = [self._slots[row][half] for half in range(self.halves) for row in rows]
        return self._room.run(self._layers, x, slots, places * self.halves, self.halves)


class _Cache:
    """One layer's keys and values in int8, zeroed; the layout is _native_attention.h's."""

    def __init__(self, arena: Arena, slots: int, heads: int, places: int, size: int) -> None:
        places = -(-places // PLACES) * PLACES
        vectors = slots * places * heads
        self._keys = arena.empty((vectors, size), torch.uint8)
        self._values = arena.empty((vectors, size), torch.int8)
        self._scales = arena.empty((2 * vectors,), torch.float32)
        self.struct = CacheStruct(
            *(tensor.data_ptr() for tensor in (self._keys, self._values, self._scales)), places
        )

    def fill(self, keys: Tensor, values: Tensor) -> None:
        """Remember float32 (slots, heads, count, size) at the first `count` places."""
        loaded().albumgen_remember(self.struct, keys.data_ptr(), values.data_ptr(), *keys.shape)


class _Room:
    """Where the kernel works, for up to `slots` or `heard` rows."""

    def __init__(self, decoder: OwnDecoder, slots: int, heard: int, places: int, prompts: Tensor) -> None:
        rows, self._threads = max(slots, heard), torch.get_num_threads()
        first = decoder.layers[0]
        assert isinstance(first.up, NativeLinear)
        inner = first.up.struct.out
        # Of a thread, in floats. A head takes scores in float32, two bytes a place and ten a channel.
        places, size = -(-places // PLACES) * PLACES, decoder.width // decoder.heads
        spare = decoder.heads * (6 * places + 10 * size) // 4
        self._slot, self._place, self._clip = (torch.zeros(rows, dtype=torch.int64) for _ in range(3))
        self._prompts = prompts
        self._hidden = torch.zeros(rows, decoder.width)
        self._work = torch.zeros(rows * (3 * decoder.width + inner) + self._threads * spare)
        self._ready = Activations(rows, max(inner, decoder.width))
        buffers = (self._slot, self._place, self._clip, prompts, self._hidden, self._work)
        self._step = StepStruct(
            0, 0, decoder.width, inner, decoder.heads, 0,
            *(buffer.data_ptr() for buffer in buffers), spare, self._ready.struct, self._threads,
        )  # fmt: skip

    def run(
        self,
        layers: ctypes.Array[LayerStruct],
        x: Tensor,
        slots: Sequence[int],
        places: Sequence[int],
        halves: int,
    ) -> Tensor:
        """`x`, float32 (listeners, width), of every half, through all layers."""
        listeners, rows = len(x), len(slots)
        self._slot[:rows] = torch.tensor(slots)
        self._place[:rows] = torch.tensor(places)
        self._clip[:listeners] = self._slot[
            :listeners
        ]  # the first half's slots are numbered as the clips are
        self._hidden[:rows].view(halves, listeners, -1).copy_(x)
        self._step.rows, self._step.listeners = rows, listeners
        self._step.ahead = len(set(slots)) < rows
        loaded().albumgen_step(self._step, layers, len(layers))
        return self._hidden[:rows]


def _describe(layer: Layer, own: _Cache, prompt: _Cache) -> LayerStruct:
    norms = (layer.self_norm, layer.cross_norm, layer.final_norm)
    linears = (layer.qkv, layer.self_out, layer.cross_query, layer.cross_out, layer.up, layer.down)
    return LayerStruct(
        *(NormStruct(gain.data_ptr(), bias.data_ptr()) for gain, bias in norms),
        *(linear.struct for linear in linears),  # type: ignore[attr-defined]
        own.struct,
        prompt.struct,
    )


def drives(decoder: OwnDecoder) -> bool:
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
