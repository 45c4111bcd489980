"""EnCodec: tokens to sound, and back (Défossez et al. 2022, "High Fidelity Neural Audio Compression").

The same arithmetic as transformers' EncodecModel, with weight normalisation folded once instead of at
every call, and cut in two: a recurrent front (one convolution and an LSTM, at the frame rate) that passes
over the clip once, and a convolutional back whose output at any instant depends on a few frames around
it. That cut is what lets `stream.py` decode a clip piece by piece, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from albumgen_core.engines.neural.checkpoints.hub import unusable
from albumgen_core.engines.neural.musicgen.checkpoint import SPEC, Checkpoint
from albumgen_core.engines.neural.musicgen.codec_layers import Conv, Residual, Upsample

PREFIX = "audio_encoder."

Layer = Callable[[Tensor], Tensor]
"""On (batch, time, channels)."""


class Codec:
    """EnCodec with weights folded, for one channel of sound at a time.

    Attributes:
        sample_rate: in Hz.
        hop: samples a frame.
        codebooks: residual quantiser stages in use.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        config = checkpoint.config.audio_encoder
        if config.model_type != "encodec" or config.audio_channels != 1 or config.normalize:
            raise unusable(SPEC, checkpoint.folder, "holds a codec other than MusicGen's one-channel EnCodec")
        if config.norm_type != "weight_norm" or config.chunk_length_s is not None:
            raise unusable(SPEC, checkpoint.folder, "holds an EnCodec variant that MusicGen does not use")
        self.sample_rate = int(config.sampling_rate)
        self.hop = int(math.prod(config.upsampling_ratios))
        channels = checkpoint.config.decoder.audio_channels
        self.codebooks = checkpoint.config.decoder.num_codebooks // channels
        self.device = device
        self._config = config
        self._checkpoint = checkpoint
        self._weights = _Weights(checkpoint, device, ("decoder.", "quantizer."))
        self._books = [
            self._weights[f"quantizer.layers.{index}.codebook.embed"] for index in range(self.codebooks)
        ]
        self._front, self._lstm, self._back = self._build_decoder()
        self._encoder: list[Any] | None = None

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    @torch.inference_mode()
    def decode(self, tokens: Tensor) -> Tensor:
        """Sound of a whole clip: tokens int64 (batch, codebooks, frames) → float32 (batch, samples)."""
        hidden, _ = self.recur(self.front(tokens), None)
        return self.back(hidden)

    def front(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, codebooks, frames) to the LSTM's input (batch, frames, channels)."""
        embedded = sum(
            (F.embedding(tokens[:, index], book) for index, book in enumerate(self._books)),
            start=torch.zeros((), device=self.device),
        )
        return self._front(embedded)

    def recur(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The LSTM over (batch, frames, channels), going on from `state`."""
        y, state = self._lstm(x.transpose(0, 1), state)
        return y.transpose(0, 1) + x, state

    def back(self, hidden: Tensor) -> Tensor:
        """(batch, frames, channels) to float32 (batch, frames * hop)."""
        for layer in self._back:
            hidden = layer(hidden)
        return hidden[..., 0]

    @property
    def front_reach(self) -> int:
        """Frames to either side that one frame of `front`'s output depends on."""
        kernel = int(self._config.kernel_size)
        return kernel - 1 if self._config.use_causal_conv else kernel // 2

    @property
    def reach(self) -> int:
        """Frames to either side that one sample of `back`'s output depends on, or a few more."""
        config = self._config
        samples = int(config.last_kernel_size) - 1
        for ratio in reversed(config.upsampling_ratios):
            samples += sum(
                (config.residual_kernel_size - 1) * config.dilation_growth_rate**block
                for block in range(config.num_residual_layers)
            )
            samples = math.ceil(samples / ratio) + 1  # a kernel of 2 * ratio: this frame and the next
        return samples

    @torch.inference_mode()
    def encode(self, samples: Tensor) -> Tensor:
        """Tokens of sound: float32 (batch, samples) → int64 (batch, codebooks, ceil(samples / hop))."""
        if self._encoder is None:  # read only when a clip without tokens is continued
            self._encoder = self._build_encoder(_Weights(self._checkpoint, self.device, ("encoder.",)))
        residual = samples[..., None]
        for layer in self._encoder:
            residual = layer(residual)
        tokens = []
        for book in self._books:
            # Nearest by squared distance; the residual's own norm does not change which is nearest.
            index = (book.pow(2).sum(1) - 2 * residual @ book.T).argmin(-1)
            residual = residual - F.embedding(index, book)
            tokens.append(index)
        return torch.stack(tokens, dim=1)

    def _build_decoder(self) -> tuple[Conv, torch.nn.LSTM, list[Layer]]:
        config, weights = self._config, self._weights
        layers: list[Layer] = []
        place = 2
        for ratio in config.upsampling_ratios:
            name = f"decoder.layers.{place + 1}"
            weight, bias = weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"]
            try:
                layers.append(Upsample(weight, bias, config, ratio))
            except ValueError as error:
                raise unusable(SPEC, self._checkpoint.folder, f"holds an EnCodec variant: {error}") from error
            for block in range(config.num_residual_layers):
                dilation = config.dilation_growth_rate**block
                layers.append(weights.residual(f"decoder.layers.{place + 2 + block}", config, dilation))
            place += 2 + config.num_residual_layers
        layers.append(weights.conv(f"decoder.layers.{place + 1}", config, activated=True))
        return weights.conv("decoder.layers.0", config), weights.lstm("decoder.layers.1", config), layers

    def _build_encoder(self, weights: _Weights) -> list[Layer]:
        config = self._config
        layers: list[Layer] = [weights.conv("encoder.layers.0", config)]
        place = 1
        for ratio in reversed(config.upsampling_ratios):
            for block in range(config.num_residual_layers):
                dilation = config.dilation_growth_rate**block
                layers.append(weights.residual(f"encoder.layers.{place + block}", config, dilation))
            place += config.num_residual_layers
            layers.append(weights.conv(f"encoder.layers.{place + 1}", config, stride=ratio, activated=True))
            place += 2
        lstm = weights.lstm(f"encoder.layers.{place}", config)

        def recur(x: Tensor) -> Tensor:
            result: Tensor = lstm(x.transpose(0, 1))[0].transpose(0, 1)
            return result + x

        return [*layers, recur, weights.conv(f"encoder.layers.{place + 2}", config, activated=True)]


class _Weights(dict[str, Tensor]):
    """The codec's tensors, weight normalisation (g * v / |v|) folded, and layers made of them."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device, sections: tuple[str, ...]) -> None:
        super().__init__()
        self._folder = checkpoint.folder
        raw: dict[str, Tensor] = {}
        for section in sections:
            raw |= {
                f"{section}{name}": tensor.float() for name, tensor in checkpoint.section(PREFIX + section)
            }
        for name, tensor in raw.items():
            if name.endswith(("weight_g", "weight.original0")):  # torch's old and new spelling
                base = name.removesuffix("_g").replace("parametrizations.weight.original0", "weight")
                direction = raw.get(f"{base}_v", raw.get(name.replace("original0", "original1")))
                if direction is None:
                    raise unusable(SPEC, self._folder, f"lacks the direction of {PREFIX}{base}")
                self[base] = torch._weight_norm(direction, tensor, 0).to(device)
            elif not name.endswith(("weight_v", "weight.original1")):
                self[name] = tensor.to(device)

    def __missing__(self, name: str) -> Tensor:
        raise unusable(SPEC, self._folder, f"lacks the tensor {PREFIX}{name}")

    def conv(self, name: str, config: Any, **how: Any) -> Conv:
        return Conv(self[f"{name}.conv.weight"], self[f"{name}.conv.bias"], config, **how)

    def residual(self, name: str, config: Any, dilation: int) -> Residual:
        shortcut = self.conv(f"{name}.shortcut", config) if config.use_conv_shortcut else None
        first = self.conv(f"{name}.block.1", config, dilation=dilation, activated=True)
        return Residual(first, self.conv(f"{name}.block.3", config, activated=True), shortcut)

    def lstm(self, name: str, config: Any) -> torch.nn.LSTM:
        prefix = f"{name}.lstm."
        width = self[f"{prefix}weight_hh_l0"].shape[1]
        with torch.device("meta"):
            lstm = torch.nn.LSTM(width, width, config.num_lstm_layers)
        lstm.load_state_dict({key: self[prefix + key] for key in lstm.state_dict()}, assign=True)
        lstm.flatten_parameters()
        return lstm.eval().requires_grad_(False)
