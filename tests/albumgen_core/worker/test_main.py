"""The worker's side of the pipe, spoken to by hand."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from albumgen_core.errors import ProtocolError
from albumgen_core.jobs import protocol
from albumgen_core.jobs.running import is_out_of_memory
from albumgen_core.jobs.spec import JobOutcome
from tests.albumgen_core.inference.conftest import RUNNERS, make_spec

WORKER = "albumgen_core.worker.main"
R = TypeVar("R", bound=protocol.Reply)


class Pipe:
    def __init__(self, config: Path, runner: str = "obedient") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", WORKER, "--runner", f"{RUNNERS}:{runner}", "--config", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def send(self, message: protocol.Request) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(protocol.encode(message))
        self.process.stdin.flush()

    def reply(self, *kinds: type[R]) -> R:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = protocol.decode_reply(line)
            if isinstance(message, kinds):
                return message
        raise EOFError

    def run(self, *orders: str, batch: str = "1") -> str:
        spec = make_spec(*orders)
        self.send(protocol.Run(batch, [spec]))
        return spec.job_id


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.touch()
    return path


@pytest.fixture
def pipe(config: Path) -> Iterator[Pipe]:
    pipe = Pipe(config)
    yield pipe
    pipe.process.kill()
    for stream in (pipe.process.stdin, pipe.process.stdout):
        assert stream is not None
        stream.close()
    pipe.process.wait()


def test_it_says_what_it_is_and_leaves_when_told(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    ready = pipe.reply(protocol.Ready)
    assert (ready.pid, ready.engine) == (pipe.process.pid, {"family": "obedient"})
    pipe.send(protocol.Stop())
    assert pipe.process.wait(10) == 0


def test_stray_prints_never_reach_the_client(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    pipe.reply(protocol.Ready)
    pipe.run("print")
    assert pipe.reply(protocol.Finished, protocol.Broken).outcomes[0].status == "done"


def test_stages_are_timed_and_progress_is_told(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    job_id = pipe.run("slow:10")
    assert pipe.reply(protocol.Progress) == protocol.Progress(job_id, "embed", 1.0)
    finished = pipe.reply(protocol.Finished)
    assert finished.timings.keys() == {"embed", "compose"}
    assert 0.0 < sum(finished.timings.values()) <= finished.elapsed


def test_a_cancel_arrives_while_a_batch_runs(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    job_id = pipe.run("slow:10000")
    pipe.reply(protocol.Progress)
    pipe.send(protocol.Cancel(job_id))
    assert pipe.reply(protocol.Finished).outcomes[0].status == "cancelled"


def test_it_dies_with_its_client_even_in_mid_batch(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    pipe.run("slow:10000")
    pipe.reply(protocol.Progress)
    assert pipe.process.stdin is not None
    pipe.process.stdin.close()
    assert pipe.process.wait(10) == 0


def test_sigterm_lets_the_running_batch_end(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    pipe.run("slow:30")
    pipe.reply(protocol.Progress)
    pipe.process.send_signal(signal.SIGTERM)
    pipe.process.send_signal(signal.SIGINT)
    assert pipe.reply(protocol.Finished).outcomes[0].status == "done"
    assert pipe.process.wait(10) == 0


def test_it_beats_through_a_long_stage(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    pipe.run("hang")
    assert pipe.reply(protocol.Beat)


@pytest.mark.parametrize(
    ("orders", "kind"), [("oom", "out_of_memory"), ("oom-above:0", "out_of_memory"), ("raise", "error")]
)
def test_a_broken_batch_is_reported_and_survived(pipe: Pipe, orders: str, kind: str) -> None:
    pipe.send(protocol.Hello())
    pipe.run(orders)
    assert pipe.reply(protocol.Broken).kind == kind
    pipe.run("work", batch="2")
    assert pipe.reply(protocol.Broken, protocol.Finished).batch == "2"


def test_an_engine_that_cannot_start_says_why_and_exits_with_2(config: Path) -> None:
    pipe = Pipe(config, "unavailable")
    pipe.send(protocol.Hello())
    assert "albumgen weights pull" in pipe.reply(protocol.Unavailable).error
    assert pipe.process.wait(10) == protocol.EXIT_UNAVAILABLE
    pipe.process.communicate()


def test_an_unknown_runner_says_so(config: Path) -> None:
    pipe = Pipe(config, "nobody")
    pipe.send(protocol.Hello())
    assert "nobody" in pipe.reply(protocol.Unavailable).error
    pipe.process.communicate()


def test_batches_are_answered_in_the_order_they_came(pipe: Pipe) -> None:
    pipe.send(protocol.Hello())
    for batch in range(20):
        pipe.run("work", batch=str(batch))
    assert [pipe.reply(protocol.Finished).batch for _ in range(20)] == [str(batch) for batch in range(20)]


def test_outcomes_must_answer_the_batch() -> None:
    answer = [JobOutcome("a", "done", result_dir="/x")]
    protocol.check_outcomes(answer, ["a"])
    for ids in (["b"], ["a", "b"], []):
        with pytest.raises(ProtocolError):
            protocol.check_outcomes(answer, ids)
    line = protocol.encode(protocol.Finished("1", answer, {"embed": 0.5}, 1.0))
    assert protocol.decode_reply(line) == protocol.Finished("1", answer, {"embed": 0.5}, 1.0)
    for wrong in (b'"perhaps"', b"7"):
        with pytest.raises(ProtocolError):
            protocol.decode_reply(line.replace(b'"done"', wrong))


@pytest.mark.parametrize("line", [b"noise\n", b"[1]\n", b'{"a": 1}\n', b'{"type": "other"}\n', b"\xff\n"])
def test_noise_is_no_message(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_reply(line)
    with pytest.raises(ProtocolError):
        protocol.decode_request(line)


def test_the_origin_of_a_job_is_not_sent_to_the_worker() -> None:
    assert make_spec(origin={"token": "secret"}).without_origin().origin == {}


def test_memory_errors_are_known_by_their_looks() -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch calls its own."""

    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(OutOfMemoryError())
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert not is_out_of_memory(ValueError("out of range"))
