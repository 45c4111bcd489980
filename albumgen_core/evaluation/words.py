"""What the words on covers are worth: matching and prediction, fitted inside artist-disjoint folds.

Each cover's album is looked up in three catalogues: one that lacks it wholly, with all its editions; one
that knows its title but not how it sounds; and the whole one. Matcher and weights are fitted on the other
folds' covers alone, and what they are fitted with is chosen by folds within those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.retrieval.catalogue.catalogue import Catalogue
from albumgen_core.retrieval.text.candidates import FEATURES, Candidate
from albumgen_core.retrieval.text.fragments import CoverText
from albumgen_core.retrieval.text.lines import TextLine
from albumgen_core.retrieval.text.matching import Logistic, Match, Matcher, read_lines, weigh_candidates
from albumgen_core.retrieval.text.names import folded, joined_names, letters, name_key, plain_title, words
from albumgen_core.retrieval.words import Weights, WordsPredictor, artist_features, combine

Array = NDArray[np.float64]

FOLDS, INNER_FOLDS = 10, 4
PENALTIES = (0.05, 0.2, 1.0)
SHRINKAGES = (0.5, 1.0, 2.0)
POWERS = (0.7, 1.0)
_LABEL_SHRINKAGE = 20.0
_SAME_TITLE = 88.0


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """The candidates of one cover in one catalogue, and which are right."""

    candidates: list[Candidate]
    table: Array
    artist_right: Array
    album_right: Array


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A cover of a known album.

    Attributes:
        album: the truth. features: float64 (8,). group: number of its artist.
        text: its words. own: album numbers of its editions in the catalogue.
        without, known: its candidates where the catalogue lacks the album, and where it has it.
    """

    album: Album
    features: Array
    group: int
    text: CoverText
    own: frozenset[int]
    without: Sight
    known: Sight


def artist_keys(name: str) -> set[str]:
    """Keys of a credit and of everybody in it."""
    return {name_key(name), *map(name_key, joined_names(name))}


def make_examples(
    catalogue: Catalogue,
    catalogue_albums: Sequence[Album],
    albums: Sequence[Album],
    lines: Sequence[Sequence[TextLine]],
) -> list[Example]:
    """Look up each cover's lines; `catalogue_albums` are the catalogue's, by number."""
    by_key: dict[str, list[int]] = {}
    for number, album in enumerate(catalogue_albums):
        for key in artist_keys(album.artist):
            by_key.setdefault(key, []).append(number)
    groups: dict[str, int] = {}
    examples = []
    for album, read in zip(albums, lines, strict=True):
        keys = artist_keys(album.artist)
        features = np.array(album.attributes.features())
        near = {number for key in keys for number in by_key.get(key, ())}
        own = {n for n in near if _same_title(catalogue_albums[n].title, album.title)}
        alike = np.abs(catalogue.features - features).max(axis=1) < 1e-5
        own |= set(np.nonzero(alike)[0].tolist())
        text = read_lines(catalogue, read)
        titles = [words(plain_title(catalogue_albums[number].title)) for number in own]
        examples.append(
            Example(
                album,
                features,
                groups.setdefault(name_key(album.artist), len(groups)),
                text,
                frozenset(own),
                _sight(catalogue, keys, frozenset(own), *weigh_candidates(catalogue, text, own, titles)),
                _sight(catalogue, keys, frozenset(own), *weigh_candidates(catalogue, text)),
            )
        )
    return examples


def _same_title(one: str, other: str) -> bool:
    """Whether two titles of one artist may be editions of one album; rather once too often."""
    a, b = (folded(letters(words(plain_title(title)))) for title in (one, other))
    short, long = sorted((a, b), key=len)
    return fuzz.ratio(a, b) >= _SAME_TITLE or (len(short) >= 5 and long.startswith(short))


def _sight(
    catalogue: Catalogue, keys: set[str], own: frozenset[int], candidates: list[Candidate], table: Array
) -> Sight:
    named = [name_key(catalogue.artists[candidate.artist]) in keys for candidate in candidates]
    titled = [candidate.album in own for candidate in candidates]
    return Sight(candidates, table, np.array(named, np.float64), np.array(titled, np.float64))


def folds_of(groups: Sequence[int], count: int, seed: int) -> NDArray[np.intp]:
    """A fold for every cover, the same for all of one artist."""
    unique = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(unique)) % count
    place = dict(zip(unique, order, strict=True))
    return np.array([place[group] for group in groups])


def fit_matcher(examples: Sequence[Example], penalty: float) -> Matcher:
    """Fit on covers whose album the catalogue lacks and, the same again, on those it has."""
    empty = np.zeros((0, len(FEATURES)))
    known = np.concatenate([empty, *(e.known.table for e in examples)])
    table = np.concatenate([known, *(e.without.table for e in examples)])
    truth = np.concatenate(
        [*(e.known.artist_right for e in examples), *(e.without.artist_right for e in examples)]
    )
    titled = np.concatenate([e.known.album_right for e in examples])
    if not len(table):
        nothing = Logistic(np.zeros(len(FEATURES)), -30.0, np.zeros(len(FEATURES)), np.ones(len(FEATURES)))
        return Matcher(nothing, nothing)
    return Matcher(Logistic.fit(table, truth, penalty), Logistic.fit(known, titled, penalty))


def fit_predictor(
    catalogue: Catalogue, examples: Sequence[Example], *, seed: int = 0, source: str = ""
) -> WordsPredictor:
    """Fit matcher and weights; penalty, shrinkage and power are chosen by artist-disjoint folds.

    Chosen is what has the least mean absolute error over the covers looked up without their album and those
    of which only the title is known. Where even that is no better than the usual values, no match counts.
    """
    folds = folds_of([example.group for example in examples], INNER_FOLDS, seed + 1)
    errors: dict[tuple[float, float, float], float] = dict.fromkeys(
        product(PENALTIES, SHRINKAGES, POWERS), 0.0
    )
    baseline = 0.0
    for fold in range(INNER_FOLDS):
        train = [e for e, f in zip(examples, folds, strict=True) if f != fold]
        test = [e for e, f in zip(examples, folds, strict=True) if f == fold]
        if not train or not test:
            continue
        usual = _usual(train)
        baseline += sum(2 * float(np.abs(usual.usual - e.features).mean()) for e in test)
        for penalty in PENALTIES:
            matcher = fit_matcher(train, penalty)
            seen = [(e, matcher.matches(s.candidates, s.table)) for e in test for s in (e.without, e.known)]
            for shrinkage, power in product(SHRINKAGES, POWERS):
                rules = replace(usual, shrinkage=shrinkage, power=power)
                errors[penalty, shrinkage, power] += sum(
                    float(np.abs(_answer(catalogue, e, m, rules) - e.features).mean()) for e, m in seen
                )
    penalty, shrinkage, power = min(errors, key=lambda choice: errors[choice])
    if errors[penalty, shrinkage, power] >= baseline:
        power = float("inf")
    rules = replace(_usual(examples), shrinkage=shrinkage, power=power)
    return WordsPredictor(fit_matcher(examples, penalty), rules, source)


def _usual(examples: Sequence[Example]) -> Weights:
    """Medians; and how covers with a parental advisory label differ, drawn towards 0 by how few they are."""
    features = np.array([example.features for example in examples])
    usual = np.median(features, axis=0)
    labelled = features[[example.text.labelled for example in examples]]
    shift = np.zeros(features.shape[1])
    if len(labelled):
        shift = (np.median(labelled, axis=0) - usual) * len(labelled) / (len(labelled) + _LABEL_SHRINKAGE)
    return Weights(usual, shift, 1.0, 1.0)


def _answer(catalogue: Catalogue, example: Example, matches: Sequence[Match], rules: Weights) -> Array:
    """Predicted without the album's own features."""
    return combine(
        catalogue,
        matches,
        rules,
        labelled=example.text.labelled,
        hidden=example.own,
        known_albums=False,
    )


@dataclass(frozen=True, slots=True, eq=False)
class WordsEvaluation:
    """What was measured, cover by cover.

    Attributes:
        examples: the covers.
        errors: by row of the table, mean absolute error over the eight attributes, float64 (covers,).
        answers: by row, what was predicted, float64 (covers, 8).
        best: by catalogue ("without", "known"), each cover's likeliest match or None.
        right: the same, whether that match names the artist, float64 (covers,).
        album_right: whether the likeliest match in the whole catalogue is the album.
        chosen: (shrinkage, power) by fold.
    """

    examples: Sequence[Example]
    errors: dict[str, Array]
    answers: dict[str, Array]
    best: dict[str, list[Match | None]]
    right: dict[str, Array]
    album_right: Array
    chosen: list[tuple[float, float]]


CATALOGUE_MEDIAN = "median of the catalogue"
COVERS_MEDIAN = "median of the other folds' covers"
LABEL = "that median, and whether there is a parental advisory label"
WITHOUT = "words; the album is not in the catalogue"
TITLE_KNOWN = "words; the catalogue knows its title, not its features"
RECOGNISED = "words; the album is in the catalogue"
ORACLE = "true artist given; the album is not in the catalogue"


def evaluate_words(catalogue: Catalogue, examples: Sequence[Example], *, seed: int = 0) -> WordsEvaluation:
    """Predict every cover by what was fitted on the other folds."""
    folds = folds_of([example.group for example in examples], FOLDS, seed)
    rows = (CATALOGUE_MEDIAN, COVERS_MEDIAN, LABEL, WITHOUT, TITLE_KNOWN, RECOGNISED, ORACLE)
    answers = {row: np.zeros((len(examples), len(AUDIO_FEATURES))) for row in rows}
    best: dict[str, list[Match | None]] = {"without": [None] * len(examples), "known": [None] * len(examples)}
    right = {name: np.zeros(len(examples)) for name in best}
    album_right = np.zeros(len(examples))
    artists = {name_key(name): number for number, name in enumerate(catalogue.artists)}
    chosen = []
    for fold in range(FOLDS):
        train = [e for e, f in zip(examples, folds, strict=True) if f != fold]
        inside = np.nonzero(folds == fold)[0]
        if not train or not len(inside):
            continue
        fitted = fit_predictor(catalogue, train, seed=seed)
        rules = fitted.weights
        chosen.append((rules.shrinkage, rules.power))
        for row in map(int, inside):
            example = examples[row]
            without = fitted.matcher.matches(example.without.candidates, example.without.table)
            known = fitted.matcher.matches(example.known.candidates, example.known.table)
            found_here = {
                CATALOGUE_MEDIAN: catalogue.median.astype(np.float64),
                COVERS_MEDIAN: rules.usual,
                LABEL: rules.usual + (rules.labelled if example.text.labelled else 0.0),
                WITHOUT: _answer(catalogue, example, without, rules),
                TITLE_KNOWN: _answer(catalogue, example, known, rules),
                RECOGNISED: combine(catalogue, known, rules, labelled=example.text.labelled),
                ORACLE: _oracle(catalogue, example, rules, artists),
            }
            for name, answer in found_here.items():
                answers[name][row] = answer
            keys = artist_keys(example.album.artist)
            for name, found in (("without", without), ("known", known)):
                if found:
                    best[name][row] = found[0]
                    right[name][row] = name_key(catalogue.artists[found[0].artist]) in keys
            album_right[row] = bool(known) and known[0].album in example.own
    truth = np.array([example.features for example in examples])
    errors = {name: np.abs(found - truth).mean(axis=1) for name, found in answers.items()}
    return WordsEvaluation(examples, errors, answers, best, right, album_right, chosen)


def _oracle(catalogue: Catalogue, example: Example, rules: Weights, artists: dict[str, int]) -> Array:
    for key in (name_key(example.album.artist), *artist_keys(example.album.artist)):
        if key in artists:
            found = artist_features(catalogue, artists[key], rules, example.own)
            if found is not None:
                return found
    return rules.usual
