"""Fréchet distance between two collections of sound.

After Kilgour et al., "Fréchet Audio Distance", Interspeech 2019.

The embedding is not a neural network's, so the figure is not the FAD of the literature: it is called
`log-mel-64`, and only distances in the same embedding can be compared. Each second of sound becomes 64
numbers: of 32 mel bands (librosa's defaults from 30 Hz to 11 kHz, in dB below the second's maximum of all
bands, at least -80) the mean over time, and the standard deviation. It hears timbre, balance and movement,
not notes, loudness or words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from albumgen_core.audio.types import Audio
from albumgen_core.errors import EvaluationError
from albumgen_core.evaluation.audio_features import RATE, mono

EMBEDDING = "log-mel-64"
DIMENSIONS = 64
LEAST = 2 * DIMENSIONS
"""Fewer seconds than this give no covariance worth the name."""

SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")
_BANDS = DIMENSIONS // 2
_LONGEST = 60.0

Array = NDArray[np.float64]


def embed_sound(audio: Audio) -> Array:
    """Each whole second of a clip as 64 numbers, float64 (seconds, 64); silent seconds are left out."""
    import librosa

    sound, rows = mono(audio), []
    for start in range(0, len(sound) - RATE + 1, RATE):
        second = sound[start : start + RATE]
        if np.abs(second).max() < 1e-4:
            continue
        bands = librosa.feature.melspectrogram(y=second, sr=RATE, n_mels=_BANDS, fmin=30.0, fmax=RATE / 2)
        levels = librosa.power_to_db(bands, ref=np.max, top_db=80.0)
        rows.append(np.concatenate([levels.mean(axis=1), levels.std(axis=1)]))
    return np.array(rows, dtype=np.float64).reshape(len(rows), DIMENSIONS)


def frechet_distance(one: Array, other: Array) -> float:
    """|μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2(Σ₁Σ₂)^½) of Gaussians fitted to (n, d) and (m, d) embeddings.

    Raises EvaluationError for fewer than 2 rows on a side.
    """
    if min(len(one), len(other)) < 2:
        raise EvaluationError("A Fréchet distance needs at least two seconds of sound on either side.")
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    # Fewer rows than dimensions make the product singular; a trace of identity keeps the root real.
    jitter = 1e-6 * np.eye(one.shape[1])
    root = np.real(sqrtm((first + jitter) @ (second + jitter)))
    difference = one.mean(axis=0) - other.mean(axis=0)
    return float(max(0.0, difference @ difference + np.trace(first + second - 2 * root)))


def halves_distance(rows: Array, seed: int = 0) -> float:
    """Distance between two random halves of one collection: what no difference looks like."""
    order = np.random.default_rng(seed).permutation(len(rows))
    middle = len(rows) // 2
    return frechet_distance(rows[order[:middle]], rows[order[middle:]])


def embed_folder(folder: Path) -> tuple[Array, int]:
    """Embeddings of the sounds in a folder (a minute of each at most), and how many sounds there were.

    Raises EvaluationError when there are none, or fewer than `LEAST` seconds.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUNDS)
    parts: Sequence[Array] = [embed_sound(_read(path)) for path in files]
    rows = np.concatenate(parts) if parts else np.zeros((0, DIMENSIONS))
    if len(rows) < LEAST:
        raise EvaluationError(f"{folder} holds {len(rows)} seconds of sound; {LEAST} are the least.")
    return rows, len(files)


def _read(path: Path) -> Audio:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            samples = file.read(int(_LONGEST * file.samplerate), dtype="float32", always_2d=True)
            return Audio(np.ascontiguousarray(samples.T[:2]), int(file.samplerate))
    except soundfile.LibsndfileError as error:
        raise EvaluationError(f"{path} cannot be read as sound.") from error
