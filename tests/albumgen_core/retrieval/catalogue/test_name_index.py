from __future__ import annotations

import random
import time

import pytest
from rapidfuzz import fuzz

from albumgen_core.retrieval.catalogue.name_index import NameIndex


def made_up(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    parts = [a + b + c for a in "bcdfghkmnprstvz" for b in "aeiou" for c in ("", "n", "r", "st", "x")]
    names: dict[str, None] = {}
    while len(names) < count:
        names["".join(rng.choice(parts) for _ in range(rng.randint(2, 5)))] = None
    return list(names)


def test_spelled_alike_comes_first() -> None:
    index = NameIndex.of(["radiohead", "radio", "portishead"])
    (first, *_) = index.search(["radiohead"])
    assert (index.names[first.name], first.similarity) == ("radiohead", 1.0)


@pytest.mark.parametrize("misread", ["radiohcad", "radohead", "radioheaad", "adiohead"])
def test_a_letter_wrong_missing_or_too_many(misread: str) -> None:
    index = NameIndex.of([*made_up(500), "radiohead"])
    hits = index.search([misread])
    assert index.names[hits[0].name] == "radiohead"
    assert hits[0].similarity == pytest.approx(fuzz.ratio(misread, "radiohead") / 100)


def test_short_names_have_to_be_spelled_alike() -> None:
    index = NameIndex.of(["can", "air", "u2"])
    assert index.search(["con", "u3"]) == []
    assert [index.names[hit.name] for hit in index.search(["can", "u2"])] == ["can", "u2"]


def test_nothing_is_found_in_nothing() -> None:
    assert NameIndex.of([]).search(["radiohead", ""]) == []
    assert NameIndex.of(["radiohead"]).search([]) == []


def test_it_finds_what_looking_at_every_name_finds() -> None:
    names = made_up(3000)
    index, rng = NameIndex.of(names), random.Random(1)
    missed = total = 0
    for name in rng.sample([name for name in names if len(name) >= 7], 200):
        place = rng.randrange(len(name))
        query = name[:place] + rng.choice("aeiou") + name[place + 1 :]
        total += 1
        missed += name not in {index.names[hit.name] for hit in index.search([query], most=50)}
    assert missed / total < 0.02


def test_bytes_and_back() -> None:
    index = NameIndex.of(made_up(200))
    again = NameIndex.from_bytes(index.to_bytes())
    queries = made_up(50, seed=3) + index.names[:20]
    assert again.search(queries) == index.search(queries)


def test_a_name_comes_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        NameIndex.of(["low", "low"])


@pytest.mark.slow
def test_fifty_thousand_names_take_milliseconds() -> None:
    index, queries = NameIndex.of(made_up(50_000)), made_up(40, seed=9)
    times = []
    for _ in range(9):
        started = time.process_time()
        index.search(queries)
        times.append(time.process_time() - started)
    assert sorted(times)[4] < 0.1, "a quarter of it on an idle machine"
