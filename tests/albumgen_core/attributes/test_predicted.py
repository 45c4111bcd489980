"""No attribute out of range can exist, whoever wrote it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import llguidance
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.attributes.fields import AUDIO_FEATURES, FIELD, FIELDS, KEYS, field_named
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import MusicalAttributes, normalise_loudness, parse_key
from albumgen_core.attributes.schema import answer_pattern, json_schema
from albumgen_core.errors import AlbumGenError, AttributeRangeError

ANSWER: dict[str, Any] = {
    "Artist Name": "TOKYO POLICE CLUB",
    "Album Genre": "rock",
    "key": "C",
    "time_signature": "4",
    "acousticness": 0.073,
    "danceability": 0.7440000000000001,
    "energy": 0.958,
    "instrumentalness": 0.0,
    "liveness": 0.117,
    "loudness": 0.334,
    "speechiness": 0.0152,
    "valence": 0.890,
    "tempo": 116.061,
}
GOOD = MusicalAttributes.parse(ANSWER)

valid = st.builds(
    MusicalAttributes,
    artist_name=st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs"]), min_size=1, max_size=100),
    album_genre=st.sampled_from(GENRES),
    key=st.sampled_from(KEYS),
    time_signature=st.integers(3, 7),
    tempo=st.floats(40, 220),
    mode=st.sampled_from([None, "major", "minor"]),
    **dict.fromkeys(AUDIO_FEATURES, st.floats(0, 1)),
)
anything = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=120) | st.lists(st.none())
)


def test_there_are_thirteen_fields_and_mode() -> None:
    assert [spec.name for spec in FIELDS] == [field.name for field in fields(MusicalAttributes)][:-1]
    assert len(MusicalAttributes.required_fields()) == 13
    assert list(ANSWER) == [spec.json_name for spec in FIELDS if not spec.optional]
    assert len(AUDIO_FEATURES) == 8
    assert all(spec.explanation.endswith(".") and spec.display_name for spec in FIELDS)


@pytest.mark.parametrize("name", [*AUDIO_FEATURES, "tempo", "time_signature"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.01, 220.1, None, True, "loud", 10**400])
def test_a_number_out_of_range_cannot_exist(name: str, value: Any) -> None:
    for make in (
        lambda: replace(GOOD, **{name: value}),
        lambda: GOOD.replace_fields({name: value}),
        lambda: MusicalAttributes.parse({**ANSWER, name: value}),
    ):
        with pytest.raises(AttributeRangeError) as caught:
            make()
        assert caught.value.field == name
        assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loudness", 1.017),
        ("loudness", -6.2),
        ("time_signature", 30),
        ("time_signature", "30"),
        ("time_signature", 3.5),
        ("album_genre", "male"),
        ("album_genre", "Hip Hip Hop"),
        ("key", "H"),
        ("mode", "dorian"),
        ("tempo", 39.9),
        ("artist_name", "A" * 101),
        ("artist_name", "A\nB"),
        ("artist_name", "A\u202eB"),
        ("artist_name", None),
        ("raw_genre", "x" * 81),
    ],
)
def test_the_constructor_refuses(name: str, value: Any) -> None:
    with pytest.raises(AttributeRangeError, match=name):
        replace(GOOD, **{name: value})


def test_the_error_is_a_sentence_and_a_value_error() -> None:
    assert issubclass(AttributeRangeError, ValueError)
    assert issubclass(AttributeRangeError, AlbumGenError)
    with pytest.raises(AttributeRangeError, match=r"^loudness: -6.2 is outside 0 to 1; decibels"):
        MusicalAttributes.parse({**ANSWER, "loudness": -6.2})


def test_attributes_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        GOOD.tempo = 300.0  # type: ignore[misc]


@given(valid)
def test_dicts_and_model_answers_round_trip(attributes: MusicalAttributes) -> None:
    assert MusicalAttributes.from_dict(json.loads(json.dumps(attributes.to_dict()))) == attributes
    answer = json.dumps(attributes.to_model_dict())
    read = MusicalAttributes.from_model_json(f"```json\n{answer}\n```")
    assert read.to_model_dict() == MusicalAttributes.from_model_json(answer).to_model_dict()
    for name in (*AUDIO_FEATURES, "tempo"):
        assert abs(getattr(read, name) - getattr(attributes, name)) <= FIELD[name].step / 2 + 1e-9


@given(st.sampled_from([spec.json_name for spec in FIELDS]), anything)
def test_whatever_a_model_writes_is_valid_or_refused(name: str, value: Any) -> None:
    try:
        read = MusicalAttributes.parse({**ANSWER, name: value})
    except AttributeRangeError:
        return
    assert MusicalAttributes.from_dict(read.to_dict()) == read


@given(st.text(max_size=300))
def test_text_that_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(AttributeRangeError):
        MusicalAttributes.from_model_json(text)


@pytest.mark.parametrize("text", ["", "[]", "{", "NaN", "[" * 100_000, '{"tempo": ' + "9" * 5000 + "}"])
def test_hostile_json_is_refused(text: str) -> None:
    with pytest.raises(AttributeRangeError):
        MusicalAttributes.from_model_json(text)


def test_the_slides_wrong_genres() -> None:
    hip = MusicalAttributes.parse({**ANSWER, "Album Genre": "Hip Hip Hop"})
    assert (hip.album_genre, hip.raw_genre) == ("hip hop", "Hip Hip Hop")
    with pytest.raises(AttributeRangeError, match="album_genre: 'male'"):
        MusicalAttributes.parse({**ANSWER, "Album Genre": "male"})
    male = MusicalAttributes.parse({**ANSWER, "Album Genre": "male"}, fallback_genre="pop")
    assert (male.album_genre, male.raw_genre) == ("pop", "male")
    assert GOOD.raw_genre is None


def test_lenience_is_exactly_what_is_documented() -> None:
    read = MusicalAttributes.parse(
        {
            **{name.upper(): value for name, value in ANSWER.items()},
            "KEY": "Db minor",
            "TIME_SIGNATURE": "3/4",
            "VALENCE": "1.0000000000000002",
            "ARTIST NAME": " The\tWho\x00 ",
            "remark": "ignored",
        }
    )
    assert (read.key, read.mode, read.time_signature) == ("C#", "minor", 3)
    assert (read.valence, read.artist_name, read.danceability) == (1.0, "The Who", 0.744)
    assert MusicalAttributes.parse({**ANSWER, "key": "Am", "mode": "Major"}).mode == "major"
    with pytest.raises(AttributeRangeError, match="tempo: is missing"):
        MusicalAttributes.parse({name: value for name, value in ANSWER.items() if name != "tempo"})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("C# major", ("C#", "major")),
        ("Db", ("C#", None)),
        ("B♭ min", ("A#", "minor")),
        ("f♯", ("F#", None)),
        ("Am", ("A", "minor")),
        ("Cb", ("B", None)),
        ("E#", ("F", None)),
        ("G flat major", ("F#", "major")),
    ],
)
def test_keys_are_read(text: str, key: tuple[str, str | None]) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", "H", "C##", "1", "C dorian", "Amm"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(AttributeRangeError, match="key"):
        parse_key(text)


def test_members_set_fields_by_hand() -> None:
    changed = GOOD.replace_fields({"Tempo": "90", "genre": "Trap", "Key": "Bb minor", "energy": 1})
    assert (changed.tempo, changed.album_genre, changed.raw_genre) == (90.0, "hip hop", "Trap")
    assert (changed.key, changed.mode, changed.energy) == ("A#", "minor", 1.0)
    assert changed.replace_fields({"key": "D"}).mode == "minor"
    assert changed.replace_fields({"mode": None}).mode is None
    assert GOOD.replace_fields({}) == GOOD
    with pytest.raises(AttributeRangeError, match="volume: there is no such field"):
        GOOD.replace_fields({"volume": 11})


def test_measurements_are_clamped_but_nonsense_is_not() -> None:
    values = {**GOOD.to_dict(), "tempo": 0.0, "loudness": 1.06, "time_signature": 1}
    clamped = MusicalAttributes.clamped(**values)
    assert (clamped.tempo, clamped.loudness, clamped.time_signature) == (40.0, 1.0, 3)
    with pytest.raises(AttributeRangeError, match="tempo"):
        MusicalAttributes.clamped(**{**values, "tempo": math.nan})
    with pytest.raises(AttributeRangeError, match="key"):
        MusicalAttributes.clamped(**{**values, "key": "H"})


def test_from_dict_names_what_is_missing_or_unknown() -> None:
    with pytest.raises(AttributeRangeError, match="tempo: is missing"):
        MusicalAttributes.from_dict({k: v for k, v in GOOD.to_dict().items() if k != "tempo"})
    with pytest.raises(AttributeRangeError, match="volume: there is no such field"):
        MusicalAttributes.from_dict({**GOOD.to_dict(), "volume": 11})


def test_loudness_is_normalised() -> None:
    assert [normalise_loudness(db) for db in (-80, -60, -30, 0, 3.44)] == [0, 0, 0.5, 1, 1]
    with pytest.raises(ValueError, match="not a number"):
        normalise_loudness(math.nan)


def test_fields_are_found_and_shown() -> None:
    assert field_named("Album-Genre").name == field_named("genre").name == "album_genre"
    assert FIELD["tempo"].display(116.06) == "116 BPM"
    assert FIELD["time_signature"].display(3) == "3/4"
    assert FIELD["valence"].display(0.456) == "0.46"
    assert FIELD["mode"].display(None) == "unknown"
    assert FIELD["tempo"].range_text() == "40 to 220 BPM"


@given(valid)
def test_the_pattern_accepts_what_is_valid(attributes: MusicalAttributes) -> None:
    answer = json.dumps(attributes.to_model_dict(), ensure_ascii=False)
    with_mode = attributes.mode is not None
    if re.search(r"e-0|\\", answer):  # a tiny float, or an escape in a name
        return
    assert re.fullmatch(answer_pattern(mode=with_mode), answer)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.334", "1.017"),
        ("0.334", "1.001"),
        ("0.334", "-0.1"),
        ("0.334", "NaN"),
        ('"4"', '"30"'),
        ('"rock"', '"male"'),
        ("116.1", "220.1"),
        ("116.1", "39.9"),
        ('"C"', '"H"'),
        ("TOKYO", "TO\nKYO"),
    ],
)
def test_the_pattern_refuses_what_is_not(old: str, new: str) -> None:
    answer = json.dumps(GOOD.to_model_dict())
    assert re.fullmatch(answer_pattern(), answer)
    assert old in answer
    assert not re.fullmatch(answer_pattern(), answer.replace(old, new))


class _Bytes:
    """A tokenizer whose tokens are the 256 bytes, and an end."""

    eos_token_id = 256
    bos_token_id = None
    tokens = [bytes([byte]) for byte in range(256)] + [b"<end>"]
    special_token_ids = [256]  # noqa: RUF012

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


def _follows(grammar: str, text: str) -> bool:
    matcher = llguidance.LLMatcher(
        llguidance.LLTokenizer(llguidance.TokenizerWrapper(_Bytes())), grammar, log_level=0
    )
    tokens = list(text.encode())
    return matcher.validate_tokens(tokens) == len(tokens) and _consumed_to_the_end(matcher, tokens)


def _consumed_to_the_end(matcher: llguidance.LLMatcher, tokens: list[int]) -> bool:
    return bool(matcher.consume_tokens(tokens) and matcher.is_accepting())


def test_llguidance_honours_both_grammars() -> None:
    answer = json.dumps(GOOD.to_model_dict())
    schema = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(json_schema()))
    pattern = llguidance.LLMatcher.grammar_from_regex(answer_pattern())
    for grammar in (schema, pattern):
        assert _follows(grammar, answer)
        for old, new in (("0.334", "1.017"), ('"4"', '"30"'), ('"rock"', '"male"'), ("116.1", "220.1")):
            assert not _follows(grammar, answer.replace(old, new)), new
        assert not _follows(grammar, answer.replace("TOKYO", "T\\u0000"))
