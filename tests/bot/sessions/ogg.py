"""Opus packets as an Ogg file again (RFC 3533, RFC 7845), so that libsndfile decodes what was heard."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
import soundfile
from numpy.typing import NDArray

_HEAD = struct.pack("<8sBBHIhB", b"OpusHead", 1, 2, 0, 48_000, 0, 0)
_TAGS = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)
_POLYNOMIAL = 0x04C11DB7


def _entry(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


_TABLE = [_entry(byte) for byte in range(256)]


def _checksum(data: bytes) -> int:
    value = 0
    for byte in data:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value


def _page(packet: bytes, number: int, position: int, flags: int) -> bytes:
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = struct.pack("<4sBBQIIIB", b"OggS", 0, flags, position, 1, number, 0, len(lacing))
    page = bytearray(head + lacing + packet)
    page[22:26] = struct.pack("<I", _checksum(bytes(page)))
    return bytes(page)


def decoded(packets: Sequence[bytes]) -> NDArray[np.float64]:
    """The sound of packets of 20 ms, (samples, 2) at 48 kHz, as one decoder hears them in a row."""
    pages = [_page(_HEAD, 0, 0, 2), _page(_TAGS, 1, 0, 0)]
    last = len(packets) - 1
    pages += [_page(p, i + 2, 960 * (i + 1), 4 if i == last else 0) for i, p in enumerate(packets)]
    sound, rate = soundfile.read(io.BytesIO(b"".join(pages)), always_2d=True)
    assert rate == 48_000
    return np.asarray(sound, np.float64)
