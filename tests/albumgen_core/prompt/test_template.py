"""Prompts are grammatical, short enough, and say every attribute in words that rise with it."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.attributes.fields import AUDIO_FEATURES, KEYS
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.prompt.template import MAX_CONCISE_WORDS, compose_prompt, describe, with_article
from albumgen_core.prompt.words import INSTRUMENTS, LEVELS, level_of

units = st.floats(0, 1)
attribute_sets = st.builds(
    MusicalAttributes,
    artist_name=st.sampled_from(["", "Queen", "TOKYO POLICE CLUB", "The The", "Beyoncé"]),
    album_genre=st.sampled_from(GENRES),
    key=st.sampled_from(KEYS),
    time_signature=st.integers(3, 7),
    tempo=st.floats(40, 220),
    mode=st.sampled_from([None, "major", "minor"]),
    **dict.fromkeys(AUDIO_FEATURES, units),
)
QUEEN = MusicalAttributes(
    "Queen", "classic rock", "D", 4, 0.4, 0.4, 0.5, 0.0, 0.1, 0.95, 0.04, 0.9, 77.0, mode="major"
)


def assert_grammatical(prompt: str) -> None:
    assert prompt[0].isupper()
    assert prompt.endswith(".")
    assert "  " not in prompt
    assert not re.search(r"\s[,.;]|,,|\.\.|,\.|None|nan", prompt), prompt
    assert not re.search(r"\b(\w+) \1\b", prompt, re.IGNORECASE), prompt
    assert not re.search(r"\ban? (a|an|the|with|and)\b", prompt), prompt  # "the key of A and" is fine
    for article, word in re.findall(r"\b(an?) (\S+)", prompt):
        vowel = word[0].lower() in "aeiou" or word.startswith("R&B")
        assert (article == "an") == vowel, (article, word)
    for sentence in re.split(r"(?<=\.) ", prompt):
        assert sentence[0].isupper(), sentence


@given(attribute_sets, st.sampled_from(["slides", "concise"]))
def test_prompts_are_grammatical_whatever_the_attributes(attributes: MusicalAttributes, style: str) -> None:
    assert_grammatical(compose_prompt(attributes, style=style))


@pytest.mark.parametrize("style", ["slides", "concise"])
@pytest.mark.parametrize("field", LEVELS)
def test_prompts_are_grammatical_at_every_threshold(field: str, style: str) -> None:
    for level in LEVELS[field][:-1]:
        for value in (level.above, math.nextafter(level.above, math.inf)):
            assert_grammatical(compose_prompt(replace(QUEEN, **{field: value}), style=style))


@given(attribute_sets)
def test_concise_prompts_stay_short_and_carry_the_hard_facts(attributes: MusicalAttributes) -> None:
    prompt = compose_prompt(attributes)
    assert len(prompt.split()) <= MAX_CONCISE_WORDS
    assert f"{round(attributes.tempo)} BPM" in prompt
    assert f"{attributes.time_signature}/4" in prompt


def test_every_attribute_and_the_tempo_changes_both_styles_at_every_level() -> None:
    for style in ("slides", "concise"):
        for field, levels in LEVELS.items():
            bottom = 50.0 if field == "tempo" else 0.0
            values = [math.nextafter(level.above, math.inf) for level in levels[:-1]] + [bottom]
            prompts = {compose_prompt(replace(QUEEN, **{field: value}), style=style) for value in values}
            assert len(prompts) == len(levels), (style, field)


@pytest.mark.parametrize("field", LEVELS)
def test_levels_fall_in_order_and_a_threshold_itself_belongs_below(field: str) -> None:
    levels = LEVELS[field]
    assert [level.above for level in levels] == sorted((level.above for level in levels), reverse=True)
    for upper, lower in itertools.pairwise(levels):
        assert level_of(field, math.nextafter(upper.above, math.inf)) is upper
        assert level_of(field, upper.above) is lower


@pytest.mark.parametrize(
    ("tempo", "words"),
    [
        (180.1, "very fast tempo (180 BPM)"),
        (160.00000000000002, "fast tempo (160 BPM)"),
        (160, "upbeat tempo (160 BPM)"),
        (139.06, "moderately fast tempo (139 BPM)"),
        (116.061, "moderate tempo (116 BPM)"),
        (100, "slow tempo (100 BPM)"),
        (76.22, "very slow tempo (76 BPM)"),
        (60, "extremely slow tempo (60 BPM)"),
    ],
)
def test_the_tempo_is_described_as_on_the_slides(tempo: float, words: str) -> None:
    assert describe("tempo", tempo) == words


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("valence", 0.890, "very upbeat"),
        ("valence", 0.5427, "moderately positive"),
        ("valence", 0.468, "moderately positive"),
        ("valence", 0.4003, "neutral"),
        ("danceability", 0.8046, "highly danceable"),
        ("danceability", 0.744, "quite danceable"),
        ("danceability", 0.622, "quite danceable"),
        ("danceability", 0.52, "moderately danceable"),
        ("danceability", 0.2877, "less danceable"),
        ("energy", 0.958, "extremely"),
        ("energy", 0.82, "very high energy"),
        ("energy", 0.634, "quite high energy"),
        ("acousticness", 0.096, "non-acoustic"),
    ],
)
def test_the_slides_examples_get_words_in_the_same_spirit(field: str, value: float, word: str) -> None:
    assert word in describe(field, value)


def test_the_slides_template_reads_as_english() -> None:
    written = compose_prompt(QUEEN, style="slides", name_artist=True)
    assert written.split(". ") == [
        "Compose a classic rock song with a very slow tempo (77 BPM), similar to the style of Queen, "
        "in the key of D major and a 4/4 time signature",
        "The song should have a very upbeat and cheerful mood, bright and optimistic, that lifts the "
        "spirits, featuring less danceable rhythms that are complex or subdued, with moderate energy, "
        "balancing intensity with calmer moments",
        "Create a balanced blend of acoustic and electronic sounds, and ensure it is a clearly produced "
        "studio recording with minimal ambient noise, with an extremely loud overall sound level and "
        "powerful dynamics",
        "The song should contain little to no spoken words and vocals in the foreground.",
    ]


def test_the_artist_is_named_only_when_asked() -> None:
    for style in ("slides", "concise"):
        assert "Queen" not in compose_prompt(QUEEN, style=style)
        assert "Queen" in compose_prompt(QUEEN, style=style, name_artist=True)
        assert "style of" not in compose_prompt(replace(QUEEN, artist_name=""), style=style, name_artist=True)


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="concise or slides"):
        compose_prompt(QUEEN, style="haiku")  # type: ignore[arg-type]


def test_every_genre_has_instruments() -> None:
    assert set(INSTRUMENTS) == set(GENRES)


def test_articles_follow_the_sound() -> None:
    assert with_article("R&B song") == "an R&B song"
    assert with_article("upbeat tempo") == "an upbeat tempo"
    assert with_article("house track") == "a house track"
