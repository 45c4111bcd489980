"""The optional C kernel: int8 products and whole decoder steps on CPUs with AVX-512 VNNI.

`_native.c` is built with the package where there is a compiler; without it, or on another CPU, PyTorch
does the same work more slowly. `ALBUMGEN_NATIVE=0` turns it off; a path names another build of it.
"""

from __future__ import annotations

import ctypes
import logging
import os
from ctypes import POINTER, c_float, c_int64, c_void_p
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen.huge_pages import Arena
from albumgen_core.engines.neural.musicgen.int8 import balanced_int8

log = logging.getLogger(__name__)

ENVIRONMENT = "ALBUMGEN_NATIVE"
VERSION = 3
"""Of the structures below, as `albumgen_supported` gives it: a build that was left over is not called."""
BLOCK = 16
"""Outputs the kernel computes at a time; the layout of packed weights depends on it."""
VECTOR = 16
"""Floats in a register: widths and head sizes must be multiples."""
POSITIONS = 16
"""How many keys, or values, of a head lie together in a cache; its room is rounded up to them."""
OUTLIER_THRESHOLD = 5.0
"""Activations beyond this many mean magnitudes of their row are kept in float32 instead of int8.

Of normally distributed ones that is one in 15,000. In `benchmarks/musicgen_quality.py` smaller is closer to
float32 still, and costs more; with twice as much, rounding weighs as much as bfloat16's, or more.
"""


_weights = Arena()


class LinearStruct(ctypes.Structure):
    """`Linear` in _native_linear.h."""

    _fields_ = (
        ("out", c_int64),
        ("inputs", c_int64),
        *((name, c_void_p) for name in ("packed", "scale", "offset", "balance")),
        ("outlier_threshold", c_float),
    )


class ActivationsStruct(ctypes.Structure):
    """`Activations` in _native_linear.h."""

    _fields_ = (
        *((name, c_void_p) for name in ("bytes", "scale", "outliers", "channel", "rest")),
        ("most", c_int64),
    )


class CacheStruct(ctypes.Structure):
    """`Cache` in _native_attention.h."""

    _fields_ = (*((name, c_void_p) for name in ("keys", "values", "scales")), ("positions", c_int64))


class NormStruct(ctypes.Structure):
    """`Norm` in _native_vector.h."""

    _fields_ = (("gain", c_void_p), ("bias", c_void_p))


class LayerStruct(ctypes.Structure):
    """`Layer` in _native.c."""

    _fields_ = (
        *((name, NormStruct) for name in ("self_norm", "cross_norm", "final_norm")),
        *((name, LinearStruct) for name in ("qkv", "self_out", "cross_query", "cross_out", "up", "down")),
        *((name, CacheStruct) for name in ("own", "prompt")),
    )


class StepStruct(ctypes.Structure):
    """`Step` in _native.c."""

    _fields_ = (
        *((name, c_int64) for name in ("rows", "conditional", "width", "inner", "heads", "ahead")),
        *((name, c_void_p) for name in ("slot", "position", "clip", "prompts", "hidden", "work")),
        ("spare", c_int64),
        ("ready", ActivationsStruct),
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
            version = kernel.albumgen_supported()
            if version != VERSION:
                if version:
                    log.warning("The native kernel %s is of another version; build it anew.", path)
                continue
            kernel.albumgen_step.argtypes = (POINTER(StepStruct), POINTER(LayerStruct), c_int64)
            kernel.albumgen_remember.argtypes = (
                POINTER(CacheStruct), c_void_p, c_void_p, c_int64, c_int64, c_int64, c_int64
            )  # fmt: skip
            kernel.albumgen_product.argtypes = (
                POINTER(LinearStruct), c_void_p, c_int64, POINTER(ActivationsStruct), c_void_p, c_int64
            )  # fmt: skip
            for function in (kernel.albumgen_step, kernel.albumgen_remember, kernel.albumgen_product):
                function.restype = None
        except (OSError, AttributeError) as error:
            log.warning("The native kernel %s cannot be used: %s", path, error)
            continue
        return kernel
    return None


def loaded() -> ctypes.CDLL:
    """The kernel, which must be there."""
    kernel = library()
    assert kernel is not None
    return kernel


def supports(weight: Tensor) -> bool:
    """Whether the kernel is there and takes a weight (out, in) of this shape."""
    out, inputs = weight.shape
    return out % BLOCK == 0 and inputs % VECTOR == 0 and library() is not None


class NativeLinear:
    """Int8Linear's arithmetic in the C kernel; `supports` says for which weights."""

    def __init__(self, weight: Tensor) -> None:
        integers, self._scale, self._balance = balanced_int8(weight)
        out, inputs = integers.shape
        # Activations travel as unsigned bytes, 128 too large.
        self._offset = (integers.sum(1, dtype=torch.int32) * 128).contiguous()
        blocks = integers.view(out // BLOCK, BLOCK, inputs // 4, 4).transpose(1, 2)
        self._packed = _weights.copy(blocks)
        self.nbytes = integers.numel() + 4 * (2 * out + inputs)
        self.struct = LinearStruct(
            out,
            inputs,
            *(t.data_ptr() for t in (self._packed, self._scale, self._offset, self._balance)),
            OUTLIER_THRESHOLD,
        )

    def __call__(self, x: Tensor) -> Tensor:
        rows, inputs = x.shape
        x = x.clone(memory_format=torch.contiguous_format)  # the kernel works in place
        y = torch.empty(rows, self.struct.out)
        ready = Activations(rows, inputs)
        loaded().albumgen_product(
            self.struct, x.data_ptr(), rows, ready.struct, y.data_ptr(), torch.get_num_threads()
        )
        return y


class Activations:
    """Room for `rows` rows of at most `most` inputs that are made ready for a product."""

    def __init__(self, rows: int, most: int) -> None:
        self._buffers = (
            torch.empty(rows, most, dtype=torch.uint8),
            torch.empty(rows),
            torch.empty(rows, dtype=torch.int64),
            torch.empty(rows, most, dtype=torch.int32),
            torch.empty(rows, most),
        )
        self.struct = ActivationsStruct(*(buffer.data_ptr() for buffer in self._buffers), most)
