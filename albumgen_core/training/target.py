"""What the model should have answered about an album, and which parts of that are known.

An answer has all thirteen fields, but a data set seldom knows them all. A field that is not known is filled
with a value drawn at random, so that the answer keeps its form, and marked, so that nothing is learned from
it.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from albumgen_core.albums import Album
from albumgen_core.attributes.fields import FIELD, KEYS
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.engines.neural.internvl.answer import ANSWER_FIELDS, answer_text

_METRES = tuple(range(int(FIELD["time_signature"].minimum), int(FIELD["time_signature"].maximum) + 1))
_VALUE = r'"{}": ("(?:[^"\\]|\\.)*"|[^,}}]+)'


@dataclass(frozen=True, slots=True)
class Target:
    """An answer to learn.

    Attributes:
        text: the whole answer, within the answers' schema.
        unknown: (start, end) of the characters of `text` that hold made-up values.
    """

    text: str
    unknown: tuple[tuple[int, int], ...] = ()


def target_of(album: Album) -> Target:
    """The answer for a measured album; what is made up depends on the album's id alone."""
    measured, chance = album.attributes, random.Random(album.album_id)
    made_up = {
        "album_genre": chance.choice(GENRES),
        "key": chance.choice(KEYS),
        "time_signature": chance.choice(_METRES),
        "tempo": chance.uniform(FIELD["tempo"].minimum, FIELD["tempo"].maximum),
    }
    values = {name: value for name, value in measured.to_dict().items() if name in FIELD}
    # A metre outside the schema's range is "none was found".
    if values["time_signature"] not in _METRES:
        values["time_signature"] = None
    lacking = [name for name in made_up if values[name] is None]
    values |= {name: made_up[name] for name in lacking}
    values["artist_name"] = _one_line(album.artist)
    attributes = MusicalAttributes.clamped(**values | {"mode": None})
    text = answer_text(attributes)
    return Target(text, tuple(_span(text, FIELD[name].json_name) for name in lacking))


def _one_line(name: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(printable.split())[: int(FIELD["artist_name"].maximum)]


def _span(text: str, json_name: str) -> tuple[int, int]:
    # The artist's name comes first and could hold anything, even `"key": `; quotes in it are escaped.
    match = re.compile(_VALUE.format(re.escape(json_name))).search(text, _end_of_first(text))
    assert match is not None
    return match.span(1)


def _end_of_first(text: str) -> int:
    match = re.compile(_VALUE.format(re.escape(ANSWER_FIELDS[0]))).search(text)
    assert match is not None
    return match.end()
