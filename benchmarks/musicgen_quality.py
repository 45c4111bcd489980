"""How far MusicGen's narrow number formats stray from float32, on weights that have learnt something.

    python benchmarks/musicgen_quality.py [--steps 400]

Random weights say little about rounding: their logits are flat, and their channels all alike. So a small
decoder of MusicGen's architecture is trained here for a minute to continue motifs that its prompt chooses,
through noise. Its tokens are then teacher-forced through every format. "Outlier channels" rescales a few
channels of every norm, and the weights that read them, so that the function stays the same while
activations show the outliers that large transformers have (Dettmers et al. 2022, "LLM.int8()").
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import MusicgenForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.decoder import OwnDecoder
from albumgen_core.engines.neural.musicgen.delay import DelayPattern
from albumgen_core.engines.neural.musicgen.linear import Format
from tests.checkpoints.musicgen import VOCABULARY, tiny_config, with_outlier_channels

CPU = torch.device("cpu")
CLASSES, PERIOD, NOISE = 8, 16, 0.15
BATCH, TRAIN_FRAMES, TEST_FRAMES = 16, 96, 200
DROP_PROMPT = 0.15
"""Share of training clips without their prompt, for classifier-free guidance."""


@dataclass
class Motifs:
    """A little language: each prompt has a motif, each codebook its own spelling of it, and noise."""

    width: int

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.motifs = torch.randint(0, VOCABULARY, (CLASSES, PERIOD), generator=self.generator)
        self.spelling = torch.randint(0, VOCABULARY, (4, VOCABULARY), generator=self.generator)
        self.prompts = torch.randn(CLASSES, 5, self.width, generator=self.generator)
        self.pattern = DelayPattern(4, 1, VOCABULARY)

    def clips(self, count: int, frames: int) -> tuple[Tensor, Tensor]:
        """Prompts (count, 5, width) and columns (count, 4, columns)."""
        chosen = torch.randint(0, CLASSES, (count, 1), generator=self.generator)
        start = torch.randint(0, PERIOD, (count, 1), generator=self.generator)
        notes = self.motifs[chosen, (torch.arange(frames) + start) % PERIOD]
        tokens = self.spelling[:, notes].transpose(0, 1)
        noise = torch.randint(0, VOCABULARY, tokens.shape, generator=self.generator)
        tokens = torch.where(torch.rand(tokens.shape, generator=self.generator) < NOISE, noise, tokens)
        return self.prompts[chosen[:, 0]], torch.stack([self.pattern.grid(one, frames) for one in tokens])


def train(motifs: Motifs, config: Any, steps: int) -> Checkpoint:
    """A decoder that has learnt the motifs."""
    torch.manual_seed(0)
    model = MusicgenForCausalLM(config.decoder).train()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for step in range(steps):
        prompts, columns = motifs.clips(BATCH, TRAIN_FRAMES)
        heard = (torch.rand(BATCH, 1) >= DROP_PROMPT).long()
        logits = model(
            input_ids=columns[..., :-1].flatten(0, 1),
            encoder_hidden_states=prompts * heard[..., None],
            encoder_attention_mask=heard.expand(-1, prompts.shape[1]),
        ).logits
        target = columns[..., 1:].flatten(0, 1)
        target = target.masked_fill(target == VOCABULARY, -100)
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"training step {step}: loss {loss.item():.2f}")
    weights = {f"decoder.{name}": weight.detach() for name, weight in model.state_dict().items()}
    readers = {name: (lambda weight=weight: weight) for name, weight in weights.items()}
    return Checkpoint(Path("trained"), config, readers)


@torch.inference_mode()
def compare(checkpoint: Checkpoint, number: Format, prompts: Tensor, columns: Tensor) -> tuple[float, float]:
    """Share of top-1 tokens that agree with float32, and mean KL divergence in nats."""
    exact, narrow = (
        OwnDecoder(checkpoint, CPU, form, 3.0).open(list(prompts), TEST_FRAMES)
        for form in (cast(Format, "float32"), number)
    )
    agreed, divergence = [], []
    for step in range(TEST_FRAMES):
        p, q = exact.step(columns[..., step]), narrow.step(columns[..., step])
        agreed.append((p.argmax(-1) == q.argmax(-1)).float().mean())
        nats = F.kl_div(q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="none").sum(-1)
        divergence.append(nats.mean())
    return torch.stack(agreed).mean().item(), torch.stack(divergence).mean().item()


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--width", type=int, default=64)
    options = parser.parse_args()
    config = tiny_config(hidden=options.width)
    motifs = Motifs(options.width)
    checkpoint = train(motifs, config, options.steps)
    prompts, columns = motifs.clips(BATCH, TEST_FRAMES)
    print(f"\n{'format':<12}{'weights':<20}{'top-1 agreement':>16}{'KL, nats':>12}")
    for name, weights in (
        ("as trained", checkpoint),
        ("outlier channels", with_outlier_channels(checkpoint)),
    ):
        for number in ("float16", "bfloat16", "int8"):
            agreement, nats = compare(weights, cast(Format, number), prompts, columns)
            print(f"{number:<12}{name:<20}{100 * agreement:>15.2f}%{nats:>12.1e}")


if __name__ == "__main__":
    main()
