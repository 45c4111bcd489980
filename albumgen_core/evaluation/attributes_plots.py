"""Pictures of an attribute evaluation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.evaluation.attribute_scores import Scores, baseline_less_median
from albumgen_core.evaluation.attributes import GENRE_MEDIAN, MEAN, AttributeEvaluation
from albumgen_core.evaluation.intervals import Interval
from albumgen_core.evaluation.plotting import GREY, INK, PALETTE, as_png, new_figure

_ROWS = ("overall", *AUDIO_FEATURES)


def plot_against_median(evaluation: AttributeEvaluation, scores: Mapping[str, Scores]) -> bytes:
    """Each attribute's error less that of the median of all, with 95 % intervals; PNG bytes."""
    figure, axes = new_figure(1, 1, (9.4, 6.4))
    ax = axes[0, 0]
    shown: list[tuple[str, Mapping[str, Interval], str, str]] = [
        (name, found.less_median, PALETTE[i % len(PALETTE)], "o")
        for i, (name, found) in enumerate(scores.items())
    ]
    shown.append((MEAN, baseline_less_median(evaluation, MEAN), GREY, "x"))
    shown.append((GENRE_MEDIAN, baseline_less_median(evaluation, GENRE_MEDIAN), INK, "d"))
    heights = np.arange(len(_ROWS))[::-1]
    for shift, (name, spans, colour, marker) in zip(np.linspace(0.3, -0.3, len(shown)), shown, strict=True):
        centres = [spans[row].mean for row in _ROWS]
        reach = [
            [spans[row].mean - spans[row].low for row in _ROWS],
            [spans[row].high - spans[row].mean for row in _ROWS],
        ]
        ax.errorbar(
            centres, heights + shift, xerr=reach, fmt=marker, color=colour, elinewidth=1.4, capsize=2.5,
            markersize=5, label=name,
        )  # fmt: skip
    ax.axvline(0, color=INK, lw=1.2)
    ax.axhline(len(_ROWS) - 1.5, color=INK, lw=0.6)
    ax.set_yticks(heights, _ROWS)
    ax.set_xlabel("mean absolute error less that of the median of all   (left of 0 is better)")
    ax.set_title("What reading the cover is worth", loc="left", fontsize=12, color=INK)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return as_png(figure)


def plot_spread(evaluation: AttributeEvaluation) -> bytes:
    """How answers and albums are spread over each attribute: box plots (5, 25, 50, 75, 95 %); PNG bytes."""
    figure, axes = new_figure(2, 4, (12.4, 5.8), sharey=True)
    names = ["albums", *(condition.name for condition in evaluation.conditions)]
    colours = [GREY, *PALETTE]
    for column, (ax, attribute) in enumerate(zip(axes.flat, AUDIO_FEATURES, strict=True)):
        values = [evaluation.truth[:, column].tolist()]
        for condition in evaluation.conditions:
            found = [answer.attributes for answer in condition.answers if answer.attributes is not None]
            values.append([answer.features()[column] for answer in found])
        boxes = ax.boxplot(
            values, whis=(5, 95), showfliers=False, patch_artist=True, widths=0.62,
            medianprops={"color": INK, "lw": 1.5},
        )  # fmt: skip
        for box, colour in zip(boxes["boxes"], colours, strict=False):
            box.set(facecolor=colour, alpha=0.75, edgecolor=INK, linewidth=0.8)
        ax.set_title(attribute, loc="left", fontsize=11, color=INK)
        ax.set_xticks([])
        ax.set_ylim(-0.02, 1.02)
        if column == 0:
            figure.legend(boxes["boxes"], names, loc="outside lower center", ncols=3, frameon=False)
    return as_png(figure)
