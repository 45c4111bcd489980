"""Trains as the tests do and dies without a word: `python -m … MODEL COVERS OUT STEP`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from albumgen_core.training.callbacks import StepReport
from albumgen_core.training.examples import Example, build_examples
from albumgen_core.training.finetune import fine_tune
from albumgen_core.training.recipe import Recipe
from tests.albumgen_core.training.conftest import make_albums

RECIPE = Recipe(
    rank=8, dropout=0.1, learning_rate=0.02, batch=4, micro_batch=2, epochs=3, check_every=5, contexts="plain"
)


def examples(covers: Path) -> tuple[list[Example], list[Example]]:
    made = build_examples(make_albums(covers), contexts="plain")
    return made[:22], made[22:]


if __name__ == "__main__":
    model, covers, out, last = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])

    def die(report: StepReport) -> None:
        if report.step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    fine_tune(model, *examples(covers), out, RECIPE, device="cpu", on_step=die)
