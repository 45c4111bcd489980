"""What watches a training run: TensorBoard, the caller, and a guard against numbers that are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from albumgen_core.errors import TrainingError
from albumgen_core.training.curves import CURVES


@dataclass(frozen=True, slots=True)
class StepReport:
    """How far training is.

    Attributes:
        step: steps taken. steps: steps in all.
        loss: mean over the step's answer tokens, or None between reports.
        validation: loss on the validation albums, when it was just measured.
    """

    step: int
    steps: int
    loss: float | None = None
    validation: float | None = None


OnStep = Callable[[StepReport], None]


def ignore_steps(_report: StepReport) -> None:
    """An OnStep for callers who do not watch."""


_Callback: Any = TrainerCallback  # untyped in transformers


class Watch(_Callback):  # type: ignore[misc]
    """Writes TensorBoard's curves as they grow and tells the caller of each step.

    On resuming, what was written beyond the checkpoint is purged, so that the curve has no step twice.
    """

    def __init__(self, folder: Path, on_step: OnStep) -> None:
        self._folder = folder
        self._on_step = on_step
        self._writer: Any = None

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Open the event file."""
        from torch.utils.tensorboard import SummaryWriter

        purge = state.global_step + 1 if state.global_step else None
        self._writer = SummaryWriter(str(self._folder), purge_step=purge)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        """Pass figures on."""
        logs = logs or {}
        for name, tag in CURVES:
            if name in logs and self._writer is not None:
                self._writer.add_scalar(tag, logs[name], state.global_step)
        loss = logs.get("loss")
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                f"The loss was no number at step {state.global_step}; lower the learning rate or look "
                "for damaged covers."
            )
        if loss is not None or "eval_loss" in logs:
            self._on_step(StepReport(state.global_step, state.max_steps, loss, logs.get("eval_loss")))

    def on_save(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """A checkpoint is a promise: the curve up to it is on disk too."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
