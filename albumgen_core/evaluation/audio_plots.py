"""Pictures of an audio evaluation."""

from __future__ import annotations

import numpy as np

from albumgen_core.evaluation.audio import AudioEvaluation
from albumgen_core.evaluation.plotting import GREY, INK, PALETTE, as_png, new_figure

UNITS = {"loudness": "LUFS", "onsets": "onsets a second", "brightness": "spectral centroid, Hz"}


def plot_tempo_and_keys(evaluation: AudioEvaluation) -> bytes:
    """Tempo asked for against tempo heard, with octaves; shares kept beside swapped requests; PNG bytes."""
    figure, axes = new_figure(1, 2, (11.8, 5.0), width_ratios=(1.1, 1))
    ax = axes[0, 0]
    asked = np.array([clip.asked.tempo for clip in evaluation.clips])
    heard = np.array([clip.heard.tempo for clip in evaluation.clips])
    span = np.array([asked.min() * 0.9, asked.max() * 1.1])
    for multiple, style, name in (
        (1.0, "-", "as asked"),
        (2.0, "--", "double or half"),
        (0.5, "--", None),
        (3.0, ":", "triple or third"),
        (1 / 3, ":", None),
    ):
        ax.plot(span, span * multiple, style, color=GREY, lw=1.1, zorder=1, label=name)
    ax.scatter(asked, heard, s=22, color=PALETTE[0], alpha=0.8, lw=0, zorder=2)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for axis, set_ticks in ((ax.xaxis, ax.set_xticks), (ax.yaxis, ax.set_yticks)):
        set_ticks([50, 70, 100, 140, 200], ["50", "70", "100", "140", "200"])
        axis.minorticks_off()
    ax.set(xlabel="tempo asked for, BPM", ylabel="tempo heard, BPM", xlim=span)
    ax.set_ylim(min(40.0, heard[heard > 0].min(initial=40) * 0.9), max(230.0, heard.max() * 1.1))
    ax.legend(facecolor="white", edgecolor="none", framealpha=1, fontsize=8, loc="upper left")
    ax.set_title("Tempo", loc="left", fontsize=12, color=INK)
    ax = axes[0, 1]
    names = list(evaluation.kept)
    rows = np.arange(len(names))[::-1]
    shares = [evaluation.kept[name].share for name in names]
    reach = [[s.mean - s.low for s in shares], [s.high - s.mean for s in shares]]
    ax.barh(rows + 0.18, [s.mean for s in shares], 0.36, color=PALETTE[0], label="its own request")
    ax.errorbar([s.mean for s in shares], rows + 0.18, xerr=reach, fmt="none", ecolor=INK, capsize=3, lw=1)
    swapped = [evaluation.kept[name].swapped for name in names]
    ax.barh(rows - 0.18, swapped, 0.36, color=GREY, label="other clips' requests")
    ax.set_yticks(rows, names)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of clips (key, weighted: mean credit)")
    ax.set_title("Kept", loc="left", fontsize=12, color=INK)
    figure.legend(
        *ax.get_legend_handles_labels(), loc="outside lower right", ncols=2, frameon=False, fontsize=9
    )
    return as_png(figure)


def plot_relations(evaluation: AudioEvaluation) -> bytes:
    """What was asked against what was heard, one panel for each relation; PNG bytes."""
    figure, axes = new_figure(2, 3, (12.4, 6.8))
    for ax, relation in zip(axes.flat, evaluation.relations, strict=True):
        x = [float(getattr(clip.asked, relation.asked)) for clip in evaluation.clips]
        y = [float(getattr(clip.heard, relation.heard)) for clip in evaluation.clips]
        ax.scatter(x, y, s=16, alpha=0.75, lw=0, color=PALETTE[0] if relation.holds else PALETTE[1])
        rho = relation.rho
        wanted = "+" if relation.sign > 0 else "−"
        ax.set_title(
            f"ρ = {rho.mean:+.2f} ({rho.low:+.2f} to {rho.high:+.2f}), should be {wanted}",
            loc="left",
            fontsize=10,
            color=INK,
        )
        ax.set(xlabel=f"{relation.asked} asked for", ylabel=UNITS[relation.heard])
    figure.suptitle("blue: follows the request   orange: cannot be said to", x=0.01, ha="left", fontsize=10)
    return as_png(figure)
