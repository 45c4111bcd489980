"""Stand-ins for the pipeline that the worker process really runs: each job says what to do to it.

`overrides["do"]` is a list of behaviours, one for each time the job is run (the last one repeats); a file
in the results folder counts the runs, so that it is known across processes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from albumgen_core.errors import EngineUnavailableError
from albumgen_core.files import write_durably
from albumgen_core.jobs.spec import JobCancelCheck, JobOutcome, JobProgress, JobSpec


class ObedientRunner:
    def __init__(self, home: Path) -> None:
        self.home = home

    def engine_info(self) -> dict[str, Any]:
        return {"family": "obedient"}

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        orders = self._compose(jobs, on_progress, is_cancelled)
        return [self._outcome(job, orders[job.job_id], is_cancelled) for job in jobs]

    def _compose(
        self, jobs: Sequence[JobSpec], on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> dict[str, str]:
        self._log(jobs)
        orders = {job.job_id: self._order(job) for job in jobs}
        for job in jobs:
            on_progress(job.job_id, "embed", 1.0)
        for job in jobs:
            self._suffer(orders[job.job_id], len(jobs))
        steps = max((int(order[5:]) for order in orders.values() if order.startswith("slow:")), default=0)
        for step in range(steps):
            time.sleep(0.02)
            for job in jobs:
                on_progress(job.job_id, "compose", (step + 1) / steps)
            if all(is_cancelled(job.job_id) for job in jobs):
                break
        return orders

    def _order(self, job: JobSpec) -> str:
        orders = job.overrides.get("do", ["work"])
        counter = self.home / f"runs-{job.job_id}"
        with counter.open("a") as file:
            file.write("x")
        return str(orders[min(counter.stat().st_size, len(orders)) - 1])

    def _suffer(self, order: str, batch: int) -> None:
        if order == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif order == "exit":
            sys.stderr.write("the driver went away\n")
            os._exit(7)
        elif order == "hang":
            time.sleep(600)
        elif order == "sleep":
            time.sleep(0.08)
        elif order == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif order == "oom":
            raise MemoryError
        elif order.startswith("oom-above:") and batch > int(order.partition(":")[2]):
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        elif order == "raise":
            raise ValueError("tensors do not match")
        elif order == "print":
            print('{"type":"finished"}')
            os.write(1, b"native noise\n")
            os.system("echo noise of a child")

    def _outcome(self, job: JobSpec, order: str, is_cancelled: JobCancelCheck) -> JobOutcome:
        if is_cancelled(job.job_id) and order != "deaf":
            return JobOutcome(job.job_id, "cancelled")
        if order == "refuse":
            return JobOutcome(job.job_id, "failed", error="This picture cannot be read.")
        if order == "flaky":
            return JobOutcome(job.job_id, "failed", error="The album index is away.", retryable=True)
        folder = self.home / job.job_id
        if order != "lie":
            body = json.dumps({"job": job.job_id, "seed": job.seed})
            write_durably(folder / "result.json", body.encode())
        return JobOutcome(job.job_id, "done", result_dir=str(folder))

    def _log(self, jobs: Sequence[JobSpec]) -> None:
        with (self.home / "batches.jsonl").open("a") as file:
            file.write(json.dumps([job.job_id for job in jobs]) + "\n")


def obedient(config: Path | None) -> ObedientRunner:
    assert config is not None
    home = config.parent / "results"
    home.mkdir(exist_ok=True)
    return ObedientRunner(home)


class TwoPhaseRunner(ObedientRunner):
    """Writes what it composed in a second phase; "files:<order>" is obeyed there, "files:gate" waits.

    It waits for a file named "gate" in the results folder. What it is at is written into "phases".
    """

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        return self.begin(jobs, on_progress=on_progress, is_cancelled=is_cancelled)()

    def begin(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> Callable[[], list[JobOutcome]]:
        self._note("compose", jobs)
        orders = self._compose(jobs, on_progress, is_cancelled)

        def write() -> list[JobOutcome]:
            self._note("write", jobs)
            for job in jobs:
                on_progress(job.job_id, "encode", 0.0)
                order = orders[job.job_id]
                if order == "files:gate":
                    while not (self.home / "gate").exists():
                        time.sleep(0.01)
                elif order.startswith("files:"):
                    self._suffer(order.removeprefix("files:"), len(jobs))
            outcomes = [self._outcome(job, orders[job.job_id], is_cancelled) for job in jobs]
            self._note("written", jobs)
            return outcomes

        return write

    def _note(self, phase: str, jobs: Sequence[JobSpec]) -> None:
        with (self.home / "phases").open("a") as file:
            file.write(f"{phase} {' '.join(str(job.seed) for job in jobs)}\n")


def two_phases(config: Path | None) -> TwoPhaseRunner:
    assert config is not None
    return TwoPhaseRunner(obedient(config).home)


class FreeRunner:
    """Jobs whose stages cost nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self, jobs: Sequence[JobSpec], *, on_progress: JobProgress, is_cancelled: JobCancelCheck
    ) -> list[JobOutcome]:
        return [JobOutcome(job.job_id, "done", result_dir=str(self.folder)) for job in jobs]


def free(config: Path | None) -> FreeRunner:
    assert config is not None
    return FreeRunner(config.parent)


def unavailable(config: Path | None) -> ObedientRunner:
    """Has no weights until somebody puts them there."""
    assert config is not None
    if not (config.parent / "weights").exists():
        raise EngineUnavailableError("model.safetensors is missing; run `albumgen weights pull`.")
    return obedient(config)


def stillborn(config: Path | None) -> ObedientRunner:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError
