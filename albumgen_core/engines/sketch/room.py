"""A room: reverberation by convolution."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve


@lru_cache(maxsize=8)
def impulse_response(decay: float, sample_rate: int) -> NDArray[np.float32]:
    """A room's answer to a click: float32 (2, n), unit energy a channel.

    Noise that dies by 60 dB in `decay` seconds, the treble sooner than the bass, as walls and air have it.
    The noise is always the same, so that the same piece sounds alike in every process.
    """
    length = int(decay * sample_rate)
    t = np.arange(length) / sample_rate
    noise = np.random.Generator(np.random.PCG64(7)).standard_normal((2, length))
    spectrum = np.fft.rfft(noise, axis=1)
    frequency = np.fft.rfftfreq(length, 1 / sample_rate)
    dark = np.fft.irfft(spectrum / np.sqrt(1 + (frequency / 1500.0) ** 2), length, axis=1)
    bright = np.fft.irfft(spectrum / np.sqrt(1 + (frequency / 6000.0) ** 2), length, axis=1)
    tail = dark * np.exp(-6.9 * t / decay) + 0.5 * bright * np.exp(-6.9 * t / (0.4 * decay))
    onset = np.minimum(1.0, t / 0.004)  # no click at the very start
    tail *= onset
    tail /= np.sqrt((tail**2).sum(axis=1, keepdims=True))
    before = np.zeros((2, int(0.014 * sample_rate)))
    return np.concatenate([before, tail], axis=1).astype(np.float32)


def reverberate(sound: NDArray[np.float32], decay: float, sample_rate: int) -> NDArray[np.float32]:
    """Convolve (2, n) with the room; as long as the input, what rings on beyond it is dropped."""
    wet = oaconvolve(sound, impulse_response(round(decay, 1), sample_rate), axes=1)
    return np.asarray(wet[:, : sound.shape[1]], dtype=np.float32)
