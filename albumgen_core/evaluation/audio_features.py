"""What can be heard in a clip, measured with other people's tools: librosa and pyloudnorm."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from albumgen_core.attributes.fields import KEYS
from albumgen_core.audio.types import Audio

RATE = 22_050
"""Everything but loudness is measured in mono at this rate, in Hz."""

_HOP = 128
# Krumhansl and Kessler, "Tracing the dynamic changes in perceived tonal organization", Psychological Review
# 89(4), 1982: how well each pitch class fits a key, from the tonic up.
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_SILENT_DB = -60.0
"""Frames this far below the loudest are left out of the brightness."""


@dataclass(frozen=True, slots=True)
class AudioFeatures:
    """What was measured.

    Attributes:
        tempo: beats a minute, by librosa's autocorrelation of onset strength; 0 for silence.
        key, mode: the best of 24 correlations of mean CQT chroma with Krumhansl and Kessler's profiles.
        loudness: integrated loudness in LUFS (ITU-R BS.1770-4); -70 for silence.
        brightness: mean spectral centroid in Hz, quiet frames left out.
        onsets: onsets a second.
    """

    tempo: float
    key: str
    mode: str
    loudness: float
    brightness: float
    onsets: float


def measure(audio: Audio) -> AudioFeatures:
    """Measure a clip of at least half a second. Raises ValueError for a shorter one."""
    import librosa

    if audio.seconds < 0.5:
        raise ValueError(f"{audio.seconds:.2f} seconds are too short to measure")
    sound = mono(audio)
    if not np.abs(sound).max() > 1e-5:
        return AudioFeatures(0.0, KEYS[0], "major", -70.0, 0.0, 0.0)
    envelope = librosa.onset.onset_strength(y=sound, sr=RATE, hop_length=_HOP)
    tempo = librosa.feature.tempo(onset_envelope=envelope, sr=RATE, hop_length=_HOP)
    onsets = librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE, hop_length=_HOP)
    chroma = librosa.feature.chroma_cqt(y=sound, sr=RATE).mean(axis=1)
    key, mode = best_key(chroma)
    return AudioFeatures(
        float(tempo[0]), key, mode, loudness_of(audio), _brightness(sound), len(onsets) / audio.seconds
    )


def mono(audio: Audio) -> NDArray[np.float32]:
    """The clip in mono at `RATE`, float32 (samples,)."""
    import librosa

    mixed = audio.samples.mean(axis=0)
    if audio.sample_rate != RATE:
        mixed = librosa.resample(mixed, orig_sr=audio.sample_rate, target_sr=RATE, res_type="polyphase")
    return np.ascontiguousarray(mixed, dtype=np.float32)


def loudness_of(audio: Audio) -> float:
    """Integrated loudness in LUFS, -70 (the standard's gate) for silence."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # pyloudnorm warns of samples beyond 1, which are measured all the same
        meter = pyloudnorm.Meter(audio.sample_rate)
        value = float(meter.integrated_loudness(audio.samples.T.astype(np.float64)))
    return max(-70.0, value)


def best_key(chroma: NDArray[np.float32]) -> tuple[str, str]:
    """(tonic, mode) whose profile correlates best with (12,) weights of pitch classes from C."""
    scores = {
        (KEYS[tonic], mode): float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
        for tonic in range(12)
    }
    return max(scores, key=lambda key: scores[key])


def _brightness(sound: NDArray[np.float32]) -> float:
    import librosa

    magnitude = np.abs(librosa.stft(sound))
    level = np.sqrt((magnitude**2).mean(axis=0))
    loud = level > level.max() * 10 ** (_SILENT_DB / 20)
    return float(librosa.feature.spectral_centroid(S=magnitude[:, loud], sr=RATE).mean())
