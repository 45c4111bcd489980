"""EnCodec's layers on sound laid out as (batch, time, channels).

With a column's channels side by side, a transposed convolution whose kernel is twice its stride, as all of
EnCodec's are, is one matrix product over pairs of neighbouring columns, pointwise convolutions are plain
products, and the others run without being rearranged. ELU goes straight into the padded input of the layer
that follows it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from albumgen_core.engines.neural.musicgen.linear import DenseLinear, OneDnnLinear

PRODUCT_ROWS = 1024
"""Rows that products are packed for: a second of music has from 50 to 32,000."""


def _product(weight: Tensor, bias: Tensor) -> DenseLinear | OneDnnLinear:
    """x @ weight.T + bias for many rows, in float32."""
    if weight.device.type == "cpu" and torch._C._has_mkldnn:
        return OneDnnLinear(weight, bias, PRODUCT_ROWS)
    return DenseLinear(weight, bias)


def _put(x: Tensor, out: Tensor, activated: bool) -> None:
    """Copy x, or ELU(x), to `out`."""
    if activated:
        torch.ops.aten.elu.out(x, out=out)
    else:
        out.copy_(x)


class Conv:
    """EncodecConv1d: a convolution that keeps ceil(length / stride) columns; `activated`, ELU comes first."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        config: Any,
        *,
        stride: int = 1,
        dilation: int = 1,
        activated: bool = False,
    ) -> None:
        self._stride, self._dilation, self._activated = stride, dilation, activated
        self._span = (weight.shape[-1] - 1) * dilation + 1
        self._causal, self._mode = config.use_causal_conv, config.pad_mode
        self._weight = weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        self._bias = bias
        self._pointwise = _product(weight[..., 0], bias) if self._span == stride == 1 else None

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, time, in) → (batch, ceil(time / stride), out)."""
        if self._pointwise is not None:
            flat = (F.elu(x) if self._activated else x).reshape(-1, x.shape[-1])
            return self._pointwise(flat).view(*x.shape[:2], -1)
        padded = self._pad(x).transpose(1, 2).unsqueeze(2)
        y = F.conv2d(padded, self._weight, self._bias, (1, self._stride), dilation=(1, self._dilation))
        return y.squeeze(2).transpose(1, 2)

    def _sides(self, length: int) -> tuple[int, int]:
        """Columns to put before and after."""
        total = self._span - self._stride
        columns = math.ceil((length - self._span + total) / self._stride + 1) - 1
        extra = columns * self._stride + self._span - total - length
        right = 0 if self._causal else total // 2
        return total - right, right + extra

    def _pad(self, x: Tensor) -> Tensor:
        batch, length, channels = x.shape
        left, right = self._sides(length)
        if self._mode != "reflect" or length <= max(left, right):
            x = F.elu(x) if self._activated else x
            return _pad_short(x.transpose(1, 2), left, right, self._mode).transpose(1, 2).contiguous()
        padded = x.new_empty(batch, left + length + right, channels)
        middle = padded[:, left : left + length]
        _put(x, middle, self._activated)
        padded[:, :left] = middle[:, 1 : left + 1].flip(1)
        padded[:, left + length :] = middle[:, length - 1 - right : length - 1].flip(1)
        return padded


def _pad_short(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """transformers' EncodecConv1d._pad1d on (batch, channels, time): reflection, of very short sound too."""
    if mode != "reflect":
        return F.pad(x, (left, right), mode)
    extra = max(0, max(left, right) - x.shape[-1] + 1)
    x = F.pad(F.pad(x, (0, extra)), (left, right), "reflect")
    return x[..., : x.shape[-1] - extra]


class Upsample:
    """ELU, then EncodecConvTranspose1d with a kernel of twice its stride: `stride` columns for each one."""

    def __init__(self, weight: Tensor, bias: Tensor, config: Any, stride: int) -> None:
        inputs, outputs, kernel = weight.shape
        if kernel != 2 * stride:
            raise ValueError(f"a transposed convolution with a stride of {stride} has a kernel of {kernel}")
        total = kernel - stride
        self._right = math.ceil(total * config.trim_right_ratio) if config.use_causal_conv else total // 2
        self._left = total - self._right
        # Output column stride * t + p hears x[t] through kernel place p, and x[t - 1] through p + stride.
        halves = weight.permute(2, 1, 0).reshape(2, stride * outputs, inputs)
        self._product = _product(torch.cat([halves[1], halves[0]], 1), bias.repeat(stride))
        self._outputs = outputs

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, time, in) → (batch, stride * time, out)."""
        batch, length, inputs = x.shape
        pairs = x.new_empty(batch, length + 1, 2 * inputs)
        before, now = pairs[..., :inputs], pairs[..., inputs:]
        _put(x, now[:, :length], activated=True)
        before[:, 1:] = now[:, :length]
        before[:, 0] = now[:, length] = 0
        y = self._product(pairs.view(-1, 2 * inputs)).view(batch, -1, self._outputs)
        return y[:, self._left : y.shape[1] - self._right]


class Residual:
    """EncodecResnetBlock."""

    def __init__(self, first: Conv, second: Conv, shortcut: Conv | None) -> None:
        self._first, self._second, self._shortcut = first, second, shortcut

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, time, channels), both."""
        y = self._second(self._first(x))
        return y.add_(x if self._shortcut is None else self._shortcut(x))
