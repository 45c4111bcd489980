"""Does a clip do what was asked of it?

Clips are composed for many different requests and measured. Tempo and key are asked for exactly and can be
right or wrong. Loudness, energy and acousticness are asked for on scales of their own, so what is looked at
is whether more of the one goes with more of what carries it. Beside each figure stands what the same clips
reach when they are held against the other requests.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from albumgen_core.attributes.fields import KEYS
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.engines.base import Composer, ComposeRequest
from albumgen_core.errors import EvaluationError
from albumgen_core.evaluation.audio_features import AudioFeatures, measure
from albumgen_core.evaluation.bootstrap import over_groups
from albumgen_core.evaluation.frechet import embed_sound
from albumgen_core.evaluation.intervals import Interval
from albumgen_core.evaluation.matching import key_credit, same_key, tempo_matches, tempo_matches_octave
from albumgen_core.prompt.template import PromptStyle, compose_prompt

Array = NDArray[np.float64]

RELATIONS: tuple[tuple[str, str, int], ...] = (
    ("loudness", "loudness", 1),
    ("energy", "loudness", 1),
    ("energy", "onsets", 1),
    ("energy", "brightness", 1),
    ("tempo", "onsets", 1),
    ("acousticness", "brightness", -1),
)
"""Attribute asked for, quantity heard, and whether more should mean more (1) or less (-1)."""

_RESAMPLES = 1000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class ClipResult:
    """One clip.

    Attributes:
        asked: what it was to be like.
        heard: what it is like, as composed, before its loudness is normalised.
        seconds: length of the clip. took: how long composing took, its share of its batch.
        embedding: float64 (seconds, 64), see `frechet`.
    """

    asked: MusicalAttributes
    heard: AudioFeatures
    seconds: float
    took: float
    embedding: Array


@dataclass(frozen=True, slots=True)
class Kept:
    """How often a request was kept.

    Attributes:
        share: share of the clips, with its 95 % interval.
        swapped: share when every clip is held against all the other requests.
    """

    share: Interval
    swapped: float


@dataclass(frozen=True, slots=True)
class Relation:
    """Whether what is heard follows what is asked.

    Attributes:
        asked, heard: attribute and quantity.
        sign: 1 where more should mean more, -1 where less.
        rho: Spearman's rank correlation with its 95 % bootstrap interval.
    """

    asked: str
    heard: str
    sign: int
    rho: Interval

    @property
    def holds(self) -> bool:
        """Whether the whole interval lies on the right side of 0."""
        return self.rho.low > 0 if self.sign > 0 else self.rho.high < 0


@dataclass(frozen=True, slots=True, eq=False)
class AudioEvaluation:
    """Everything that was measured.

    Attributes:
        composer: its name.
        clips: one each.
        kept: by "tempo", "tempo, any octave", "key" and "key, weighted".
        relations: in the order of `RELATIONS`.
        loudness_error: mean absolute difference between dB asked for and LUFS heard.
        loudness_offset: mean of LUFS heard less dB asked for.
        speed: seconds of music composed in a second, median.
    """

    composer: str
    clips: Sequence[ClipResult]
    kept: dict[str, Kept]
    relations: Sequence[Relation]
    loudness_error: float
    loudness_offset: float
    speed: float


def drawn_requests(count: int, seed: int = 0) -> list[MusicalAttributes]:
    """Requests wider than covers ever make: every genre in turn, any key, mode and metre, 50 to 200 BPM."""
    return [_drawn(number, random.Random(f"{seed} {number}")) for number in range(count)]


def compose_and_measure(
    composer: Composer,
    asked: Sequence[MusicalAttributes],
    *,
    seconds: float = 10.0,
    batch: int = 1,
    style: PromptStyle = "concise",
    on_progress: Progress = lambda _done, _total: None,
) -> list[ClipResult]:
    """Compose one clip for each request, seeded by its position, and measure it.

    Args:
        composer: whose clips.
        asked: the requests.
        seconds: length of a clip.
        batch: clips composed together.
        style: of the prompts that neural composers read.
        on_progress: told (clips done, clips in all).
    """
    results = []
    for start in range(0, len(asked), batch):
        wanted = asked[start : start + batch]
        requests = [
            ComposeRequest(compose_prompt(one, style=style), one, seconds, start + place)
            for place, one in enumerate(wanted)
        ]
        began = time.perf_counter()
        sounds = composer.compose(requests)
        took = (time.perf_counter() - began) / len(wanted)
        for one, sound in zip(wanted, sounds, strict=True):
            if sound is None:
                raise EvaluationError(f"{composer.name} gave no sound for a request nobody cancelled.")
            results.append(ClipResult(one, measure(sound), sound.seconds, took, embed_sound(sound)))
        on_progress(len(results), len(asked))
    return results


def evaluate_audio(composer: str, clips: Sequence[ClipResult]) -> AudioEvaluation:
    """Hold clips against their requests. Raises EvaluationError for fewer than 10 clips."""
    if len(clips) < 10:
        raise EvaluationError(f"{len(clips)} clips say nothing; 10 are the least.")
    asked, heard = [clip.asked for clip in clips], [clip.heard for clip in clips]
    tempo = _table(asked, heard, lambda a, h: h.tempo > 0 and tempo_matches(h.tempo, a.tempo))
    octave = _table(asked, heard, lambda a, h: h.tempo > 0 and tempo_matches_octave(h.tempo, a.tempo))
    key = _table(asked, heard, lambda a, h: same_key(h.key, h.mode, a.key, a.mode))
    weighted = _table(asked, heard, lambda a, h: key_credit(h.key, h.mode, a.key, a.mode))
    difference = np.array([h.loudness - (60 * a.loudness - 60) for a, h in zip(asked, heard, strict=True)])
    return AudioEvaluation(
        composer=composer,
        clips=clips,
        kept={
            "tempo": _kept(tempo),
            "tempo, any octave": _kept(octave),
            "key": _kept(key),
            "key, weighted": _kept(weighted),
        },
        relations=[
            Relation(name, quantity, sign, _spearman(asked, heard, name, quantity))
            for name, quantity, sign in RELATIONS
        ],
        loudness_error=float(np.abs(difference).mean()),
        loudness_offset=float(difference.mean()),
        speed=float(np.median([clip.seconds / max(clip.took, 1e-9) for clip in clips])),
    )


def _table(
    asked: Sequence[MusicalAttributes],
    heard: Sequence[AudioFeatures],
    judge: Callable[[MusicalAttributes, AudioFeatures], float],
) -> Array:
    """Each request (row) against each clip (column)."""
    return np.array([[float(judge(one, other)) for other in heard] for one in asked])


def _kept(table: Array) -> Kept:
    count = len(table)
    own = np.diag(table).copy()
    swapped = (table.sum() - own.sum()) / (count * (count - 1))
    return Kept(over_groups(own, list(range(count))), float(swapped))


def _spearman(
    asked: Sequence[MusicalAttributes], heard: Sequence[AudioFeatures], name: str, quantity: str
) -> Interval:
    x = np.array([float(getattr(one, name)) for one in asked])
    y = np.array([float(getattr(one, quantity)) for one in heard])
    if x.std() < 1e-12 or y.std() < 1e-12:
        return Interval(math.nan, math.nan, math.nan)
    rows = np.random.default_rng(0).integers(len(x), size=(_RESAMPLES, len(x)))
    low, high = np.nanquantile(_rank_correlations(x[rows], y[rows]), (0.025, 0.975))
    return Interval(float(_rank_correlations(x[None], y[None])[0]), float(low), float(high))


def _rank_correlations(x: Array, y: Array) -> Array:
    """Spearman's correlation row by row, (rows,); NaN where a row never varies."""
    one, other = stats.rankdata(x, axis=1), stats.rankdata(y, axis=1)
    one -= one.mean(axis=1, keepdims=True)
    other -= other.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray((one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1)))


def _drawn(number: int, chance: random.Random) -> MusicalAttributes:
    return MusicalAttributes(
        artist_name="",
        album_genre=GENRES[number % len(GENRES)],
        key=chance.choice(KEYS),
        mode=chance.choice(("major", "minor")),
        time_signature=chance.choice((3, 4, 4, 4, 5, 6, 7)),
        tempo=round(math.exp(chance.uniform(math.log(50), math.log(200))), 1),
        acousticness=chance.random(),
        danceability=chance.random(),
        energy=chance.random(),
        instrumentalness=chance.random(),
        liveness=chance.uniform(0.0, 0.6),
        loudness=chance.uniform(0.6, 1.0),
        speechiness=chance.uniform(0.0, 0.5),
        valence=chance.random(),
    )
