"""What a language model may write: a JSON schema and a regular expression, both derived from `FIELDS`."""

from __future__ import annotations

import re
from typing import Any

from albumgen_core.attributes.fields import FIELDS, FieldSpec


def json_schema(*, mode: bool = False) -> dict[str, Any]:
    """The JSON schema of an answer, for constrained decoding with llguidance.

    Fields stand in the order of `FIELDS`; none is left out, none can be added. Whitespace is fixed (", "
    and ": "), so that an answer has one spelling.

    Args:
        mode: ask for the mode too.
    """
    specs = _asked(mode)
    return {
        "type": "object",
        "properties": {spec.json_name: _field_schema(spec) for spec in specs},
        "required": [spec.json_name for spec in specs],
        "additionalProperties": False,
        "x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "},
    }


def answer_pattern(*, mode: bool = False) -> str:
    """A regular expression for exactly the answers `json_schema` allows, numbers in plain decimals.

    Artist names are narrower than in the schema: no escapes, hence no quotes and no backslashes.
    """
    fields = (
        f"{re.escape(chr(34) + spec.json_name + chr(34))}: {_field_pattern(spec)}" for spec in _asked(mode)
    )
    return r"\{" + ", ".join(fields) + r"\}"


def _asked(mode: bool) -> tuple[FieldSpec, ...]:
    return tuple(spec for spec in FIELDS if mode or not spec.optional)


def _field_schema(spec: FieldSpec) -> dict[str, Any]:
    if spec.kind == "text":
        # Without the pattern a model may write control characters as escapes.
        return {"type": "string", "pattern": rf"^{_TEXT_CHARACTER}{{1,{int(spec.maximum)}}}$"}
    if spec.kind == "choice":
        return {"type": "string", "enum": list(spec.choices)}
    if spec.kind == "integer":
        # As text: the slides' model writes "time_signature": "4".
        return {"type": "string", "enum": [str(value) for value in _integers(spec)]}
    return {"type": "number", "minimum": spec.minimum, "maximum": spec.maximum, "multipleOf": spec.step}


_TEXT_CHARACTER = r'[^"\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]'


def _field_pattern(spec: FieldSpec) -> str:
    if spec.kind == "text":
        return f'"{_TEXT_CHARACTER}{{1,{int(spec.maximum)}}}"'
    if spec.kind == "choice":
        return '"(?:' + "|".join(re.escape(choice) for choice in spec.choices) + ')"'
    if spec.kind == "integer":
        return '"(?:' + "|".join(str(value) for value in _integers(spec)) + ')"'
    decimals = len(f"{spec.step:.10f}".rstrip("0").split(".")[1])
    # The highest whole number takes no decimals but zeros; every lower one takes any.
    *lower, highest = _integers(spec)
    return rf"(?:(?:{'|'.join(map(str, lower))})(?:\.\d{{1,{decimals}}})?|{highest}(?:\.0{{1,{decimals}}})?)"


def _integers(spec: FieldSpec) -> range:
    return range(int(spec.minimum), int(spec.maximum) + 1)
