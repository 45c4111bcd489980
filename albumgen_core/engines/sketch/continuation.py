"""Playing on from an earlier clip, without a seam."""

from __future__ import annotations

from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, resample_poly

from albumgen_core.audio.types import Audio
from albumgen_core.engines.sketch.arrangement import arrange
from albumgen_core.engines.sketch.brief import Brief
from albumgen_core.engines.sketch.closing import plan_ending
from albumgen_core.engines.sketch.render import SAMPLE_RATE, render, score_as_midi

_LONGEST_LAG = 0.12
_KINSHIP = 0.6
_OWN_FADE, _FOREIGN_FADE = 0.03, 1.5
_QUIET = 1e-4


def play_on(brief: Brief, soundfont: Path, earlier: Audio, seconds: float) -> Audio:
    """A clip of `seconds` that begins with `earlier`, sample for sample, up to where that began to close.

    A longer piece of the same brief is written so that it begins with the very music of a shorter one. If
    `earlier` is such a take (found by correlation, so that an encoder's delay, gain and losses do no harm),
    the longer one takes over in the middle of a phrase, on the cadence of the earlier. Any other clip is
    faded over into the new piece during its last 1.5 seconds.

    `seconds` no longer than the earlier clip gives its beginning, with a short fade.
    """
    old = _matched(earlier)
    samples = round(seconds * SAMPLE_RATE)
    if samples <= old.shape[1]:
        return Audio(_cut(old, samples), SAMPLE_RATE)
    join = round(plan_ending(brief, old.shape[1] / SAMPLE_RATE).cadence * brief.beat_seconds * SAMPLE_RATE)
    fade = round(_OWN_FADE * SAMPLE_RATE)
    # The hand comes down a little before the beat: the cross-fade must end before the first sound that
    # differs, which may come by the players' looseness up to 9 ms early.
    join = join - fade - round(0.012 * SAMPLE_RATE)
    if join > SAMPLE_RATE // 2:
        piece = arrange(brief, seconds, old.shape[1] / SAMPLE_RATE)
        new = render(piece, soundfont)
        lag, gain, kinship = _compare(old[:, :join], new[:, : join + round(_LONGEST_LAG * SAMPLE_RATE)])
        if kinship >= _KINSHIP:
            whole = _joined(old, _shifted(new, lag) * np.float32(gain), join, fade, samples)
            return Audio(whole, SAMPLE_RATE, midi=score_as_midi(piece))
    fade = min(round(_FOREIGN_FADE * SAMPLE_RATE), old.shape[1] // 2)
    join = old.shape[1] - fade
    new = render(arrange(brief, (samples - join) / SAMPLE_RATE), soundfont)
    new = np.pad(new, ((0, 0), (join, 0)))
    return Audio(_joined(old, new * np.float32(_level_ratio(old, new)), join, fade, samples), SAMPLE_RATE)


def _matched(audio: Audio) -> NDArray[np.float32]:
    # Stereo, at our own sample rate.
    sound = audio.samples if audio.channels == 2 else np.repeat(audio.samples[:1], 2, axis=0)
    if audio.sample_rate != SAMPLE_RATE:
        common = gcd(audio.sample_rate, SAMPLE_RATE)
        sound = resample_poly(sound, SAMPLE_RATE // common, audio.sample_rate // common, axis=1)
    return np.clip(np.nan_to_num(sound), -1.0, 1.0).astype(np.float32)


def _compare(old: NDArray[np.float32], new: NDArray[np.float32]) -> tuple[int, float, float]:
    # Lag of the new take (positive: it must be played later), its gain, and how alike the two are, over
    # the last four seconds before the join.
    window = min(old.shape[1], 4 * SAMPLE_RATE)
    start = old.shape[1] - window
    margin = round(_LONGEST_LAG * SAMPLE_RATE)
    a = old[:, start:].mean(axis=0, dtype=np.float64)
    b = np.pad(new.mean(axis=0, dtype=np.float64), (margin, 2 * margin))[start : start + window + 2 * margin]
    products = correlate(b, a, mode="valid", method="fft")
    best = int(np.argmax(products))
    twin = b[best : best + window]
    energy_a, energy_b = float(a @ a), float(twin @ twin)
    if min(energy_a, energy_b) < _QUIET:
        return 0, 1.0, 0.0
    kinship = float(a @ twin) / np.sqrt(energy_a * energy_b)
    return margin - best, float(np.clip(a @ twin / energy_b, 0.1, 10.0)), float(kinship)


def _shifted(sound: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    if lag >= 0:
        return np.pad(sound, ((0, 0), (lag, 0)))
    return sound[:, -lag:]


def _level_ratio(old: NDArray[np.float32], new: NDArray[np.float32]) -> float:
    loud_old = float(np.sqrt(np.mean(np.square(old, dtype=np.float64))))
    active = new[:, np.abs(new).max(axis=0) > _QUIET]
    loud_new = float(np.sqrt(np.mean(np.square(active, dtype=np.float64)))) if active.size else 0.0
    return float(np.clip(loud_old / loud_new, 0.25, 2.0)) if min(loud_old, loud_new) > _QUIET else 1.0


def _joined(
    old: NDArray[np.float32], new: NDArray[np.float32], join: int, fade: int, samples: int
) -> NDArray[np.float32]:
    new = np.pad(new, ((0, 0), (0, max(0, samples - new.shape[1]))))[:, :samples]
    rising = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    whole = np.array(new)
    whole[:, :join] = old[:, :join]
    whole[:, join : join + fade] = (
        old[:, join : join + fade] * (1 - rising) + new[:, join : join + fade] * rising
    )
    return np.clip(whole, -1.0, 1.0)


def _cut(sound: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    cut = np.array(sound[:, :samples])
    if samples == sound.shape[1]:
        return cut
    length = min(samples, SAMPLE_RATE // 2)
    cut[:, samples - length :] *= np.linspace(1.0, 0.0, length, dtype=np.float32)
    return cut
