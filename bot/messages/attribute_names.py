"""Attributes in members' languages: what a field is called, what it may be, what is wrong with a value."""

from __future__ import annotations

from albumgen_core.attributes.fields import FIELD, FieldSpec
from albumgen_core.errors import AttributeRangeError
from bot.i18n.catalogue import text
from bot.messages.embeds import plain


def name_of(field: str, locale: str) -> str:
    """A field's name as people read it; what is no field is shown as it was typed."""
    return text(locale, f"field.{field}") if field in FIELD else plain(field, 40)


def range_of(spec: FieldSpec, locale: str) -> str:
    """The allowed values: "0 to 1", "40 to 220 beats a minute", "one of C, C#, …"."""
    if spec.kind == "choice":
        return text(locale, "attribute.range.choice", choices=", ".join(spec.choices))
    if spec.kind == "text":
        return text(locale, "attribute.range.text", limit=f"{spec.maximum:g}")
    values = text(locale, "attribute.range.number", low=f"{spec.minimum:g}", high=f"{spec.maximum:g}")
    return f"{values} {text(locale, f'attribute.unit.{spec.name}')}" if spec.unit else values


def refusal_of(error: AttributeRangeError, locale: str) -> str:
    """The sentence for a value that a field cannot take."""
    spec = FIELD.get(error.field)
    params = {name: _shown(value) for name, value in error.params.items()}
    params["allowed"] = range_of(spec, locale) if spec is not None else ""
    problem = text(locale, f"attribute.problem.{error.code}", **params) if error.code else error.problem
    return text(locale, "refusal.attribute", field=name_of(error.field, locale), problem=problem)


def _shown(value: str | float) -> str:
    return plain(value, 60) if isinstance(value, str) else f"{value:g}"
