from __future__ import annotations

import time
from difflib import SequenceMatcher

import pytest
from PIL import ImageDraw

from albumgen_core.cover.read import Cover
from albumgen_core.retrieval.text.lines import TextLine
from albumgen_core.retrieval.text.reader import MAX_LINES, MIN_CONFIDENCE, CoverReader
from tests.albumgen_core.retrieval.text.drawn import SIDE, as_cover, cover_with, font, plain, specks, write

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader() -> CoverReader:
    return CoverReader()


def likeness(line: TextLine, text: str) -> float:
    return SequenceMatcher(None, line.text.casefold(), text.casefold()).ratio()


@pytest.mark.parametrize(
    ("face", "size"),
    [
        ("DejaVuSans", 40),
        ("DejaVuSans-BoldOblique", 44),
        ("DejaVuSerif", 40),
        ("DejaVuSerif-Italic", 48),
        ("DejaVuSansMono-Bold", 36),
        ("STIXGeneral", 56),
        ("cmss10", 56),
    ],
)
def test_fonts(reader: CoverReader, face: str, size: int) -> None:
    lines = reader.read(cover_with(["Mara Quist", "Salt Meridian"], face=face, size=size))
    assert [line.text for line in lines] == ["Mara Quist", "Salt Meridian"]


@pytest.mark.parametrize("angle", [-90, -25, -10, 10, 25, 90, 180])
def test_angles(reader: CoverReader, angle: int) -> None:
    image = plain()
    write(image, "NORTHERN LAMPS", (SIDE // 2, SIDE // 2), angle=angle)
    (line,) = reader.read(as_cover(image))
    assert likeness(line, "NORTHERN LAMPS") > 0.9
    assert abs((line.angle - angle + 180) % 360 - 180) < 4


@pytest.mark.parametrize(
    ("ground", "ink"),
    [((0, 0, 0), (255, 255, 255)), ((200, 30, 30), (250, 220, 40)), ((60, 90, 150), (20, 30, 60))],
)
def test_colours(reader: CoverReader, ground: tuple[int, int, int], ink: tuple[int, int, int]) -> None:
    image = plain(ground)
    write(image, "Velvet Harbour", (SIDE // 2, 200), colour=ink)
    (line,) = reader.read(as_cover(image))
    assert likeness(line, "Velvet Harbour") > 0.9


def test_small_print_and_small_pictures(reader: CoverReader) -> None:
    image = plain()
    write(image, "recorded at low tide", (SIDE // 2, 600), size=13, face="DejaVuSans")
    assert "recorded at low tide" in [line.text for line in reader.read(as_cover(image))]

    tiny = plain(side=160)
    write(tiny, "Orchard", (80, 40), size=24)
    assert "Orchard" in [line.text for line in reader.read(as_cover(tiny))]


def test_a_line_knows_its_place_and_size(reader: CoverReader) -> None:
    image = plain()
    write(image, "ABOVE", (160, 80), size=72)
    write(image, "below it", (480, 560), size=24)
    above, below = reader.read(as_cover(image))
    assert (above.text, below.text) == ("ABOVE", "below it")
    assert above.right < below.left
    assert above.bottom < 0.3
    assert below.top > 0.8
    assert above.height > 2 * below.height
    assert MIN_CONFIDENCE <= below.confidence <= 1


def test_stacked_letters_are_read_from_top_to_bottom(reader: CoverReader) -> None:
    image = plain()
    for row, letter in enumerate("ZEBRA"):
        write(image, letter, (320, 80 + 120 * row), size=96)
    read = "".join(line.text for line in reader.read(as_cover(image)))
    assert SequenceMatcher(None, "".join(filter(str.isalpha, read)), "ZEBRA").ratio() > 0.8


def test_accented_letters(reader: CoverReader) -> None:
    lines = reader.read(cover_with(["Motörhead", "Sigur Rós", "Beyoncé"], size=56))
    assert [line.text for line in lines] == ["Motörhead", "Sigur Rós", "Beyoncé"]


def test_a_cover_without_words_says_nothing(reader: CoverReader) -> None:
    assert reader.read(as_cover(plain())) == []
    thin = plain().resize((640, 2))
    assert reader.read(as_cover(thin)) == []


def test_a_texture_costs_no_more_than_the_longest_list_of_lines(reader: CoverReader) -> None:
    def seconds(cover: Cover) -> float:
        best = float("inf")
        for _ in range(2):
            started = time.process_time()
            assert len(reader.read(cover)) <= MAX_LINES
            best = min(best, time.process_time() - started)
        return best

    few = cover_with([f"line of text {number}" for number in range(12)], size=20)
    assert seconds(specks(500)) < 6 * seconds(few)


def test_a_page_of_ten_thousand_words_is_cut(reader: CoverReader) -> None:
    image = plain()
    draw = ImageDraw.Draw(image)
    words = " ".join(f"word{number}" for number in range(10_000)).split()
    for row in range(58):
        draw.text((0, row * 11), " ".join(words[row * 172 :][:172]), (0, 0, 0), font("DejaVuSans", 9))
    lines = reader.read(as_cover(image))
    assert len(lines) <= MAX_LINES
    assert all(len(line.text) <= 120 for line in lines)


def test_the_same_picture_is_read_the_same(reader: CoverReader) -> None:
    cover = cover_with(["Mara Quist", "Salt Meridian"])
    assert reader.read(cover) == reader.read(cover)


def test_a_line_survives_its_json() -> None:
    line = TextLine("A", 0.9, ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2)), 0.1, 4.0)
    assert TextLine.from_dict(line.to_dict()) == line
