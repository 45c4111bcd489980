"""From stems to a mix: filters, side-chain, room, target spectrum, bus compression and tape.

The engine does not limit: the one limiter is that of mastering. Everything here looks back in time only, or
is decided by the first `window` samples, so that a longer take begins with the very sound of a shorter one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, firwin2, lfilter, oaconvolve, sosfilt

REFERENCE_SLOPE = -4.5
"""dB an octave from 100 Hz to 8 kHz: this program's reading of the average spectra of commercial recordings
that Pestana, Ma, Reiss, Barbosa and Black (AES Convention 135, 2013) and Elowsson and Friberg (AES Convention
142, 2017) describe; the latter find spectra flatter the more percussion there is. Styles deviate from it by
less than 1 dB an octave."""

NOMINAL_RMS = 0.09
"""Root mean square of a mix of loudness 0.85: leaves about 20 dB for peaks."""

_BANDS = np.geomspace(50.0, 16_000.0, 26)
_EQ_TAPS = 1023
_MOST_EQ_DB = 12.0
_HOP = 64

_Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Bus:
    """Settings of the mix bus.

    Attributes:
        slope: target in dB an octave.
        ratio: of the compressor, 1 for none.
        saturation: tape drive in dB, 0 for none.
        noise: tape noise in dBFS, or None.
        level: root mean square that the first `window` samples are brought to.
        window: number of samples that decide gain and equaliser.
    """

    slope: float
    ratio: float
    saturation: float
    noise: float | None
    level: float
    window: int


@lru_cache(maxsize=32)
def _high_pass(frequency: float, sample_rate: int) -> NDArray[np.float64]:
    return np.asarray(butter(2, frequency, "highpass", fs=sample_rate, output="sos"))


def high_passed(sound: _Sound, frequency: float, sample_rate: int) -> _Sound:
    """(channels, n) without what lies below a frequency: 12 dB an octave."""
    return np.asarray(sosfilt(_high_pass(frequency, sample_rate), sound, axis=1), np.float32)


def panned(sound: _Sound, pan: float) -> _Sound:
    """(1, n) or (2, n) to (2, n) by constant power; pan from -1 (left) to 1 (right)."""
    angle = (pan + 1) * np.pi / 4
    gains = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(np.sqrt(2))
    return np.asarray(sound * gains, np.float32)


def ducking(kicks: Sequence[float], depth_db: float, samples: int, sample_rate: int) -> _Sound:
    """A gain curve (n,) that falls by `depth_db` at every kick (in seconds) and recovers within 0.25 s."""
    length = round(0.25 * sample_rate)
    rise = np.linspace(0.0, 1.0, length) ** 1.5
    attack = np.linspace(1.0, 0.0, round(0.004 * sample_rate))
    shape = np.concatenate([attack, rise])
    gain = np.ones(samples)
    for kick in kicks:
        start = max(0, round(kick * sample_rate) - len(attack))
        part = gain[start : start + len(shape)]
        np.minimum(part, shape[: len(part)], out=part)
    return np.asarray(10 ** (-depth_db * (1 - gain) / 20), np.float32)


def spectrum(sound: _Sound, sample_rate: int) -> NDArray[np.float64]:
    """Power of (channels, n) in dB around each of the bands, long-term."""
    size = 8192
    padded = sound if sound.shape[1] >= size else np.pad(sound, ((0, 0), (0, size - sound.shape[1])))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, :: size // 2]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=2))).mean(
        axis=(0, 1)
    )
    frequency = np.fft.rfftfreq(size, 1 / sample_rate)
    edges = np.geomspace(_BANDS[0], _BANDS[-1], 2 * len(_BANDS) - 1)
    low = np.concatenate([[_BANDS[0] * 0.9], edges[1::2]])
    high = np.concatenate([edges[1::2], [_BANDS[-1] * 1.1]])
    # Mean power a hertz, as spectral slopes are commonly drawn.
    found = [
        power[(frequency >= a) & (frequency < b)].mean()
        if ((frequency >= a) & (frequency < b)).any()
        else np.interp((a + b) / 2, frequency, power)
        for a, b in zip(low, high, strict=True)
    ]
    return np.asarray(10 * np.log10(np.asarray(found, np.float64) + 1e-12))


def slope_of(sound: _Sound, sample_rate: int) -> float:
    """Spectral slope of (channels, n) in dB an octave: a line through the bands from 100 Hz to 8 kHz."""
    inside = (_BANDS >= 100.0) & (_BANDS <= 8000.0)
    return float(np.polyfit(np.log2(_BANDS[inside]), spectrum(sound, sample_rate)[inside], 1)[0])


def _equaliser(sound: _Sound, slope: float, sample_rate: int) -> NDArray[np.float64]:
    # Brings the spectrum's smoothed course to a line of the target's slope; small bumps are the music's own.
    measured = spectrum(sound, sample_rate)
    octaves = np.log2(_BANDS / 1000.0)
    course = np.polynomial.Polynomial.fit(octaves, np.maximum(measured, measured.max() - 80), 3)(octaves)
    wanted = slope * octaves
    inside = (_BANDS >= 100.0) & (_BANDS <= 8000.0)
    wanted = wanted + (course[inside].mean() - wanted[inside].mean())
    difference = wanted - course
    # The polynomial fits the middle; the line through the bands themselves has the last word.
    line = np.polyfit(octaves[inside], (measured + difference)[inside], 1)[0]
    difference = np.clip(difference + (slope - line) * octaves, -_MOST_EQ_DB, _MOST_EQ_DB)
    difference[_BANDS < 80.0] = np.minimum(difference[_BANDS < 80.0], 3.0)
    gains = 10 ** (difference / 20)
    nyquist = sample_rate / 2
    frequencies = np.concatenate([[0.0], _BANDS, [nyquist]])
    levels = np.concatenate([[gains[0]], gains, [gains[-1]]])
    return np.asarray(firwin2(_EQ_TAPS, frequencies, levels, fs=sample_rate))


def finish(dry: _Sound, wet: _Sound, bus: Bus, sample_rate: int) -> _Sound:
    """The sum of both (2, n), equalised, compressed and saturated: float32 (2, n)."""
    mixed = dry + wet
    window = mixed[:, : bus.window]
    if not window.any():
        return mixed
    taps = _equaliser(window, bus.slope, sample_rate)
    half = len(taps) // 2
    mixed = oaconvolve(mixed, taps[None].astype(np.float32), axes=1)[:, half : half + mixed.shape[1]]
    rms = float(np.sqrt(np.mean(np.square(mixed[:, : bus.window], dtype=np.float64))))
    mixed = mixed * np.float32(bus.level / max(rms, 1e-6))
    mixed = mixed * _compression(mixed, bus, sample_rate)
    if bus.saturation > 0:
        drive = np.float32(10 ** (bus.saturation / 20))
        # A soft curve without a corner: x / (1 + |x|³)^(1/3) at unit slope; what it takes is given back.
        driven = mixed * drive
        mixed = driven / np.cbrt(1 + np.abs(driven) ** 3) / drive
    if bus.noise is not None:
        mixed = mixed + _tape_noise(mixed.shape[1], sample_rate) * np.float32(10 ** (bus.noise / 20))
    return np.asarray(np.clip(mixed, -1.0, 1.0), np.float32)


def _compression(sound: _Sound, bus: Bus, sample_rate: int) -> _Sound:
    # Gain by a smoothed level: threshold at the nominal level, 10 ms to react, 180 ms to let go.
    count = -(-sound.shape[1] // _HOP)
    padded = np.pad(np.square(sound).mean(axis=0), (0, count * _HOP - sound.shape[1]))
    power = padded.reshape(count, _HOP).mean(axis=1)
    fast = np.exp(-_HOP / (0.010 * sample_rate))
    slow = np.exp(-_HOP / (0.180 * sample_rate))
    quick = lfilter([1 - fast], [1, -fast], power)
    late = lfilter([1 - slow], [1, -slow], power)
    level = 10 * np.log10(np.maximum(quick, late) / bus.level**2 + 1e-9)
    gain = -np.maximum(0.0, level) * (1 - 1 / bus.ratio)
    places = np.arange(sound.shape[1]) / _HOP
    return np.asarray(10 ** (np.interp(places, np.arange(count) + 1, gain) / 20), np.float32)


@lru_cache(maxsize=2)
def _tape_noise(samples: int, sample_rate: int) -> _Sound:
    # Hiss: white noise above 1 kHz, the same in every process, unit root mean square.
    white = np.random.Generator(np.random.PCG64(11)).standard_normal((samples, 2)).T
    pole = np.exp(-2 * np.pi * 1000.0 / sample_rate)
    hiss = white - lfilter([1 - pole], [1, -pole], white, axis=1)
    return np.asarray(hiss, np.float32)
