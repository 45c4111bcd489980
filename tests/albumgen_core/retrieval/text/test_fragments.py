from __future__ import annotations

from albumgen_core.retrieval.text.fragments import MAX_FRAGMENTS, cover_text, is_label
from albumgen_core.retrieval.text.lines import TextLine


def line(text: str, top: float, left: float = 0.1, height: float = 0.08, width: float = 0.6) -> TextLine:
    right, bottom = left + width, top + height
    return TextLine(text, 0.95, ((left, top), (right, top), (right, bottom), (left, bottom)), height)


def test_words_lines_and_lines_below_each_other() -> None:
    found = cover_text([line("Salt", 0.1), line("Meridian", 0.2), line("Mara Quist", 0.9)]).fragments
    assert {"sait", "meridian", "saitmeridian", "maraquist", "mara", "quist"} <= set(found)
    assert "meridianmaraquist" not in found, "they stand too far apart"
    assert found["saitmeridian"][0].lines == (0, 1)
    assert found["mara"][0].coverage < found["maraquist"][0].coverage == 1


def test_stacked_letters_make_a_word() -> None:
    stack = [line(letter, 0.1 + 0.15 * row, 0.4, 0.12, 0.1) for row, letter in enumerate("ZEBRA")]
    assert "zebra" in cover_text(stack).fragments


def test_labels_are_no_names() -> None:
    text = cover_text([line("PARENTAL ADVISORY", 0.8), line("EXPLICIT CONTENT", 0.9), line("Quist", 0.1)])
    assert text.labelled
    assert [kept.text for kept in text.lines] == ["Quist"]
    assert is_label("parentaiadvisory")
    assert is_label("iimitededition")
    assert not is_label("parentship")
    assert not cover_text([line("Quist", 0.1)]).labelled


def test_names_inside_a_long_word_need_to_be_known() -> None:
    known = {"disciosure", "settie"}
    found = cover_text([line("DISCLOSURESETTLE", 0.1)], known.__contains__).fragments
    assert known <= set(found)
    assert found["settie"][0].inside
    assert not found["disciosure"][0].place & found["settie"][0].place
    assert not known & set(cover_text([line("DISCLOSURESETTLE", 0.1)]).fragments)


def test_the_number_of_fragments_is_bounded() -> None:
    page = [line(" ".join(f"w{row}x{n}" for n in range(40)), 0.01 * row, height=0.01) for row in range(24)]
    assert len(cover_text(page).fragments) <= MAX_FRAGMENTS
    assert cover_text([]).fragments == {}
