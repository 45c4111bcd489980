"""Finding names that are spelled nearly alike, by the letter groups they share."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from albumgen_core.retrieval.text.names import grams

Ints = NDArray[np.int32]

_RARE_GRAMS = 7
"""Letter groups looked at for one query, the rarest first."""

_MOST_COMMON = 4000
"""A letter group that more names share than this is looked at only where a query has no rarer one."""

_NEEDED = 0.34
"""Share of the letter groups looked at which a name must have."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A name that is spelled like a query.

    Attributes:
        query, name: positions in the queries and in the index.
        similarity: in [0, 1]: 1 − insertions and deletions / letters of both (rapidfuzz's ratio).
    """

    query: int
    name: int
    similarity: float


class NameIndex:
    """Unique names by the groups of three letters in them.

    Args:
        names: folded letters, each once.
        vocabulary: every group of letters. starts, members: the names of group g are
            `members[starts[g]:starts[g + 1]]`.
    """

    def __init__(self, names: Sequence[str], vocabulary: Sequence[str], starts: Ints, members: Ints) -> None:
        self.names = list(names)
        self._lengths = np.array([len(name) for name in self.names], np.int32)
        self._vocabulary = list(vocabulary)
        self._place = {gram: number for number, gram in enumerate(self._vocabulary)}
        self._starts = starts
        self._members = members
        self._sizes = np.diff(starts)
        self.position: Mapping[str, int] = {name: number for number, name in enumerate(self.names)}

    @classmethod
    def of(cls, names: Sequence[str]) -> NameIndex:
        """Index names. Raises ValueError when one comes twice."""
        if len(set(names)) != len(names):
            raise ValueError("a name comes twice")
        lists: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            for gram in grams(name):
                lists.setdefault(gram, []).append(number)
        vocabulary = sorted(lists)
        starts = np.cumsum([0, *(len(lists[gram]) for gram in vocabulary)], dtype=np.int32)
        members = np.array([number for gram in vocabulary for number in lists[gram]], np.int32)
        return cls(names, vocabulary, starts, members)

    def __len__(self) -> int:
        return len(self.names)

    def search(self, queries: Sequence[str], *, cutoff: float = 0.78, most: int = 5) -> list[Hit]:
        """For each query at most `most` names of at least `cutoff` similarity, best first.

        Queries of fewer than four letters only find a name that is spelled alike, those of four one with a
        letter more or less, and those of five and six need 0.8. Deterministic.
        """
        hits = [
            Hit(number, self.position[query], 1.0)
            for number, query in enumerate(queries)
            if query in self.position
        ]
        asked, named = self._candidates(queries)
        if len(asked):
            ratios = process.cpdist(
                [queries[number] for number in asked],
                [self.names[number] for number in named],
                scorer=fuzz.ratio,
                score_cutoff=100 * cutoff,
            )
            needed = np.array([max(cutoff, _least_similarity(len(queries[number]))) for number in asked])
            close = np.nonzero(np.asarray(ratios) >= 100 * needed)[0]
            hits += [Hit(int(asked[i]), int(named[i]), float(ratios[i]) / 100) for i in close]
        hits.sort(key=lambda hit: (hit.query, -hit.similarity, hit.name))
        return _first_of_each(hits, most)

    def _candidates(self, queries: Sequence[str]) -> tuple[Ints, Ints]:
        """Pairs of query and name, not spelled alike, that share enough letter groups; as two columns."""
        asked: list[Ints] = []
        found: list[Ints] = []
        for number, query in enumerate(queries):
            if len(query) < 4:
                continue
            groups = [self._place[gram] for gram in grams(query) if gram in self._place]
            groups.sort(key=lambda group: int(self._sizes[group]))
            rare = [group for group in groups[:_RARE_GRAMS] if self._sizes[group] <= _MOST_COMMON]
            parts = [
                self._members[self._starts[group] : self._starts[group + 1]] for group in rare or groups[:1]
            ]
            if not parts:
                continue
            names, counts = np.unique(np.concatenate(parts), return_counts=True)
            lengths = self._lengths[names]
            near = (np.abs(lengths - len(query)) <= 1 + len(query) // 5) & (lengths >= 4)
            near &= counts >= np.ceil(_NEEDED * len(parts))
            names = names[near]
            same = self.position.get(query, -1)
            names = names[names != same]
            asked.append(np.full(len(names), number, np.int32))
            found.append(names)
        if not asked:
            return np.zeros(0, np.int32), np.zeros(0, np.int32)
        return np.concatenate(asked), np.concatenate(found)

    def to_bytes(self) -> bytes:
        """As one block of bytes; `from_bytes` inverts it."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            names=np.frombuffer("\n".join(self.names).encode(), np.uint8),
            vocabulary=np.frombuffer("\n".join(self._vocabulary).encode(), np.uint8),
            starts=self._starts,
            members=self._members,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> NameIndex:
        """Inverse of `to_bytes`. Raises ValueError, KeyError or OSError for anything else."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            names, vocabulary = (
                text.split("\n") if (text := bytes(arrays[name]).decode()) else []
                for name in ("names", "vocabulary")
            )
            return cls(names, vocabulary, arrays["starts"], arrays["members"])


def _least_similarity(letters: int) -> float:
    return 0.88 if letters <= 4 else 0.8 if letters <= 6 else 0.0


def _first_of_each(hits: Sequence[Hit], most: int) -> list[Hit]:
    kept: list[Hit] = []
    run = 0
    for number, hit in enumerate(hits):
        run = run + 1 if number and hits[number - 1].query == hit.query else 1
        if run <= most:
            kept.append(hit)
    return kept
