"""One worker process, seen from the client: start it, hand it batches, notice when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albumgen_core.errors import EngineNotReadyError, ProtocolError
from albumgen_core.jobs import protocol
from albumgen_core.jobs.spec import JobOutcome, JobSpec
from albumgen_core.vocabulary import Stage

log = logging.getLogger("albumgen.worker")

ProgressSink = Callable[[str, Stage, float], None]

_STDERR_KEPT = 20


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker is run.

    Attributes:
        runner: `module:factory`, a RunnerFactory.
        config: config.toml for it.
        environment: variables added to ours (a device of its own for each worker).
        start_timeout: seconds the engine may take to load.
        progress_timeout: seconds a batch may go without any progress before it counts as hung.
        heartbeat_timeout: seconds of silence after which the process counts as frozen.
    """

    runner: str
    config: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    start_timeout: float = 900.0
    progress_timeout: float = 300.0
    heartbeat_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch came to: outcomes in order, seconds by stage, seconds in all."""

    outcomes: list[JobOutcome]
    timings: dict[str, float]
    elapsed: float


class WorkerDiedError(Exception):
    """The process ended, or was killed for hanging; the text says how."""


class BatchBrokenError(Exception):
    """The runner raised; the worker lives."""

    def __init__(self, kind: str, error: str) -> None:
        super().__init__(error)
        self.out_of_memory = kind == "out_of_memory"


class WorkerProcess:
    """A worker from birth to death; it is not started again, another one is made."""

    def __init__(self, options: WorkerOptions, on_progress: ProgressSink) -> None:
        self.engine: dict[str, Any] = {}
        self.pid: int | None = None
        self._options = options
        self._on_progress = on_progress
        self._process: asyncio.subprocess.Process
        self._tail: deque[str] = deque(maxlen=_STDERR_KEPT)
        # Whoever waits for an answer, by batch; "" is the loading of the engine.
        self._answers: dict[str, asyncio.Future[protocol.Message]] = {}
        self._on_free: dict[str, Callable[[], None]] = {}
        self._batches = 0
        self._said: dict[str, tuple[str, float]] = {}
        self._heard = self._progressed = time.monotonic()
        self._spoke = False
        self._verdict: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.dead = asyncio.Event()

    async def start(self) -> None:
        """Spawn it and wait until its engine is loaded. Raises EngineNotReadyError, WorkerDiedError."""
        arguments = [sys.executable, "-m", "albumgen_core.worker.main", "--runner", self._options.runner]
        if self._options.config is not None:
            arguments += ["--config", str(self._options.config)]
        spawning = asyncio.ensure_future(self._spawn(arguments))
        try:
            self._process = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # Stopped in the very moment of its birth: nobody else would ever wait for it.
            stillborn = await spawning
            stillborn.kill()
            await stillborn.communicate()
            raise
        self.pid = self._process.pid
        self._tasks = [
            asyncio.create_task(self._read_stderr()),
            asyncio.create_task(self._read_replies()),
            asyncio.create_task(self._watch()),
        ]
        answer = await self._ask(
            {"type": "hello", "protocol": protocol.PROTOCOL}, limit=self._options.start_timeout
        )
        if answer["type"] == "unavailable":
            await self.dead.wait()
            raise EngineNotReadyError(str(answer["error"]))
        self.engine = dict(answer.get("engine") or {})

    async def _spawn(self, arguments: list[str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self._options.environment},
            limit=protocol.LINE_LIMIT,
            start_new_session=True,  # Ctrl-C is the client's to handle, and a kill takes the whole group
        )

    async def run(
        self, jobs: Sequence[JobSpec], *, on_free: Callable[[], None] = lambda: None
    ) -> BatchResult:
        """Run a batch. Raises WorkerDiedError, BatchBrokenError.

        Args:
            jobs: what fits together.
            on_free: called, if the worker can do so, once the next batch may be run: its models have done
                with this one, whose files are still being made.
        """
        self._batches += 1
        batch = str(self._batches)
        self._on_free[batch] = on_free
        self._progressed = time.monotonic()
        request = {"type": "run", "batch": batch, "jobs": [protocol.spec_to_wire(job) for job in jobs]}
        try:
            answer = await self._ask(request, batch)
        finally:
            del self._on_free[batch]
            for job in jobs:
                self._said.pop(job.job_id, None)
        if answer["type"] == "broken":
            raise BatchBrokenError(answer["kind"], answer["error"])
        try:
            outcomes = protocol.outcomes_from_wire(answer["outcomes"], [job.job_id for job in jobs])
        except ProtocolError as error:
            raise BatchBrokenError("error", str(error)) from error
        return BatchResult(outcomes, dict(answer["timings"]), float(answer["elapsed"]))

    def cancel(self, job_id: str) -> None:
        """Tell a running batch that one of its jobs is no longer wanted."""
        self._send({"type": "cancel", "job_id": job_id})

    async def stop(self, grace: float) -> None:
        """Ask it to leave, and insist after `grace` seconds."""
        if self.pid is None:
            return
        self._send({"type": "stop"})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.dead.wait(), grace)
        self.kill("it was told to stop")
        await self.dead.wait()
        pipe = self._process.stdin
        if pipe is not None:
            pipe.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(pipe.wait_closed(), 1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self, why: str) -> None:
        """SIGKILL to the process and to whatever it has started."""
        if self.pid is None or self.dead.is_set():
            return
        self._verdict = self._verdict or why
        self._kill_group()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _ask(
        self, request: protocol.Message, batch: str = "", limit: float | None = None
    ) -> protocol.Message:
        if self.dead.is_set():
            raise WorkerDiedError(self._obituary())
        answer = self._answers[batch] = asyncio.get_running_loop().create_future()
        self._send(request)
        try:
            return await asyncio.wait_for(answer, limit)
        except TimeoutError:
            self.kill(f"its engine took longer than {limit:g} s to load")
            await self.dead.wait()
            raise WorkerDiedError(self._obituary()) from None
        finally:
            del self._answers[batch]

    def _send(self, message: protocol.Message) -> None:
        pipe = self._process.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(protocol.encode(message))  # a dead reader shows as end-of-file on its stdout

    async def _read_replies(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        try:
            while line := await pipe.readline():
                self._hear(protocol.decode(line))
        except (ProtocolError, ValueError, KeyError) as error:
            self.kill(f"it did not keep to the protocol ({error})")
        except OSError as error:
            self.kill(f"its pipe broke ({error})")
        try:
            await asyncio.wait_for(self._process.wait(), 2.0)
        except TimeoutError:
            self.kill("it closed its pipe")
            await self._process.wait()
        # Its last words belong into the obituary; something it started may hold its stderr open.
        await asyncio.wait(self._tasks[:1], timeout=0.2)
        self._kill_group()  # whatever it had started (a decoder, a loader) does not outlive it
        self.dead.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(WorkerDiedError(self._obituary()))

    def _hear(self, message: protocol.Message) -> None:
        self._heard, self._spoke = time.monotonic(), True
        kind = message["type"]
        if kind == "progress":
            state = (str(message["stage"]), float(message["fraction"]))
            # Only news is progress: a stage repeating itself for ever is a hang with a voice.
            if self._said.get(message["job_id"]) != state:
                self._said[message["job_id"]] = state
                self._progressed = self._heard
                self._on_progress(message["job_id"], message["stage"], state[1])
        elif kind == "free":
            self._progressed = self._heard
            self._on_free.get(message["batch"], lambda: None)()
        elif kind in ("ready", "unavailable", "finished", "broken"):
            self._progressed = self._heard
            answer = self._answers.get(message.get("batch", ""))
            if answer is not None and not answer.done():
                answer.set_result(message)

    async def _watch(self) -> None:
        """Kill the process when it is silent, or when its batch does not move."""
        pause = min(1.0, self._options.heartbeat_timeout / 4, self._options.progress_timeout / 4)
        while not self.dead.is_set():
            before = time.monotonic()
            await asyncio.sleep(pause)
            now = time.monotonic()
            # Had we been asleep ourselves (suspended, or blocked), its words would still wait in the pipe.
            slept = max(0.0, now - before - 2 * pause)
            self._heard += slept
            self._progressed += slept
            # Until its first word the interpreter may still be starting; start_timeout covers that.
            if self._spoke and now - self._heard > self._options.heartbeat_timeout:
                self.kill(f"it gave no sign of life for {self._options.heartbeat_timeout:g} s")
            elif self._on_free and now - self._progressed > self._options.progress_timeout:
                self.kill(f"it made no progress for {self._options.progress_timeout:g} s")

    async def _read_stderr(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None
        while True:
            try:
                line = await pipe.readline()
            except ValueError:  # a line beyond the limit: what was read of it is dropped
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self._tail.append(text)
                log.info("[%s] %s", self.pid, text)

    def _obituary(self) -> str:
        if self._verdict is not None:
            return self._verdict
        code = self._process.returncode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"it was ended by {signal.Signals(-code).name}"
        last = f": {self._tail[-1]}" if self._tail else ""
        return f"it ended with status {code}{last}"
