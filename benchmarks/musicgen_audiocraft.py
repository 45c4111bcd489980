"""audiocraft's own decoder, as a contender of `benchmarks/musicgen.py`.

The step that `LMModel.generate` makes: one column in streaming mode, both guidance halves in one batch, in
float32. Needs `audiocraft`; docs/musicgen.md says how it is installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from albumgen_core.engines.neural.musicgen.hf_decoder import build_causal_lm
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from tests.checkpoints.audiocraft import language_model
from tests.checkpoints.musicgen import lm_state

NAME = "audiocraft"
CPU = torch.device("cpu")


def installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("audiocraft") is not None


class AudiocraftDecoder:
    """audiocraft's language model behind the interface of the other contenders.

    Args:
        folder: a checkpoint in transformers' format, whose weights it takes. guidance: its scale.
    """

    def __init__(self, folder: Path, guidance: float) -> None:
        checkpoint = open_checkpoint(folder)
        weights = lm_state(build_causal_lm(checkpoint, CPU, torch.float32))
        self.guidance = guidance
        with torch.device("meta"):
            self.lm = language_model(checkpoint.config.decoder, {}, guidance)
        self.lm.load_state_dict(weights, assign=True)
        self.lm.eval().requires_grad_(False)
        self.lm._set_streaming(True)
        self.nbytes = sum(
            each.nbytes for name, each in weights.items() if name.startswith(("transformer.", "linears."))
        )

    def open(self, prompts: Sequence[Tensor], capacity: int) -> AudiocraftSession:
        """A session with one row a prompt; the one before it ends. The cache grows by itself."""
        return AudiocraftSession(self, prompts)


class AudiocraftSession:
    """One batch. audiocraft keeps its caches in the model, so there is one session at a time."""

    def __init__(self, decoder: AudiocraftDecoder, prompts: Sequence[Tensor]) -> None:
        self.decoder = decoder
        heard = pad_sequence(list(prompts), batch_first=True)
        # The unconditional half hears a prompt of zeros.
        both = torch.cat([heard, torch.zeros_like(heard)])
        self.conditions = {"description": (both, torch.ones(both.shape[:2]))}
        decoder.lm.reset_streaming()

    def begin(self, rows: Sequence[int], columns: Sequence[Tensor]) -> None:
        """Start all rows afresh with the columns (K, n) they already know, of one length."""
        self.decoder.lm.reset_streaming()
        if columns[0].shape[1]:
            self._hear(torch.stack(list(columns)))

    def step(self, columns: Tensor) -> Tensor:
        """Hear one column (rows, K) of every row; guided logits (rows, K, vocabulary)."""
        return self._hear(columns.unsqueeze(-1))

    @torch.inference_mode()
    def _hear(self, columns: Tensor) -> Tensor:
        lm = self.decoder.lm
        logits = lm(torch.cat([columns, columns]), conditions=[], condition_tensors=self.conditions)
        conditional, unconditional = logits[:, :, -1].chunk(2)
        guided: Tensor = unconditional + (conditional - unconditional) * self.decoder.guidance
        return guided
