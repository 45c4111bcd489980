"""Kill the client and its workers at random, for as long as you like, and count what comes of it.

The driver plays the chat service: it hands out requests until they are acknowledged (as a gateway replays
interactions), takes replies (dropping some with 429 and 502, some of them after they were posted), and can be
asked whether a message was posted. The victim is a real process with a real InferenceClient.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from albumgen_core.errors import QueueFullError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.queue import QueueLimits
from albumgen_core.inference.records import OutboxItem
from albumgen_core.inference.settings import ClientSettings
from tests.albumgen_core.inference.conftest import RUNNERS, make_spec

ORDERS = (
    ["slow:1"],
    ["slow:4"],
    ["work"],
    ["crash", "work"],
    ["exit", "slow:2"],
    ["raise", "work"],
    ["files:crash", "work"],
    ["files:raise", "slow:1"],
    ["files:sleep"],
    ["cancel"],
)
_NONCES_REMEMBERED = 30


@dataclass
class Report:
    """What happened, and whether anything was lost or told twice."""

    requests: int = 0
    client_kills: int = 0
    worker_kills: int = 0
    refused_sends: int = 0
    ambiguous_sends: int = 0
    replays: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    drained_after: float = 0.0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.twice or self.wrong)


class Chat:
    """The far side: requests out, messages in, now and then an error."""

    def __init__(self, rng: random.Random, report: Report) -> None:
        self.posted: list[dict[str, Any]] = []
        self.unacknowledged: dict[str, list[str]] = {}
        self.calm = False
        self._rng, self._report = rng, report
        self._recent: deque[str] = deque(maxlen=_NONCES_REMEMBERED)
        self._victim: asyncio.StreamWriter | None = None

    def ask(self, key: str, orders: list[str]) -> None:
        self.unacknowledged[key] = orders
        self._push(key)

    def _push(self, key: str) -> None:
        if self._victim is not None:
            line = json.dumps({"ask": key, "orders": self.unacknowledged[key]})
            self._victim.write(line.encode() + b"\n")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                message = json.loads(line)
                if message["op"] == "hello":
                    self._victim = writer
                    for key in self.unacknowledged:
                        self._push(key)
                elif message["op"] == "ack":
                    if self.unacknowledged.pop(message["key"], None) is None or message["replayed"]:
                        self._report.replays += 1
                else:
                    answer = self._answer(message) | {"call": message["call"]}
                    writer.write(json.dumps(answer).encode() + b"\n")
        if self._victim is writer:
            self._victim = None
        writer.close()

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        nonce = message["nonce"]
        if message["op"] == "find":
            return {"found": any(post["nonce"] == nonce for post in self.posted)}
        fate = 1.0 if self.calm else self._rng.random()
        if fate < 0.15:
            self._report.refused_sends += 1
            return {"status": 429}
        if nonce not in self._recent:
            self.posted.append(message)
            self._recent.append(nonce)
        if fate < 0.3:
            self._report.ambiguous_sends += 1
            return {"status": 502}
        return {"status": 200}


class Victim:
    """A small bot: submits what it is asked for, delivers what is owed. Runs in a process of its own."""

    def __init__(self, client: InferenceClient, socket: Path) -> None:
        self._client, self._socket = client, socket
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        reader, self._writer = await asyncio.open_unix_connection(str(self._socket))
        self._say({"op": "hello"})
        for _ in range(2):
            self._spawn(self._deliver())
        while line := await reader.readline():
            message = json.loads(line)
            if "ask" in message:
                self._spawn(self._submit(message["ask"], message["orders"]))
            else:
                self._calls.pop(message["call"]).set_result(message)

    async def _submit(self, key: str, orders: list[str]) -> None:
        spec = make_spec(*orders, member=f"m{hash(key) % 7}", origin={"key": key})
        spec = spec.replace(overrides={"do": ["slow:10"]}) if orders == ["cancel"] else spec
        while True:
            try:
                handle = await self._client.submit(spec, b"cover of " + key.encode(), request_key=key)
                break
            except QueueFullError:
                await asyncio.sleep(0.05)
        if orders == ["cancel"]:
            await handle.cancel()
        self._say({"op": "ack", "key": key, "replayed": handle.replayed})

    async def _deliver(self) -> None:
        while True:
            item = await self._client.outbox.next()
            if item.attempt > 1 and (await self._call(op="find", nonce=item.delivery_id))["found"]:
                await self._client.mark_delivered(item.delivery_id)
                continue
            answer = await self._call(op="send", nonce=item.delivery_id, **self._words(item))
            if answer["status"] == 200:
                await self._client.mark_delivered(item.delivery_id)
            else:
                await self._client.outbox.retry_later(
                    item.delivery_id, delay=0.02, error=str(answer["status"])
                )

    def _words(self, item: OutboxItem) -> dict[str, Any]:
        (job,) = item.jobs
        body = None
        if job.result_dir is not None:
            body = json.loads((Path(job.result_dir) / "result.json").read_text())["job"]
        return {"key": job.spec.origin["key"], "state": job.state, "body": body, "error": job.error}

    async def _call(self, **message: Any) -> dict[str, Any]:
        self._count += 1
        future = self._calls[self._count] = asyncio.get_running_loop().create_future()
        self._say(message | {"call": self._count})
        answer: dict[str, Any] = await future
        return answer

    def _say(self, message: dict[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            raise SystemExit(f"the victim broke by itself: {task.exception()!r}")


async def _victim_main(home: Path) -> None:
    settings = ClientSettings(
        data_dir=home / "data",
        runner=f"{RUNNERS}:two_phases",
        config=home / "config.toml",
        workers=2,
        limits=QueueLimits(batch=4, per_member=10_000, per_group=10_000, total=10_000),
        max_attempts=1000,  # the killing is not the jobs' fault
        max_interruptions=1000,
        min_free_bytes=0,
    )
    client = InferenceClient(settings)
    await client.start()
    await Victim(client, home / "chat.sock").run()


class Driver:
    """Starts victims, kills them, and keeps the score."""

    def __init__(self, home: Path, seed: int) -> None:
        self.report = Report()
        self._home, self._rng = home, random.Random(seed)
        self._chat = Chat(self._rng, self.report)
        self._asked: dict[str, list[str]] = {}
        self._victim: asyncio.subprocess.Process | None = None
        self.failures: list[str] = []

    async def run(self, seconds: float, requests: int, *, patience: float = 60.0) -> Report:
        (self._home / "config.toml").touch()
        server = await asyncio.start_unix_server(self._chat.serve, str(self._home / "chat.sock"))
        end = time.monotonic() + seconds
        keeper = asyncio.create_task(self._keep_alive())
        killers = [
            asyncio.create_task(self._kill_clients(end)),
            asyncio.create_task(self._kill_workers(end)),
        ]
        for index in range(requests):
            orders = self._rng.choice(ORDERS)
            self._asked[f"r{index}"] = orders
            self._chat.ask(f"r{index}", orders)
            await asyncio.sleep(seconds / requests)
        await asyncio.gather(*killers)
        await self._settle(patience)
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        server.close()
        self._judge()
        return self.report

    async def _settle(self, patience: float) -> None:
        """No more faults: everything owed must come now, and then nothing more."""
        self._chat.calm = True
        started = time.monotonic()
        while time.monotonic() - started < patience:
            if not self._chat.unacknowledged and {p["key"] for p in self._chat.posted} == self._asked.keys():
                break
            await asyncio.sleep(0.05)
        self.report.drained_after = time.monotonic() - started
        await asyncio.sleep(0.5)  # room for a second copy to show up

    async def _keep_alive(self) -> None:
        try:
            while True:
                self._victim = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", __name__, str(self._home), stderr=asyncio.subprocess.PIPE
                )
                _, words = await self._victim.communicate()
                if self._victim.returncode != -signal.SIGKILL:
                    self.failures.append(words.decode()[-2000:])
        finally:
            if self._victim is not None and self._victim.returncode is None:
                self._victim.kill()
                await self._victim.wait()

    async def _kill_clients(self, end: float) -> None:
        while time.monotonic() < end:
            await asyncio.sleep(self._rng.uniform(0.4, 1.6))
            if self._victim is not None and self._victim.returncode is None:
                self._victim.kill()
                self.report.client_kills += 1

    async def _kill_workers(self, end: float) -> None:
        while time.monotonic() < end:
            await asyncio.sleep(self._rng.uniform(0.1, 0.6))
            with contextlib.suppress(psutil.Error):
                if self._victim is not None and self._victim.returncode is None:
                    workers = psutil.Process(self._victim.pid).children()
                    if workers:
                        self._rng.choice(workers).kill()
                        self.report.worker_kills += 1

    def _judge(self) -> None:
        report, posts = self.report, self._chat.posted
        report.requests = len(self._asked)
        counts = Counter(post["key"] for post in posts)
        report.lost = [key for key in self._asked if not counts[key]]
        report.twice = [key for key, count in counts.items() if count > 1]
        report.states = Counter(post["state"] for post in posts)
        for post in posts:
            right = (
                post["state"] == "done" and post["body"] == post["nonce"]
                if self._asked[post["key"]] != ["cancel"]
                else post["state"] in ("cancelled", "done")  # the kill may come before the cancel is durable
            )
            if not right:
                report.wrong.append(f"{post['key']} {self._asked[post['key']]}: {post}")


if __name__ == "__main__":
    asyncio.run(_victim_main(Path(sys.argv[1])))
