"""Loss, gradient norm and learning rate by step: for TensorBoard, as JSON, and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from albumgen_core.evaluation.plotting import INK, PALETTE, as_png, new_figure

CURVES: tuple[tuple[str, str], ...] = (
    ("loss", "train/loss"),
    ("grad_norm", "train/grad_norm"),
    ("learning_rate", "train/learning_rate"),
    ("eval_loss", "eval/loss"),
)
"""The Trainer's name for a figure, and its tag in TensorBoard."""

Curve = Mapping[str, Sequence[tuple[int, float]]]


def curves_of(history: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """The curves in a Trainer's log: (step, value) pairs by tag; curves without a value are left out."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for entry in history:
        for name, tag in CURVES:
            if name in entry:
                curves.setdefault(tag, []).append((int(entry["step"]), float(entry[name])))
    return curves


def write_curves(curves: Curve, data: Path, picture: Path) -> None:
    """Write the curves as JSON and as PNG."""
    data.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
    picture.write_bytes(draw_curves(curves))


def draw_curves(curves: Curve) -> bytes:
    """Loss (with validation), gradient norm and learning rate side by side, as PNG bytes."""
    figure, axes = new_figure(1, 3, (12, 3.6))
    panels = axes[0]
    for ax, tag in zip(panels, ("train/loss", "train/grad_norm", "train/learning_rate"), strict=True):
        steps, values = _columns(curves.get(tag, ()))
        # Few steps would be an empty panel without their points.
        ax.plot(
            steps, values, color=PALETTE[0], lw=1.7, marker="o" if len(steps) < 40 else None, markersize=3
        )
        ax.set_title(tag, loc="left", fontsize=11, color=INK)
        ax.set_xlabel("step")
    panels[2].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    checks = curves.get("eval/loss", ())
    if checks:
        panels[0].plot(
            *_columns(checks), color=PALETTE[1], lw=1.4, marker="s", markersize=4, label="validation"
        )
        panels[0].legend(frameon=False, fontsize=9)
    return as_png(figure)


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in pairs], [value for _, value in pairs]
