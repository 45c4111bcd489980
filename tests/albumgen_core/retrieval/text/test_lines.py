from __future__ import annotations

import pytest

from albumgen_core.retrieval.text.lines import MAX_LINE_CHARACTERS, clean_text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  A.C.\tNEWMAN \n", "A.C. NEWMAN"),
        ("\u202eevil\u202c", "evil"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07\x1b[31m", "bell[31m"),
        ("Z" + "\u0301" * 30, "Ź\u0301\u0301\u0301"),
        ("\ue000\U000f0000", ""),
        ("Beyonce\u0301", "Beyoncé"),
        ("'; DROP TABLE albums; --", "'; DROP TABLE albums; --"),
    ],
)
def test_clean_text(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


def test_length_is_bounded() -> None:
    assert len(clean_text("word " * 10_000)) <= MAX_LINE_CHARACTERS
