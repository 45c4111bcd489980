"""MusicGen's decoder, written for many single-column steps, each bound by memory bandwidth.

The same arithmetic as transformers' MusicgenForCausalLM. What differs is what a step does not do: caches
are allocated once, keys and values of the prompt are projected once, query, key and value come from one
product, the conditional and unconditional rows of classifier-free guidance (CFG) are one batch, and the heads
of all codebooks are one matrix. Unconditional rows have no prompt: their cross-attention adds exactly
nothing, and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from albumgen_core.engines.neural.musicgen.decoder_api import DecoderSession
from albumgen_core.engines.neural.musicgen.graphs import GraphSession
from albumgen_core.engines.neural.musicgen.native_session import NativeSession, supports
from albumgen_core.engines.neural.musicgen.session import FastSession
from albumgen_core.engines.neural.musicgen.weights import DecoderWeights


class FastDecoder(DecoderWeights):
    """The default decoder; see `Decoder`."""

    def open(self, conditioning: Sequence[Tensor], capacity: int) -> DecoderSession:
        """The fastest session that this device and these weights allow; see `Decoder.open`."""
        if self.device.type == "cuda":
            return GraphSession(self, conditioning, capacity)
        if supports(self):
            return NativeSession(self, conditioning, capacity)
        return FastSession(self, conditioning, capacity)
