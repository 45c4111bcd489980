"""Who waits how long in a burst: the fair queue against first-come-first-served and round robin.

    python benchmarks/fair_queue.py [--seeds 10]

Simulates 200 submissions within two minutes on two workers (virtual time; nothing sleeps). One guild has
two heavy members, who send most of it, and many light ones; other guilds send now and then. A batch of n
clips takes 1 + 0.15 (n - 1) times as long as one. Prints the 95th percentile of the wait for each kind of
member and its ratio to first come first served, the time to drain the burst, and the fill of the batches.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean
from typing import Protocol

from albumgen_core.inference.eta import BATCH_OVERHEAD
from albumgen_core.inference.queue import FairQueue, QueuedJob, QueueLimits

WORKERS = 2
BATCH = 8
GPU_SECONDS = 0.7
"""To compose one second of music alone."""

KINDS = ("light", "heavy", "other guild")


@dataclass(frozen=True)
class Arrival:
    """A job and when it comes."""

    at: float
    kind: str
    job: QueuedJob


class Line(Protocol):
    """What a scheme must offer; as in FairQueue."""

    def push(self, job: QueuedJob) -> None:
        """Enter."""
        ...

    def take(self) -> list[QueuedJob]:
        """The next batch."""
        ...

    def settle(self, job_id: str, cost: float) -> None:
        """Pay."""
        ...

    def __len__(self) -> int: ...


class Rotation:
    """Round robin over keys; with one key for everybody, first come first served."""

    def __init__(self, key: Callable[[QueuedJob], str], batch: int) -> None:
        self._key, self._batch = key, batch
        self._lines: dict[str, deque[QueuedJob]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def push(self, job: QueuedJob) -> None:
        """To the end of its key's line."""
        self._lines.setdefault(self._key(job), deque()).append(job)

    def settle(self, job_id: str, cost: float) -> None:
        """It keeps no accounts."""

    def take(self) -> list[QueuedJob]:
        """One job from each key in turn, until the batch is full."""
        batch: list[QueuedJob] = []
        while len(batch) < self._batch:
            found = next((k for k in self._lines if self._mate(self._lines[k], batch) is not None), None)
            if found is None:
                return batch
            line = self._lines.pop(found)
            job = self._mate(line, batch)
            assert job is not None
            line.remove(job)
            batch.append(job)
            if line:
                self._lines[found] = line  # to the back of the rotation
        return batch

    @staticmethod
    def _mate(line: Iterable[QueuedJob], batch: list[QueuedJob]) -> QueuedJob | None:
        return next((job for job in line if not batch or job.batch_key == batch[0].batch_key), None)


def burst(rng: random.Random) -> list[Arrival]:
    """Two minutes of submissions, by time."""
    arrivals = []
    for index in range(200):
        kind = rng.choices(KINDS, weights=(25, 60, 15))[0]
        group = f"guild{rng.randrange(1, 6)}" if kind == "other guild" else "big"
        member = {"light": 20, "heavy": 2, "other guild": 4}[kind]
        seconds = float(rng.choice((10, 10, 10, 20, 30)))
        job = QueuedJob(
            f"j{index}", group, f"{kind}{rng.randrange(member)}", (seconds, False), GPU_SECONDS * seconds
        )
        arrivals.append(Arrival(rng.uniform(0, 120), kind, job))
    return sorted(arrivals, key=lambda arrival: arrival.at)


def simulate(line: Line, arrivals: list[Arrival]) -> tuple[dict[str, list[float]], float, float]:
    """(waits by kind, when the last clip is done, mean share of filled batch places under backlog)."""
    came = {arrival.job.job_id: arrival for arrival in arrivals}
    waits: dict[str, list[float]] = defaultdict(list)
    free = [0.0] * WORKERS
    coming, clock, last, fills = deque(arrivals), 0.0, 0.0, []
    running: list[tuple[float, int, list[QueuedJob], float]] = []
    while coming or len(line):
        clock = max(clock, heapq.heappop(free))
        if not len(line) and coming:
            clock = max(clock, coming[0].at)
        while coming and coming[0].at <= clock:
            line.push(coming.popleft().job)
        while running and running[0][0] <= clock:
            _, _, done, took = heapq.heappop(running)
            for job in done:
                line.settle(job.job_id, took / len(done))
        waiting = len(line)
        batch = line.next_batch()
        took = max(job.cost for job in batch) * (1 + BATCH_OVERHEAD * (len(batch) - 1))
        if waiting >= 4 * BATCH:
            fills.append(len(batch) / BATCH)
        for job in batch:
            waits[came[job.job_id].kind].append(clock - came[job.job_id].at)
        last = max(last, clock + took)
        heapq.heappush(running, (clock + took, id(batch), batch, took))
        heapq.heappush(free, clock + took)
    return waits, last, mean(fills) if fills else 1.0


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[int(0.95 * (len(values) - 1))]


def main() -> None:
    """Run every scheme on the same bursts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    nobody = QueueLimits(batch=BATCH, per_member=10**6, per_group=10**6, total=10**6)
    one = QueueLimits(batch=1, per_member=10**6, per_group=10**6, total=10**6)
    schemes: dict[str, Callable[[], Line]] = {
        "first come first served": lambda: Rotation(lambda job: "all", BATCH),
        "round robin per guild": lambda: Rotation(lambda job: job.group, BATCH),
        "round robin per member": lambda: Rotation(lambda job: job.member, BATCH),
        "fair (guild, then member)": lambda: FairQueue(nobody),
        "fair, one by one": lambda: FairQueue(one),
    }
    print(
        f"p95 wait in s, mean of {seeds} bursts of 200 clips in 120 s, {WORKERS} workers, batches of {BATCH}"
    )
    print(f"{'':28}" + "".join(f"{kind:>13}" for kind in KINDS) + f"{'drained':>11}{'fill':>7}")
    base: dict[str, float] = {}
    for name, make in schemes.items():
        runs = [simulate(make(), burst(random.Random(seed))) for seed in range(seeds)]
        row = {kind: mean(p95(run[0][kind]) for run in runs) for kind in KINDS}
        base = base or row
        cells = "".join(f"{row[kind]:7.0f} {row[kind] / base[kind]:4.2f}x" for kind in KINDS)
        print(f"{name:28}{cells}{mean(run[1] for run in runs):10.0f}s{mean(run[2] for run in runs):7.0%}")


if __name__ == "__main__":
    main()
