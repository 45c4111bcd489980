"""Pictures that no friendly program would write, made byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image, ImageDraw

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def corners(width: int = 96, height: int = 64) -> Image.Image:
    """Four quarters: red, green below it; blue, yellow below it. Any turn of it shows."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    middle, waist = width // 2, height // 2
    draw.rectangle((0, 0, middle - 1, waist - 1), "red")
    draw.rectangle((middle, 0, width, waist - 1), "blue")
    draw.rectangle((0, waist, middle - 1, height), "lime")
    draw.rectangle((middle, waist, width, height), "yellow")
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes, *, wrong_sum: bool = False) -> bytes:
    checksum = zlib.crc32(name + body) ^ (0xFFFF if wrong_sum else 0)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    rows: bytes | None = None,
    before: bytes = b"",
    wrong_sum: bytes = b"",
) -> bytes:
    """A PNG by hand. `rows`: filtered scan lines, zeros if None; `before`: chunks put before the data;
    `wrong_sum`: name of a chunk whose checksum is to be wrong."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    line = 1 + (width * channels * depth + 7) // 8
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    if rows is None:
        packer = zlib.compressobj(9)
        body = b"".join(packer.compress(bytes(line)) for _ in range(height)) + packer.flush()
    else:
        body = zlib.compress(rows)
    return (
        PNG_SIGNATURE
        + chunk(b"IHDR", header, wrong_sum=wrong_sum == b"IHDR")
        + before
        + chunk(b"IDAT", body, wrong_sum=wrong_sum == b"IDAT")
        + chunk(b"IEND", b"")
    )


def claiming(data: bytes, width: int, height: int) -> bytes:
    """A small PNG, GIF, JPEG or VP8X picture whose header claims another size."""
    raw = bytearray(data)
    if data.startswith(PNG_SIGNATURE):
        raw[16:24] = struct.pack(">II", width, height)
        raw[29:33] = struct.pack(">I", zlib.crc32(bytes(raw[12:29])))
    elif data.startswith(b"GIF8"):
        raw[6:10] = struct.pack("<HH", width, height)
    elif data.startswith(b"RIFF"):
        assert raw[12:16] == b"VP8X"
        raw[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    else:
        start = next(at for at in range(len(raw)) if raw[at] == 0xFF and raw[at + 1] in (0xC0, 0xC2))
        raw[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(raw)


def scan_bomb(width: int, height: int, scans: int) -> bytes:
    """A grey progressive JPEG that repeats one pass over the picture, a few dozen bytes each time.

    Each pass refines all 63 AC coefficients of blocks that are zero, in end-of-band runs of 32767 blocks, so
    the file stays small while the decoder visits every block in every pass (cf. "Two Issues with the JPEG
    Standard", libjpeg-turbo project, 2015).
    """
    blocks = ((width + 7) // 8) * ((height + 7) // 8)

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body

    def code(bits: str) -> bytes:
        bits += "1" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")

    def runs() -> str:
        # Table: symbol E0 (run of 2^14 + 14 bits) is "0", symbol 00 (run of one) is "10".
        left, bits = blocks, ""
        while left >= 2**14:
            run = min(left, 2**15 - 1)
            bits += "0" + format(run - 2**14, "014b")
            left -= run
        return bits + "10" * left

    table = segment(0xC4, bytes((0x10, 1, 1, *([0] * 14), 0xE0, 0x00)))
    flat = segment(0xC4, bytes((0x00, 1, *([0] * 15), 0x00)))
    quanta = segment(0xDB, bytes((0, *([1] * 64))))
    frame = segment(0xC2, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
    first = segment(0xDA, bytes((1, 1, 0x00, 0, 0, 0x01))) + code("0" * blocks)
    opening = segment(0xDA, bytes((1, 1, 0x00, 1, 63, 0x0D))) + code(runs())
    refining = [
        segment(0xDA, bytes((1, 1, 0x00, 1, 63, (low + 1) << 4 | low))) + code(runs())
        for low in range(12, -1, -1)
    ]
    body = b"".join(refining[min(number, 12)] for number in range(max(0, scans - 2)))
    return b"\xff\xd8" + quanta + flat + table + frame + first + opening + body + b"\xff\xd9"


def zip_archive() -> bytes:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cover.png", encoded(corners(), "PNG"))
    return buffer.getvalue()
