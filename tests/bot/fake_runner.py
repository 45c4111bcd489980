"""A pipeline's stand-in where the music does not matter: whole result folders in milliseconds.

It waits while a file `hold` lies beside the config, between its first stage and its last.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from albumgen_core.files import write_durably
from albumgen_core.jobs.spec import JobCancelCheck, JobOutcome, JobProgress, JobSpec
from albumgen_core.result import EXACT_COVER

ATTRIBUTES: dict[str, Any] = {
    "artist_name": "",
    "album_genre": "jazz",
    "key": "C#",
    "time_signature": 4,
    "acousticness": 0.5,
    "danceability": 0.512,
    "energy": 0.7,
    "instrumentalness": 0.9,
    "liveness": 0.1,
    "loudness": 0.8,
    "speechiness": 0.05,
    "valence": 0.4,
    "tempo": 118.3,
    "mode": "minor",
    "raw_genre": None,
}

NEIGHBOUR: dict[str, Any] = {
    "album_id": "a1",
    "title": "Night *Drive* @everyone https://example.org",
    "artist": "The Examples",
    "year": 1999,
    "distance": 0.4321,
    "attributes": ATTRIBUTES,
}


class FakeRunner:
    def __init__(self, home: Path) -> None:
        self.home = home

    def engine_info(self) -> dict[str, Any]:
        return {"family": "sketch"}

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        for job in jobs:
            on_progress(job.job_id, "compose", 0.4)
        while (self.home / "hold").exists() and not all(is_cancelled(job.job_id) for job in jobs):
            time.sleep(0.01)
        return [self._outcome(job, is_cancelled) for job in jobs]

    def _outcome(self, job: JobSpec, is_cancelled: JobCancelCheck) -> JobOutcome:
        if is_cancelled(job.job_id):
            return JobOutcome(job.job_id, "cancelled")
        folder = self.home / "results" / job.job_id
        if (self.home / "fail").exists() or (job.rag and (self.home / "fail-rag").exists()):
            return JobOutcome(job.job_id, "failed", error="Something went wrong while making this clip.")
        mp3 = self.home / "clip.mp3"
        write_durably(folder / "clip.mp3", mp3.read_bytes() if mp3.exists() else b"ID3" + bytes(2000))
        write_durably(folder / "card.png", b"\x89PNG\r\n\x1a\n" + bytes(200))
        write_durably(folder / "cover.jpg", Path(job.cover_path).read_bytes())
        write_durably(folder / EXACT_COVER, Path(job.cover_path).read_bytes())
        write_durably(folder / "result.json", json.dumps(self._document(job)).encode())
        return JobOutcome(job.job_id, "done", result_dir=str(folder))

    def _document(self, job: JobSpec) -> dict[str, Any]:
        return {
            "engine": {"family": "sketch", "describer": "fake", "composer": "fake"},
            "rag": job.rag,
            "attributes": ATTRIBUTES | dict(job.overrides),
            "overridden": sorted(job.overrides) if job.overrides.keys() != ATTRIBUTES.keys() else [],
            "neighbours": [NEIGHBOUR] if job.rag else [],
            "prompt": f"A jazz piece of {job.seconds:g} seconds in the {job.prompt_style} style.",
            "seed": job.seed,
            "seconds": job.seconds,
            "notices": [],
            "continued": job.continue_from,
        }


def fake_runner(config: Path | None) -> FakeRunner:
    assert config is not None
    return FakeRunner(config.parent)
