"""Artists that a cover's text may name, with the evidence for each."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from albumgen_core.retrieval.catalogue.catalogue import Catalogue
from albumgen_core.retrieval.text.fragments import CoverText, Fragment

MOST_CANDIDATES = 20

_NAME_CUTOFF, _TITLE_CUTOFF = 0.78, 0.8
_PER_LETTER = 1.5
"""Most information that a letter can carry, in nats: short names turn up by chance."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A name or title of the catalogue, and where it was found.

    Attributes:
        name: position among the catalogue's names or titles.
        similarity: in [0, 1]. rarity: in nats. fragment: where. strength: for choosing between evidences.
    """

    name: int
    similarity: float
    rarity: float
    fragment: Fragment
    strength: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artist whom the cover may name.

    Attributes:
        artist: number in the catalogue.
        name: evidence for the artist's name, or None when only a title speaks for it.
        title: evidence for one of the artist's titles, in other words of the cover, or None.
        album: that title's album number, or −1.
        strength: of both together.
    """

    artist: int
    name: Evidence | None
    title: Evidence | None
    album: int
    strength: float


def find_candidates(
    catalogue: Catalogue, text: CoverText, hidden: Collection[int] = frozenset()
) -> list[Candidate]:
    """At most `MOST_CANDIDATES`, strongest first.

    `hidden` albums count as not in the catalogue, nor do artists that have no others.
    """
    queries = list(text.fragments)
    names = _artist_evidence(catalogue, text, queries)
    titles = _title_evidence(catalogue, text, queries, hidden)
    artists = {*names, *titles}
    found = [
        candidate
        for artist in artists
        if any(int(album) not in hidden for album in catalogue.artist_albums[artist])
        and (candidate := _best(artist, names.get(artist, ()), titles.get(artist, ()))) is not None
    ]
    found.sort(key=lambda candidate: (-candidate.strength, candidate.artist))
    return found[:MOST_CANDIDATES]


def _strength(similarity: float, rarity: float, fragment: Fragment) -> float:
    likeness = math.pow(max(0.0, (similarity - 0.7) / 0.3), 1.5)
    return rarity * likeness * (0.3 + 0.7 * fragment.coverage) * (0.6 + 0.4 * fragment.height)


def _artist_evidence(
    catalogue: Catalogue, text: CoverText, queries: Sequence[str]
) -> dict[int, list[Evidence]]:
    found: dict[int, list[Evidence]] = defaultdict(list)
    for hit in catalogue.names.search(queries, cutoff=_NAME_CUTOFF):
        rarity = min(float(catalogue.name_rarity[hit.name]), _PER_LETTER * len(queries[hit.query]))
        for fragment in text.fragments[queries[hit.query]]:
            evidence = Evidence(
                hit.name, hit.similarity, rarity, fragment, _strength(hit.similarity, rarity, fragment)
            )
            for artist in catalogue.name_artists[hit.name]:
                found[int(artist)].append(evidence)
    return found


def _title_evidence(
    catalogue: Catalogue, text: CoverText, queries: Sequence[str], hidden: Collection[int]
) -> dict[int, list[tuple[int, Evidence]]]:
    found: dict[int, list[tuple[int, Evidence]]] = defaultdict(list)
    for hit in catalogue.titles.search(queries, cutoff=_TITLE_CUTOFF, most=4):
        albums = [int(album) for album in catalogue.title_albums[hit.name] if int(album) not in hidden]
        rarity = min(float(catalogue.title_rarity[hit.name]), _PER_LETTER * len(queries[hit.query]))
        for fragment in text.fragments[queries[hit.query]]:
            evidence = Evidence(
                hit.name, hit.similarity, rarity, fragment, _strength(hit.similarity, rarity, fragment)
            )
            for album in albums:
                found[int(catalogue.album_artist[album])].append((album, evidence))
    return found


def _best(artist: int, names: Sequence[Evidence], titles: Sequence[tuple[int, Evidence]]) -> Candidate | None:
    """The strongest pair of name and title in different words of the cover, or the stronger of the two."""
    names = sorted(names, key=lambda evidence: -evidence.strength)[:6]
    titles = sorted(titles, key=lambda entry: -entry[1].strength)[:6]
    best: Candidate | None = None
    for name in (*names, None):
        for album, title in (*titles, (-1, None)):
            if name is None and title is None:
                continue
            if name and title and name.fragment.place & title.fragment.place:
                continue
            strength = (name.strength if name else 0.0) + (title.strength if title else 0.0)
            if best is None or strength > best.strength:
                best = Candidate(artist, name, title, album, strength)
    return best


FEATURES = (
    *("name_likeness", "name_exact", "name_rarity", "name_letters", "name_coverage", "name_height"),
    *("name_confidence", "name_lines", "name_top", "name_in_titles", "name_evidence"),
    *("name_inside", "name_doubt"),
    *("title_likeness", "title_rarity", "title_coverage", "title_height", "title_evidence"),
    *("both", "title_only", "title_namesakes", "explained", "lead", "rank", "rivals", "letters", "albums"),
)
"""What `describe_candidates` measures, in its order."""


def describe_candidates(
    catalogue: Catalogue,
    text: CoverText,
    candidates: Sequence[Candidate],
    hidden: Collection[int] = frozenset(),
    hidden_pieces: Mapping[str, int] | None = None,
) -> NDArray[np.float64]:
    """float64 (candidates, len(FEATURES)), each roughly in [−1, 4].

    `hidden_pieces` says how many hidden albums' titles hold each piece (`catalogue.title_pieces`).
    """
    table = np.zeros((len(candidates), len(FEATURES)))
    for row, candidate in enumerate(candidates):
        rival = candidates[1 if row == 0 else 0].strength if len(candidates) > 1 else 0.0
        close = Counter(other.strength > 0.7 * candidate.strength for other in candidates)[True] - 1
        table[row] = [
            *_name_features(catalogue, candidate.name, hidden_pieces or {}),
            *_title_features(candidate.title),
            float(candidate.name is not None and candidate.title is not None),
            float(candidate.name is None),
            _namesakes(catalogue, candidate, hidden),
            _explained(text, candidate),
            math.tanh((candidate.strength - rival) / 8),
            min(row, 5) / 5,
            min(close, 6) / 6,
            math.log1p(text.letters) / 4,
            math.log1p(len(catalogue.artist_albums[candidate.artist])) / 2,
        ]
    return table


def _name_features(
    catalogue: Catalogue, name: Evidence | None, hidden_pieces: Mapping[str, int]
) -> list[float]:
    if name is None:
        return [0.0] * 13
    spelled = catalogue.names.names[name.name]
    in_titles = max(0, int(catalogue.name_in_titles[name.name]) - hidden_pieces.get(spelled, 0))
    return [
        (name.similarity - 0.7) / 0.3,
        float(name.similarity == 1.0),
        name.rarity / 8,
        math.log(len(spelled)) / 2,
        name.fragment.coverage,
        name.fragment.height,
        name.fragment.confidence,
        (len(name.fragment.lines) - 1) / 2,
        name.fragment.top,
        math.log1p(in_titles) / 2,
        name.strength / 8,
        float(name.fragment.inside),
        20 * (1 - name.similarity) / len(spelled),
    ]


def _title_features(title: Evidence | None) -> list[float]:
    if title is None:
        return [0.0] * 5
    return [
        (title.similarity - 0.7) / 0.3,
        title.rarity / 8,
        title.fragment.coverage,
        title.fragment.height,
        title.strength / 8,
    ]


def _namesakes(catalogue: Catalogue, candidate: Candidate, hidden: Collection[int]) -> float:
    if candidate.title is None:
        return 0.0
    albums = [int(a) for a in catalogue.title_albums[candidate.title.name] if int(a) not in hidden]
    return math.log(max(1, len({int(catalogue.album_artist[a]) for a in albums}))) / 2


def _explained(text: CoverText, candidate: Candidate) -> float:
    used = {letter for e in (candidate.name, candidate.title) if e for letter in e.fragment.place}
    return len(used) / max(1, text.letters)
