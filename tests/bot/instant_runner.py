"""A runner for tests in which the music does not matter: whole result folders, at once.

It starts in a fifth of a second and writes what the real pipeline writes, with real (if dull) files. The MP3
carries the job's seed in an ID3v1 tag, so that whoever receives it can tell whose it is. Takes with RAG that
belong to a comparison name a neighbour, for without one there would be nothing to compare.

    INSTANT_SECONDS   how long a job takes, spread over its stages (0)
    INSTANT_CLIP      length of the clip, s (0.5); the card grows with it, to the sizes of real results at 10
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from albumgen_core.albums import Album, Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.opus import RATE as _OPUS_RATE
from albumgen_core.audio.opus import encode_opus
from albumgen_core.audio.types import Audio
from albumgen_core.cover.read import load_checked_cover
from albumgen_core.jobs.layout import DataLayout
from albumgen_core.jobs.spec import JobCancelCheck, JobOutcome, JobProgress, JobSpec
from albumgen_core.result import Take, is_whole, write_take
from albumgen_core.settings import load_settings
from albumgen_core.vocabulary import STAGES

SECONDS, CLIP = "INSTANT_SECONDS", "INSTANT_CLIP"
NAME = "tests.bot.instant_runner:instant_runner"
ATTRIBUTES: dict[str, Any] = {
    "artist_name": "",
    "album_genre": "ambient",
    "key": "A",
    "mode": "minor",
    "time_signature": 4,
    "tempo": 90.0,
    "acousticness": 0.5,
    "danceability": 0.4,
    "energy": 0.3,
    "instrumentalness": 0.9,
    "liveness": 0.1,
    "loudness": 0.4,
    "speechiness": 0.1,
    "valence": 0.2,
}
NEIGHBOUR = Neighbour(
    Album(
        "a1",
        "Still Water",
        "The Examples",
        MeasuredAttributes("The Examples", **{name: ATTRIBUTES[name] for name in AUDIO_FEATURES}),
    ),
    0.43,
)
_TAG = b"TAG"
_RATE = 32000


def tagged(mp3: bytes, seed: int) -> bytes:
    """An MP3 with an ID3v1 tag whose title is the seed."""
    return mp3 + (_TAG + f"{seed}".encode()).ljust(128, b"\0")


def seed_of(mp3: bytes) -> int | None:
    """Inverse of `tagged`; None for an MP3 that is not whole or not ours."""
    tag = mp3[-128:]
    return int(tag[3:33].rstrip(b"\0")) if tag.startswith(_TAG) else None


class InstantRunner:
    def __init__(self, results: Path, seconds: float, clip: float = 0.5) -> None:
        self.results = results
        self.seconds = seconds
        dice = np.random.default_rng(1)
        noise = 0.1 * dice.standard_normal((int(_RATE * clip), 2))
        self.audio = Audio(noise.T.astype(np.float32), _RATE)
        sound = io.BytesIO()
        soundfile.write(sound, noise, _RATE, format="MP3")
        self.mp3 = sound.getvalue()
        self.ogg = encode_opus(np.zeros((_OPUS_RATE // 2, 2), np.float32))
        picture, size = io.BytesIO(), round(80 * clip**0.5)
        Image.fromarray(dice.integers(0, 256, (size, size, 3), np.uint8)).save(picture, "PNG")
        self.card = picture.getvalue()

    def engine_info(self) -> dict[str, object]:
        return {"family": "sketch", "describer": "instant", "composer": "instant"}

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        for stage in STAGES:
            for job in jobs:
                on_progress(job.job_id, stage, 0.5)
            time.sleep(self.seconds / len(STAGES))
        return [self._outcome(job, is_cancelled) for job in jobs]

    def _outcome(self, job: JobSpec, is_cancelled: JobCancelCheck) -> JobOutcome:
        if is_cancelled(job.job_id):
            return JobOutcome(job.job_id, "cancelled")
        folder = self.results / job.job_id
        if not is_whole(folder):
            write_take(self._take(job), folder)
        return JobOutcome(job.job_id, "done", result_dir=str(folder))

    def _take(self, job: JobSpec) -> Take:
        cover = load_checked_cover(Path(job.cover_path))
        return Take(
            attributes=MusicalAttributes(**ATTRIBUTES),
            neighbours=(NEIGHBOUR,) if job.rag and job.bundle_id else (),
            rag=job.rag,
            prompt="a dull tone",
            seed=job.seed,
            seconds=job.seconds,
            audio=self.audio,
            mp3=tagged(self.mp3, job.seed),
            ogg=self.ogg,
            card=self.card,
            cover_jpeg=cover.to_jpeg(),
            cover_png=cover.to_png(),
            cover_sha256=cover.sha256,
            family="sketch",
            describer="instant",
            composer="instant",
            lineage={"job_id": job.job_id, "parent_id": job.parent_id, "root_id": job.root_id},
        )


def instant_runner(config: Path | None) -> InstantRunner:
    seconds, clip = float(os.environ.get(SECONDS, "0")), float(os.environ.get(CLIP, "0.5"))
    return InstantRunner(DataLayout(load_settings(config).data_dir).results, seconds, clip)
