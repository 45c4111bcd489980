"""How far MusicGen's narrow number formats stray from float32, on weights that have learnt something.

    python benchmarks/musicgen_quality.py [--steps 400] [--csv per-step.csv]
    python benchmarks/musicgen_quality.py --checkpoint FOLDER

Random weights say little about rounding: their logits are flat, and their channels all alike. So a small
decoder of MusicGen's architecture is trained here for a minute to continue motifs that its prompt chooses,
through noise. Its tokens are then teacher-forced through every format. "Outlier channels" rescales a few
channels of every norm, and the weights that read them, so that the function stays the same while
activations show the outliers that large transformers have (Dettmers et al. 2022, "LLM.int8()"). "Loud
channels" is a second decoder, trained with a few channels that begin 20 times (norms) and 10 times
(feed-forward) as loud as the others, which no other weight makes up for.

With --checkpoint the weights in FOLDER are judged instead, on clips that they have themselves composed in
float32. The table has the mean over all steps and the worst step; --csv writes every step of every format.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from transformers import MusicgenForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from albumgen_core.engines.base import ComposeRequest
from albumgen_core.engines.neural.musicgen import load_composer, native
from albumgen_core.engines.neural.musicgen.checkpoint import Checkpoint
from albumgen_core.engines.neural.musicgen.decoder import FastDecoder
from albumgen_core.engines.neural.musicgen.delay import DelayPattern
from albumgen_core.engines.neural.musicgen.linear import Format
from albumgen_core.engines.neural.musicgen.open import open_checkpoint
from tests.checkpoints.musicgen import VOCABULARY, tiny_config, with_outlier_channels

CPU = torch.device("cpu")
CLASSES, PERIOD, NOISE = 8, 16, 0.15
BATCH, TRAIN_FRAMES, TEST_FRAMES = 16, 96, 200
PROMPTS = (
    "a calm, acoustic folk ballad in D minor with soft vocals, 84 bpm",
    "an upbeat hip hop track with a heavy bass line and bright synths, 96 bpm",
    "slow dark ambient drone",
    "fast punk rock with loud guitars, recorded live",
)
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


def make_loud(model: MusicgenForCausalLM) -> None:
    """Begin with a few loud channels in every norm and feed-forward layer."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            for ending, factor in (("layer_norm.weight", 20.0), ("fc1.weight", 10.0)):
                if name.endswith(ending):
                    few = torch.randperm(len(weight), generator=generator)[: max(2, len(weight) // 64)]
                    weight[few] *= factor


def train(motifs: Motifs, config: Any, steps: int, *, loud: bool = False) -> Checkpoint:
    """A decoder that has learnt the motifs."""
    torch.manual_seed(0)
    model = MusicgenForCausalLM(config.decoder).train()
    if loud:
        make_loud(model)
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


def composed(folder: Path, seconds: float) -> tuple[Checkpoint, list[Tensor], Tensor]:
    """The checkpoint in `folder`, prompts, and columns (clips, K, columns) that it composes in float32."""
    composer: Any = load_composer(folder, device="cpu", dtype="float32")
    # The decoder hears the prompt alone; the attributes it was written from are for other composers.
    attributes: Any = None
    clips = composer.compose(
        [ComposeRequest(prompt, attributes, seconds, seed) for seed, prompt in enumerate(PROMPTS)]
    )
    frames = clips[0].tokens.shape[1]
    columns = torch.stack(
        [composer._pattern.grid(torch.from_numpy(clip.tokens.astype("int64")), frames) for clip in clips]
    )
    return open_checkpoint(folder), [composer.text.encode(prompt) for prompt in PROMPTS], columns


@contextmanager
def native_kernel(wanted: bool) -> Iterator[None]:
    """With the native kernel, where it is built, or on PyTorch alone."""
    before = os.environ.get(native.ENVIRONMENT)
    if not wanted:
        os.environ[native.ENVIRONMENT] = "0"
    native.library.cache_clear()
    try:
        yield
    finally:
        os.environ.pop(native.ENVIRONMENT, None)
        if before is not None:
            os.environ[native.ENVIRONMENT] = before
        native.library.cache_clear()


@torch.inference_mode()
def compare(
    checkpoint: Checkpoint, number: Format, prompts: Sequence[Tensor], columns: Tensor
) -> tuple[Tensor, Tensor]:
    """At each step the share of top-1 tokens that agree with float32, and the mean KL divergence in nats."""
    steps = columns.shape[-1] - 1
    exact, narrow = (
        FastDecoder(checkpoint, CPU, form, 3.0).open(list(prompts), steps)
        for form in (cast(Format, "float32"), number)
    )
    agreed, divergence = [], []
    for step in range(steps):
        p, q = exact.step(columns[..., step]), narrow.step(columns[..., step])
        agreed.append((p.argmax(-1) == q.argmax(-1)).float().mean())
        nats = F.kl_div(q.log_softmax(-1), p.log_softmax(-1), log_target=True, reduction="none").sum(-1)
        divergence.append(nats.mean())
    return torch.stack(agreed), torch.stack(divergence)


def main() -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--checkpoint", type=Path, help="folder of a MusicGen checkpoint to judge")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the clips it composes")
    parser.add_argument("--csv", type=Path, help="where to write every step")
    options = parser.parse_args()
    prompts: Sequence[Tensor]
    if options.checkpoint is not None:
        checkpoint, prompts, columns = composed(options.checkpoint, options.seconds)
        kinds = [("as they are", checkpoint)]
    else:
        motifs = Motifs(options.width)
        checkpoint = train(motifs, tiny_config(hidden=options.width), options.steps)
        drawn, columns = motifs.clips(BATCH, TEST_FRAMES)
        prompts = list(drawn)
        kinds = [
            ("as trained", checkpoint),
            ("outlier channels", with_outlier_channels(checkpoint)),
            ("loud channels", train(motifs, tiny_config(hidden=options.width), options.steps, loud=True)),
        ]
    print(f"\n{'':<32}{'top-1 agreement':>16}{'worst step':>12}{'KL, nats':>12}{'worst step':>12}")
    rows = []
    for name, weights in kinds:
        for number in ("float16", "bfloat16", "int8 torch", "int8"):
            with native_kernel(number == "int8"):
                agreed, nats = compare(weights, cast(Format, number.split()[0]), prompts, columns)
            print(
                f"{number:<12}{name:<20}{100 * agreed.mean():>15.2f}%{100 * agreed.min():>11.2f}%"
                f"{nats.mean():>12.1e}{nats.max():>12.1e}"
            )
            pairs = enumerate(zip(agreed.tolist(), nats.tolist(), strict=True))
            rows += [(number, name, step, share, divergence) for step, (share, divergence) in pairs]
    if options.csv is not None:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("format", "weights", "step", "top-1 agreement", "KL, nats"))
            table.writerows(rows)


if __name__ == "__main__":
    main()
