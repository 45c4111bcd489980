"""What the first bytes of a file say: its kind, its size in pixels, its number of scans.

Plain Python over bytes, with every read checked, so it may look at hostile bytes in any process. It is
the first gate and not the last: the child that decodes checks what its decoder found once more.
"""

from __future__ import annotations

import re
from typing import Literal

PictureKind = Literal["png", "jpeg", "webp", "gif"]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_SIZE = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_SOS, _JPEG_EOI = 0xDA, 0xD9
# Inside a scan FF 00 is a stuffed byte, FF D0–D7 a restart and FF FF padding; the rest are markers.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")

_OTHER_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"\x00\x00\x02\x00", "CUR"),
    (b"8BPS", "Photoshop"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"gimp xcf", "GIMP"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
)
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"BZh", b"\xfd7zXZ")
_SOUNDS = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"OggS", b"fLaC", b"\x1aE\xdf\xa3", b"MThd")
_STILL_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC"}


def picture_kind(data: bytes) -> PictureKind | None:
    """The kind of picture by content, whatever its name; None for what is not read here."""
    if data.startswith(_PNG):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return None


def other_kind(data: bytes) -> tuple[str, str | None]:
    """What a file is that is not read here: a code of `COVER_MESSAGES`, and the format's name or None."""
    for magic, name in _OTHER_PICTURES:
        if data.startswith(magic):
            return "other_format", name
    if data[4:8] == b"ftyp":
        name_of_still = _STILL_BRANDS.get(data[8:12])
        return ("other_format", name_of_still) if name_of_still else ("audio_or_video", None)
    if data.startswith(_ARCHIVES):
        return "archive", None
    if data.startswith(_SOUNDS) or (data[:4] == b"RIFF" and data[8:12] in (b"WAVE", b"AVI ")):
        return "audio_or_video", None
    if data.lstrip()[:5] == b"%PDF-":
        return "pdf", None
    # UTF-16 text holds a zero beside each ASCII letter; without them it reads like any other.
    text = data[:4096].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text:
        return "svg", None
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")) or (
        text.startswith((b"<?xml", b"<!--")) and b"<html" in text
    ):
        return "web_page", None
    return "not_a_picture", None


def pixel_size(data: bytes, kind: PictureKind) -> tuple[int, int] | None:
    """(width, height) as the header claims, or None where the header is cut short or garbled."""
    if kind == "png":
        if len(data) < 24 or data[12:16] != b"IHDR":
            return None
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if kind == "gif":
        if len(data) < 10:
            return None
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    return _webp_size(data) if kind == "webp" else _jpeg_layout(data)[0]


def scan_count(data: bytes) -> int:
    """How many scans (passes over the whole picture) the first picture of a JPEG holds."""
    return _jpeg_layout(data)[1]


def is_animated(data: bytes) -> bool:
    """Whether a GIF, PNG or WebP holds more than one frame, as far as its headers tell."""
    kind = picture_kind(data)
    if kind == "png":  # an animation's control chunk stands before the image data
        return 0 <= data.find(b"acTL") < data.find(b"IDAT")
    if kind == "webp":
        return data[12:16] == b"VP8X" and len(data) > 20 and bool(data[20] & 0b10)
    return kind == "gif" and _gif_frames(data, 2) > 1


def _gif_frames(data: bytes, most: int) -> int:
    """How many images a GIF holds, counted up to `most` (GIF89a specification, sections 18 to 26)."""
    if len(data) < 13:
        return 0
    position, frames = 13 + _colour_table(data[10]), 0
    while position < len(data) and frames < most:
        if data[position] == 0x21:  # an extension: its label, then sub-blocks
            position += 2
        elif data[position] == 0x2C:  # an image: its descriptor, a colour table, the code size, sub-blocks
            frames += 1
            if position + 9 >= len(data):
                break
            position += 11 + _colour_table(data[position + 9])
        else:
            break
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return frames


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _webp_size(data: bytes) -> tuple[int, int] | None:
    # https://developers.google.com/speed/webp/docs/riff_container
    if len(data) < 30:
        return None
    chunk = data[12:16]
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = int.from_bytes(data[26:28], "little"), int.from_bytes(data[28:30], "little")
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg_layout(data: bytes) -> tuple[tuple[int, int] | None, int]:
    """Walk the segments (ITU-T T.81, annex B) up to the end of the first picture: its size, its scans.

    Thumbnails lie inside APP segments and further pictures (MPO) after the end: neither is counted.
    """
    size: tuple[int, int] | None = None
    scans, position = 0, 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            # Decoders skip garbage between segments, so a marker behind it counts all the same.
            found = _JPEG_MARKER.search(data, position)
            if found is None:
                break
            position = found.start()
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == _JPEG_EOI:
            break
        if marker in _JPEG_NO_LENGTH or marker == 0:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _JPEG_SIZE and size is None and position + 9 <= len(data):
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            size = int.from_bytes(data[position + 7 : position + 9], "big"), height
        position += 2 + max(2, length)
        if marker == _JPEG_SOS:
            scans += 1
            found = _JPEG_MARKER.search(data, position)
            if found is None:
                break
            position = found.start()
    return size, scans
