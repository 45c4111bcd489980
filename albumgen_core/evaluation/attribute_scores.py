"""Scores of one condition of an attribute evaluation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.errors import EvaluationError
from albumgen_core.evaluation.attributes import MEDIAN, AttributeEvaluation, Condition
from albumgen_core.evaluation.bootstrap import over_groups
from albumgen_core.evaluation.intervals import Interval
from albumgen_core.evaluation.matching import key_credit, same_key, tempo_matches, tempo_matches_octave

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the albums on which it can be told, with its 95 % interval.

    Attributes:
        interval: the share; NaN where `of` is 0.
        of: how many albums that were.
        baseline: the same for an answer that looks at no cover; None where there is no such answer.
    """

    interval: Interval
    of: int
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Diversity:
    """Do answers differ from one another as albums do?

    Attributes:
        distinct: share of answers (but for the artist's name) that no other album got.
        genres, true_genres: different genres in the answers and among the albums.
        effective_genres, true_effective_genres: exp of the genres' entropy: as many equally frequent ones.
        spread: by attribute, the answers' standard deviation over the albums'.
    """

    distinct: float
    genres: int
    true_genres: int
    effective_genres: float
    true_effective_genres: float
    spread: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scores:
    """What one condition is worth.

    Attributes:
        valid: share of valid answers. free_valid: of those without a grammar, None where not tried.
        error: by attribute, mean absolute error. overall: over the eight.
        less_median: by attribute and "overall", error less that of the median of all; below 0 is better.
        less_swapped: overall error less that of the same answers dealt out to all the other albums.
        correlation: by attribute, Pearson's with the truth; NaN where an answer never varies.
        genre, tempo, tempo_octave, key: shares that are right. key_weighted: MIREX's credit.
        diversity: see there.
        seconds: median time of an answer. slowest: the 95th percentile.
    """

    valid: float
    free_valid: float | None
    error: Mapping[str, Interval]
    overall: Interval
    less_median: Mapping[str, Interval]
    less_swapped: Interval
    correlation: Mapping[str, float]
    genre: Share
    tempo: Share
    tempo_octave: Share
    key: Share
    key_weighted: Share
    diversity: Diversity
    seconds: float
    slowest: float


def score(evaluation: AttributeEvaluation, condition: Condition) -> Scores:
    """Score a condition. Raises EvaluationError when none of its answers is valid."""
    given = [answer.attributes for answer in condition.answers]
    if not any(given):
        raise EvaluationError(f"None of the answers is valid ({condition.name}).")
    blank = (math.nan,) * len(AUDIO_FEATURES)
    predicted = np.array([blank if found is None else found.features() for found in given])
    errors = np.abs(predicted - evaluation.truth)
    against = errors - np.abs(evaluation.known.features[MEDIAN] - evaluation.truth)
    groups = evaluation.groups
    free = [answer.free_valid for answer in condition.answers if answer.free_valid is not None]
    times = [answer.seconds for answer in condition.answers]
    less_median = {name: over_groups(against[:, i], groups) for i, name in enumerate(AUDIO_FEATURES)}
    return Scores(
        valid=float(np.mean([found is not None for found in given])),
        free_valid=float(np.mean(free)) if free else None,
        error={name: over_groups(errors[:, i], groups) for i, name in enumerate(AUDIO_FEATURES)},
        overall=over_groups(errors.mean(axis=1), groups),
        less_median=less_median | {"overall": over_groups(against.mean(axis=1), groups)},
        less_swapped=over_groups(_less_swapped(predicted, evaluation.truth), groups),
        correlation={
            name: _correlation(predicted[:, i], evaluation.truth[:, i])
            for i, name in enumerate(AUDIO_FEATURES)
        },
        diversity=_diversity(given, predicted, evaluation),
        seconds=float(np.median(times)),
        slowest=float(np.quantile(times, 0.95)),
        **_shares(evaluation, given),
    )


def baseline_errors(evaluation: AttributeEvaluation, baseline: str) -> tuple[Interval, dict[str, Interval]]:
    """A baseline's mean absolute error, overall and by attribute."""
    errors = np.abs(evaluation.known.features[baseline] - evaluation.truth)
    by_name = {name: over_groups(errors[:, i], evaluation.groups) for i, name in enumerate(AUDIO_FEATURES)}
    return over_groups(errors.mean(axis=1), evaluation.groups), by_name


def baseline_less_median(evaluation: AttributeEvaluation, baseline: str) -> dict[str, Interval]:
    """A baseline's error less the median's, by attribute and "overall"."""
    features = evaluation.known.features
    against = np.abs(features[baseline] - evaluation.truth) - np.abs(features[MEDIAN] - evaluation.truth)
    by_name = {name: over_groups(against[:, i], evaluation.groups) for i, name in enumerate(AUDIO_FEATURES)}
    return by_name | {"overall": over_groups(against.mean(axis=1), evaluation.groups)}


def _less_swapped(predicted: Array, truth: Array) -> Array:
    """Each album's error less its mean error under every other album's answer, (n,)."""
    own = np.abs(predicted - truth).mean(axis=1)
    # (truth, answer): how far every answer is from every truth.
    every = np.abs(truth[:, None, :] - predicted[None, :, :]).mean(axis=2)
    np.fill_diagonal(every, np.nan)
    valid = ~np.isnan(predicted[:, 0])
    if valid.sum() < 2:
        return np.full(len(own), np.nan)
    others = np.nanmean(every[:, valid], axis=1)
    return np.asarray(own - others)


def _correlation(predicted: Array, truth: Array) -> float:
    known = ~np.isnan(predicted)
    if known.sum() < 3 or predicted[known].std() < 1e-9 or truth[known].std() < 1e-9:
        return math.nan
    return float(np.corrcoef(predicted[known], truth[known])[0, 1])


def _shares(evaluation: AttributeEvaluation, given: Sequence[MusicalAttributes | None]) -> dict[str, Share]:
    count = len(given)
    genre, tempo, octave, key, weighted = (np.full(count, np.nan) for _ in range(5))
    usual_genre, usual_tempo, usual_octave = (np.full(count, np.nan) for _ in range(3))
    for row, (record, found) in enumerate(zip(evaluation.records, given, strict=True)):
        truth = record.album.attributes
        if found is None:
            continue
        if truth.album_genre is not None:
            genre[row] = found.album_genre == truth.album_genre
            usual_genre[row] = evaluation.known.genre[row] == truth.album_genre
        if truth.tempo is not None:
            usual = float(evaluation.known.tempo[row])
            tempo[row] = tempo_matches(found.tempo, truth.tempo)
            octave[row] = tempo_matches_octave(found.tempo, truth.tempo)
            usual_tempo[row] = tempo_matches(usual, truth.tempo)
            usual_octave[row] = tempo_matches_octave(usual, truth.tempo)
        if truth.key is not None:
            pair = (found.key, found.mode, truth.key, truth.mode)
            key[row], weighted[row] = same_key(*pair), key_credit(*pair)

    def share(hits: Array, usual: Array | None = None) -> Share:
        known = int((~np.isnan(hits)).sum())
        base = float(np.nanmean(usual)) if usual is not None and known else None
        return Share(over_groups(hits, evaluation.groups), known, base)

    return {
        "genre": share(genre, usual_genre),
        "tempo": share(tempo, usual_tempo),
        "tempo_octave": share(octave, usual_octave),
        "key": share(key),
        "key_weighted": share(weighted),
    }


def _diversity(
    given: Sequence[MusicalAttributes | None], predicted: Array, evaluation: AttributeEvaluation
) -> Diversity:
    valid = [found for found in given if found is not None]
    alike = Counter((*found.features(), found.tempo, found.key, found.album_genre) for found in valid)
    true_genres = [r.album.attributes.album_genre for r in evaluation.records]
    known_genres = [genre for genre in true_genres if genre is not None]
    genres = [found.album_genre for found in valid]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.nanstd(predicted, axis=0) / evaluation.truth.std(axis=0)
    return Diversity(
        distinct=sum(1 for times in alike.values() if times == 1) / len(valid),
        genres=len(set(genres)),
        true_genres=len(set(known_genres)),
        effective_genres=_effective(genres),
        true_effective_genres=_effective(known_genres),
        spread=dict(zip(AUDIO_FEATURES, map(float, spread), strict=True)),
    )


def _effective(words: Iterable[str]) -> float:
    counts = np.array(list(Counter(words).values()), dtype=np.float64)
    if not len(counts):
        return 0.0
    shares = counts / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
