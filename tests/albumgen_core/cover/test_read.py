"""Whatever bytes a member sends: an upright RGB cover comes out, or one kind sentence."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import random
import re
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageColor, ImageDraw

from albumgen_core.cover import sandbox
from albumgen_core.cover.errors import refusal
from albumgen_core.cover.header import other_kind, picture_kind, pixel_size, scan_count
from albumgen_core.cover.read import (
    COVER_MESSAGES,
    MAX_COVER_BYTES,
    Cover,
    CoverLimits,
    load_checked_cover,
    read_cover,
    read_cover_async,
)
from albumgen_core.cover.sandbox import DecodingChild
from albumgen_core.errors import CoverError
from tests.albumgen_core.hostile_pictures import (
    chunk,
    claiming,
    corners,
    encoded,
    png,
    scan_bomb,
    zip_archive,
)
from tests.waiting import eventually, eventually_blocking, no_longer

RED, LIME, BLUE, YELLOW, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255)
SMALL = {kind: encoded(corners(), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF")}
NOISE = Image.effect_noise((200, 160), 90).convert("RGB")


def seen(cover: Cover) -> list[tuple[int, int, int]]:
    """The colours in the middle of the four quarters: top left, top right, bottom left, bottom right."""
    width, height = cover.image.size
    points = [(x * width // 4, y * height // 4) for y in (1, 3) for x in (1, 3)]
    return [cover.image.getpixel(point) for point in points]  # type: ignore[misc]


def alike(
    colours: list[tuple[int, int, int]], wanted: list[tuple[int, int, int]], *, within: int = 12
) -> bool:
    pairs = zip(colours, wanted, strict=True)
    return all(abs(a - b) <= within for one, two in pairs for a, b in zip(one, two, strict=True))


def refused(data: bytes, limits: CoverLimits | None = None) -> CoverError:
    with pytest.raises(CoverError) as caught:
        read_cover(data, limits if limits is not None else CoverLimits())
    assert_kind_sentence(caught.value)
    return caught.value


def assert_kind_sentence(error: CoverError) -> None:
    sentence = str(error)
    assert re.fullmatch(r"[A-Z][^\n{}]*[;:,] please [^\n{}]*\.", sentence) or sentence.startswith(
        "This is"
    ), sentence
    assert "please" in sentence
    assert sentence.count(". ") == 0
    assert len(sentence) < 200
    assert COVER_MESSAGES[error.code].format(**error.params) == sentence


# What is accepted


@pytest.mark.parametrize("kind", SMALL)
def test_the_four_formats_are_read(kind: str) -> None:
    cover = read_cover(SMALL[kind])
    assert cover.image.mode == "RGB"
    assert cover.image.size == (96, 64)
    assert alike(seen(cover), [RED, BLUE, LIME, YELLOW], within=20)
    assert cover.sha256 == hashlib.sha256(SMALL[kind]).hexdigest()


@pytest.mark.parametrize(
    ("size", "result"),
    [
        ((1, 1), (1, 1)),
        ((1, 20000), (1, 640)),
        ((20000, 1), (640, 1)),
        ((639, 641), (638, 640)),
        ((640, 640), (640, 640)),
        ((1500, 1500), (640, 640)),
        ((2000, 1000), (640, 320)),
    ],
)
def test_size_is_bounded_aspect_kept_and_nothing_enlarged(
    size: tuple[int, int], result: tuple[int, int]
) -> None:
    cover = read_cover(encoded(Image.new("RGB", size, "teal"), "PNG"))
    assert cover.image.size == result
    assert cover.image.getpixel((0, 0)) == (0, 128, 128)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = corners().transpose(undo[orientation]) if orientation in undo else corners()
    exif = Image.Exif()
    exif[0x0112] = orientation
    cover = read_cover(encoded(stored, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {})))
    assert cover.image.size == (96, 64)
    assert alike(seen(cover), [RED, BLUE, LIME, YELLOW], within=20)


def test_a_broken_exif_block_does_not_cost_the_picture() -> None:
    for exif in (
        b"Exif\0\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(40),
    ):
        assert read_cover(encoded(corners(), "JPEG", exif=exif)).image.size == (96, 64)


def test_sixteen_bit_grey_keeps_its_shades() -> None:
    rows = b"".join(b"\0" + b"".join(struct.pack(">H", x * 256) for x in range(256)) for _ in range(4))
    cover = read_cover(png(256, 4, depth=16, colour=0, rows=rows))
    shades = [cover.image.getpixel((x, 1)) for x in (0, 64, 128, 255)]
    assert alike(shades, [(v, v, v) for v in (0, 64, 128, 255)], within=1)  # type: ignore[arg-type]


def test_sixteen_bit_colour_and_alpha() -> None:
    rgb = b"\0" + struct.pack(">6H", 65535, 0, 0, 0, 0, 65535)
    assert read_cover(png(2, 1, depth=16, colour=2, rows=rgb)).image.tobytes() == bytes((*RED, *BLUE))
    rgba = b"\0" + struct.pack(">8H", 65535, 0, 0, 65535, 0, 0, 65535, 0)
    assert read_cover(png(2, 1, depth=16, colour=6, rows=rgba)).image.tobytes() == bytes((*RED, *WHITE))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_every_png_mode_becomes_rgb(mode: str) -> None:
    cover = read_cover(encoded(corners().convert("L").convert(mode), "PNG"))
    assert cover.image.mode == "RGB"
    assert cover.image.size == (96, 64)


def test_transparency_is_laid_on_white_whatever_colour_hides_in_it() -> None:
    image = corners().convert("RGBA")
    # Fully transparent black on the left half, half-transparent on the top right.
    ImageDraw.Draw(image).rectangle((0, 0, 47, 63), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((48, 0, 95, 31), (0, 0, 255, 128))
    for kind in ("PNG", "WEBP"):
        data = encoded(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
        assert alike(seen(read_cover(data)), [WHITE, (127, 127, 255), WHITE, YELLOW])


BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@pytest.mark.parametrize(
    ("logo", "behind"),
    [
        ("white", (0, 0, 0)),
        ((255, 230, 120), (0, 0, 0)),
        ("black", (255, 255, 255)),
        ("navy", (255, 255, 255)),
    ],
)
def test_a_logo_without_a_background_can_be_seen(logo: Any, behind: tuple[int, int, int]) -> None:
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((50, 50, 150, 150), fill=logo)
    cover = read_cover(encoded(picture, "PNG")).image
    assert cover.getpixel((2, 2)) == behind
    shown = cover.getpixel((100, 100))
    assert shown == ImageColor.getrgb(logo) if isinstance(logo, str) else shown == logo
    low, high = cover.convert("L").getextrema()
    assert high - low > 100


@pytest.mark.parametrize("shade", [255, 150, 0])
def test_transparent_edges_stay_clean_when_scaled(shade: int) -> None:
    pictures = []
    for hidden in (0, 255):
        image = Image.new("RGBA", (2000, 2000), (hidden, hidden, hidden, 0))
        ImageDraw.Draw(image).rectangle((0, 0, 999, 1999), (shade, shade, shade, 255))
        pictures.append(read_cover(encoded(image, "PNG")).image.convert("L"))
    assert pictures[0].tobytes() == pictures[1].tobytes(), "a hidden colour bled into the edge"
    if shade == 150:
        assert not sum(pictures[0].histogram()[:149]), "nothing is darker than the picture and its backdrop"


def test_palettes_with_transparency() -> None:
    palette = corners().quantize(4)
    hidden = palette.getpixel((0, 0))
    for kind in ("PNG", "GIF"):
        cover = read_cover(encoded(palette, kind, transparency=hidden))
        assert alike(seen(cover), [WHITE, BLUE, LIME, YELLOW])


def test_a_transparent_colour_without_an_alpha_channel() -> None:
    data = png(2, 1, rows=bytes((0, *RED, *BLUE)), before=chunk(b"tRNS", struct.pack(">3H", 255, 0, 0)))
    assert read_cover(data).image.tobytes() == bytes((*WHITE, *BLUE))
    deep = png(2, 1, depth=16, colour=0, rows=b"\0\xff\xff\0\0", before=chunk(b"tRNS", b"\xff\xff"))
    assert read_cover(deep).image.size == (2, 1)


def test_cmyk_jpegs_are_not_inverted() -> None:
    # Pillow writes CMYK the way Adobe does: inverted, with an Adobe segment.
    data = encoded(corners().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    assert alike(seen(read_cover(data)), [RED, BLUE, LIME, YELLOW], within=20)


def test_colours_follow_an_icc_profile() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = _with_swapped_primaries(lab)
    cover = read_cover(encoded(corners(), "PNG", icc_profile=swapped))
    assert alike(seen(cover), [BLUE, RED, LIME, (0, 255, 255)], within=30)
    assert alike(seen(read_cover(encoded(corners(), "PNG", icc_profile=lab))), [RED, BLUE, LIME, YELLOW])


def _with_swapped_primaries(profile: bytes) -> bytes:
    """An RGB profile whose red and blue primaries changed places: names in the tag table, swapped."""
    table = bytearray(profile)
    for entry in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        name = profile[entry : entry + 4]
        table[entry : entry + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(table)


@pytest.mark.parametrize("profile", [b"nonsense" * 20, bytes(3 * 2**20)])
def test_a_broken_or_huge_profile_does_not_cost_the_picture(profile: bytes) -> None:
    assert alike(
        seen(read_cover(encoded(corners(), "WEBP", icc_profile=profile, lossless=True))),
        [RED, BLUE, LIME, YELLOW],
    )


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (96, 64), colour) for colour in ("yellow", "black", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    cover = read_cover(encoded(corners(), kind, save_all=True, append_images=frames, **options))
    assert alike(seen(cover), [RED, BLUE, LIME, YELLOW])


def test_of_a_multi_picture_jpeg_the_first_picture_counts() -> None:
    data = encoded(corners(), "MPO", save_all=True, append_images=[Image.new("RGB", (300, 300), "black")])
    assert picture_kind(data) == "jpeg"
    assert alike(seen(read_cover(data)), [RED, BLUE, LIME, YELLOW], within=20)


def test_a_gif_frame_beyond_its_screen_is_checked_as_decoded() -> None:
    # The screen claims 8 × 8; the frame itself is larger than what is allowed.
    data = claiming(encoded(Image.new("P", (500, 500)), "GIF"), 8, 8)
    assert refused(data, CoverLimits(max_pixels=100_000)).code == "too_much_memory"


@pytest.mark.parametrize(
    "tail", [b"<script>alert(1)</script>", zip_archive(), b"%PDF-1.7 trailer", SMALL["GIF"], bytes(5000)]
)
def test_polyglots_are_read_as_the_picture_they_begin_with_and_lose_the_rest(tail: bytes) -> None:
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        cover = read_cover(SMALL[kind] + tail)
        assert alike(seen(cover), [RED, BLUE, LIME, YELLOW], within=20)
        assert tail[:20] not in cover.to_png() + cover.to_jpeg() or tail == bytes(5000)


def test_metadata_of_the_original_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    cover = read_cover(encoded(corners(), "JPEG", exif=exif, comment=b"a secret note"))
    for data in (cover.to_png(), cover.to_jpeg()):
        assert b"secret" not in data
    assert not cover.image.info


# What is refused


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"\0", "not_a_picture"),
        (b"hello, bot", "not_a_picture"),
        (random.Random(1).randbytes(5000), "not_a_picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "svg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x -->\n<svg onload='alert(1)'/>", "svg"),
        ('<?xml version="1.0"?><svg/>'.encode("utf-16"), "svg"),
        (b"<!DOCTYPE html><title>404</title>", "web_page"),
        (b"\n\n<html><img src=cover.png></html>", "web_page"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "pdf"),
        (zip_archive(), "archive"),
        (b"\x1f\x8b\x08" + bytes(20), "archive"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(30), "audio_or_video"),
        (b"ID3\x03" + bytes(30), "audio_or_video"),
        (b"\0\0\0\x18ftypmp42" + bytes(30), "audio_or_video"),
        (encoded(corners(), "TIFF"), "other_format"),
        (encoded(corners(), "BMP"), "other_format"),
        (encoded(corners(), "ICO"), "other_format"),
        (encoded(corners(), "AVIF"), "other_format"),
        (encoded(corners(), "JPEG2000"), "other_format"),
        (b"\0\0\0\x18ftypheic" + bytes(30), "other_format"),
        (b"8BPS\0\1" + bytes(30), "other_format"),
        (b"\xff\x0a" + bytes(30), "other_format"),
        (SMALL["PNG"][1:], "not_a_picture"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"GIF89a", "damaged"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "damaged"),
        (png(0, 0, rows=b""), "damaged"),
        (png(10, 10, wrong_sum=b"IHDR"), "damaged"),
        (png(10, 10, rows=b"\x09" * 310), "damaged"),
        (png(10, 10, depth=3), "damaged"),
        (encoded(Image.new("RGBA", (50, 50), (9, 9, 9, 0)), "PNG"), "transparent"),
    ],
)
def test_what_is_no_readable_picture_is_refused_by_kind(data: bytes, code: str) -> None:
    error = refused(data)
    assert error.code in ({code, "damaged", "truncated"} if code in ("damaged", "truncated") else {code})


def test_formats_that_are_not_read_are_named() -> None:
    assert refused(encoded(corners(), "TIFF")).params == {"format": "TIFF"}
    assert "AVIF" in str(refused(encoded(corners(), "AVIF")))


def test_too_many_bytes() -> None:
    error = refused(SMALL["PNG"] + bytes(MAX_COVER_BYTES))
    assert (error.code, error.params) == ("too_large_bytes", {"megabytes": "10.0", "limit": "10"})
    just_enough = SMALL["PNG"] + bytes(MAX_COVER_BYTES - len(SMALL["PNG"]))
    assert read_cover(just_enough).image.size == (96, 64)


def test_huge_dimensions_are_refused_before_any_process_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    extended = encoded(corners().convert("RGBA"), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    assert extended[12:16] == b"VP8X"
    lossless = bytearray(encoded(corners(), "WEBP", lossless=True))
    lossless[21:25] = (0x3FFF | 0x3FFF << 14).to_bytes(4, "little")
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    for data in (
        claiming(SMALL["PNG"], 2**31 - 1, 2**31 - 1),
        claiming(SMALL["PNG"], 40_000_001, 1),
        claiming(SMALL["JPEG"], 65535, 65535),
        claiming(encoded(corners(), "JPEG", progressive=True), 65535, 65535),
        claiming(SMALL["GIF"], 65535, 65535),
        claiming(extended, 2**24, 2**24),
        bytes(lossless),
    ):
        assert refused(data).code == "too_many_pixels"


def test_a_pixel_bomb_within_the_header_limit_costs_no_more_than_allowed() -> None:
    # 39 million pixels out of 40 kB: allowed, and read within the limits.
    data = png(6300, 6200, depth=8, colour=0)
    assert len(data) < 60_000
    assert read_cover(data).image.size == (640, 630)


def test_compressed_text_bombs_are_refused() -> None:
    bomb = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(80 * 2**20), 9))
    assert len(bomb) < 100_000
    assert refused(png(10, 10, before=bomb)).code == "damaged"
    many = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(2**20 - 1), 9)) * 80
    assert refused(png(10, 10, before=many)).code == "damaged"


def test_a_scan_bomb_is_refused_by_its_passes() -> None:
    data = scan_bomb(3000, 3000, 3000)
    error = refused(data)
    assert (error.code, error.params) == ("too_many_scans", {"scans": 3000, "limit": 64})


def test_ordinary_progressive_jpegs_pass() -> None:
    data = encoded(NOISE, "JPEG", progressive=True)
    assert 3 <= scan_count(data) <= 20
    assert read_cover(data).image.size == (200, 160)


def test_what_takes_too_much_processor_time_is_stopped() -> None:
    # Within the number of passes that a generous operator allows, yet seconds of work.
    data = scan_bomb(6000, 6000, 400)
    error = refused(data, CoverLimits(max_scans=10**6, cpu_seconds=1))
    assert error.code == "too_slow"


def test_what_takes_too_long_by_the_clock_is_stopped() -> None:
    started = time.monotonic()
    error = refused(scan_bomb(6000, 6000, 1000), CoverLimits(max_scans=10**6, wall_seconds=0.3))
    assert error.code == "too_slow"
    assert time.monotonic() - started < 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_AS")
def test_what_takes_too_much_memory_is_stopped() -> None:
    data = png(6000, 6000, colour=6)
    assert refused(data, CoverLimits(memory_bytes=150 * 2**20)).code == "too_much_memory"


def test_a_wrong_checksum_over_pixels_gives_a_cover_or_a_sentence() -> None:
    try:
        assert read_cover(png(10, 10, wrong_sum=b"IDAT")).image.size == (10, 10)
    except CoverError as error:
        assert_kind_sentence(error)


def _outcome(data: bytes) -> str:
    try:
        return "x".join(map(str, read_cover(data).image.size))
    except CoverError as error:
        assert_kind_sentence(error)
        return error.code


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_files_cut_short_anywhere_never_end_in_anything_but_a_sentence(kind: str) -> None:
    whole = encoded(NOISE, kind)
    cuts = sorted(
        {1, 5, 11, 20, 30, 60, *(len(whole) * part // 10 for part in range(1, 10)), len(whole) - 40}
    )
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(_outcome, (whole[:cut] for cut in cuts)))
    assert outcomes[0] == "not_a_picture"
    assert set(outcomes) <= {"not_a_picture", "truncated", "damaged"}, outcomes


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_flipped_bytes_never_end_in_anything_but_a_sentence(kind: str) -> None:
    dice = random.Random(kind)
    damaged = []
    for _ in range(10):
        data = bytearray(encoded(NOISE, kind))
        for _ in range(6):
            data[dice.randrange(8, min(len(data), dice.choice((60, 800, len(data)))))] = dice.randrange(256)
        damaged.append(bytes(data))
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(_outcome, damaged))
    assert "unavailable" not in outcomes


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", *(data[:40] for data in SMALL.values()), scan_bomb(64, 64, 3)]),
    st.binary(max_size=300),
)
def test_headers_of_any_bytes_are_read_without_an_exception(start: bytes, rest: bytes) -> None:
    data = start + rest
    kind = picture_kind(data)
    code, name = other_kind(data)
    assert COVER_MESSAGES[code].count("{format}") == (1 if name else 0)
    assert scan_count(data) >= 0
    if kind is not None:
        size = pixel_size(data, kind)
        assert size is None or min(size) >= 0


# The child


def _child(**changes: float) -> DecodingChild:
    values = {
        "max_pixels": 10**8,
        "max_side": 640,
        "memory_bytes": 2**30,
        "cpu_seconds": 20,
        "wall_seconds": 20.0,
    }
    return DecodingChild("jpeg", **{**values, **changes})  # type: ignore[arg-type]


def test_a_child_killed_while_it_decodes_is_one_sentence_and_leaves_no_process() -> None:
    child = _child()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(child.run, scan_bomb(6000, 6000, 3000))
        psutil.Process(eventually_blocking(lambda: child.pid)).kill()
        with pytest.raises(CoverError) as caught:
            work.result(timeout=10)
    assert caught.value.code == "crashed"
    assert not psutil.pid_exists(child.pid)


def test_without_a_process_to_be_had_the_member_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert refused(SMALL["PNG"]).code == "unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "ok 5 5\\n",
        "ok 9999 9999\\n" + "x" * 300,
        "ok -1 -75\\n" + "x" * 75,
        "no nonsense 0 0",
        "ok 0 0\\n",
        "no too_many_scans 1 1",
        "\\xff\\xfe",
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(
    answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "child.py"
    script.write_text(f"import sys; sys.stdin.buffer.read(); sys.stdout.write('{answer}')")
    monkeypatch.setattr(sandbox, "_SCRIPT", script)
    assert refused(SMALL["PNG"]).code in ("crashed", "damaged")


def test_a_child_that_never_stops_talking_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "child.py"
    script.write_text("import sys\nwhile True: sys.stdout.write('x' * 65536)")
    monkeypatch.setattr(sandbox, "_SCRIPT", script)
    assert refused(SMALL["PNG"]).code == "crashed"


def test_the_child_sees_no_environment_and_imports_little(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALBUMGEN_TOKEN", "a secret")
    source = Path(sandbox.__file__).with_name("_sandbox_child.py").read_text()
    spy = tmp_path / "child.py"
    # The very child, that tells what it has at its end.
    spy.write_text(
        source.replace(
            "    os._exit(0)",
            "    os.write(answer.fileno(), repr([*os.environ, *sys.modules]).encode())\n    os._exit(0)",
        ).replace("answer.write(reply)", "answer.write(b'')")
    )
    monkeypatch.setattr(sandbox, "_SCRIPT", spy)
    heard: list[bytes] = []

    def listen(_self: DecodingChild, reply: bytes, _status: int) -> Image.Image:
        heard.append(reply)
        return corners()

    monkeypatch.setattr(DecodingChild, "_understood", listen)
    read_cover(SMALL["JPEG"])
    told = heard[0].decode()
    assert "PIL.JpegImagePlugin" in told
    assert "TOKEN" not in told
    for module in ("numpy", "torch", "albumgen_core", "PIL.TiffImagePlugin", "asyncio"):
        assert f"'{module}'" not in told


# Off the event loop


async def test_the_loop_goes_on_while_a_picture_is_read() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    clock = asyncio.create_task(tick())
    with pytest.raises(CoverError):
        await read_cover_async(scan_bomb(6000, 6000, 2000), CoverLimits(max_scans=10**6, wall_seconds=0.5))
    cover = await read_cover_async(SMALL["PNG"])
    clock.cancel()
    assert cover.sha256 == hashlib.sha256(SMALL["PNG"]).hexdigest()
    assert ticks > 20


async def test_cancelling_ends_the_child() -> None:
    before = {process.pid for process in psutil.Process().children()}
    work = asyncio.create_task(read_cover_async(scan_bomb(6000, 6000, 3000), CoverLimits(max_scans=10**6)))
    started = await eventually(lambda: {process.pid for process in psutil.Process().children()} - before)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await no_longer(lambda: any(psutil.pid_exists(pid) for pid in started), 4)


async def test_many_covers_at_once() -> None:
    covers = await asyncio.gather(*(read_cover_async(data) for data in [*SMALL.values()] * 3))
    assert [cover.image.size for cover in covers] == [(96, 64)] * 12


# Kept covers


def test_a_stored_cover_comes_back_equal(tmp_path: Path) -> None:
    cover = read_cover(encoded(NOISE, "JPEG"))
    path = tmp_path / "cover"
    path.write_bytes(cover.to_png())
    again = load_checked_cover(path)
    assert again.image.tobytes() == cover.image.tobytes()
    assert again.sha256 == cover.sha256
    path.write_bytes(cover.to_jpeg())
    assert load_checked_cover(path).image.size == cover.image.size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        SMALL["GIF"],
        SMALL["PNG"][:-60],
        encoded(Image.new("RGB", (641, 10)), "PNG"),
        encoded(Image.new("L", (10, 10)), "PNG"),
        encoded(Image.new("RGBA", (10, 10)), "PNG"),
        claiming(SMALL["PNG"], 40000, 40000),
        SMALL["PNG"] + bytes(5 * 2**20),
    ],
)
def test_a_stored_file_that_is_no_checked_cover_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cover"
    path.write_bytes(data)
    with pytest.raises(CoverError) as caught:
        load_checked_cover(path)
    assert caught.value.code == "stored_damaged"
    assert_kind_sentence(caught.value)


def test_a_stored_cover_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CoverError) as caught:
        load_checked_cover(tmp_path / "gone")
    assert caught.value.code == "gone"


# Errors


def test_errors_survive_a_pipe_and_need_only_a_message() -> None:
    error = pickle.loads(pickle.dumps(refusal("too_many_scans", scans=99, limit=64)))
    assert (error.code, error.params) == ("too_many_scans", {"scans": 99, "limit": 64})
    assert CoverError("the file is empty").code == "unreadable"


def test_reading_covers_needs_neither_numpy_nor_torch() -> None:
    code = (
        "import sys, albumgen_core.cover; print([m for m in ('numpy', 'torch', 'scipy') if m in sys.modules])"
    )
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == "[]"


def test_jpeg_layout_ignores_thumbnails_and_following_pictures() -> None:
    exif = b"Exif\0\0" + encoded(Image.new("RGB", (8, 8)), "JPEG")
    data = encoded(corners(), "JPEG", exif=exif) + scan_bomb(4000, 4000, 90)
    assert pixel_size(data, "jpeg") == (96, 64)
    assert scan_count(data) == 1
