"""An evaluation of the words on covers as a verdict, as JSON and as one page of HTML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from albumgen_core.evaluation.bootstrap import over_groups
from albumgen_core.evaluation.intervals import Interval
from albumgen_core.evaluation.page import heading, json_ready, note, page, picture, table
from albumgen_core.evaluation.plotting import GREY, INK, PALETTE, as_png, new_figure
from albumgen_core.evaluation.words import (
    CATALOGUE_MEDIAN,
    COVERS_MEDIAN,
    RECOGNISED,
    TITLE_KNOWN,
    WITHOUT,
    Array,
    WordsEvaluation,
)
from albumgen_core.retrieval.catalogue.catalogue import Catalogue
from albumgen_core.retrieval.words import ACCEPTED
from albumgen_core.version import __version__

HTML_NAME, JSON_NAME, PLOT_NAME = "index.html", "words.json", "precision.png"
COVERAGES = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
CATALOGUES = {"without": "album left out", "known": "album in the catalogue"}


def against(evaluation: WordsEvaluation, row: str, baseline: str) -> Interval:
    """Relative change of a row's error, with a 95 % interval from resampling whole artists."""
    groups = [example.group for example in evaluation.examples]
    change = over_groups(evaluation.errors[row] - evaluation.errors[baseline], groups)
    base = float(evaluation.errors[baseline].mean())
    return Interval(change.mean / base, change.low / base, change.high / base)


def precision_at(evaluation: WordsEvaluation, which: str) -> Array:
    """Share of right artists among the n likeliest matches, for n from 1 to all covers."""
    sure = [match.probability if match else 0.0 for match in evaluation.best[which]]
    order = np.argsort(-np.array(sure), kind="stable")
    return np.cumsum(evaluation.right[which][order]) / np.arange(1, len(order) + 1)


def verdict(evaluation: WordsEvaluation) -> list[str]:
    """What the figures say, in sentences."""
    sentences = []
    for row in (WITHOUT, TITLE_KNOWN, RECOGNISED):
        both = (against(evaluation, row, CATALOGUE_MEDIAN), against(evaluation, row, COVERS_MEDIAN))
        sentences.append(
            f"{row[:1].upper()}{row[1:]}: error {_percent(both[0])} against the median of the catalogue, "
            f"{_percent(both[1])} against the median of other covers' albums."
        )
    for which, name in CATALOGUES.items():
        found = precision_at(evaluation, which)
        at = round(0.35 * len(found)) - 1
        sentences.append(f"Of the likeliest 35 % of matches, {found[at]:.1%} name the artist ({name}).")
    given = _accepted(evaluation)
    sentences.append(
        f"With everything in the catalogue, {given['albums']:.0%} of covers are given an album, right in "
        f"{given['album_precision']:.1%}; {given['artists']:.0%} an artist, right in "
        f"{given['artist_precision']:.1%}."
    )
    return sentences


def _accepted(evaluation: WordsEvaluation) -> dict[str, float]:
    known = evaluation.best["known"]
    artists = np.array([bool(match and match.probability >= ACCEPTED) for match in known])
    albums = np.array([bool(match and match.album_probability >= ACCEPTED) for match in known])

    def precision(chosen: Any, right: Array) -> float:
        return float(right[chosen].mean()) if chosen.any() else float("nan")

    return {
        "artists": float(artists.mean()),
        "artist_precision": precision(artists, evaluation.right["known"]),
        "albums": float(albums.mean()),
        "album_precision": precision(albums, evaluation.album_right),
    }


def confusions(evaluation: WordsEvaluation, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Wrong artists among the accepted matches, the surest first."""
    found = []
    for which, matches in evaluation.best.items():
        for example, match, right in zip(evaluation.examples, matches, evaluation.right[which], strict=True):
            if match is None or match.probability < ACCEPTED or right:
                continue
            found.append(
                {
                    "catalogue": CATALOGUES[which],
                    "artist": example.album.artist,
                    "album": example.album.title,
                    "taken_for": catalogue.artists[match.artist],
                    "probability": round(match.probability, 3),
                    "read": [line.text for line in example.text.lines],
                }
            )
    return sorted(found, key=lambda row: (row["catalogue"], -float(row["probability"])))


def plot_precision(evaluation: WordsEvaluation) -> bytes:
    """Precision of the artist against coverage, for both catalogues; PNG bytes."""
    figure, axes = new_figure(1, 1, (7.6, 4.6))
    ax = axes[0, 0]
    for (which, name), colour in zip(CATALOGUES.items(), PALETTE, strict=False):
        found = precision_at(evaluation, which)
        start = max(1, len(found) // 50)
        share = np.arange(1, len(found) + 1) / len(found)
        ax.plot(share[start:], found[start:], color=colour, lw=2, label=name)
    ax.axhline(0.97, color=GREY, lw=0.9, ls=":")
    ax.axvline(0.35, color=GREY, lw=0.9, ls=":")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("coverage: share of covers for which an artist is named, the surest first")
    ax.set_ylabel("precision")
    ax.set_title("How often the artist read from a cover is right", loc="left", fontsize=12, color=INK)
    ax.legend(frameon=False, loc="lower left")
    return as_png(figure)


def as_json(evaluation: WordsEvaluation, catalogue: Catalogue, command: str = "") -> dict[str, Any]:
    """All figures, JSON-ready."""
    groups = [example.group for example in evaluation.examples]
    rows = {
        row: {
            "error": _interval(over_groups(errors, groups)),
            "against_catalogue_median": _interval(against(evaluation, row, CATALOGUE_MEDIAN)),
            "against_covers_median": _interval(against(evaluation, row, COVERS_MEDIAN)),
        }
        for row, errors in evaluation.errors.items()
    }
    found = {
        "albumgen": __version__,
        "command": command,
        "covers": len(evaluation.examples),
        "artists": len(set(groups)),
        "catalogue_albums": catalogue.albums,
        "catalogue_artists": len(catalogue.artists),
        "with_text": float(np.mean([bool(example.text.words) for example in evaluation.examples])),
        "rows": rows,
        "precision": {
            which: {
                f"{c:g}": float(precision_at(evaluation, which)[round(c * len(groups)) - 1])
                for c in COVERAGES
            }
            for which in CATALOGUES
        },
        "accepted": _accepted(evaluation),
        "chosen": [{"shrinkage": s, "power": p} for s, p in evaluation.chosen],
    }
    return dict(json_ready(found, decimals=5))


def write_report(
    evaluation: WordsEvaluation, catalogue: Catalogue, folder: Path, command: str = ""
) -> list[str]:
    """Write index.html (plot inside), words.json and the plot; returns the verdict."""
    folder.mkdir(parents=True, exist_ok=True)
    figures, plot, sentences = (
        as_json(evaluation, catalogue, command),
        plot_precision(evaluation),
        verdict(evaluation),
    )
    wrong = confusions(evaluation, catalogue)
    body = [
        heading("Error of the eight attributes"),
        table(*_error_table(evaluation)),
        note(
            "Mean absolute error, every attribute from 0 to 1. Fitted inside ten folds with no artist in two "
            "of them, the choices by folds within. Intervals: 95 %, resampling whole artists."
        ),
        heading("Is it the right artist?"),
        picture(plot, "Precision of the artist against coverage", narrow=True),
        table(
            ("catalogue", *(f"{coverage:.0%}" for coverage in COVERAGES)),
            [
                (name, *(f"{figures['precision'][which][f'{c:g}']:.1%}" for c in COVERAGES))
                for which, name in CATALOGUES.items()
            ],
        ),
        heading("Confusions"),
        note(f"Every wrong artist among matches of at least {ACCEPTED:.0%}."),
        table(
            ("catalogue", "album", "taken for", "probability", "read"),
            [
                (
                    row["catalogue"],
                    f"{row['artist']}: {row['album']}",
                    row["taken_for"],
                    f"{row['probability']:.2f}",
                    " · ".join(row["read"])[:80],
                )
                for row in wrong
            ],
        ),
    ]
    subtitle = (
        f"{len(evaluation.examples):,} covers by {figures['artists']:,} artists, looked up among "
        f"{catalogue.albums:,} albums by {len(catalogue.artists):,} artists"
    )
    html = page("What the words on covers are worth", subtitle, sentences, body, command)
    (folder / HTML_NAME).write_text(html, encoding="utf-8")
    (folder / JSON_NAME).write_text(
        json.dumps(figures | {"confusions": wrong}, indent=1) + "\n", encoding="utf-8"
    )
    (folder / PLOT_NAME).write_bytes(plot)
    return sentences


def _error_table(evaluation: WordsEvaluation) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    heads = ("prediction", "error", "against the catalogue's median", "against the covers' median")
    rows = []
    for row, errors in evaluation.errors.items():
        changes = [
            "" if row == base else _percent(against(evaluation, row, base))
            for base in (CATALOGUE_MEDIAN, COVERS_MEDIAN)
        ]
        rows.append((row, f"{errors.mean():.4f}", *changes))
    return heads, rows


def _interval(found: Interval) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _percent(change: Interval) -> str:
    return f"{change.mean:+.1%} [{change.low:+.1%}, {change.high:+.1%}]"
