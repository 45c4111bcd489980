"""Pictures of a retrieval evaluation: the curve as it is usually drawn, and the one that tells more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.evaluation.intervals import Interval, over_splits
from albumgen_core.evaluation.plotting import INK, PALETTE, as_png, new_figure
from albumgen_core.evaluation.retrieval import RetrievalEvaluation
from albumgen_core.evaluation.retrieval_split import (
    CHOSEN,
    CHOSEN_MEDIAN,
    GENRE_MEDIAN,
    KNN,
    MEAN,
    MEDIAN_BASELINE,
    PREDICTOR,
    RANDOM,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NEAR, _CHANCE, _PRIOR, _GENRE, _OURS = "#0072B2", "#999999", "#444444", "#009E73", "#D55E00"
_SHOWN_K = 19
_COMPARED = (
    (0.27, CHOSEN, _NEAR),
    (0.09, CHOSEN_MEDIAN, "#56B4E9"),
    (-0.09, PREDICTOR, _OURS),
    (-0.27, GENRE_MEDIAN, _GENRE),
)
"""Height within an attribute's row, method, colour."""


def plot_squared_error(evaluation: RetrievalEvaluation) -> bytes:
    """Mean squared error of each attribute against k = 1 … 19, as PNG bytes: the customary plot."""
    figure, axes = new_figure(1, 1, (8.2, 5.2))
    ax = axes[0, 0]
    shown = [k for k in evaluation.ks if k <= _SHOWN_K]
    curves = evaluation.curves[KNN].squared.mean(axis=0)[: len(shown)]
    for column in range(len(AUDIO_FEATURES)):
        ax.plot(shown, curves[:, column], marker="o", markersize=3.5, color=PALETTE[column], lw=1.6)
    _label_ends(ax, shown[-1], curves[-1], AUDIO_FEATURES, PALETTE)
    ax.set(xlabel="k nearest albums", ylabel="mean squared error", xlim=(0.5, shown[-1] + 4.8))
    ax.set_ylim(bottom=0)
    ax.set_xticks(range(1, shown[-1] + 1, 2))
    ax.set_title("Squared error against k, without a baseline", loc="left", fontsize=12, color=INK)
    return as_png(figure)


def plot_against_baselines(evaluation: RetrievalEvaluation) -> bytes:
    """Absolute error against k beside what needs no cover, and each attribute against the median; PNG."""
    figure, axes = new_figure(1, 2, (12.6, 5.4), width_ratios=(1.15, 1))
    _draw_curves(axes[0, 0], evaluation)
    _draw_differences(axes[0, 1], evaluation)
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=4, frameon=False, fontsize=9)
    return as_png(figure)


def _draw_curves(ax: Axes, evaluation: RetrievalEvaluation) -> None:
    ks = np.array(evaluation.ks)
    for name, colour, style in ((RANDOM, _CHANCE, "--"), (KNN, _NEAR, "-")):
        by_split = evaluation.curves[name].absolute.mean(axis=2)
        intervals = [over_splits(by_split[:, column], evaluation.ratio) for column in range(len(ks))]
        ax.plot(ks, by_split.mean(axis=0), style, color=colour, lw=2, label=name)
        if name == KNN:
            low, high = [i.low for i in intervals], [i.high for i in intervals]
            ax.fill_between(ks, low, high, color=colour, alpha=0.14, lw=0)
    for name, colour, style in (
        (MEAN, _PRIOR, ":"),
        (MEDIAN_BASELINE, _PRIOR, "-"),
        (GENRE_MEDIAN, _GENRE, "-."),
        (PREDICTOR, _OURS, "--"),
    ):
        level = evaluation.mean_absolute(name).mean
        ax.axhline(level, color=colour, ls=style, lw=1.5, label=f"{name}  {level:.4f}")
    best = evaluation.ks.index(evaluation.chosen_k)
    level = float(evaluation.curves[KNN].absolute.mean(axis=(0, 2))[best])
    ax.plot([evaluation.chosen_k], [level], "o", color=_NEAR, markersize=7)
    ax.annotate(
        f"k = {evaluation.chosen_k} by validation\n{level:.4f}",
        (evaluation.chosen_k, level),
        xytext=(-6, 22),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=_NEAR,
    )
    ax.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 19, 50, 100, 200) if k <= ks[-1]]
    ax.set_xticks(ticks, [str(k) for k in ticks])
    ax.minorticks_off()
    ax.set(xlabel="k (log scale)", ylabel="mean absolute error, mean of 8 attributes")
    ax.set_title("Does looking at the cover help?", loc="left", fontsize=12, color=INK)
    ax.legend(frameon=False, fontsize=9, loc="upper right")


def _draw_differences(ax: Axes, evaluation: RetrievalEvaluation) -> None:
    base = evaluation.methods[MEDIAN_BASELINE].absolute
    rows = np.arange(len(AUDIO_FEATURES))[::-1]
    for shift, name, colour in _COMPARED:
        percent = 100 * (evaluation.methods[name].absolute - base) / base.mean(axis=0)
        spans = [over_splits(percent[:, column], evaluation.ratio) for column in range(len(rows))]
        centres = [span.mean for span in spans]
        ax.errorbar(
            centres,
            rows + shift,
            xerr=_reach(spans),
            fmt="o",
            color=colour,
            ecolor=colour,
            elinewidth=1.4,
            capsize=2.5,
            markersize=5,
            label=name,
        )
    ax.axvline(0, color=_PRIOR, lw=1.3)
    ax.set_yticks(rows, AUDIO_FEATURES)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel("mean absolute error against the median, %   (left of 0 is better)")
    ax.set_title("Attribute by attribute, 95 % intervals", loc="left", fontsize=12, color=INK)


def _reach(spans: Sequence[Interval]) -> list[list[float]]:
    finite = [(s.mean - s.low, s.high - s.mean) if np.isfinite(s.low) else (0.0, 0.0) for s in spans]
    return [[low for low, _ in finite], [high for _, high in finite]]


def _label_ends(ax: Axes, x: int, levels: Any, names: Sequence[str], colours: Sequence[str]) -> None:
    """Names at the ends of lines, moved apart where they would overlap."""
    bottom, top = 0.0, float(np.max(levels)) * 1.6
    gap = (top - bottom) * 0.04
    place = -gap
    for column in np.argsort(levels):
        place = max(float(levels[column]), place + gap)
        ax.annotate(
            names[column],
            (x, float(levels[column])),
            xytext=(x + 0.5, place),
            va="center",
            fontsize=9,
            color=colours[column],
            arrowprops={"arrowstyle": "-", "color": colours[column], "lw": 0.5, "alpha": 0.5},
        )
