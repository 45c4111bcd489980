"""Cards: what they show changes their pixels, nothing else does, and no text breaks them."""

from __future__ import annotations

import html
import io
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from albumgen_core.albums import Album, Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.types import Audio
from albumgen_core.card import CardContent, render_card, render_comparison
from albumgen_core.card.comparison import comparison_svg
from albumgen_core.card.fonts import runs
from albumgen_core.card.palette import ACCENT_CONTRAST, TEXT_CONTRAST, contrast, palette_of
from albumgen_core.card.render import card_svg
from albumgen_core.card.text_layout import clean, fit, text_tag, width, wrap
from albumgen_core.cover.read import Cover

FLAT = dict.fromkeys(AUDIO_FEATURES, 0.5)
HOSTILE = [
    "A" * 5000,
    "</text></svg><script>&\"']]><image href='file:///etc/passwd'/>",
    "\x00\x1b[31m\u202e\ud800\ufffe line\nbreak",
    "e" + "\u0301" * 400,
    "夜に駆ける مرحبا 🎸 नमस्ते",
    "",
]


def picture(size: tuple[int, int] = (320, 320), colour: str = "#c04020") -> Image.Image:
    image = Image.new("RGB", size, "#203050")
    ImageDraw.Draw(image).ellipse((40, 40, 200, 200), fill=colour)
    return image


def neighbour(title: str = "Title", artist: str = "Artist", level: float = 0.5) -> Neighbour:
    measured = MeasuredAttributes(artist, **dict.fromkeys(AUDIO_FEATURES, level))
    return Neighbour(Album(title, title, artist, measured), 0.75)


def content(**changes: object) -> CardContent:
    tone = np.sin(np.linspace(0, 900, 16_000, dtype=np.float32))[None] * np.linspace(0.1, 1, 16_000)
    card = CardContent(
        cover=Cover(picture(), "0" * 64),
        attributes=MusicalAttributes("Queen", "rock", "D", 4, **FLAT, tempo=120.0, mode="major"),
        audio=Audio(tone.astype(np.float32), 16_000),
        seed=7,
        seconds=10.0,
        prompt="Warm, lively rock song with electric guitars.",
    )
    return replace(card, **changes)  # type: ignore[arg-type]


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGBA")).astype(int)


def changed(first: bytes, second: bytes, box: tuple[int, int, int, int]) -> float:
    """Share of the pixels in a box (in units, at scale 1) that differ."""
    left, top, right, bottom = box
    a, b = pixels(first)[top:bottom, left:right], pixels(second)[top:bottom, left:right]
    return float((np.abs(a - b).max(axis=2) > 8).mean())


RADAR, TOP_RIGHT, ALBUMS, PROMPT = (
    (214, 288, 386, 460),
    (246, 20, 600, 241),
    (0, 510, 600, 700),
    (0, 508, 600, 604),
)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_card_has_its_size_and_transparent_corners(scale: float) -> None:
    shown = pixels(render_card(content(), scale=scale))
    assert shown.shape[:2] == (604 * scale, 600 * scale)
    assert shown[0, 0, 3] == 0
    assert shown[shown.shape[0] // 2, 5, 3] == 255


@pytest.mark.parametrize("scale", [0.0, 0.4, 5.0, float("nan")])
def test_a_scale_out_of_range_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        render_card(content(), scale=scale)


def test_the_same_card_is_the_same_bytes() -> None:
    assert render_card(content(), scale=1) == render_card(content(), scale=1)


def test_each_part_shows_in_its_place() -> None:
    plain = render_card(content(), scale=1)
    louder = MusicalAttributes("Queen", "rock", "D", 4, **{**FLAT, "energy": 0.95}, tempo=120.0, mode="major")
    assert changed(plain, render_card(content(attributes=louder), scale=1), RADAR) > 0.01
    metal = replace(content().attributes, album_genre="metal", tempo=180.0)
    assert changed(plain, render_card(content(attributes=metal), scale=1), TOP_RIGHT) > 0.01
    assert changed(plain, render_card(content(family="neural"), scale=1), TOP_RIGHT) > 0.002
    assert changed(plain, render_card(content(seed=123_456), scale=1), TOP_RIGHT) > 0.0005
    assert changed(plain, render_card(content(audio=None), scale=1), TOP_RIGHT) > 0.02
    assert changed(plain, render_card(content(prompt="Other words entirely."), scale=1), PROMPT) > 0.005
    for other in (metal, louder):
        assert changed(plain, render_card(content(attributes=other), scale=1), PROMPT) == 0


def test_the_range_of_the_neighbours_is_shaded() -> None:
    narrow = content(neighbours=[neighbour(level=0.5)] * 2, rag=True)
    wide = content(neighbours=[neighbour(level=0.1), neighbour(level=0.9)], rag=True)
    shaded = changed(render_card(narrow, scale=1), render_card(wide, scale=1), RADAR)
    assert shaded > 0.3


def test_thumbnails_are_shown_and_a_broken_one_is_not_fatal() -> None:
    near = [neighbour(), neighbour()]
    buffer = io.BytesIO()
    picture(colour="#20d060").save(buffer, "JPEG")
    without = render_card(content(neighbours=near, thumbnails=[None, None]), scale=1)
    broken = render_card(content(neighbours=near, thumbnails=[b"\xff\xd8 nonsense"]), scale=1)
    shown = render_card(content(neighbours=near, thumbnails=[buffer.getvalue(), picture()]), scale=1)
    assert without == broken
    assert changed(without, shown, ALBUMS) > 0.04


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_column(text: str) -> None:
    calm = content(neighbours=[neighbour("Calm")] * 5, rag=True)
    stormy = content(neighbours=[neighbour(text or "", text or "")] * 5, rag=True)
    first, second = render_card(calm, scale=1), render_card(stormy, scale=1)
    assert changed(first, second, (0, 0, 600, 636)) == 0
    assert changed(first, second, (577, 0, 600, 798)) == 0
    for left in (24 + 112.4 * i for i in range(5)):  # neither does a title run into the next one
        assert changed(first, second, (round(left) - 9, 0, round(left) - 1, 798)) == 0
    assert pixels(render_card(content(prompt=text), scale=0.5)).shape == (302, 300, 4)


@pytest.mark.parametrize("size", [(640, 40), (40, 640), (1, 1), (640, 640)])
def test_covers_of_any_shape_are_shown_whole(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "#00c0ff")
    shown = pixels(render_card(content(cover=Cover(image, "0")), scale=1))[24:224, 24:224, :3]
    share = float((np.abs(shown - [0, 192, 255]).max(axis=2) < 24).mean())
    assert share == pytest.approx(min(size) / max(size), abs=0.03)


@pytest.mark.parametrize("count", [0, 1, 3, 5, 12])
def test_any_number_of_neighbours(count: int) -> None:
    card = content(neighbours=[neighbour(f"Album {i}") for i in range(count)], rag=count > 0)
    assert pixels(render_card(card, scale=0.5)).shape == (399 if count else 302, 300, 4)


def test_a_comparison_shows_both_takes() -> None:
    left = content(neighbours=[neighbour()] * 5, rag=True)
    right = content(attributes=replace(left.attributes, energy=0.1, album_genre="ambient"))
    both = render_comparison(left, right, scale=1)
    assert pixels(both).shape == (798, 600, 4)
    assert both == render_comparison(left, right, scale=1)
    assert changed(both, render_comparison(left, left, scale=1), (214, 380, 386, 552)) > 0.02
    assert changed(both, render_comparison(right, right, scale=1), (0, 600, 600, 640)) > 0.03


def words(svg: str) -> list[str]:
    """What an SVG says, in order."""
    return [html.unescape(each) for each in re.findall(r">([^<>]+)</text>", svg)]


def drawings(language: str) -> list[str]:
    """A card with albums and one without, and comparisons with both, one and no rows of albums."""
    album = Album("a", "Nevermind", "Nirvana", neighbour().attributes)
    with_rag = content(neighbours=[neighbour()] * 5, rag=True, language=language, prompt="", album=album)
    without = content(language=language, prompt="", attributes=replace(with_rag.attributes, energy=0.1))
    pairs = [(with_rag, without), (with_rag, with_rag), (without, without)]
    compared = [comparison_svg(left, right, 1.0) for left, right in pairs]
    return [
        card_svg(with_rag, 1.0),
        card_svg(without, 1.0),
        *compared,
        comparison_svg(*pairs[0], 1.0, ("A", "B")),
    ]


def test_every_word_of_a_picture_is_in_its_language() -> None:
    neutral = {"Title", "Rock", "A", "B"}
    for english, german in zip(drawings("en"), drawings("de"), strict=True):
        said, translated = words(english), words(german)
        assert len(said) == len(translated) > 20
        same = {word for word, other in zip(said, translated, strict=True) if word == other}
        assert same <= neutral
        assert not (set(said) - neutral) & set(translated)
    together = {word for drawing in drawings("de") for word in words(drawing)}
    assert {"ähnliche Alben", "nur Cover", "D-Dur · 4/4 · 120 BPM", "10,0 s", "Seed 7", "0,75"} <= together
    assert {"Das ist Nevermind von Nirvana", "Erinnert an Queen", "Ein Cover, zwei Fassungen"} <= together


@pytest.mark.parametrize("language", ["en", "de"])
def test_words_are_legible_on_a_phone(language: str) -> None:
    """11 px and more where a card is shown 360 px wide."""
    for drawing in drawings(language):
        sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', drawing)]
        assert min(sizes) * 360 / 600 >= 11


def test_labels_keep_apart_in_both_languages() -> None:
    for language in ("en", "de"):
        drawing = card_svg(
            content(neighbours=[neighbour()] * 5, rag=True, language=language, seed=2**31 - 1), 1.0
        )
        placed = re.findall(
            r'<text x="([\d.]+)" y="([\d.]+)" font-size="([\d.]+)" font-weight="(\d+)" fill="[^"]+" '
            r'text-anchor="(\w+)">([^<]+)<',
            drawing,
        )
        lines: dict[float, list[tuple[float, float]]] = {}
        for x, y, size, weight, anchor, text in placed:
            long = width(text, float(size), bold=weight == "600")
            left = float(x) - long * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
            assert left >= 20
            assert left + long <= 582
            lines.setdefault(float(y), []).append((left, left + long))
        for spans in map(sorted, lines.values()):
            assert all(one[1] < two[0] for one, two in itertools.pairwise(spans)), spans


@pytest.mark.parametrize("silent", [np.zeros((1, 8000)), np.full((2, 3), np.nan), np.zeros((1, 0))])
def test_a_clip_without_a_level_is_a_line(silent: np.ndarray) -> None:
    card = content(audio=Audio(silent.astype(np.float32), 16_000))
    assert render_card(card, scale=1) == render_card(content(audio=None), scale=1)


@pytest.mark.parametrize(
    "colour", ["#000000", "#ffffff", "#808080", "#ff0000", "#0000ff", "#ffff00", "#100020"]
)
def test_colours_are_readable_whatever_the_cover(colour: str) -> None:
    palette = palette_of(Image.new("RGB", (64, 64), colour))
    assert contrast(palette.accent, palette.background) >= ACCENT_CONTRAST
    assert contrast(palette.second, palette.background) >= ACCENT_CONTRAST
    assert contrast(palette.muted, palette.background) >= TEXT_CONTRAST
    assert contrast(palette.text, palette.panel) >= TEXT_CONTRAST
    assert palette.accent != palette.second


def test_text_is_cut_to_its_room() -> None:
    for text in ("Selected Ambient Works Volume II", "W" * 200, "i" * 600, "夜" * 90):
        cut = fit(text, 14, 150)
        assert cut.endswith("…")
        assert width(cut, 14) <= 150
    assert fit("Short", 14, 150) == "Short"
    lines = wrap("many small words " * 40, 14, 200, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(width(line, 14) <= 200 for line in lines)


def test_text_is_cleaned() -> None:
    assert clean("a\x00\n b\u202ec\ud800") == "a bc"
    assert clean("e" + "\u0301" * 9) == "e\u0301\u0301"
    assert clean("夜 مرحبا") == "夜 مرحبا"


def test_each_script_is_drawn_with_its_own_font() -> None:
    assert runs("Nevermind 🎸 – नमस्ते दुनिया, ok") == [
        ("Nevermind ", "Inter"),
        ("🎸", "Noto Color Emoji"),
        (" – ", "Inter"),
        ("नमस्ते दुनिया", "Noto Sans Devanagari"),
        (", ok", "Inter"),
    ]
    assert runs("夜に駆ける 한국어") == [("夜に駆ける 한국어", "Noto Sans CJK JP")]
    assert runs("👩\u200d🎤👍🏽") == [("👩\u200d🎤👍🏽", "Noto Color Emoji")]
    assert runs("") == []


def test_pieces_of_a_line_follow_one_another_whatever_its_anchor() -> None:
    for anchor in ("start", "middle", "end"):
        drawn = text_tag("One 🎸 two", 300, 10, 20, "#fff", anchor=anchor)
        places = [float(x) for x in re.findall(r'x="([\d.]+)"', drawn)]
        assert places == sorted(places)
        assert len(places) == 3
        assert set(re.findall(r'text-anchor="(\w+)"', drawn)) == {"start"}
