"""Matrix products against weights that never change: one class a number format.

At a few rows a product costs what it takes to read its weights, so the formats differ in bytes a weight,
and each is packed once into the order its kernel reads. Everything that touches torch's deprecated eager
quantisation lives in this file, so that another kernel can take its place.
"""

from __future__ import annotations

import warnings
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from albumgen_core.engines.neural.musicgen import native
from albumgen_core.engines.neural.musicgen.int8 import INT8_LEVELS, balanced_int8

Format = Literal["float32", "bfloat16", "float16", "int8"]


class Linear(Protocol):
    """x @ weight.T for a weight fixed at construction."""

    @property
    def nbytes(self) -> int:
        """Bytes that one product reads of its weight."""
        ...

    def __call__(self, x: Tensor) -> Tensor:
        """(rows, in) → (rows, out), in the dtype of x."""
        ...


class DenseLinear:
    """torch's own product, in any float format, on any device."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight, self._bias = weight, bias
        self.nbytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self._bias).to(x.dtype)


class OneDnnLinear:
    """float32 or bfloat16 on a CPU, with the weight in oneDNN's blocked layout."""

    ROWS = 2
    """Rows the layout is chosen for: the two guidance cfg_rows of one clip. Others work as well."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None, rows: int = ROWS) -> None:
        self._dtype, self._bias = weight.dtype, bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows)
        self.nbytes = weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        narrow = x.to(self._dtype)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(narrow, self._packed, self._bias, "none", [], "")
        return y.to(x.dtype)


class HalfLinear:
    """float16 weights and float32 arithmetic on a CPU (FBGEMM): half the bytes, 11 bits of mantissa."""

    def __init__(self, weight: Tensor) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.float().contiguous(), None)
        self.nbytes = weight.numel() * 2

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self._packed)
        return y


class Int8Linear:
    """int8 weights on a CPU (FBGEMM), one scale an output channel; activations keep 15 bits.

    Each row of x is scaled by its own largest magnitude, so that no row's result depends on the others,
    and split into two int8 parts, x = scale * (high + low / 254). Both parts go through the product as
    rows of one batch. The weights are read once either way, so the second part is nearly free, and
    outlier channels, which ruin plain 8-bit activations in transformers (Dettmers et al. 2022,
    "LLM.int8()"), cost the small channels nothing.

    With activations that precise, only the weights' rounding is left. Each input channel is first scaled
    so that its largest weight is 1 and its activations make up for it (Xiao et al. 2023, "SmoothQuant",
    with all of the difficulty moved to the activations): without calibration data, no channel with small
    weights and loud activations is rounded away.
    """

    def __init__(self, weight: Tensor) -> None:
        integers, scales, self._balance = balanced_int8(weight)
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        with warnings.catch_warnings():  # eager quantised tensors are deprecated, their kernels are not
            warnings.simplefilter("ignore")
            quantized = torch._make_per_channel_quantized_tensor(integers, scales, zeros, 0)
            self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        # Without VNNI, FBGEMM sums pairs of products in 16 bits, which hold those of activations up to 127.
        self._levels = INT8_LEVELS if torch.cpu._is_vnni_supported() else INT8_LEVELS // 2
        self.nbytes = weight.numel() + 4 * (len(scales) + len(self._balance))

    def __call__(self, x: Tensor) -> Tensor:
        rows = x.shape[0]
        levels = self._levels
        parts = x.new_empty(2 * rows, x.shape[1])
        high, low = parts[:rows], parts[rows:]
        x = x * self._balance
        scale = x.abs().amax(-1, keepdim=True).clamp_min_(1e-30).div_(levels)
        torch.div(x, scale, out=high)
        torch.round(high, out=low)
        # What rounding left over, in [-1/2, 1/2], spread over the same range of integers.
        torch.sub(high, low, out=low).mul_(2 * levels)
        y: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            parts, 1.0, levels + 1, self._packed
        )
        return torch.add(y[:rows], y[rows:], alpha=0.5 / levels).mul_(scale)


def pack(weight: Tensor, dtype: Format, device: torch.device) -> Linear:
    """The fastest product with `weight` (out, in) stored as `dtype` on `device`."""
    if device.type == "cpu":
        if dtype == "int8":
            return native.NativeLinear(weight) if native.supports(weight) else Int8Linear(weight)
        if dtype == "float16":
            return HalfLinear(weight)
        if torch._C._has_mkldnn:
            return OneDnnLinear(weight.to(getattr(torch, dtype)))
    return DenseLinear(weight.to(device, getattr(torch, dtype)))
