"""A SoundFont in memory, and small SoundFonts cut from it for the instruments of one piece.

Five things are mended on the way, because the player reads neither modulators nor compressed samples:

- Soft notes are darker. SoundFont 2.04 (section 8.4.2) has a default modulator from velocity to filter
  cutoff, which the player ignores. Each zone is therefore split into velocity layers, each with its cutoff
  and its share of the envelope's sweep.
- Melodic instruments are not panned: their tracks are placed in the mix.
- Keys without a sample between an instrument's zones play the neighbouring zone.
- Attacks and attenuations that a modulator would undo with rising velocity are left out.
- Samples of an .sf3 file (Ogg Vorbis) are decoded.

Only the zones of keys that are played are kept, so that a SoundFont of any size costs little to read.

Record layouts: SoundFont Technical Specification 2.04, sections 7.2 to 7.10.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import soundfile

from albumgen_core.errors import EngineUnavailableError

DRUM_BANK = 128

LAYERS = ((1, 31, 2.5), (32, 47, 4.0), (48, 63, 6.5), (64, 79, 11.0), (80, 99, 20.0), (100, 127, 0.0))
"""Velocity layers: lowest and highest velocity, cutoff as a multiple of the zone's pitch (0: no filter). The
soft layer keeps the first two or three partials, as soft piano and brass tones do."""

_KEY_RANGE, _VELOCITY_RANGE, _CUTOFF, _ATTACK, _ATTENUATION = 43, 44, 8, 34, 48
_INSTRUMENT, _SAMPLE, _PAN, _SWEEP = 41, 53, 17, 11
_OPEN_FILTER = 13_500
_DRUM_PITCH = 1200.0
_DARKENING = 2400
"""Cents between the cutoffs of the loudest and the softest note: the specification's default modulator."""
_PADDING = 46
_VORBIS = 0x10
_PRESET = struct.Struct("<20sHHHIII")
_INST = struct.Struct("<20sH")
_HEADER = struct.Struct("<20sIIIIIBbHH")
_GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
_BAG = np.dtype([("generators", "<u2"), ("modulators", "<u2")])

Generators = dict[int, int]


@dataclass(frozen=True, slots=True)
class _Sample:
    name: bytes
    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    pitch: int
    correction: int
    link: int
    kind: int


class _Zones:
    # Bags of generators, of presets or of instruments.
    def __init__(self, bags: memoryview, generators: memoryview, modulators: memoryview) -> None:
        self._bags = np.frombuffer(bags, _BAG)
        self._generators = np.frombuffer(generators, _GENERATOR)
        self._targets = np.frombuffer(modulators, "<u2").reshape(-1, 5)[:, 1]

    def read(self, first: int, last: int) -> list[Generators]:
        found = []
        for bag in range(first, last):
            (start, shaped), (end, unshaped) = self._bags[bag].item(), self._bags[bag + 1].item()
            zone = dict(self._generators[start:end].tolist())
            for target in self._targets[shaped:unshaped].tolist():
                if target in (_ATTACK, _ATTENUATION):
                    zone.pop(target, None)
            found.append(zone)
        return found


class Bank:
    """A SoundFont file (.sf2 or .sf3) that was read into memory.

    Raises EngineUnavailableError, naming `origin`, for bytes that are no SoundFont.
    """

    def __init__(self, data: bytes, origin: str) -> None:
        self._origin = origin
        if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
            raise EngineUnavailableError(f"{origin} is not a SoundFont (.sf2 or .sf3)")
        try:
            chunks = _chunks(data)
            self._pool = chunks[b"smpl"]
            self._presets = _records(_PRESET, chunks[b"phdr"])
            self._instruments = _records(_INST, chunks[b"inst"])
            self._samples = [_Sample(*record) for record in _records(_HEADER, chunks[b"shdr"])[:-1]]
            self._outer = _Zones(chunks[b"pbag"], chunks[b"pgen"], chunks[b"pmod"])
            self._inner = _Zones(chunks[b"ibag"], chunks[b"igen"], chunks[b"imod"])
            self._places = {(record[2], record[1]): place for place, record in enumerate(self._presets[:-1])}
            complete = (0, 0) in self._places and any(bank == DRUM_BANK for bank, _ in self._places)
        except (KeyError, IndexError, ValueError, struct.error) as error:
            raise EngineUnavailableError(f"{origin} is damaged: its tables cannot be read") from error
        if not complete:
            raise EngineUnavailableError(f"{origin} is not a General MIDI SoundFont: it lacks piano or drums")

    @property
    def compressed(self) -> bool:
        """Whether samples are Ogg Vorbis (.sf3)."""
        return any(sample.kind & _VORBIS for sample in self._samples)

    def has(self, program: int, drums: bool) -> bool:
        """Whether there is a preset of this very number."""
        return (DRUM_BANK if drums else 0, program) in self._places

    def cut(self, wanted: Mapping[tuple[int, bool], Collection[int]]) -> bytes:
        """A SoundFont (.sf2) with these (program, is it a drum kit) alone, and of them only the keys given.

        A kit that is missing is replaced by the standard kit, a program by the first of its family.
        """
        kits = self._instruments_of_kits()
        presets, outer = list[tuple[bytes, int, int, int, int, int, int]](), _Written()
        names, inner = list[tuple[bytes, int]](), _Written()
        samples: dict[int, int] = {}
        for (program, drums), keys in sorted(wanted.items()):
            presets.append((f"{program}".encode(), program, DRUM_BANK if drums else 0, outer.count, 0, 0, 0))
            for zone in self._preset_zones(self._place(program, drums)):
                if _INSTRUMENT not in zone:
                    outer.add(zone)
                    continue
                layers = self._layered(zone[_INSTRUMENT], zone[_INSTRUMENT] in kits, keys)
                if not any(_SAMPLE in layer for layer in layers):
                    continue
                outer.add(zone | {_INSTRUMENT: len(names)})
                names.append((f"{zone[_INSTRUMENT]}".encode(), inner.count))
                for layer in layers:
                    if _SAMPLE in layer:
                        layer |= {_SAMPLE: samples.setdefault(layer[_SAMPLE], len(samples))}
                    inner.add(layer)
        presets.append((b"EOP", 0, 0, outer.count, 0, 0, 0))
        names.append((b"EOI", inner.count))
        headers, pool = self._copied(list(samples))
        hydra = b"".join(
            (
                _chunk(b"phdr", b"".join(_PRESET.pack(*preset) for preset in presets)),
                *outer.chunks(b"p"),
                _chunk(b"inst", b"".join(_INST.pack(*name) for name in names)),
                *inner.chunks(b"i"),
                _chunk(b"shdr", headers),
            )
        )
        info = _chunk(b"ifil", struct.pack("<HH", 2, 4)) + _chunk(b"isng", b"EMU8000\0")
        lists = (b"INFO" + info, b"sdta" + _chunk(b"smpl", pool), b"pdta" + hydra)
        return _chunk(b"RIFF", b"sfbk" + b"".join(_chunk(b"LIST", content) for content in lists))

    def _place(self, program: int, drums: bool) -> int:
        bank = DRUM_BANK if drums else 0
        candidates = (program, 0) if drums else (program, program // 8 * 8, 0)
        found = next((self._places[bank, p] for p in candidates if (bank, p) in self._places), None)
        if found is None:
            found = next(place for (other, _), place in sorted(self._places.items()) if other == bank)
        return found

    def _preset_zones(self, place: int) -> list[Generators]:
        return self._outer.read(self._presets[place][3], self._presets[place + 1][3])

    def _instruments_of_kits(self) -> set[int]:
        kits = [place for (bank, _), place in self._places.items() if bank == DRUM_BANK]
        return {
            zone[_INSTRUMENT] for place in kits for zone in self._preset_zones(place) if _INSTRUMENT in zone
        }

    def _layered(self, instrument: int, drums: bool, keys: Collection[int]) -> list[Generators]:
        zones = self._inner.read(self._instruments[instrument][1], self._instruments[instrument + 1][1])
        common = zones[0] if zones and _SAMPLE not in zones[0] else {}
        sounding = [zone for zone in zones if _SAMPLE in zone]
        if not drums:
            sounding = _without_gaps(sounding)
        written = [common] if common else []
        for zone in sounding:
            lowest, highest = _range(zone, _KEY_RANGE, common)
            if not any(lowest <= key <= highest for key in keys):
                continue
            low, high = _range(zone, _VELOCITY_RANGE, common)
            own = zone.get(_CUTOFF, common.get(_CUTOFF, _OPEN_FILTER))
            for bottom, top, multiple in LAYERS:
                if max(low, bottom) <= min(high, top):
                    limits = (0 if bottom == 1 else max(low, bottom), min(high, top))
                    layer = zone | {_VELOCITY_RANGE: _packed(*limits)}
                    if not drums:
                        layer.pop(_PAN, None)
                    if multiple:
                        layer[_SWEEP] = round(zone.get(_SWEEP, common.get(_SWEEP, 0)) * (bottom + top) / 254)
                        pitch = _DRUM_PITCH if drums else _pitch(zone)
                        darker = round(_DARKENING * (LAYERS[-1][0] + LAYERS[-1][1] - bottom - top) / 254)
                        layer[_CUTOFF] = max(1500, min(own - darker, _cents(multiple * pitch)))
                    written.append(layer)
        return written

    def _copied(self, places: list[int]) -> tuple[bytes, bytes]:
        headers, pool, at = [], [], 0
        for number, place in enumerate(places):
            sample = self._samples[place]
            if sample.kind & _VORBIS:
                values, rate = _decoded(bytes(self._pool[sample.start : sample.end]), self._origin)
                loop = sample.loop_start, sample.loop_end
            else:
                values, rate = bytes(self._pool[2 * sample.start : 2 * sample.end]), sample.rate
                loop = sample.loop_start - sample.start, sample.loop_end - sample.start
            end = at + len(values) // 2
            headers.append(
                _HEADER.pack(
                    sample.name,
                    at,
                    end,
                    at + min(max(0, loop[0]), end - at),
                    at + min(max(0, loop[1]), end - at),
                    rate or sample.rate,
                    sample.pitch if sample.pitch <= 127 else 60,
                    sample.correction,
                    number,
                    1,
                )
            )
            pool += [values, bytes(2 * _PADDING)]
            at = end + _PADDING
        return b"".join((*headers, _HEADER.pack(b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0))), b"".join(pool)


class _Written:
    # Bags and generators of the SoundFont being written.
    def __init__(self) -> None:
        self._starts, self._generators = [0], list[tuple[int, int]]()

    @property
    def count(self) -> int:
        return len(self._starts) - 1

    def add(self, zone: Generators) -> None:
        # Ranges come first and the link last, as the specification demands (section 8.1.2).
        order = {_KEY_RANGE: 0, _VELOCITY_RANGE: 1, _INSTRUMENT: 3, _SAMPLE: 3}
        self._generators += sorted(zone.items(), key=lambda item: (order.get(item[0], 2), item[0]))
        self._starts.append(len(self._generators))

    def chunks(self, level: bytes) -> tuple[bytes, bytes, bytes]:
        bags = b"".join(struct.pack("<HH", start, 0) for start in self._starts)
        packed = [struct.pack("<HH", kind, amount & 0xFFFF) for kind, amount in self._generators]
        return (
            _chunk(level + b"bag", bags),
            _chunk(level + b"mod", bytes(10)),
            _chunk(level + b"gen", b"".join((*packed, bytes(4)))),
        )


def _without_gaps(zones: list[Generators]) -> list[Generators]:
    # Keys that no zone covers are given to the zones of the nearest range.
    ranges = sorted({_range(zone, _KEY_RANGE, {}) for zone in zones})
    if not ranges:
        return zones
    wider = {span: list(span) for span in ranges}
    for key in range(21, 109):
        if any(low <= key <= high for low, high in ranges):
            continue
        nearest = min(ranges, key=lambda span: (max(span[0] - key, key - span[1]), span))
        wider[nearest] = [min(wider[nearest][0], key), max(wider[nearest][1], key)]
    return [zone | {_KEY_RANGE: _packed(*wider[_range(zone, _KEY_RANGE, {})])} for zone in zones]


def _pitch(zone: Generators) -> float:
    low, high = _range(zone, _KEY_RANGE, {})
    return 440.0 * 2 ** ((min(72, max(36, (low + high) / 2)) - 69) / 12)


def _cents(hertz: float) -> int:
    return round(min(_OPEN_FILTER, max(1500.0, 1200 * math.log2(hertz / 8.176))))


def _range(zone: Generators, kind: int, common: Generators) -> tuple[int, int]:
    amount = zone.get(kind, common.get(kind))
    return (0, 127) if amount is None else (amount & 0xFF, (amount >> 8) & 0xFF)


def _packed(low: int, high: int) -> int:
    return low | high << 8


@lru_cache(maxsize=128)
def _decoded(ogg: bytes, origin: str) -> tuple[bytes, int]:
    try:
        values, rate = soundfile.read(io.BytesIO(ogg), dtype="int16", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise EngineUnavailableError(f"{origin} is damaged: a sample cannot be decoded") from error
    return values[:, 0].tobytes(), int(rate)


def _chunks(data: bytes) -> dict[bytes, memoryview]:
    # The chunks inside all lists of the file, by name. Some .sf3 files lack the padding byte of an odd chunk,
    # so each list is walked within its own bounds, and so is the file.
    found: dict[bytes, memoryview] = {}
    view, at = memoryview(data), 12
    while at + 12 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        end, inner = min(len(data), at + 8 + size), at + 12
        while name == b"LIST" and inner + 8 <= end:
            chunk, length = struct.unpack_from("<4sI", data, inner)
            found.setdefault(chunk, view[inner + 8 : inner + 8 + length])
            inner += 8 + length + length % 2
        at = end
        if size % 2 and data[at : at + 4] != b"LIST":
            at += 1
    return found


def _records(layout: struct.Struct, data: memoryview) -> list[tuple[Any, ...]]:
    if not data or len(data) % layout.size:
        raise ValueError("records are cut short")
    return list(layout.iter_unpack(data))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
