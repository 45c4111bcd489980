"""Cards: what they show changes their pixels, nothing else does, and no text breaks them."""

from __future__ import annotations

import io
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
from albumgen_core.card.palette import ACCENT_CONTRAST, TEXT_CONTRAST, contrast, palette_of
from albumgen_core.card.text_layout import clean, fit, width, wrap
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


RADAR, TOP_RIGHT, COLUMN, PROMPT = (
    (98, 308, 278, 488),
    (264, 20, 600, 245),
    (362, 270, 600, 545),
    (0, 552, 600, 636),
)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_card_has_its_size_and_transparent_corners(scale: float) -> None:
    shown = pixels(render_card(content(), scale=scale))
    assert shown.shape[:2] == (636 * scale, 600 * scale)
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
    assert changed(without, shown, COLUMN) > 0.04


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_column(text: str) -> None:
    calm = content(neighbours=[neighbour("Calm")] * 5, rag=True)
    stormy = content(neighbours=[neighbour(text or "", text or "")] * 5, rag=True)
    first, second = render_card(calm, scale=1), render_card(stormy, scale=1)
    assert changed(first, second, (0, 0, 400, 636)) == 0
    assert changed(first, second, (576, 0, 600, 636)) == 0
    assert pixels(render_card(content(prompt=text), scale=0.5)).shape == (318, 300, 4)


@pytest.mark.parametrize("size", [(640, 40), (40, 640), (1, 1), (640, 640)])
def test_covers_of_any_shape_are_shown_whole(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "#00c0ff")
    shown = pixels(render_card(content(cover=Cover(image, "0")), scale=1))[26:240, 26:240, :3]
    share = float((np.abs(shown - [0, 192, 255]).max(axis=2) < 24).mean())
    assert share == pytest.approx(min(size) / max(size), abs=0.03)


@pytest.mark.parametrize("count", [0, 1, 3, 5, 12])
def test_any_number_of_neighbours(count: int) -> None:
    card = content(neighbours=[neighbour(f"Album {i}") for i in range(count)], rag=count > 0)
    assert pixels(render_card(card, scale=0.5)).shape == (318, 300, 4)


def test_a_comparison_shows_both_takes() -> None:
    left = content(neighbours=[neighbour()] * 5, rag=True)
    right = content(attributes=replace(left.attributes, energy=0.1, album_genre="ambient"))
    both = render_comparison(left, right, scale=1)
    assert pixels(both).shape == (758, 600, 4)
    assert both == render_comparison(left, right, scale=1)
    assert changed(both, render_comparison(left, left, scale=1), (204, 380, 396, 576)) > 0.02
    assert changed(both, render_comparison(right, right, scale=1), (0, 610, 600, 758)) > 0.03


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
