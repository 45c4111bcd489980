"""Pieces of a cover's text that may be a name: words, lines, and lines that stand together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, chain

from rapidfuzz import fuzz

from albumgen_core.retrieval.text.lines import TextLine
from albumgen_core.retrieval.text.names import folded, letters, printed_words

MAX_FRAGMENTS = 240
MAX_WORDS = 8
MAX_LETTERS = 40
LONG_WORD = 6
_LEAST_PART = 3
_MAX_PARTS = 40
_MAX_PATHS = 1200
_MAX_LINES_JOINED = 4

LABELS = (
    *("parental", "advisory", "parentaladvisory", "explicit", "explicitcontent", "explicitlyrics"),
    *("parentaladvisoryexplicitcontent", "parentaladvisoryexplicitlyrics", "advisoryexplicitcontent"),
    *("limitededition", "deluxeedition", "specialedition", "collectorsedition", "expandededition"),
    *("stereo", "compactdisc", "digitalaudio", "originalsoundtrack", "originalmotionpicturesoundtrack"),
)
"""What is printed on many covers and names none; folded letters."""

_FOLDED_LABELS = tuple(folded(label) for label in LABELS)
_LABEL_RATIO = 82.0


@dataclass(frozen=True, slots=True)
class Fragment:
    """Words of a cover that were taken together.

    Attributes:
        text: folded letters, 2 to 40.
        place: which of the cover's letters, counted in reading order.
        lines: which of the lines they stand on.
        coverage: their share of the letters on those lines, in (0, 1].
        height: mean height of those lines as a share of the highest line's, in (0, 1].
        confidence: least of those lines, in [0, 1].
        top: y of the uppermost, in [0, 1].
        inside: whether it is part of a longer word.
    """

    text: str
    place: frozenset[int]
    lines: tuple[int, ...]
    coverage: float
    height: float
    confidence: float
    top: float
    inside: bool = False


@dataclass(frozen=True, slots=True)
class CoverText:
    """A cover's words and fragments.

    Attributes:
        lines: those with words, labels left out.
        words: all of them, in reading order.
        fragments: by their letters; up to three for the same letters, best coverage first.
        letters: number of letters in all.
        labelled: whether a parental advisory label was seen.
    """

    lines: tuple[TextLine, ...]
    words: tuple[str, ...]
    fragments: dict[str, tuple[Fragment, ...]]
    letters: int
    labelled: bool


@lru_cache(maxsize=4096)
def is_label(text: str) -> bool:
    """Whether folded letters are such as `LABELS`, perhaps misread."""
    return len(text) >= 5 and any(fuzz.ratio(text, label) >= _LABEL_RATIO for label in _FOLDED_LABELS)


def cover_text(lines: Sequence[TextLine], is_known: Callable[[str], bool] = lambda _text: False) -> CoverText:
    """Take a cover's lines apart and together again.

    `is_known` says whether folded letters are a name or title by themselves: only such are looked for inside
    long words, in which recognition may have lost a space ("DISCLOSURESETTLE").
    """
    kept: list[TextLine] = []
    by_line: list[list[int]] = []
    every: list[str] = []
    labelled = False
    for line in lines:
        found = printed_words(line.text)
        if is_label(folded("".join(found))):
            labelled = True
            continue
        found = [word for word in found if not is_label(folded(word))][: 3 * MAX_WORDS]
        if not found:
            continue
        kept.append(line)
        by_line.append(list(range(len(every), len(every) + len(found))))
        every.extend(found)
    layout = _Layout(kept, by_line, every)
    collected: dict[str, list[Fragment]] = {}
    for text, place, path in layout.pieces():
        if text in collected or len(collected) < MAX_FRAGMENTS:
            collected.setdefault(text, []).append(layout.fragment(text, place, path))
    for text, place, path in layout.parts_of_words(is_known):
        if text in collected or len(collected) < MAX_FRAGMENTS + _MAX_PARTS:
            collected.setdefault(text, []).append(layout.fragment(text, place, path, inside=True))
    fragments = {
        text: tuple(sorted(same, key=lambda one: (-one.coverage, -one.height))[:3])
        for text, same in collected.items()
    }
    return CoverText(tuple(kept), tuple(every), fragments, sum(map(len, every)), labelled)


class _Layout:
    """Lines, their words, and where each word's letters are."""

    def __init__(
        self, lines: Sequence[TextLine], by_line: Sequence[Sequence[int]], every: Sequence[str]
    ) -> None:
        self.lines, self.by_line, self.every = lines, by_line, every
        ends = list(accumulate(map(len, every)))
        self.letters = [range(end - len(word), end) for end, word in zip(ends, every, strict=True)]
        self.sizes = [sum(len(every[word]) for word in own) for own in by_line]
        self.highest = max((line.height for line in lines), default=1.0)

    def fragment(
        self, text: str, place: frozenset[int], path: tuple[int, ...], *, inside: bool = False
    ) -> Fragment:
        on = [self.lines[line] for line in path]
        return Fragment(
            text,
            place,
            path,
            len(place) / sum(self.sizes[line] for line in path),
            sum(line.height for line in on) / len(on) / self.highest,
            min(line.confidence for line in on),
            min(line.top for line in on),
            inside,
        )

    def pieces(self) -> Iterator[tuple[str, frozenset[int], tuple[int, ...]]]:
        """(folded letters, place, lines) of every run of words, those on fewer lines first."""
        for path, whole in _paths(self.lines, self.by_line, self.sizes):
            ids = [word for line in path for word in self.by_line[line]]
            line_of = [line for line in path for _ in self.by_line[line]]
            for end in {len(ids)} if whole else range(1, len(ids) + 1):
                for start in {0} if whole else range(max(0, end - MAX_WORDS), end):
                    if len(set(line_of[start:end])) < len(path):
                        continue  # the same words come from a shorter path
                    text = folded(letters([self.every[word] for word in ids[start:end]]))
                    if 2 <= len(text) <= MAX_LETTERS:
                        place = frozenset(chain(*(self.letters[word] for word in ids[start:end])))
                        yield text, place, path

    def parts_of_words(
        self, is_known: Callable[[str], bool]
    ) -> Iterator[tuple[str, frozenset[int], tuple[int, ...]]]:
        """Beginnings and ends of long words that are known by themselves."""
        for line, own in enumerate(self.by_line):
            for word in own:
                text, place = self.every[word], self.letters[word]
                if not LONG_WORD <= len(text) <= 2 * MAX_LETTERS:
                    continue
                for cut in range(_LEAST_PART, len(text) - _LEAST_PART + 1):
                    for part, where in ((text[:cut], place[:cut]), (text[cut:], place[cut:])):
                        known = folded(letters([part.removeprefix("the") or part]))
                        if is_known(known):
                            yield known, frozenset(where), (line,)


def _paths(
    lines: Sequence[TextLine], by_line: Sequence[Sequence[int]], sizes: Sequence[int]
) -> list[tuple[tuple[int, ...], bool]]:
    """Lines to be read together, and whether only as a whole; shortest first."""
    following = _following(lines)
    paths: list[tuple[tuple[int, ...], bool]] = []

    def extend(path: tuple[int, ...]) -> None:
        if len(paths) >= _MAX_PATHS:
            return
        paths.append((path, False))
        if len(path) < _MAX_LINES_JOINED:
            for line in following[path[-1]]:
                if line not in path:
                    extend((*path, line))

    for line in range(len(lines)):
        extend((line,))
    paths.sort(key=lambda entry: len(entry[0]))
    short = [line for line in range(len(lines)) if sizes[line] <= 2]
    groups = [list(range(len(lines)))] if 2 <= len(lines) <= 12 else []
    if len(short) >= 2:
        groups.append(short)
    for group in groups:
        across = sorted(group, key=lambda line: lines[line].left)
        rows = sorted(group, key=lambda line: (round(lines[line].top / 0.12), lines[line].left))
        paths.extend((tuple(order), True) for order in (group, across, rows))
    return paths


def _following(lines: Sequence[TextLine]) -> list[list[int]]:
    """For every line, the two nearest below it and the nearest to its right, in its neighbourhood."""
    following: list[list[int]] = []
    for i, a in enumerate(lines):
        below: list[tuple[float, int]] = []
        right: list[tuple[float, int]] = []
        for j, b in enumerate(lines):
            if i == j:
                continue
            height = max(a.height, b.height)
            wide = min(a.right - a.left, b.right - b.left)
            high = min(a.bottom - a.top, b.bottom - b.top)
            overlap_x = min(a.right, b.right) - max(a.left, b.left)
            overlap_y = min(a.bottom, b.bottom) - max(a.top, b.top)
            centred = abs(a.left + a.right - b.left - b.right) / 2 < 0.1
            lower = b.top + b.bottom > a.top + a.bottom
            gap = b.top - a.bottom
            if lower and (overlap_x > 0.2 * wide or centred) and gap < 2 * height and overlap_y < 0.6 * high:
                below.append((gap, j))
            if overlap_y > 0.4 * high and b.left + b.right > a.left + a.right:
                right.append((b.left - a.right, j))
        following.append([j for _, j in sorted(below)[:2]] + [j for _, j in sorted(right)[:1]])
    return following
