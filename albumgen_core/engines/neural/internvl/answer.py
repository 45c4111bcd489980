"""How an answer is written and read: the JSON object of the thirteen fields."""

from __future__ import annotations

import json
from typing import Any

from albumgen_core.attributes.fields import FIELDS
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.attributes.schema import json_schema

ANSWER_FIELDS: tuple[str, ...] = tuple(spec.json_name for spec in FIELDS if not spec.optional)
"""The names of an answer's fields, in the order in which they are written."""


def answer_schema() -> dict[str, Any]:
    """What may be written: the thirteen fields. (The slides' data has no mode, so none is asked for.)"""
    return json_schema(mode=False)


def answer_text(attributes: MusicalAttributes) -> str:
    """The answer that a model should give for `attributes`, within `answer_schema`: what it is trained on."""
    values = attributes.to_model_dict()
    return json.dumps({name: values[name] for name in ANSWER_FIELDS}, ensure_ascii=False)


def read_answer(text: str) -> MusicalAttributes:
    """The attributes in an answer. Raises AttributeRangeError when it is not a valid one."""
    return MusicalAttributes.from_model_json(text)
