"""SoundFonts that the tests make, and single notes played with one."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from albumgen_core.engines.sketch.midi import DRUM_CHANNEL, Track
from albumgen_core.engines.sketch.sampler import play

_HEADER = struct.Struct("<20sIIIIIBbHH")


def played(path: Path, program: int, key: int, velocity: int, drums: bool = False) -> NDArray[np.float32]:
    """One note of 0.9 s in a clip of a second: float32 (channels, 48000)."""
    channel = DRUM_CHANNEL if drums else 0
    return play(path, [Track("note", channel, program, [(0.0, 0.9, key, velocity)])], 60.0, 1.0)[0]


def compressed(data: bytes) -> bytes:
    """An .sf2 file of this engine's making with its samples as Ogg Vorbis, as .sf3 files have them."""
    pool_at = data.index(b"smpl")
    size = struct.unpack_from("<I", data, pool_at + 4)[0]
    pool = data[pool_at + 8 : pool_at + 8 + size]
    headers_at = data.index(b"shdr")
    count = struct.unpack_from("<I", data, headers_at + 4)[0] // _HEADER.size
    packed, headers = b"", []
    for number in range(count):
        record = list(_HEADER.unpack_from(data, headers_at + 8 + number * _HEADER.size))
        if number < count - 1:
            start, end = record[1], record[2]
            stream = io.BytesIO()
            values = np.frombuffer(pool[2 * start : 2 * end], "<i2")
            soundfile.write(stream, values, record[5], format="OGG", subtype="VORBIS")
            record[1:5] = len(packed), len(packed) + stream.tell(), record[3] - start, record[4] - start
            record[9] = 0x11
            packed += stream.getvalue()
        headers.append(_HEADER.pack(*record))
    shdr = b"shdr" + struct.pack("<I", count * _HEADER.size) + b"".join(headers)
    tables_at = data.index(b"LIST", pool_at)
    tables = data[tables_at + 8 : headers_at] + shdr
    sdta = b"sdta" + b"smpl" + struct.pack("<I", len(packed)) + packed + b"\0" * (len(packed) % 2)
    info = data[12 : data.index(b"LIST", 16)]
    body = (
        info
        + b"LIST"
        + struct.pack("<I", len(sdta))
        + sdta
        + b"LIST"
        + struct.pack("<I", len(tables))
        + tables
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"sfbk" + body
