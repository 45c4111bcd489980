"""The optional C kernel: int8 products and whole decoder steps on CPUs with AVX-512 VNNI.

`_native.c` is built with the package where there is a compiler; without it, or on another CPU, PyTorch
does the same work more slowly. `ALBUMGEN_NATIVE=0` turns it off; a path names another build of it.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Sequence
from ctypes import POINTER, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen.huge import Arena
from albumgen_core.engines.neural.musicgen.linear import balanced_int8
from albumgen_core.engines.neural.musicgen.session import OwnSession

if TYPE_CHECKING:
    from albumgen_core.engines.neural.musicgen.decoder import Layer, OwnDecoder

log = logging.getLogger(__name__)

ENVIRONMENT = "ALBUMGEN_NATIVE"
BLOCK = 16
"""Outputs the kernel computes at a time; the layout of packed weights depends on it."""
VECTOR = 16
"""Floats in a register: widths and head sizes must be multiples."""


_weights = Arena()


class _Linear(ctypes.Structure):
    _fields_ = (
        ("out", c_int64),
        ("inputs", c_int64),
        ("packed", c_void_p),
        ("scale", c_void_p),
        ("offset", c_void_p),
        ("balance", c_void_p),
    )


class _Norm(ctypes.Structure):
    _fields_ = (("gain", c_void_p), ("bias", c_void_p))


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, _Norm) for name in ("self_norm", "cross_norm", "final_norm")),
        *((name, _Linear) for name in ("qkv", "self_out", "cross_query", "cross_out", "up", "down")),
        *((name, c_void_p) for name in ("keys", "values", "prompt_keys", "prompt_values")),
    )


class _Step(ctypes.Structure):
    _fields_ = (
        *((name, c_int64) for name in ("rows", "clips", "width", "inner", "heads", "capacity", "longest")),
        *((name, c_void_p) for name in ("place", "prompts", "hidden", "work", "parts", "row_scale")),
        ("threads", c_int64),
    )


@cache
def library() -> ctypes.CDLL | None:
    """The kernel, or None where it was not built, cannot be loaded, or the CPU lacks VNNI."""
    choice = os.environ.get(ENVIRONMENT, "")
    if choice == "0":
        return None
    here = Path(__file__).parent
    for path in [Path(choice)] if choice else [*here.glob("_native*.so"), *here.glob("_native*.dylib")]:
        try:
            kernel = ctypes.CDLL(str(path))
            if not kernel.albumgen_supported():
                continue
            kernel.albumgen_step.argtypes = (POINTER(_Step), POINTER(_Layer), c_int64)
            kernel.albumgen_product.argtypes = (
                POINTER(_Linear), c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_int64
            )  # fmt: skip
            kernel.albumgen_step.restype = kernel.albumgen_product.restype = None
        except (OSError, AttributeError) as error:
            log.warning("The native kernel %s cannot be used: %s", path, error)
            continue
        return kernel
    return None


def suits(weight: Tensor) -> bool:
    """Whether the kernel is there and takes a weight (out, in) of this shape."""
    out, inputs = weight.shape
    return out % BLOCK == 0 and inputs % VECTOR == 0 and library() is not None


class NativeLinear:
    """Int8Linear's arithmetic in the C kernel; `suits` says for which weights."""

    def __init__(self, weight: Tensor) -> None:
        integers, self._scale, self._balance = balanced_int8(weight)
        out, inputs = integers.shape
        # Activations travel as unsigned bytes, 128 too large.
        self._offset = (integers.sum(1, dtype=torch.int32) * 128).contiguous()
        blocks = integers.view(out // BLOCK, BLOCK, inputs // 4, 4).transpose(1, 2)
        self._packed = _weights.copy(blocks)
        self.nbytes = integers.numel() + 4 * (2 * out + inputs)
        self.struct = _Linear(
            out, inputs, *(t.data_ptr() for t in (self._packed, self._scale, self._offset, self._balance))
        )
        kernel = library()
        assert kernel is not None
        self._kernel = kernel

    def __call__(self, x: Tensor) -> Tensor:  # noqa: D102
        rows, inputs = x.shape
        x = x.clone(memory_format=torch.contiguous_format)  # the kernel works in place
        parts = torch.empty(2 * rows, inputs, dtype=torch.uint8)
        scale, y = torch.empty(rows), torch.empty(rows, self.struct.out)
        pointers = (t.data_ptr() for t in (parts, scale, y))
        self._kernel.albumgen_product(self.struct, x.data_ptr(), rows, *pointers, torch.get_num_threads())
        return y


class NativeSession(OwnSession):
    """A session whose steps run in the C kernel, with keys and values in float16."""

    def __init__(self, decoder: OwnDecoder, conditioning: Sequence[Tensor], capacity: int) -> None:
        self._prompt_lengths = torch.tensor([len(one) for one in conditioning])
        super().__init__(decoder, conditioning, capacity, cache=torch.float16)
        self._bind()

    @torch.inference_mode()
    def step(self, columns: Tensor) -> Tensor:
        """Hear one column of every row; see `DecoderSession.step`."""
        places = torch.tensor(self.place)
        x = self.decoder.embed(columns) + self.positions[places]
        self._hidden[: self.clips] = x
        if self.halves == 2:
            self._hidden[self.clips :] = x
        self._places.copy_(places)
        self._step.threads = self._threads
        self._kernel.albumgen_step(self._step, self._layers, len(self._layers))
        self.place = [place + 1 for place in self.place]
        return self.decoder.logits(self._hidden)

    def _new_cache(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        return Arena().empty(shape, dtype)

    def keep(self, rows: Sequence[int]) -> None:
        """Let go of all other rows; see `DecoderSession.keep`."""
        super().keep(rows)
        self._prompt_lengths = self._prompt_lengths[list(rows)]
        self._bind()

    def _bind(self) -> None:
        """Buffers for this many clips, and the structures that tell the kernel where everything lies."""
        decoder, rows, longest = self.decoder, self.halves * self.clips, self.prompt[0][0].shape[2]
        kernel = library()
        assert kernel is not None
        self._kernel = kernel
        inner = decoder.layers[0].up.struct.out  # type: ignore[attr-defined]
        self._threads = torch.get_num_threads()
        self._hidden = torch.zeros(rows, decoder.width)
        self._places = torch.zeros(self.clips, dtype=torch.int64)
        self._work = torch.zeros(
            rows * (3 * decoder.width + inner) + self._threads * (self.capacity + longest + 64)
        )
        self._parts = torch.zeros(rows, 2, max(inner, decoder.width), dtype=torch.uint8)
        self._row_scale = torch.zeros(rows)
        buffers = (
            self._places, self._prompt_lengths, self._hidden, self._work, self._parts, self._row_scale
        )  # fmt: skip
        self._step = _Step(
            rows, self.clips, decoder.width, inner, decoder.heads, self.capacity, longest,
            *(buffer.data_ptr() for buffer in buffers), self._threads,
        )  # fmt: skip
        self._layers = (_Layer * len(decoder.layers))(
            *(self._describe(index, layer) for index, layer in enumerate(decoder.layers))
        )

    def _describe(self, index: int, layer: Layer) -> _Layer:
        norms = (layer.self_norm, layer.cross_norm, layer.final_norm)
        linears = (layer.qkv, layer.self_out, layer.cross_query, layer.cross_out, layer.up, layer.down)
        caches = (self.keys[index], self.values[index], *self.prompt[index])
        return _Layer(
            *(_Norm(gain.data_ptr(), bias.data_ptr()) for gain, bias in norms),
            *(linear.struct for linear in linears),  # type: ignore[attr-defined]
            *(cache.data_ptr() for cache in caches),
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
