"""The line of waiting jobs: fair to guilds, then to members, in batches of compatible jobs.

Kept in memory only; after a restart it is rebuilt from the journal. No clock, no I/O, no asyncio: the
same calls in the same order always give the same batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from albumgen_core.errors import QueueFullError
from albumgen_core.inference.fairness import FairClock
from albumgen_core.jobs.spec import JobSpec

BatchKey = tuple[float, bool]


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may be waiting or running.

    Attributes:
        batch: most jobs in one batch.
        per_member, per_group, total: most jobs on the way (waiting and running) for each.
    """

    batch: int = 8
    per_member: int = 5
    per_group: int = 100
    total: int = 500


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job in line.

    Attributes:
        job_id: which.
        group, member: whom the queue is fair to.
        batch_key: jobs with equal keys can run together.
        cost: estimated GPU-seconds.
        isolated: it must run without batch mates (an earlier batch of it broke).
    """

    job_id: str
    group: str
    member: str
    batch_key: BatchKey
    cost: float
    isolated: bool = False

    @classmethod
    def from_spec(cls, spec: JobSpec, cost: float, *, isolated: bool = False) -> QueuedJob:
        """The queue's view of a job."""
        return cls(spec.job_id, spec.group, spec.member, batch_key(spec), cost, isolated)


def batch_key(spec: JobSpec) -> BatchKey:
    """(clip length in seconds, whether it plays on from an earlier clip).

    Clips of one length take the same number of decoding steps, so that none waits for a longer mate.
    Retrieval, seeds and prompts are settled job by job and may differ within a batch.
    """
    return round(spec.seconds, 3), spec.continue_from is not None


@dataclass(slots=True)
class _Group:
    clock: FairClock = field(default_factory=FairClock)
    # Each member's jobs, first come first served; a dict is an ordered set here, so a cancel is O(1).
    lines: dict[str, dict[str, QueuedJob]] = field(default_factory=dict)

    def copy(self) -> _Group:
        return _Group(self.clock.copy(), {member: dict(line) for member, line in self.lines.items()})


class FairQueue:
    """Hierarchical virtual-time fair queue (group, then member) with the cost in GPU-seconds."""

    def __init__(self, limits: QueueLimits | None = None) -> None:
        self.limits = limits or QueueLimits()
        self.version = 0
        self._clock = FairClock()
        self._groups: dict[str, _Group] = {}
        self._waiting: dict[str, QueuedJob] = {}
        self._taken: dict[str, QueuedJob] = {}
        self._reserved: Counter[tuple[str, str]] = Counter()
        self._plan: tuple[int, list[list[str]]] = (-1, [])

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._waiting

    def reserve(self, group: str, member: str, jobs: int = 1) -> None:
        """Keep room for jobs that are about to be pushed; raise QueueFullError if that would pass a cap.

        A member's jobs count in all groups together. Every reservation ends with `release`.
        """
        on_the_way = [*self._waiting.values(), *self._taken.values()]
        held = sum(job.group == group for job in on_the_way) + self._reserved["group", group]
        mine = sum(job.member == member for job in on_the_way) + self._reserved["member", member]
        if mine + jobs > self.limits.per_member:
            raise QueueFullError("member", self.limits.per_member)
        if held + jobs > self.limits.per_group:
            raise QueueFullError("group", self.limits.per_group)
        if len(on_the_way) + self._reserved["all", ""] + jobs > self.limits.total:
            raise QueueFullError("all", self.limits.total)
        self._reserved.update({("group", group): jobs, ("member", member): jobs, ("all", ""): jobs})

    def release(self, group: str, member: str, jobs: int = 1) -> None:
        """End a reservation: its jobs were pushed, or never will be."""
        self._reserved.subtract({("group", group): jobs, ("member", member): jobs, ("all", ""): jobs})
        self._reserved = +self._reserved

    def push(self, job: QueuedJob) -> None:
        """Put a job at the end of its member's line."""
        self._enter(job, first=False)

    def requeue(self, job: QueuedJob) -> None:
        """Return a taken job to the front of its member's line, with its charge refunded."""
        self.settle(job.job_id, 0.0)
        self._enter(job, first=True)

    def cancel(self, job_id: str) -> bool:
        """Take a waiting job out of line; False if it was not waiting."""
        job = self._waiting.get(job_id)
        if job is None:
            return False
        self._leave(job)
        return True

    def next_batch(self) -> list[QueuedJob]:
        """The next batch: the job at the head, and compatible ones in fair order; [] if none waits.

        Each job is charged its estimated cost; `settle` corrects that later.
        """
        batch: list[QueuedJob] = []
        while len(batch) < self.limits.batch:
            job = self._pick(batch[0] if batch else None)
            if job is None:
                break
            self._charge(job)
            self._taken[job.job_id] = job  # before it leaves, so that its group is not forgotten
            self._leave(job)
            batch.append(job)
            if job.isolated:
                break
        return batch

    def settle(self, job_id: str, cost: float) -> None:
        """A taken job has left the worker: charge its true cost instead of the estimate."""
        job = self._taken.pop(job_id, None)
        if job is None:
            return
        group = self._groups[job.group]
        held = [other for other in self._taken.values() if other.group == job.group]
        members = group.lines.keys() | {other.member for other in held} | {job.member}
        groups = {name for name, each in self._groups.items() if each.lines}
        groups |= {other.group for other in self._taken.values()} | {job.group}
        group.clock.settle(job.member, job.cost, cost, active=len(members))
        self._clock.settle(job.group, job.cost, cost, active=len(groups))
        self._prune()
        self.version += 1

    def plan(self) -> list[list[str]]:
        """All batches to come, in order, if nothing else arrives and every estimate holds."""
        if self._plan[0] != self.version:
            copy = self._copy()
            batches = iter(lambda: [job.job_id for job in copy.next_batch()], [])
            self._plan = (self.version, list(batches))
        return self._plan[1]

    def positions(self) -> dict[str, int]:
        """Place in line of every waiting job, from 1, in the order in which they will start."""
        order = (job_id for batch in self.plan() for job_id in batch)
        return {job_id: place for place, job_id in enumerate(order, start=1)}

    def waiting(self) -> Iterator[QueuedJob]:
        """The waiting jobs, in no particular order."""
        return iter(tuple(self._waiting.values()))

    def _enter(self, job: QueuedJob, *, first: bool) -> None:
        group = self._groups.setdefault(job.group, _Group())
        if not group.lines:
            self._clock.join(job.group)
        if job.member not in group.lines:
            group.clock.join(job.member)
        line = group.lines.setdefault(job.member, {})
        if first:
            group.lines[job.member] = {job.job_id: job} | line
        else:
            line[job.job_id] = job
        self._waiting[job.job_id] = job
        self.version += 1

    def _leave(self, job: QueuedJob) -> None:
        group = self._groups[job.group]
        line = group.lines[job.member]
        del line[job.job_id]
        del self._waiting[job.job_id]
        if not line:
            del group.lines[job.member]
        self.version += 1

    def _pick(self, head: QueuedJob | None) -> QueuedJob | None:
        """The job that is owed service next, among those that can run with `head`."""
        # Sorting is stable, `<` keeps the first and dicts the order of arrival: of equals the earlier comer.
        busy = [name for name, group in self._groups.items() if group.lines]
        for name in sorted(busy, key=self._clock.rank):
            group = self._groups[name]
            owed: tuple[float, int] | None = None
            found: QueuedJob | None = None
            for member, line in group.lines.items():
                rank = group.clock.rank(member)
                if owed is None or rank < owed:
                    job = next((each for each in line.values() if _fits(each, head)), None)
                    if job is not None:
                        owed, found = rank, job
            if found is not None:
                return found
        return None

    def _charge(self, job: QueuedJob) -> None:
        group = self._groups[job.group]
        group.clock.charge(job.member, job.cost)
        self._clock.charge(job.group, job.cost)

    def _prune(self) -> None:
        """Forget guilds and members without a job on the way and without debts."""
        busy = {name: set(group.lines) for name, group in self._groups.items() if group.lines}
        for job in self._taken.values():
            busy.setdefault(job.group, set()).add(job.member)
        self._clock.prune(busy)
        for name, group in list(self._groups.items()):
            if name not in busy and self._clock.tag(name) <= self._clock.now:
                del self._groups[name]
            else:
                group.clock.prune(busy.get(name, ()))

    def _copy(self) -> FairQueue:
        copy = FairQueue(self.limits)
        copy._clock = self._clock.copy()
        copy._groups = {name: group.copy() for name, group in self._groups.items()}
        copy._waiting = dict(self._waiting)
        copy._taken = dict(self._taken)
        return copy


def _fits(job: QueuedJob, head: QueuedJob | None) -> bool:
    """Whether a job can lead a batch, or share that of `head`."""
    return head is None or (job.batch_key == head.batch_key and not job.isolated)
