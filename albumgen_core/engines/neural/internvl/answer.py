"""The form of an answer: a JSON object of the thirteen fields, and the schema that admits nothing else."""

from __future__ import annotations

import json
from typing import Any

from albumgen_core.attributes import AUDIO_FEATURES, KEYS, MusicalAttributes

FIELDS: tuple[str, ...] = ("artist_name", "album_genre", "key", "time_signature", *AUDIO_FEATURES, "tempo")
"""The fields of an answer, in the order in which they are written."""

_WORD = r"""[^\s"\\\x00-\x1f\x7f-\x9f]"""
_NAME = rf"""^{_WORD}([^"\\\x00-\x1f\x7f-\x9f]{{0,46}}{_WORD})?$"""


def answer_schema() -> dict[str, Any]:
    """JSON schema of an answer: ranges, steps of 0.001, bounded strings without control characters."""
    fields: dict[str, Any] = {
        "artist_name": {"type": "string", "pattern": _NAME, "maxLength": 48},
        "album_genre": {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9&' /-]{1,30}$", "maxLength": 31},
        "key": {"enum": list(KEYS)},
        "time_signature": {"enum": [3, 4, 5, 6, 7]},
    }
    for name in AUDIO_FEATURES:
        fields[name] = {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.001}
    fields["tempo"] = {"type": "number", "minimum": 40, "maximum": 220, "multipleOf": 0.001}
    return {
        "type": "object",
        "properties": fields,
        "required": list(FIELDS),
        "additionalProperties": False,
    }


def write_answer_text(attributes: MusicalAttributes) -> str:
    """The answer that a model should give for `attributes`: what it is trained on."""
    values = attributes.to_dict()
    return json.dumps({name: values[name] for name in FIELDS}, ensure_ascii=False)


def read_answer(text: str) -> MusicalAttributes:
    """The attributes in an answer. Raises ValueError when it is not a valid one."""
    values = json.loads(text)
    for name in (*AUDIO_FEATURES, "tempo"):
        values[name] = float(values[name])  # JSON writes 0 and 1 without a point
    return MusicalAttributes.from_dict(values)
