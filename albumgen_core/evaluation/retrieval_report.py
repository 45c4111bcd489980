"""A retrieval evaluation as a verdict, as JSON and as one page of HTML."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.evaluation.intervals import Interval
from albumgen_core.evaluation.page import heading, note, page, picture, table
from albumgen_core.evaluation.retrieval import RetrievalEvaluation
from albumgen_core.evaluation.retrieval_plots import plot_against_baselines, plot_squared_error
from albumgen_core.evaluation.retrieval_split import (
    CHOSEN,
    CHOSEN_MEDIAN,
    GENRE_BOTH,
    GENRE_MEAN,
    GENRE_MEDIAN,
    GENRE_SHIPPED,
    KNN,
    MEAN,
    MEDIAN_BASELINE,
    PREDICTOR,
    RANDOM,
)
from albumgen_core.version import __version__

METHODS = (
    MEAN,
    MEDIAN_BASELINE,
    CHOSEN,
    CHOSEN_MEDIAN,
    PREDICTOR,
    GENRE_MEAN,
    GENRE_MEDIAN,
    GENRE_SHIPPED,
    GENRE_BOTH,
)
SQUARED_PNG, BASELINES_PNG = "squared-error.png", "against-baselines.png"
HTML_NAME, JSON_NAME = "index.html", "retrieval.json"

_USUAL_K = 5


def verdict(evaluation: RetrievalEvaluation) -> list[str]:
    """What the figures say, in sentences."""
    base = evaluation.mean_absolute(MEDIAN_BASELINE).mean
    mean = evaluation.mean_absolute(MEAN).mean
    sentences = [
        f"Predictions by the mean of the nearest covers ({evaluation.embedder}, k by validation) "
        f"{_compared(evaluation.against(CHOSEN, MEAN))} the mean of all albums, which looks at no cover "
        f"({_percent(evaluation.against(CHOSEN, MEAN), mean)}).",
        f"By the median of the nearest, they {_compared(evaluation.against(CHOSEN_MEDIAN))} the median of "
        f"all ({_percent(evaluation.against(CHOSEN_MEDIAN), base)}), the constant to beat in absolute error.",
        *_chance_sentences(evaluation),
        _predictor_sentence(evaluation, base),
    ]
    genre, both = evaluation.against(GENRE_MEDIAN), evaluation.against(GENRE_BOTH)
    sentences.append(
        f"Predictions by the median of the true genre {_compared(genre)} the median of all "
        f"({_percent(genre, base)}; shrunk towards MusicOSet's, {_percent(both, base)}): that is what "
        "recognising the genre perfectly would be worth."
    )
    return sentences


def _chance_sentences(evaluation: RetrievalEvaluation) -> list[str]:
    spans = {k: evaluation.nearest_against_random(k) for k in dict.fromkeys((_USUAL_K, evaluation.chosen_k))}
    found = [
        f"At k = {k} the nearest covers {_compared(span)} as many albums drawn at random ({_signed(span)})."
        for k, span in spans.items()
    ]
    if any(span.high < 0 for span in spans.values()):
        return [*found, "So covers that look alike do belong to albums that sound somewhat alike here."]
    return [
        *found,
        "So in this collection, by this embedder, looking alike says nothing that can be measured about "
        "sounding alike: neighbours are company for an idea, not evidence for it.",
    ]


def _predictor_sentence(evaluation: RetrievalEvaluation, base: float) -> str:
    difference = evaluation.against(PREDICTOR)
    believed = [name for name in AUDIO_FEATURES if evaluation.signal[name] >= 0.5]
    if believed:
        return (
            f"The calibrated predictor believes the covers on {', '.join(believed)}; its predictions "
            f"{_compared(difference)} the median ({_percent(difference, base)})."
        )
    return (
        "The calibrated predictor finds no attribute on which covers can be believed in most splits, says so "
        f"and returns the usual values; against the median that costs {_percent(difference, base)} on test."
    )


def as_json(evaluation: RetrievalEvaluation, command: str = "") -> dict[str, Any]:
    """All figures, JSON-ready."""
    best = evaluation.ks.index(evaluation.chosen_k)
    return {
        "albumgen": __version__,
        "command": command,
        "embedder": evaluation.embedder,
        "albums": evaluation.albums,
        "artists": evaluation.artists,
        "splits": evaluation.splits,
        "train": evaluation.train,
        "test": evaluation.test,
        "verdict": verdict(evaluation),
        "chosen_k": {"absolute": evaluation.chosen_k, "squared": evaluation.chosen_k_squared},
        "chosen_k_by_split": list(evaluation.chosen_by_split),
        "query_milliseconds": {str(k): round(ms, 4) for k, ms in evaluation.milliseconds.items()},
        "signal_share": {name: round(share, 3) for name, share in evaluation.signal.items()},
        "nearest_less_random": {str(k): _span(evaluation.nearest_against_random(k)) for k in evaluation.ks},
        "methods": {
            name: {
                "mean_absolute_error": _span(evaluation.mean_absolute(name)),
                "less_median": _span(evaluation.against(name)),
                "absolute": _by_attribute(errors.absolute.mean(axis=0)),
                "squared": _by_attribute(errors.squared.mean(axis=0)),
            }
            for name, errors in evaluation.methods.items()
        },
        "curves": {
            name: {
                "k": list(evaluation.ks),
                "absolute": _curve(errors.absolute),
                "squared": _curve(errors.squared),
                "absolute_at_chosen_k": round(float(errors.absolute.mean(axis=(0, 2))[best]), 5),
            }
            for name, errors in evaluation.curves.items()
        },
    }


def write_report(evaluation: RetrievalEvaluation, folder: Path, command: str = "") -> list[Path]:
    """Write index.html (pictures inside), retrieval.json and the two PNGs; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    squared, baselines = plot_squared_error(evaluation), plot_against_baselines(evaluation)
    files: dict[str, bytes] = {
        SQUARED_PNG: squared,
        BASELINES_PNG: baselines,
        JSON_NAME: (json.dumps(as_json(evaluation, command), indent=1) + "\n").encode(),
        HTML_NAME: _page(evaluation, squared, baselines, command).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _page(evaluation: RetrievalEvaluation, squared: bytes, baselines: bytes, command: str) -> str:
    subtitle = (
        f"{evaluation.albums:,} albums by {evaluation.artists:,} artists; embedder {evaluation.embedder}; "
        f"{evaluation.splits} random splits, about {evaluation.train:,} to know and {evaluation.test:,} to "
        "test, no artist on two sides"
    )
    body = [
        heading("Beside the baselines"),
        picture(baselines, "Mean absolute error against k beside the baselines, and by attribute"),
        heading("Methods"),
        _method_table(evaluation),
        note(
            "Intervals: 95 %, over splits, corrected for the splits' overlap (Nadeau and Bengio 2003). The "
            "methods that are given the true genre are no rivals: they show what knowing it would be worth."
        ),
        heading("By attribute"),
        _attribute_table(evaluation),
        heading("The customary curve"),
        picture(squared, "Mean squared error of each attribute against k", narrow=True),
        note(
            "It falls with k whether or not covers say anything: averaging k unrelated albums has an "
            "expected squared error of variance · (1 + 1/k). Only the comparison with albums at random tells."
        ),
        heading("The choice of k, and its price"),
        note(
            f"Validation chooses k = {evaluation.chosen_k} by absolute error and "
            f"k = {evaluation.chosen_k_squared} by squared error{_edge(evaluation)}. One exact query over "
            f"{evaluation.albums:,} albums takes, at the median:"
        ),
        _time_table(evaluation),
    ]
    return page("Does a cover tell how the album sounds?", subtitle, verdict(evaluation), body, command)


def _method_table(evaluation: RetrievalEvaluation) -> str:
    rows = []
    base = evaluation.mean_absolute(MEDIAN_BASELINE).mean
    for name in METHODS:
        error, difference = evaluation.mean_absolute(name), evaluation.against(name)
        squared = float(evaluation.methods[name].squared.mean())
        less = "" if name == MEDIAN_BASELINE else _percent(difference, base)
        rows.append(
            [
                name,
                f"{error.mean:.4f}",
                f"{error.low:.4f} to {error.high:.4f}",
                less,
                f"{squared:.4f}",
            ]
        )
    return table(["method", "MAE", "95 % interval", "against the median", "MSE"], rows)


def _attribute_table(evaluation: RetrievalEvaluation) -> str:
    at = evaluation.ks.index(_USUAL_K)
    near, chance = evaluation.curves[KNN], evaluation.curves[RANDOM]
    rows = []
    for column, name in enumerate(AUDIO_FEATURES):
        absolute = [evaluation.methods[method].absolute[:, column].mean() for method in METHODS]
        rows.append(
            [
                name,
                *(f"{value:.4f}" for value in absolute[:5]),
                f"{near.absolute[:, at, column].mean():.4f}",
                f"{chance.absolute[:, at, column].mean():.4f}",
                f"{near.squared[:, at, column].mean():.4f}",
                f"{chance.squared[:, at, column].mean():.4f}",
                f"{evaluation.signal[name]:.0%}",
            ]
        )
    heads = ["MAE of", MEAN, MEDIAN_BASELINE, "mean of nearest", "median of nearest", "predictor"]
    heads += ["nearest 5", "random 5", "MSE: nearest 5", "random 5", "believed in"]
    return table(heads, rows)


def _time_table(evaluation: RetrievalEvaluation) -> str:
    ks = list(evaluation.milliseconds)
    return table(["k", *map(str, ks)], [["ms", *(f"{evaluation.milliseconds[k]:.2f}" for k in ks)]])


def _edge(evaluation: RetrievalEvaluation) -> str:
    if evaluation.chosen_k < evaluation.ks[-1]:
        return ""
    return ", the largest tried: the more albums are averaged, the nearer the answer comes to the plain mean"


def _compared(difference: Interval) -> str:
    if difference.high < 0:
        return "do better than" if difference.mean < 0 else "differ from"
    return "do worse than" if difference.low > 0 else "cannot be told apart from"


def _percent(difference: Interval, base: float) -> str:
    if not math.isfinite(difference.low):
        return f"{difference.mean / base:+.1%}"
    low, high = difference.low / base, difference.high / base
    return f"{difference.mean / base:+.1%}, 95 % interval {low:+.1%} to {high:+.1%}"


def _signed(span: Interval) -> str:
    return f"{span.mean:+.4f}, 95 % interval {span.low:+.4f} to {span.high:+.4f}"


def _span(span: Interval) -> dict[str, float | None]:
    values = {"mean": span.mean, "low": span.low, "high": span.high}
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in values.items()}


def _by_attribute(values: Any) -> dict[str, float]:
    return {name: round(float(value), 5) for name, value in zip(AUDIO_FEATURES, values, strict=True)}


def _curve(errors: Any) -> dict[str, list[float]]:
    means = errors.mean(axis=0)
    return {
        name: [round(float(value), 5) for value in means[:, column]]
        for column, name in enumerate(AUDIO_FEATURES)
    }
