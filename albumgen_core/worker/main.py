"""The worker process: owns the models, runs batches, speaks JSON lines with its client over pipes.

    python -m albumgen_core.worker.main --runner module:factory [--config path]

Only the standard library is imported before the client says hello, so that the process starts in
milliseconds and can report anything that goes wrong while the engine loads.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from albumgen_core.errors import AlbumGenError
from albumgen_core.jobs import protocol
from albumgen_core.jobs.spec import BatchRunner, JobOutcome, JobSpec, TwoPhaseRunner
from albumgen_core.vocabulary import Stage

DEFAULT_RUNNER = "albumgen_core.worker.runner:build_runner"

BEAT_SECONDS = 1.0
TELL_SECONDS = 0.05
"""Least time between two reports of one job within one stage."""

STOP_GRACE = 20.0
"""Seconds a batch may still take after SIGTERM."""

_EXIT_SIGTERM = 128 + signal.SIGTERM

log = logging.getLogger(__name__)


class Line:
    """The pipe to the client; whole lines only, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, message: str, /, **fields: Any) -> None:
        """Send one message. A client that is gone ends this process."""
        line = protocol.encode({"type": message, **fields})
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:
                os._exit(0)  # nobody is listening: whatever was half done is run again elsewhere


class Meter:
    """Turns a runner's progress into few messages, and into seconds spent in each stage of the batch."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._since = time.monotonic()
        self._stage: str | None = None
        self._told: dict[str, tuple[str, float]] = {}
        self.timings: dict[str, float] = {}

    def report(self, job_id: str, stage: Stage, fraction: float) -> None:
        """The runner's JobProgress."""
        now = time.monotonic()
        self._attribute(now)
        self._stage = stage
        last_stage, last_time = self._told.get(job_id, ("", 0.0))
        if stage != last_stage or fraction >= 1.0 or now - last_time >= TELL_SECONDS:
            self._told[job_id] = (stage, now)
            self._line.say("progress", job_id=job_id, stage=stage, fraction=min(max(fraction, 0.0), 1.0))

    def finish(self) -> dict[str, float]:
        """Close the books: seconds by stage."""
        self._attribute(time.monotonic())
        return self.timings

    def _attribute(self, now: float) -> None:
        # Work before the first report belongs to no stage we know of; the time of a stage runs from its
        # first report to the next stage's first.
        if self._stage is not None:
            self.timings[self._stage] = self.timings.get(self._stage, 0.0) + now - self._since
        self._since = now


@dataclass(frozen=True, slots=True)
class _Batch:
    name: str
    jobs: list[JobSpec]
    meter: Meter
    started: float = field(default_factory=time.monotonic)


class Worker:
    """Reads requests on a thread of its own, so that a cancel arrives while a batch runs.

    The models work on the main thread. A runner in two phases finishes its batches on another one, one at a
    time, while the main thread begins the next.
    """

    def __init__(self, requests: BinaryIO, line: Line, runner: str, config: Path | None) -> None:
        self._requests = requests
        self._line = line
        self._runner_name = runner
        self._config = config
        self._cancelled: set[str] = set()
        self._inbox: list[protocol.Message | None] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._finishing: threading.Thread | None = None

    def serve(self) -> int:
        """Until told to stop; returns the exit status."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: self._stop_soon())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the client decides
        first = self._next()
        if first is None or first["type"] != "hello":
            return 0
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        runner = self._load()
        if runner is None:
            return protocol.EXIT_UNAVAILABLE
        while (message := self._next()) is not None:
            if message["type"] == "run":
                self._run(runner, message)
        self._wait_for_files()
        return 0

    def _load(self) -> BatchRunner | None:
        started = time.monotonic()
        try:
            module, _, name = self._runner_name.partition(":")
            runner: BatchRunner = getattr(importlib.import_module(module), name)(self._config)
        except (Exception, SystemExit) as error:
            log.exception("the engine cannot start")
            said = str(error) if isinstance(error, AlbumGenError) else f"{type(error).__name__}: {error}"
            self._line.say("unavailable", error=said)
            return None
        engine: dict[str, Any] = getattr(runner, "engine_info", dict)()
        self._line.say("ready", pid=os.getpid(), engine=engine, load_seconds=time.monotonic() - started)
        return runner

    def _run(self, runner: BatchRunner, message: protocol.Message) -> None:
        jobs = [JobSpec.from_dict(job) for job in message["jobs"]]
        batch = _Batch(message["batch"], jobs, Meter(self._line))
        report, is_cancelled = batch.meter.report, self._cancelled.__contains__
        if not isinstance(runner, TwoPhaseRunner):
            self._finish(batch, lambda: runner.run(jobs, on_progress=report, is_cancelled=is_cancelled))
            return
        try:
            finish = runner.begin(jobs, on_progress=report, is_cancelled=is_cancelled)
        except Exception as error:
            self._broke(batch, error)
            return
        self._wait_for_files()  # composing is never more than a batch ahead
        self._finishing = threading.Thread(target=self._finish, args=(batch, finish), name="files")
        self._finishing.start()
        self._line.say("free", batch=batch.name)

    def _wait_for_files(self) -> None:
        if self._finishing is not None:
            self._finishing.join()

    def _finish(self, batch: _Batch, finish: Callable[[], list[JobOutcome]]) -> None:
        try:
            outcomes = finish()
        except Exception as error:
            self._broke(batch, error)
            return
        self._line.say(
            "finished",
            batch=batch.name,
            outcomes=[protocol.outcome_to_wire(outcome) for outcome in outcomes],
            timings=batch.meter.finish(),
            elapsed=time.monotonic() - batch.started,
        )
        self._forget(batch)

    def _broke(self, batch: _Batch, error: Exception) -> None:
        log.exception("batch %s broke", batch.name)
        kind: protocol.BrokenKind = "out_of_memory" if is_out_of_memory(error) else "error"
        said = str(error) if isinstance(error, AlbumGenError) else f"{type(error).__name__}: {error}"
        # The traceback holds the tensors of the failed batch; only without it can memory be freed.
        error.__traceback__ = None
        release_memory()
        self._line.say("broken", batch=batch.name, kind=kind, error=said[:2000])
        self._forget(batch)

    def _forget(self, batch: _Batch) -> None:
        self._cancelled.difference_update(job.job_id for job in batch.jobs)

    def _next(self) -> protocol.Message | None:
        """The next request; None when it is time to leave."""
        with self._changed:
            # Short waits, so that a signal's handler (which Python runs between them) is not held up.
            while not self._inbox and not self._stopping:
                self._changed.wait(0.5)
            return None if self._stopping else self._inbox.pop(0)

    def _read(self) -> None:
        for raw in self._requests:
            message = protocol.decode(raw)
            if message["type"] == "cancel":
                self._cancelled.add(message["job_id"])
                continue
            with self._changed:
                self._inbox.append(None if message["type"] == "stop" else message)
                self._changed.notify()
        # End of file: the client is dead. Its successor runs the batch again, so leave at once.
        os._exit(0)

    def _beat(self) -> None:
        """Tell apart a long stage (this thread goes on) and a frozen process (nothing does)."""
        while True:
            time.sleep(BEAT_SECONDS)
            self._line.say("beat")

    def _stop_soon(self) -> None:
        # Runs in the main thread between two of its instructions: it must not wait for a lock.
        self._stopping = True
        timer = threading.Timer(STOP_GRACE, os._exit, args=(_EXIT_SIGTERM,))
        timer.daemon = True
        timer.start()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the host or on a GPU (known without importing torch)."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "out of memory" in str(error).lower())
    )


def release_memory() -> None:
    """Give cached GPU memory back, where torch is in use at all."""
    import gc

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def protect_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes to ourselves: (requests, replies).

    Libraries print to stdout, natively too, and children inherit descriptors: stdout becomes stderr,
    stdin becomes /dev/null, and the duplicates are close-on-exec.
    """
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(requests, "rb"), os.fdopen(replies, "wb")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(
        prog="albumgen-worker", description="Runs AlbumGen's models for a client."
    )
    parser.add_argument("--runner", default=DEFAULT_RUNNER, help="module:factory that builds the runner")
    parser.add_argument("--config", type=Path, help="config.toml to read")
    options = parser.parse_args(arguments)
    if ":" not in options.runner:
        parser.error("--runner must look like module:factory")
    requests, replies = protect_pipes()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    return Worker(requests, Line(replies), options.runner, options.config).serve()


if __name__ == "__main__":
    status = main()
    # Not sys.exit: native threads of a model library may hold a normal interpreter shutdown up for ever.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)
