"""Everything the core says to members is said in their language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albumgen_core import retrieval
from albumgen_core.attributes.predicted import MusicalAttributes, parse_field
from albumgen_core.cover.errors import COVER_MESSAGES
from albumgen_core.errors import AttributeRangeError, ClipError, CoverError
from albumgen_core.inference import journal, outbox
from albumgen_core.jobs.spec import JobOutcome
from albumgen_core.retrieval.predictor import NO_SIGNAL
from bot.i18n.catalogue import text
from bot.i18n.core_sentences import coded, is_known, retold
from bot.messages.errors import Refusal, sentence_for
from bot.setup.invite import PERMISSIONS

CORE = Path(retrieval.__file__).parents[1]
ROOMS = (
    "inference/supervisor.py",
    "worker/runner.py",
    "jobs/artifacts.py",
    "inference/scheduler.py",
    "pipeline/stages.py",
    "audio/encode.py",
)
SAYING = {"ClipError", "AlbumGenError", "JobOutcome", "JobError"}


def said() -> Iterator[str]:
    """The sentences that the core's rooms give to errors and outcomes, their placeholders filled with 7."""
    for room in ROOMS:
        for node in ast.walk(ast.parse((CORE / room).read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in SAYING:
                for part in [*node.args, *(word.value for word in node.keywords)]:
                    if (words := spoken(part)).count(" ") > 2:
                        yield words


def spoken(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    return ""


SENTENCES = sorted(
    {
        "The words on the cover could not be read.",
        "The words on the cover were not looked up: it is damaged.",
        *said(),
        NO_SIGNAL,
        str(journal.GIVEN_UP),
        str(journal.LOST_BEFORE_COVER),
        str(outbox.RESULT_MISSING),
    }
)


def test_the_rooms_say_something() -> None:
    assert len(SENTENCES) >= 12


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_the_core_says_is_known(sentence: str) -> None:
    assert is_known(sentence)
    assert retold(sentence, "de") != sentence


@pytest.mark.parametrize("code", COVER_MESSAGES)
def test_refused_covers_are_told_in_german_from_the_journal_too(code: str) -> None:
    params = dict.fromkeys(["megabytes", "limit", "width", "height", "format", "scans"], "12")
    told = retold(COVER_MESSAGES[code].format(**params), "de")
    assert "bitte" in told.lower()
    assert "please" not in told
    assert ("12" in told) == ("12" in COVER_MESSAGES[code].format(**params))


def test_an_operators_paths_stay_with_the_operator() -> None:
    told = retold("No retrieval: The album index at /srv/albums is empty.", "de")
    assert "/srv" not in told
    assert "Albenindex" in told
    assert "/srv" not in retold("The album index at /srv/albums cannot be read (EIO).", "en")


def test_an_unknown_sentence_is_left_as_it_is() -> None:
    assert retold("The moon is full.", "de") == "The moon is full."


@pytest.mark.parametrize(
    ("field", "value", "german"),
    [
        ("tempo", "500", "Tempo: 500 geht nicht; möglich ist 40 bis 220 Schläge in der Minute (BPM)."),
        (
            "key",
            "H",
            "Tonart: 'H' gibt es nicht; möglich ist eines von C, Cis, D, Es, E, F, Fis,",
        ),
        ("key", 7, "Tonart: 7 gibt es nicht"),
        ("album_genre", "zzz", "Genre: 'zzz' ist kein Genre"),
        ("energy", "much", "Energie: 'much' ist keine Zahl"),
        ("energy", "nan", "Energie: 'nan' ist keine Zahl"),
        ("loudness", "-7", "Lautheit: -7 geht nicht; möglich ist 0 bis 1, Dezibel"),
        ("time_signature", "9/4", "Takt: 9 geht nicht; möglich ist 3 bis 7 Schläge im Takt"),
        ("time_signature", 3.5, "Takt: 3.5 ist keine ganze Zahl"),
        ("mode", "dorian", "Tongeschlecht: 'dorian' gibt es nicht; möglich ist eines von Dur, Moll"),
        ("mood", "blue", "mood: dieses Attribut gibt es nicht"),
    ],
)
def test_a_wrong_attribute_is_refused_in_german(field: str, value: Any, german: str) -> None:
    with pytest.raises(AttributeRangeError) as caught:
        parse_field(field, value)
    told = sentence_for(caught.value, "de")
    assert told is not None
    assert german in told
    assert sentence_for(caught.value, "en") != told


def test_other_attribute_problems_have_sentences_too() -> None:
    for raw in ({}, {"answer": 1}):
        with pytest.raises(AttributeRangeError) as caught:
            MusicalAttributes.parse(raw)
        assert "fehlt" in str(sentence_for(caught.value, "de"))
    with pytest.raises(AttributeRangeError) as caught:
        MusicalAttributes.from_model_json("no")
    assert "nicht lesbar" in str(sentence_for(caught.value, "de"))


@pytest.mark.parametrize("name", PERMISSIONS)
def test_missing_permissions_are_named_as_discord_names_them(name: str) -> None:
    english = Refusal("refusal.bot_permission", permission=name).sentence("en")
    german = Refusal("refusal.bot_permission", permission=name.replace("_", " ").title()).sentence("de")
    assert "_" not in english + german
    assert german.partition("„")[2].partition("“")[0] not in english


class Raised(ast.NodeVisitor):
    """The codes that a module's errors are made with."""

    def __init__(self) -> None:
        self.codes: set[str] = set()

    def visit_Call(self, node: ast.Call) -> None:
        if getattr(node.func, "id", "") in ("ClipError", "JobError") and len(node.args) > 1:
            self.codes.add(str(ast.literal_eval(node.args[1])))
        self.generic_visit(node)


def test_every_code_of_the_core_has_a_sentence_in_both_languages() -> None:
    raised = Raised()
    for file in CORE.rglob("*.py"):
        raised.visit(ast.parse(file.read_text("utf-8")))
    assert len(raised.codes) >= 14
    params = dict.fromkeys(["count", "seconds", "limit"], "7")
    for code in sorted(raised.codes):
        told = [coded(code, params, locale) for locale in ("en", "de")]
        assert None not in told, code
        assert told[0] != told[1]


def test_a_journalled_error_is_told_by_its_code_before_its_words() -> None:
    outcome = JobOutcome.failed("a", ClipError("Old words.", "core.does_not_fit", seconds="90", limit="8"))
    assert "90" in str(coded(outcome.code, outcome.params, "de"))
    assert coded("", {}, "de") is None
    assert coded("core.of_a_newer_version", {}, "de") is None
    refused = JobOutcome.failed("a", CoverError("It is empty.", code="empty"))
    assert coded(refused.code, refused.params, "de") == text("de", "cover.empty")
