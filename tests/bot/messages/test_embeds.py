"""What a take's message says about where its attributes come from."""

from __future__ import annotations

from typing import Any

import pytest

from albumgen_core.inference.records import JobRecord
from albumgen_core.jobs.spec import JobSpec
from bot.messages.embeds import kindred_lines, take_embed, words_read
from tests.bot.fake_runner import ATTRIBUTES, NEIGHBOUR


def shown(locale: str, **changes: Any) -> tuple[str, str]:
    """(all fields, the footer) of a take's message."""
    document = {
        "attributes": ATTRIBUTES,
        "engine": {"family": "sketch", "composer": "c"},
        "rag": True,
        "neighbours": [NEIGHBOUR],
        "album": None,
        "seed": 1,
        "seconds": 1.0,
        "notices": [],
    }
    spec = JobSpec(job_id="j")
    record = JobRecord(spec, "done", "encode", None, None, 0, 0, False, None, 0.0, None, None, None, None)
    embed = take_embed(document | changes, record, locale)
    return "\n".join(f"{field.name}\n{field.value}" for field in embed.fields), str(embed.footer.text)


@pytest.mark.parametrize(
    ("changes", "english", "german"),
    [
        ({}, "with similar albums", "mit ähnlichen Alben"),
        ({"rag": False, "neighbours": []}, "cover alone", "nur das Cover"),
        (
            {"neighbours": [], "notices": ["No retrieval: There is no album index yet."]},
            "cover alone",
            "nur das Cover",
        ),
    ],
)
def test_the_footer_says_what_the_attributes_were_read_from(
    changes: dict[str, Any], english: str, german: str
) -> None:
    for locale, words in (("en", english), ("de", german)):
        others = {"with similar albums", "cover alone", "mit ähnlichen Alben", "nur das Cover"} - {words}
        footer = shown(locale, **changes)[1]
        assert words in footer
        assert not any(other in footer for other in others)


def test_the_album_itself_is_named_with_its_artist() -> None:
    fields, _ = shown("en", album={**NEIGHBOUR, "title": "Nevermind", "artist": "Nirvana", "distance": 0.0})
    assert "This is the album\n**Nevermind** – Nirvana (1999)" in fields
    assert "0.000" not in fields
    fields, _ = shown("de", album={**NEIGHBOUR, "title": "Nevermind", "artist": "Unknown artist"})
    assert "Das ist das Album\n**Nevermind** (1999)" in fields


BY_NAME = {
    "title": "Salt *Meridian*",
    "artist": "Mara Quist",
    "year": 2008,
    "distance": None,
    "reason": "artist",
}


@pytest.mark.parametrize(("locale", "why"), [("en-GB", "same artist"), ("de", "gleicher Interpret")])
def test_an_album_found_by_name_says_so(locale: str, why: str) -> None:
    shown = kindred_lines([BY_NAME, BY_NAME | {"reason": "look", "distance": 0.25}], locale)
    first, second = shown.splitlines()
    assert first.endswith(why)
    assert second.endswith("0.250")
    assert "*Meridian*" not in first, "what a title holds is no Markdown"


def test_neighbours_of_an_earlier_version_have_no_reason() -> None:
    old = {name: value for name, value in BY_NAME.items() if name != "reason"} | {"distance": 0.5}
    assert kindred_lines([old], "en-GB").endswith("0.500")


def test_what_a_cover_reads() -> None:
    assert words_read({"words": {"artist": "Mara Quist", "title": "Salt"}}) == "Mara Quist, Salt"
    assert words_read({"words": {"artist": "", "title": ""}}) == ""
    assert words_read({"words": None}) == words_read({}) == ""
