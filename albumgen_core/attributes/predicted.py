"""The musical attributes read from a cover: validated, parsed, shown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from albumgen_core.attributes.fields import (
    AUDIO_FEATURES,
    FIELD,
    FIELDS,
    MAX_ARTIST_NAME,
    FieldSpec,
    field_named,
)
from albumgen_core.attributes.genres import GENRES, MAX_RAW_GENRE, normalise_genre
from albumgen_core.attributes.keys import KEYS, Mode, parse_key
from albumgen_core.attributes.names import genre_named, mode_named
from albumgen_core.errors import AttributeRangeError

__all__ = [
    "AUDIO_FEATURES",
    "FIELD",
    "FIELDS",
    "GENRES",
    "KEYS",
    "MAX_ARTIST_NAME",
    "AttributeRangeError",
    "FieldSpec",
    "Mode",
    "MusicalAttributes",
    "field_named",
    "normalise_loudness",
    "parse_field",
    "parse_key",
]

_METRE = re.compile(r"\s*(\d{1,2})(?:\.0+)?\s*(?:/\s*4)?\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class MusicalAttributes:
    """The thirteen fields, plus mode where an engine can tell. No value out of range can exist.

    Attributes:
        artist_name: a guess, at most 100 characters on one line; "" when an engine makes none.
        album_genre: one of `GENRES`.
        key: one of `KEYS`.
        time_signature: beats a bar, 3 to 7.
        acousticness … valence: in [0, 1].
        tempo: beats a minute, 40 to 220.
        mode: "major", "minor", or None.
        raw_genre: the word `album_genre` was normalised from, or None.

    Raises AttributeRangeError, naming the field.
    """

    artist_name: str
    album_genre: str
    key: str
    time_signature: int
    acousticness: float
    danceability: float
    energy: float
    instrumentalness: float
    liveness: float
    loudness: float
    speechiness: float
    valence: float
    tempo: float
    mode: Mode | None = None
    raw_genre: str | None = None

    def __post_init__(self) -> None:
        for spec in FIELDS:
            object.__setattr__(self, spec.name, _checked(spec, getattr(self, spec.name)))
        if self.raw_genre is not None:
            _check_text("raw_genre", self.raw_genre, MAX_RAW_GENRE)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON-ready values; `from_dict` inverts it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MusicalAttributes:
        """Inverse of `to_dict`. Raises AttributeRangeError for missing, unknown or wrong fields."""
        for name in data:
            if name not in FIELD and name != "raw_genre":
                raise AttributeRangeError(str(name)[:40], "there is no such field", "unknown_field")
        for name in cls.required_fields():
            if name not in data:
                raise AttributeRangeError(name, "is missing", "missing")
        return cls(**data)

    @staticmethod
    def required_fields() -> tuple[str, ...]:
        """Names of the thirteen fields that every answer has."""
        return tuple(spec.name for spec in FIELDS if not spec.optional)

    @classmethod
    def parse(cls, raw: Mapping[str, Any], *, fallback_genre: str | None = None) -> MusicalAttributes:
        """Read an answer written by a model or a person, leniently in these ways and no others.

        - Fields go by name, JSON name or display name, in any case; unknown fields are ignored.
        - Numbers may be strings, and are rounded to the field's step (so 1.0000000000000002 is 1).
        - Keys may be flats, and may bring their mode: "Db", "C# major", "Am". An explicit mode wins.
        - time_signature may be 4, "4", 4.0 or "4/4".
        - Genres are normalised; the word itself is kept in `raw_genre`. A word that names no genre
          ("male") raises, or becomes `fallback_genre` where one is given.
        - Artist names lose control characters and surplus space, and are cut to 100 characters.

        Decibels are not understood: a loudness outside 0 to 1 raises, as every value out of range does.
        Raises AttributeRangeError, naming the field.
        """
        values: dict[str, Any] = {}
        for name, value in raw.items():
            try:
                spec = field_named(str(name))
            except AttributeRangeError:
                continue
            values.setdefault(spec.name, value)
        for name in cls.required_fields():
            if name not in values:
                raise AttributeRangeError(name, "is missing", "missing")
        parsed: dict[str, Any] = {}
        raw_genre = _one_line(raw.get("raw_genre"), MAX_RAW_GENRE) or _one_line(
            values["album_genre"], MAX_RAW_GENRE
        )
        if fallback_genre is not None and normalise_genre(str(values["album_genre"])) is None:
            values["album_genre"] = fallback_genre
        for name, value in values.items():
            for field, result in parse_field(name, value).items():
                if name == field or field not in values or values[field] is None:
                    parsed[field] = result
        if raw_genre is not None and raw_genre != parsed["album_genre"]:
            parsed["raw_genre"] = raw_genre
        return cls(**parsed)

    @classmethod
    def from_model_json(cls, text: str, *, fallback_genre: str | None = None) -> MusicalAttributes:
        """Read a model's answer: one JSON object, with or without a Markdown code fence around it.

        Raises AttributeRangeError; for text that is no JSON object its field is "answer".
        """
        body = re.sub(r"^\s*```(?:json)?\s*|\s*```\s*$", "", text.strip())
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise AttributeRangeError("answer", "is not valid JSON", "not_json") from error
        if not isinstance(raw, dict):
            raise AttributeRangeError("answer", "is not a JSON object", "not_json")
        return cls.parse(raw, fallback_genre=fallback_genre)

    def to_model_dict(self) -> dict[str, Any]:
        """As the model is to write it: JSON names, time signature as text, numbers at their step."""
        written: dict[str, Any] = {}
        for spec in FIELDS:
            value = getattr(self, spec.name)
            if spec.optional and value is None:
                continue
            if spec.kind == "integer":
                value = str(value)
            elif spec.kind == "number":
                value = spec.rounded(value)
            written[spec.json_name] = value
        return written

    def replace_fields(self, overrides: Mapping[str, Any]) -> MusicalAttributes:
        """A copy with fields set by hand, read as by `parse` but with unknown fields refused.

        Setting a key without naming a mode keeps the mode. Raises AttributeRangeError for the first
        field that is wrong.
        """
        values = self.to_dict()
        explicit = {field_named(str(name)).name for name in overrides if name != "raw_genre"}
        for name, value in overrides.items():
            if name == "raw_genre":
                values["raw_genre"] = value
                continue
            spec = field_named(str(name))
            for field, result in parse_field(spec.name, value).items():
                if field == spec.name or field not in explicit:
                    values[field] = result
            if spec.name == "album_genre" and "raw_genre" not in overrides:
                word = _one_line(value, MAX_RAW_GENRE)
                values["raw_genre"] = word if word != values["album_genre"] else None
        return MusicalAttributes(**values)

    @classmethod
    def clamped(cls, **values: Any) -> MusicalAttributes:
        """From measurements: like the constructor, but numbers are moved into their range.

        NaN and infinity still raise AttributeRangeError, and so do unknown keys and genres.
        """
        for spec in FIELDS:
            value = values.get(spec.name)
            if spec.kind in ("number", "integer") and value is not None:
                number = min(spec.maximum, max(spec.minimum, _number(spec, value)))
                values[spec.name] = round(number) if spec.kind == "integer" else number
        return cls.from_dict(values)

    def features(self) -> tuple[float, ...]:
        """The eight attributes in the order of `AUDIO_FEATURES`."""
        return tuple(float(getattr(self, name)) for name in AUDIO_FEATURES)


def normalise_loudness(decibels: float) -> float:
    """Spotify's loudness in dB on the unit scale: clip((dB + 60) / 60, 0, 1). Raises ValueError for NaN."""
    if math.isnan(decibels):
        raise ValueError("loudness is not a number")
    return min(1.0, max(0.0, (decibels + 60.0) / 60.0))


def parse_field(name: str, value: Any, languages: Sequence[str] = ("en",)) -> dict[str, Any]:
    """Read one field as `MusicalAttributes.parse` does; a key may bring a mode along.

    Args:
        name: see `field_named`.
        value: what was written.
        languages: in which keys, modes and genres may be named; see `parse_key`.

    Returns the values to set by field name. Raises AttributeRangeError.
    """
    spec = field_named(name)
    if value is None and spec.optional:
        return {spec.name: None}
    if spec.name == "artist_name":
        return {spec.name: _one_line(value, MAX_ARTIST_NAME) or ""}
    if spec.name == "album_genre":
        genre = genre_named(value, languages) if isinstance(value, str) else None
        if genre is None:
            raise AttributeRangeError(
                spec.name,
                f"{_shown(value)} is not a genre that is known here",
                "not_a_genre",
                value=_shown(value),
            )
        return {spec.name: genre}
    if spec.name == "key":
        if not isinstance(value, str):
            raise AttributeRangeError(
                spec.name, f"{_shown(value)} is not a key", "not_a_choice", value=_shown(value)
            )
        key, mode = parse_key(value, languages)
        return {"key": key} if mode is None else {"key": key, "mode": mode}
    if spec.name == "mode":
        return {spec.name: _checked(spec, mode_named(value, languages) if isinstance(value, str) else value)}
    if spec.name == "time_signature":
        match = _METRE.fullmatch(value) if isinstance(value, str) else None
        number = int(match.group(1)) if match else value
        return {spec.name: _checked(spec, number)}
    return {spec.name: _checked(spec, spec.rounded(_number(spec, value)))}


def _checked(spec: FieldSpec, value: Any) -> Any:
    """The value in its field's type, or AttributeRangeError."""
    if value is None and spec.optional:
        return None
    if spec.kind == "text":
        return _check_text(spec.name, value, int(spec.maximum))
    if spec.kind == "choice":
        if not isinstance(value, str) or value not in spec.choices:
            allowed = "a known genre" if spec.name == "album_genre" else spec.range_text()
            code = "not_a_genre" if spec.name == "album_genre" else "not_a_choice"
            raise AttributeRangeError(
                spec.name, f"{_shown(value)} is not {allowed}", code, value=_shown(value)
            )
        return value
    number = _number(spec, value)
    if not spec.minimum <= number <= spec.maximum:
        hint = "; decibels are not accepted" if spec.name == "loudness" and number < 0 else ""
        raise AttributeRangeError(
            spec.name,
            f"{number:g} is outside {spec.range_text()}{hint}",
            "decibels" if hint else "out_of_range",
            value=number,
        )
    if spec.kind == "integer":
        if number != int(number):
            raise AttributeRangeError(
                spec.name, f"{number:g} is not a whole number", "not_whole", value=number
            )
        return int(number)
    return number


def _number(spec: FieldSpec, value: Any) -> float:
    if isinstance(value, bool) or value is None:
        raise _not_a_number(spec, value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _not_a_number(spec, value) from None
    if not math.isfinite(number):
        raise AttributeRangeError(
            spec.name, f"{_shown(value)} is not a finite number", "not_a_number", value=_shown(value)
        )
    return number


def _not_a_number(spec: FieldSpec, value: Any) -> AttributeRangeError:
    shown = _shown(value)
    return AttributeRangeError(spec.name, f"{shown} is not a number", "not_a_number", value=shown)


def _check_text(name: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise AttributeRangeError(name, f"{_shown(value)} is not text", "not_text", value=_shown(value))
    if len(value) > longest:
        raise AttributeRangeError(
            name, f"has {len(value)} characters, more than {longest}", "too_long", limit=longest
        )
    if _CONTROL.search(value):
        raise AttributeRangeError(name, "contains control characters", "control_characters")
    return value


def _one_line(value: Any, longest: int) -> str | None:
    """Text without control characters or surplus space, cut to `longest`; None if nothing is left."""
    if not isinstance(value, str):
        return None
    return " ".join(_CONTROL.sub(" ", value).split())[:longest].strip() or None


def _shown(value: Any) -> str:
    return repr(value if not isinstance(value, str) else value[:40])[:60]
