"""From composed sound to sound that is handed over: one loudness for every clip, no clipping, no clicks.

Loudness is integrated loudness by ITU-R BS.1770-4 (pyloudnorm), in LUFS. Peaks are true peaks by the
same recommendation's annex 2: the signal is oversampled four times, for a converter, or a decoder of
MP3, meets the values between the samples too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import resample_poly

from albumgen_core.audio.types import Audio

CEILING_DB = -1.0
"""Highest true peak in dBFS of what is handed over, as EBU R 128 has it."""

FADE_IN_SECONDS = 0.005
FADE_OUT_SECONDS = 0.15
MAX_GAIN_DB = 30.0
"""Nothing is raised by more: what is that quiet is noise, or is meant to be quiet."""

MAX_LIMITING_DB = 12.0
"""How far single peaks may be turned down for the sake of loudness; beyond, the clip stays quieter."""

_BLOCK_SECONDS = 0.4
_LIMITER_SECONDS = 0.010
_PASSES = 3
_TOLERANCE_LU = 0.3
_PEAK_BLOCK, _PEAK_MARGIN = 2048, 32
_HOT = 0.5
"""Between two samples a signal rarely rises to more than twice what they are."""

_Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Mastered:
    """Sound that is ready to be encoded.

    Attributes:
        audio: of the very length and sample rate that came in.
        loudness_lufs: its integrated loudness; None for silence.
        true_peak_db: its highest true peak in dBFS, or the ceiling where peaks were turned down to it; −inf
            for digital silence.
    """

    audio: Audio
    loudness_lufs: float | None
    true_peak_db: float


def master(audio: Audio, loudness_lufs: float, ceiling_db: float = CEILING_DB) -> Mastered:
    """Bring sound to a loudness, with short fades at its ends and true peaks under the ceiling.

    Args:
        audio: finite samples, at least one.
        loudness_lufs: integrated loudness wanted. It is missed on purpose where the sound is silent, where
            it would take more than MAX_GAIN_DB, or where peaks would have to fall by more than
            MAX_LIMITING_DB.
        ceiling_db: highest true peak in dBFS; lower where an encoder is to add to it.
    """
    sound = _faded(audio.samples, audio.sample_rate)
    loudness = integrated_loudness(sound, audio.sample_rate)
    sample_peak_db = _decibels(float(np.abs(sound).max()))
    if loudness is None:
        # Silence stays silence, and what lies under the gate of −70 LUFS keeps its level.
        return Mastered(Audio(sound, audio.sample_rate), None, sample_peak_db)
    most = min(MAX_GAIN_DB, CEILING_DB + MAX_LIMITING_DB - sample_peak_db)
    gain_db = min(loudness_lufs - loudness, most)
    envelope = true_peaks(sound, _HOT * float(_factor(ceiling_db - max(gain_db, 0.0) - _TOLERANCE_LU)))
    peak_db = _decibels(float(envelope.max()))
    if peak_db + gain_db <= ceiling_db:
        gained = sound * _factor(gain_db)
        return Mastered(Audio(gained, audio.sample_rate), loudness + gain_db, peak_db + gain_db)
    for _ in range(_PASSES):
        gain = _factor(gain_db)
        limited = _limited(sound * gain, envelope * gain, audio.sample_rate, ceiling_db)
        reached = integrated_loudness(limited, audio.sample_rate)
        missing = 0.0 if reached is None else loudness_lufs - reached
        if abs(missing) <= _TOLERANCE_LU or (missing > 0 and gain_db >= most):
            break
        # The limiter took some loudness away: push a little harder.
        gain_db = min(gain_db + missing, most)
    return Mastered(Audio(limited, audio.sample_rate), reached, ceiling_db)


def integrated_loudness(sound: _Sound, sample_rate: int) -> float | None:
    """Integrated loudness in LUFS of (channels, samples); None for silence, or all under the gate.

    Sound shorter than BS.1770's block of 0.4 s is measured as if it went round and round.
    """
    needed = math.ceil(_BLOCK_SECONDS * sample_rate) + 1
    if sound.shape[1] < needed:
        sound = np.tile(sound, (1, math.ceil(needed / sound.shape[1])))
    if not sound.any():
        return None
    loudness = float(pyloudnorm.Meter(sample_rate).integrated_loudness(sound.T.astype(np.float64)))
    return loudness if math.isfinite(loudness) else None


def true_peaks(sound: _Sound, above: float = 0.0) -> _Sound:
    """For each sample the largest absolute value around it, over all channels: float32 (samples,).

    Where the samples stay below `above` they are taken as they are, which saves most of the work.
    """
    peaks = np.asarray(np.abs(sound).max(axis=0), np.float32)
    starts = np.arange(0, len(peaks), _PEAK_BLOCK)
    hot = np.maximum.reduceat(peaks, starts) >= above
    # Neighbouring blocks go together: edges are where each run of hot blocks begins and ends.
    edges = np.flatnonzero(np.diff(hot.astype(np.int8), prepend=0, append=0))
    for first, last in zip(edges[::2] * _PEAK_BLOCK, edges[1::2] * _PEAK_BLOCK, strict=True):
        start, end = max(0, first - _PEAK_MARGIN), min(len(peaks), last + _PEAK_MARGIN)
        fine = np.abs(resample_poly(sound[:, start:end], 4, 1, axis=1))
        # Four long maxima instead of many of four: numpy takes half the time.
        around = reduce(np.maximum, (fine[:, phase::4] for phase in range(4))).max(axis=0)
        inner = slice(first, min(last, len(peaks)))
        peaks[inner] = np.maximum(peaks[inner], around[first - start :][: peaks[inner].size])
    return peaks


def true_peak_db(sound: _Sound) -> float:
    """Highest true peak in dBFS of (channels, samples), exact where it is above −6 dB; −inf for silence."""
    return _decibels(float(true_peaks(sound, _HOT * float(_factor(CEILING_DB))).max(initial=0.0)))


def _limited(sound: _Sound, envelope: _Sound, sample_rate: int, ceiling_db: float) -> _Sound:
    """A look-ahead limiter: the gain falls before a peak and rises after it, slowly enough not to buzz.

    The gain that each peak needs is held over a window and then averaged over windows that together are
    no longer, so that at every peak each averaged value is small enough: the ceiling holds exactly.
    """
    ceiling = _factor(ceiling_db - 0.05)
    needed = np.minimum(np.float32(1.0), ceiling / np.maximum(envelope, np.float32(1e-9)))
    half = max(1, round(_LIMITER_SECONDS * sample_rate / 2))
    held = minimum_filter1d(needed, 4 * half + 1, mode="nearest")
    gain = held
    for _ in range(2):
        gain = uniform_filter1d(gain, 2 * half + 1, mode="nearest")
    # Running sums drift by a rounding; what is needed is the last word.
    return np.asarray(sound * np.minimum(gain, needed), np.float32)


def _faded(sound: _Sound, sample_rate: int) -> _Sound:
    """Short fades at both ends, so that nothing clicks; at most a tenth of the clip each."""
    faded = sound.copy()
    tenth = sound.shape[1] // 10
    rise = min(tenth, round(FADE_IN_SECONDS * sample_rate))
    fall = min(tenth, round(FADE_OUT_SECONDS * sample_rate))
    if rise:
        faded[:, :rise] *= _slope(rise)
    if fall:
        faded[:, -fall:] *= _slope(fall)[::-1]
    return faded


def _slope(samples: int) -> _Sound:
    return np.asarray(np.sin(np.linspace(0, np.pi / 2, samples)) ** 2, np.float32)


def _factor(decibels: float) -> np.float32:
    return np.float32(10.0 ** (decibels / 20.0))


def _decibels(factor: float) -> float:
    return 20.0 * math.log10(factor) if factor > 0 else -math.inf
