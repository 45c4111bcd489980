"""The worker's own runner, in a process that is killed the first time it has composed half of a batch."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from albumgen_core.jobs.spec import BatchRunner, JobCancelCheck, JobOutcome, JobProgress, JobSpec
from albumgen_core.vocabulary import Stage
from albumgen_core.worker.runner import build_runner

KILL_AT = 0.5


class MortalRunner:
    """Writes down every report of composing, and dies of SIGKILL once."""

    def __init__(self, runner: BatchRunner, home: Path) -> None:
        self.runner = runner
        self.diary = home / "composed.txt"
        self.killed = home / "killed"

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        with self.diary.open("a", buffering=1) as diary:

            def watch(job_id: str, stage: Stage, fraction: float) -> None:
                if stage == "compose":
                    diary.write(f"{os.getpid()} {job_id} {fraction}\n")
                    if fraction >= KILL_AT and job_id == jobs[-1].job_id and not self.killed.exists():
                        self.killed.touch()
                        os.kill(os.getpid(), signal.SIGKILL)
                on_progress(job_id, stage, fraction)

            return self.runner.run(jobs, on_progress=watch, is_cancelled=is_cancelled)


def build(config: Path | None) -> BatchRunner:
    assert config is not None
    return MortalRunner(build_runner(config), config.parent)
