"""The SoundFont that pretty_midi brings along, put in tune for symusic's synthesizer.

symusic 0.5.8 plays every sample from the root key in its header and passes over the zones' own root keys and
tunings (symusic issue 55: its piano sounds up to 20 semitones too high). The zones' tuning is therefore
folded into sample headers of their own, after which both readings of the file agree. Record layouts: the
SoundFont Technical Specification 2.04, sections 7.2 to 7.10.
"""

from __future__ import annotations

import importlib.util
import struct
from functools import lru_cache
from pathlib import Path

from albumgen_core.errors import EngineUnavailableError

NAME = "TimGM6mb.sf2"

_COARSE, _FINE, _SAMPLE, _ROOT = 51, 52, 53, 58
_HEADER, _BAG, _GENERATOR, _INSTRUMENT = 46, 4, 4, 22


@lru_cache(maxsize=1)
def soundfont_path() -> Path:
    """Where the SoundFont lies. Raises EngineUnavailableError where it is missing."""
    # Found without importing pretty_midi, which takes longer than a clip.
    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / NAME
        if path.is_file():
            return path
    raise EngineUnavailableError(
        f"The sketch engine's SoundFont {NAME} is missing; install it with: pip install pretty_midi"
    )


def tuned(data: bytes) -> bytes:
    """The SoundFont `data` (the bytes of an .sf2 file) with every zone's tuning in a sample header.

    Raises EngineUnavailableError when the bytes are no SoundFont.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise EngineUnavailableError(
            f"{NAME} is damaged; mend it with: pip install --force-reinstall pretty_midi"
        )
    chunks = _hydra(data)
    generators, headers = bytearray(chunks["igen"]), bytearray(chunks["shdr"][:-_HEADER])
    for zone, defaults in _zones(chunks):
        _fold(zone, defaults, generators, headers)
    chunks["igen"] = bytes(generators)
    chunks["shdr"] = bytes(headers) + chunks["shdr"][-_HEADER:]
    body = b"pdta" + b"".join(_chunk(name.encode(), content) for name, content in chunks.items())
    start = _find_list(data, b"pdta")
    rest = start + 8 + struct.unpack_from("<I", data, start + 4)[0]
    whole = data[8:start] + _chunk(b"LIST", body) + data[rest:]
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _find_list(data: bytes, kind: bytes) -> int:
    at = 12
    while at + 12 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"LIST" and data[at + 8 : at + 12] == kind:
            return at
        at += 8 + size + size % 2
    raise EngineUnavailableError(
        f"{NAME} is damaged; mend it with: pip install --force-reinstall pretty_midi"
    )


def _hydra(data: bytes) -> dict[str, bytes]:
    start = _find_list(data, b"pdta")
    at, end = start + 12, start + 8 + struct.unpack_from("<I", data, start + 4)[0]
    chunks = {}
    while at + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, at)
        chunks[name.decode("ascii")] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return chunks


_Zone = dict[int, int]  # generator → its place in the igen chunk, in bytes


def _zones(chunks: dict[str, bytes]) -> list[tuple[_Zone, _Zone]]:
    # Every instrument zone with a sample, and its instrument's global zone (empty where there is none).
    instruments, bags, generators = chunks["inst"], chunks["ibag"], chunks["igen"]
    found = []
    for index in range(len(instruments) // _INSTRUMENT - 1):
        first = struct.unpack_from("<H", instruments, index * _INSTRUMENT + 20)[0]
        last = struct.unpack_from("<H", instruments, (index + 1) * _INSTRUMENT + 20)[0]
        defaults: _Zone = {}
        for bag in range(first, last):
            low = struct.unpack_from("<H", bags, bag * _BAG)[0]
            high = struct.unpack_from("<H", bags, (bag + 1) * _BAG)[0]
            zone = {
                struct.unpack_from("<H", generators, place * _GENERATOR)[0]: place * _GENERATOR
                for place in range(low, high)
            }
            if _SAMPLE in zone:
                found.append((zone, defaults))
            elif bag == first:
                defaults = zone
    return found


def _fold(zone: _Zone, defaults: _Zone, generators: bytearray, headers: bytearray) -> None:
    def amount(kind: int) -> int:
        place = zone.get(kind, defaults.get(kind))
        return 0 if place is None else int(struct.unpack_from("<h", generators, place + 2)[0])

    sample = struct.unpack_from("<H", generators, zone[_SAMPLE] + 2)[0]
    header = bytearray(headers[sample * _HEADER : (sample + 1) * _HEADER])
    root, correction = struct.unpack_from("<Bb", header, 40)
    own_root = amount(_ROOT) if (_ROOT in zone or _ROOT in defaults) else -1
    root = own_root if 0 <= own_root <= 127 else root if root <= 127 else 60
    cents = 100 * amount(_COARSE) + amount(_FINE) + correction - 100 * root
    root = min(127, max(0, round(-cents / 100)))
    struct.pack_into("<Bb", header, 40, root, max(-128, min(127, cents + 100 * root)))
    struct.pack_into("<H", generators, zone[_SAMPLE] + 2, len(headers) // _HEADER)
    headers += header
    # What is now in the header must not be counted twice by a reader that heeds the zone. A global zone's
    # tuning stays: it serves other zones until they are folded, and symusic does not read it.
    for kind, value in ((_COARSE, 0), (_FINE, 0), (_ROOT, root)):
        if kind in zone:
            struct.pack_into("<h", generators, zone[kind] + 2, value)
