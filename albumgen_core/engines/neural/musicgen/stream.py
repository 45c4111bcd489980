"""Decoding a clip's sound piece by piece, before its later tokens are composed.

A piece is exactly what decoding the whole clip would have given there: the LSTM's state is carried on,
and the convolutions get as many frames around the piece as they can reach.
"""

from __future__ import annotations

import torch
from torch import Tensor

from albumgen_core.engines.neural.musicgen.codec import Codec

FIRST_PIECE_FRAMES = 50
"""The first piece is a second at MusicGen's 50 Hz, so that it sounds soon."""
PIECE_FRAMES = 100
"""Later pieces are longer: each decodes a few frames twice, around its edges."""


class SoundStream:
    """Sound of one clip: tokens in as they come, samples out as soon as their neighbourhood is known.

    Attributes:
        samples: float32 (channels, samples) of the whole clip; valid up to `ready`.
        ready: samples decoded so far.
    """

    def __init__(self, codec: Codec, channels: int, frames: int) -> None:
        self._codec, self._channels, self._frames = codec, channels, frames
        self._heard = 0  # frames whose hidden state is there
        self._decoded = 0  # frames whose sound is there
        self._state: tuple[Tensor, Tensor] | None = None
        self._hidden: Tensor | None = None
        self.samples = torch.zeros(channels, frames * codec.hop)

    @property
    def ready(self) -> int:
        """Samples decoded so far."""
        return self._decoded * self._codec.hop

    @torch.inference_mode()
    def feed(self, tokens: Tensor) -> None:
        """Decode what can be, given the clip's first tokens, int64 (K, known), and all before them."""
        known = tokens.shape[1]
        ended = known >= self._frames
        worthwhile = PIECE_FRAMES if self._decoded else FIRST_PIECE_FRAMES
        if not ended and known - self._decoded < worthwhile + self._codec.reach + self._codec.front_reach:
            return
        self._recur(tokens, known, ended)
        stop = self._heard if ended else self._heard - self._codec.reach
        if stop <= self._decoded or self._hidden is None:
            return
        left = max(0, self._decoded - self._codec.reach)
        right = min(self._heard, stop + self._codec.reach)
        hop = self._codec.hop
        sound = self._codec.back(self._hidden[:, left:right])
        piece = sound[:, (self._decoded - left) * hop : (stop - left) * hop]
        self.samples[:, self._decoded * hop : stop * hop] = piece.cpu()
        self._decoded = stop

    def _recur(self, tokens: Tensor, known: int, ended: bool) -> None:
        """Bring the hidden states as far as the front's convolution can look ahead."""
        reach = self._codec.front_reach
        stop = known if ended else known - reach
        if stop <= self._heard:
            return
        left = max(0, self._heard - reach)
        by_channel = tokens[:, left:known].reshape(-1, self._channels, known - left).transpose(0, 1)
        front = self._codec.front(by_channel.to(self._codec.device))[:, self._heard - left : stop - left]
        hidden, self._state = self._codec.recur(front, self._state)
        if self._hidden is None:
            self._hidden = hidden.new_empty(len(hidden), self._frames, hidden.shape[2])
        self._hidden[:, self._heard : stop] = hidden
        self._heard = stop
