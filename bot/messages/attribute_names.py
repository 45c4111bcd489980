"""Attributes in members' languages: what a field is called, what it may be, what is wrong with a value."""

from __future__ import annotations

from albumgen_core.attributes.fields import FIELD, FieldSpec
from albumgen_core.attributes.keys import KEYS, MODES, key_name, mode_name
from albumgen_core.attributes.names import genre_label
from albumgen_core.errors import AttributeRangeError
from bot.i18n.catalogue import language_of, text
from bot.messages.embeds import plain


def name_of(field: str, locale: str) -> str:
    """A field's name as people read it; what is no field is shown as it was typed."""
    return text(locale, f"field.{field}") if field in FIELD else plain(field, 40)


def range_of(spec: FieldSpec, locale: str) -> str:
    """The allowed values: "0 to 1", "40 to 220 beats a minute", "one of C, C#, …"."""
    if spec.kind == "choice":
        return text(locale, "attribute.range.choice", choices=", ".join(_choices(spec, language_of(locale))))
    if spec.kind == "text":
        return text(locale, "attribute.range.text", limit=f"{spec.maximum:g}")
    values = text(locale, "attribute.range.number", low=f"{spec.minimum:g}", high=f"{spec.maximum:g}")
    return f"{values} {text(locale, f'attribute.unit.{spec.name}')}" if spec.unit else values


def _choices(spec: FieldSpec, language: str) -> list[str]:
    if spec.name == "key":
        return [key_name(key, None, language) for key in KEYS]
    if spec.name == "mode":
        return [mode_name(mode, language) for mode in MODES]
    return [genre_label(genre, language) for genre in spec.choices]


def refusal_of(error: AttributeRangeError, locale: str) -> str:
    """The sentence for a value that a field cannot take."""
    spec = FIELD.get(error.field)
    params = {name: _shown(value) for name, value in error.params.items()}
    params["allowed"] = range_of(spec, locale) if spec is not None else ""
    problem = text(locale, f"attribute.problem.{error.code}", **params) if error.code else error.problem
    return text(locale, "refusal.attribute", field=name_of(error.field, locale), problem=problem)


def _shown(value: str | float) -> str:
    return plain(value, 60) if isinstance(value, str) else f"{value:g}"
