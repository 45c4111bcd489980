"""An attribute evaluation as a verdict, as JSON and as one page of HTML."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.evaluation.attribute_scores import (
    Scores,
    Share,
    baseline_errors,
    baseline_less_median,
    score,
)
from albumgen_core.evaluation.attributes import BASELINES, MEDIAN, AttributeEvaluation
from albumgen_core.evaluation.attributes_plots import plot_against_median, plot_spread
from albumgen_core.evaluation.intervals import Interval
from albumgen_core.evaluation.page import heading, json_ready, note, page, picture, table
from albumgen_core.version import __version__

HTML_NAME, JSON_NAME = "index.html", "attributes.json"
MEDIAN_PNG, SPREAD_PNG = "against-median.png", "spread.png"


def verdict(evaluation: AttributeEvaluation, scores: Mapping[str, Scores]) -> list[str]:
    """What the figures say, in sentences."""
    base = baseline_errors(evaluation, MEDIAN)[0].mean
    sentences = []
    for name, found in scores.items():
        gain = found.less_median["overall"]
        words = f"{_capitalised(name)}: the error is {_compared(gain)} the median of all albums' "
        words += f"({_percent(gain, base)}), which looks at no cover; "
        swapped = found.less_swapped
        if swapped.high < 0:
            words += f"its answers fit their own albums better than others ({_signed(swapped)})."
        elif swapped.low > 0:
            words += f"its answers fit other albums better than their own ({_signed(swapped)})."
        else:
            words += "nothing shows that its answers fit their own albums better than others "
            words += f"({_signed(swapped)})."
        sentences.append(words)
    sentences += _pairs(evaluation, scores)
    if all(found.less_median["overall"].low > 0 for found in scores.values()):
        sentences.append(
            "So whoever wants the least error should not look at the cover: these readings are ideas for "
            "music, not predictions of it."
        )
    return sentences


def _pairs(evaluation: AttributeEvaluation, scores: Mapping[str, Scores]) -> list[str]:
    """What neighbours change, for each reader."""
    found = []
    for reader in dict.fromkeys(condition.reader for condition in evaluation.conditions):
        pair = {c.with_neighbours: scores[c.name] for c in evaluation.conditions if c.reader == reader}
        if len(pair) == 2:
            change = pair[True].overall.mean - pair[False].overall.mean
            words = "lower" if change < 0 else "raise"
            spread = [
                sum(s.diversity.spread.values()) / len(AUDIO_FEATURES) for s in (pair[False], pair[True])
            ]
            found.append(
                f"Neighbours {words} {reader}'s error by {abs(change):.4f}; the spread of its answers goes "
                f"from {spread[0]:.0%} to {spread[1]:.0%} of the albums'."
            )
    return found


def as_json(
    evaluation: AttributeEvaluation, scores: Mapping[str, Scores], command: str = ""
) -> dict[str, Any]:
    """All figures, JSON-ready; what cannot be told is null."""
    found = {
        "albumgen": __version__,
        "command": command,
        "albums": len(evaluation.records),
        "artists": evaluation.artists,
        "pool": evaluation.pool,
        "neighbours": evaluation.k,
        "embedder": evaluation.embedder,
        "baselines": {name: _baseline(evaluation, name) for name in BASELINES},
        "conditions": {name: asdict(values) for name, values in scores.items()},
    }
    return dict(json_ready(found, decimals=6))


def write_report(evaluation: AttributeEvaluation, folder: Path, command: str = "") -> list[str]:
    """Write index.html (pictures inside), attributes.json and two PNGs; returns the verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = {condition.name: score(evaluation, condition) for condition in evaluation.conditions}
    against, spread = plot_against_median(evaluation, scores), plot_spread(evaluation)
    sentences = verdict(evaluation, scores)
    body = [
        heading("Beside answers that look at no cover"),
        picture(against, "Error of each attribute less that of the median, with 95 % intervals"),
        *(table(heads, rows) for heads, rows in _error_tables(evaluation, scores)),
        note(
            "Mean absolute error, every attribute from 0 to 1. Neighbours and baselines come from albums by "
            "other artists. Intervals: 95 %, resampling whole artists. The true genre is knowledge that no "
            "reader has."
        ),
        heading("What is right"),
        table(*_share_table(scores)),
        note(
            "Tempo: within 4 %, and within 4 % of its double, half, triple or third. Key, weighted: 1 the "
            "same, .5 a fifth off, .3 relative, .2 parallel (MIREX). In brackets: the same for the most "
            "frequent genre and the median tempo."
        ),
        heading("Do the answers differ as the albums do?"),
        picture(spread, "Box plots of each attribute for albums and answers"),
        table(*_diversity_table(scores)),
        note(
            "Effective number: of equally frequent genres with the same entropy. Spread: standard deviation "
            "of the answers over that of the albums, mean of eight; correlation likewise. Answers count as "
            "distinct when they differ in more than the artist's name."
        ),
    ]
    subtitle = (
        f"{len(evaluation.records):,} albums by {evaluation.artists:,} artists; neighbours and "
        f"baselines from {evaluation.pool:,} albums"
        + (f"; embedder {evaluation.embedder}, k = {evaluation.k}" if evaluation.embedder else "")
    )
    html = page("What is read from a cover, and what it is worth", subtitle, sentences, body, command)
    (folder / HTML_NAME).write_text(html, encoding="utf-8")
    text = json.dumps(as_json(evaluation, scores, command), indent=1) + "\n"
    (folder / JSON_NAME).write_text(text, encoding="utf-8")
    (folder / MEDIAN_PNG).write_bytes(against)
    (folder / SPREAD_PNG).write_bytes(spread)
    return sentences


def _error_tables(
    evaluation: AttributeEvaluation, scores: Mapping[str, Scores]
) -> tuple[tuple[list[str], list[list[str]]], tuple[list[str], list[list[str]]]]:
    """Heads and rows: the mean of the eight beside the median's, and attribute by attribute."""
    overall, by_attribute = [], []
    for name in (*scores, *BASELINES):
        if name in scores:
            found = scores[name]
            error, gain, each = found.overall, found.less_median["overall"], found.error
        else:
            error, each = baseline_errors(evaluation, name)
            gain = baseline_less_median(evaluation, name)["overall"]
        less = ["", ""] if name == MEDIAN else [f"{gain.mean:+.4f}", f"{gain.low:+.4f} to {gain.high:+.4f}"]
        overall.append([name, f"{error.mean:.4f}", f"{error.low:.4f} to {error.high:.4f}", *less])
        by_attribute.append([name, *(f"{each[attribute].mean:.3f}" for attribute in AUDIO_FEATURES)])
    heads = ["", "mean of 8", "95 % interval", "less the median", "95 % interval"]
    return (heads, overall), (["", *AUDIO_FEATURES], by_attribute)


def _share_table(scores: Mapping[str, Scores]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for name, found in scores.items():
        free = "–" if found.free_valid is None else f"{found.free_valid:.0%}"
        shares = (found.genre, found.tempo, found.tempo_octave, found.key, found.key_weighted)
        rows.append([name, f"{found.valid:.0%}", free, *map(_share, shares)])
    heads = [
        "",
        "valid",
        "valid unconstrained",
        "genre",
        "tempo",
        "tempo, any octave",
        "key",
        "key, weighted",
    ]
    return heads, rows


def _diversity_table(scores: Mapping[str, Scores]) -> tuple[list[str], list[list[str]]]:
    rows, truth = [], None
    for name, found in scores.items():
        truth = found.diversity
        spread = sum(truth.spread.values()) / len(AUDIO_FEATURES)
        known = [value for value in found.correlation.values() if not math.isnan(value)]
        correlation = f"{sum(known) / len(known):+.2f}" if known else "none"
        rows.append(
            [name, f"{truth.distinct:.0%}", str(truth.genres), f"{truth.effective_genres:.1f}",
             f"{spread:.0%}", correlation, _time(found.seconds), _time(found.slowest)]
        )  # fmt: skip
    if truth is not None:
        rows.append(
            ["albums", "", str(truth.true_genres), f"{truth.true_effective_genres:.1f}", "100%", "", "", ""]
        )
    heads = ["", "distinct", "genres", "effective", "spread", "correlation", "time, median", "95 %"]
    return heads, rows


def _baseline(evaluation: AttributeEvaluation, name: str) -> dict[str, Any]:
    overall, by_name = baseline_errors(evaluation, name)
    return {"overall": asdict(overall), "error": {key: asdict(span) for key, span in by_name.items()}}


def _compared(span: Interval) -> str:
    if span.high < 0:
        return "lower than"
    return "higher than" if span.low > 0 else "not to be told apart from"


def _percent(span: Interval, base: float) -> str:
    if base <= 0:  # albums that are all alike
        return _signed(span)
    return f"{span.mean / base:+.1%}, 95 % interval {span.low / base:+.1%} to {span.high / base:+.1%}"


def _signed(span: Interval) -> str:
    return f"{span.mean:+.4f} ({span.low:+.4f} to {span.high:+.4f})"


def _share(share: Share) -> str:
    if not share.of:
        return "truth not known"
    base = "" if share.baseline is None else f" ({share.baseline:.0%})"
    return f"{share.interval.mean:.0%}{base}"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def _capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]
