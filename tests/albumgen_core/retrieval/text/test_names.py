from __future__ import annotations

import pytest

from albumgen_core.retrieval.text.names import (
    folded,
    grams,
    joined_names,
    letters,
    name_key,
    plain_title,
    printed_words,
    words,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KE$HA", "Kesha"),
        ("Beyoncé", "BEYONCE"),
        ("AC/DC", "AC_DC"),
        ("The Beatles", "Beatles, The"),
        ("A.C. Newman", "A_C_ Newman"),
        ("Sigur Rós", "sigurros"),
        ("P!nk", "Pink"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Guns N' Roses", "Guns N’ Roses"),
        ("Mötley Crüe", "motley crue"),
        ("Røyksopp", "ROYKSOPP"),
        ("davidbowie", "David Bowie"),
    ],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_other_scripts_and_names_without_letters_are_kept_apart() -> None:
    names = ["Кино", "Аквариум", "坂本龍一", "細野晴臣", "!!!", "The The", "The Band"]
    assert len({name_key(name) for name in names}) == len(names)


def test_words() -> None:
    assert words("Nick Cave & The Bad Seeds") == ["nick", "cave", "and", "the", "bad", "seeds"]
    assert letters(words("The The")) == "thethe"
    assert printed_words("DavidBowie") == ["david", "bowie"]


def test_what_is_misread_is_folded_but_numbers_are_not() -> None:
    assert folded("emin3m") == folded("eminem")
    assert folded("5ix") == folded("six")
    assert folded("1999") == "1999"


def test_joint_credits() -> None:
    assert joined_names("Jay-Z & Kanye West") == ["Jay-Z", "Kanye West"]
    assert joined_names("A feat. B, C") == ["A", "B", "C"]
    assert joined_names("Radiohead") == []


@pytest.mark.parametrize(
    ("title", "plain"),
    [("Low (Deluxe Edition)", "Low"), ("Mono EP", "Mono"), ("Drive [OST]", "Drive"), ("(III)", "(III)")],
)
def test_plain_title(title: str, plain: str) -> None:
    assert plain_title(title) == plain


def test_grams_mark_both_ends() -> None:
    assert grams("low") == ["^lo", "low", "ow$"]


def test_articles_that_are_most_of_a_name_are_kept() -> None:
    assert name_key("a-ha") == "aha"
    assert letters(list("zebra")) == "zebra"
