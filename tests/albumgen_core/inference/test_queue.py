from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albumgen_core.errors import QueueFullError
from albumgen_core.inference.queue import FairQueue, QueuedJob, QueueLimits, batch_key
from albumgen_core.jobs.spec import JobSpec

BATCH = 4


def job(
    name: str,
    group: str = "g",
    member: str = "m",
    *,
    seconds: float = 10.0,
    cost: float = 10.0,
    solo: bool = False,
) -> QueuedJob:
    return QueuedJob(name, group, member, (seconds, False), cost, solo)


def queue(batch: int = BATCH) -> FairQueue:
    return FairQueue(QueueLimits(batch=batch, per_member=10_000, per_group=10_000, total=10_000))


def serve(line: FairQueue) -> list[str]:
    """Run the next batch at exactly its estimated cost."""
    batch = line.next_batch()
    for each in batch:
        line.settle(each.job_id, each.cost)
    return [each.job_id for each in batch]


def drain(line: FairQueue) -> list[list[str]]:
    return [[j.job_id for j in batch] for batch in iter(line.next_batch, [])]


jobs = st.lists(
    st.builds(
        lambda group, member, seconds, cost, solo: (f"g{group}", f"m{member}", float(seconds), cost, solo),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([10, 20, 30]),
        st.floats(0.1, 60.0),
        st.booleans().map(lambda solo: solo),
    ),
    max_size=40,
).map(
    lambda rows: [QueuedJob(f"j{i}", g, m, (s, False), c, solo) for i, (g, m, s, c, solo) in enumerate(rows)]
)


@given(jobs)
def test_every_job_leaves_once_and_members_keep_their_order_within_a_clip_length(
    arrivals: list[QueuedJob],
) -> None:
    line = queue()
    for each in arrivals:
        line.push(each)
    served = [name for batch in drain(line) for name in batch]
    assert sorted(served) == sorted(j.job_id for j in arrivals)
    by_name = {j.job_id: j for j in arrivals}
    for member in {(j.group, j.member, j.batch_key, j.isolated) for j in arrivals}:
        mine = [
            n
            for n in served
            if (by_name[n].group, by_name[n].member, by_name[n].batch_key, by_name[n].isolated) == member
        ]
        assert mine == sorted(mine, key=lambda name: int(name[1:]))


@given(jobs)
def test_batches_are_compatible_and_as_full_as_they_can_be(arrivals: list[QueuedJob]) -> None:
    line = queue()
    for each in arrivals:
        line.push(each)
    left = {j.job_id: j for j in arrivals}
    while batch := line.next_batch():
        for each in batch:
            del left[each.job_id]
        if any(each.isolated for each in batch):
            assert len(batch) == 1
            continue
        assert len({each.batch_key for each in batch}) == 1
        mates = [j for j in left.values() if j.batch_key == batch[0].batch_key and not j.isolated]
        assert len(batch) == BATCH or not mates
    assert not left


@given(jobs, st.data())
def test_any_mixture_of_calls_keeps_the_books_straight(
    arrivals: list[QueuedJob], data: st.DataObject
) -> None:
    line = queue()
    waiting: dict[str, QueuedJob] = {}
    taken: dict[str, QueuedJob] = {}
    for each in arrivals:
        line.push(each)
        waiting[each.job_id] = each
        action = data.draw(st.sampled_from(["push", "take", "settle", "cancel", "put back"]))
        if action == "take":
            batch = {served.job_id: served for served in line.next_batch()}
            assert batch.keys() <= waiting.keys()
            taken |= batch
            waiting = {name: left for name, left in waiting.items() if name not in batch}
        elif action == "cancel":
            name = data.draw(st.sampled_from(sorted(waiting)))
            assert line.cancel(name)
            del waiting[name]
        elif taken:
            name, job_back = taken.popitem()
            if action == "put back":
                line.requeue(job_back)
                waiting[name] = job_back
            else:
                line.settle(name, data.draw(st.floats(0.0, 100.0)))
        assert {left.job_id for left in line.waiting()} == waiting.keys()
        assert len(line) == len(waiting)
    assert sorted(name for batch in drain(line) for name in batch) == sorted(waiting)


@given(jobs, st.data())
def test_the_plan_is_what_then_happens_and_a_cancelled_job_is_not_in_it(
    arrivals: list[QueuedJob], data: st.DataObject
) -> None:
    line = queue()
    for each in arrivals:
        line.push(each)
    for _ in range(data.draw(st.integers(0, 3))):
        line.next_batch()
    names = sorted(j.job_id for j in line.waiting())
    gone = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    for name in gone:
        assert line.cancel(name)
        assert not line.cancel(name)
    positions, plan = line.positions(), line.plan()
    served = drain(line)
    assert served == plan
    order = [name for batch in served for name in batch]
    assert positions == {name: place for place, name in enumerate(order, start=1)}
    assert set(order) == set(names) - set(gone)


@settings(max_examples=60)
@given(
    rivals=st.integers(1, 6), burst=st.integers(1, 12), cost=st.floats(0.5, 30.0), seed=st.integers(0, 2**16)
)
def test_nobody_starves_however_newcomers_press(rivals: int, burst: int, cost: float, seed: int) -> None:
    """A waiting job is overtaken by a bounded number of jobs, though fresh members and guilds never cease."""
    rng = random.Random(seed)
    line = queue(batch=2)
    line.push(job("early", "old", "spent", seconds=30.0, cost=cost))
    line.next_batch()
    line.settle("early", 10 * cost)  # it turned out dear: this guild is deep in debt
    line.push(job("patient", "old", "other", seconds=30.0, cost=cost))
    overtaken, count = 0, 0
    while "patient" in line:
        for _ in range(burst if len(line) < 40 else 2):
            count += 1
            line.push(job(f"n{count}", f"fresh{rng.randrange(rivals)}-{count // 50}", f"m{count}", cost=cost))
        overtaken += len(serve(line))
        assert overtaken < 1000
    assert overtaken <= 10 * 60 + 60  # the debt, shared among at most some sixty waiting keys


@given(
    spam=st.integers(1, 300), batch=st.integers(1, 8), share=st.floats(0.1, 2.0), served=st.integers(0, 40)
)
def test_a_spammer_in_the_same_guild_delays_a_member_by_one_batch_at_most(
    spam: int, batch: int, share: float, served: int
) -> None:
    """Also where estimates are far off, always in the same direction."""
    line = queue(batch)
    for index in range(spam):
        line.push(job(f"spam{index}", member="spammer"))
    for _ in range(served):
        for each in line.next_batch():
            line.settle(each.job_id, each.cost * share)
    line.next_batch()
    line.push(job("polite", member="ann"))
    assert "polite" in {each.job_id for each in line.next_batch()}


@given(spam=st.integers(1, 100), members=st.integers(1, 20))
def test_a_guild_of_spammers_delays_another_guild_by_one_batch_at_most(spam: int, members: int) -> None:
    line = queue()
    for index in range(spam):
        line.push(job(f"spam{index}", "loud", f"m{index % members}"))
    line.next_batch()
    line.push(job("quiet", "small", "ann"))
    assert "quiet" in {each.job_id for each in line.next_batch()}


@given(st.lists(st.floats(1.0, 30.0), min_size=2, max_size=5), st.integers(0, 2**16))
def test_backlogged_members_get_equal_gpu_seconds_whatever_their_clips_cost(
    costs: list[float], seed: int
) -> None:
    line = queue(batch=1)
    used = {f"m{i}": 0.0 for i in range(len(costs))}
    for index, cost in enumerate(costs):
        for turn in range(200):
            line.push(job(f"{index}-{turn}", member=f"m{index}", cost=cost))
    # While all of them are backlogged (the cheapest has 200 jobs), no one is ahead by more than one clip.
    while min(used.values()) < 100 * min(costs):
        (served,) = line.next_batch()
        line.settle(served.job_id, served.cost)
        used[served.member] += served.cost
        assert max(used.values()) - min(used.values()) <= 2 * max(costs)


def test_idling_earns_no_credit() -> None:
    line = queue(batch=1)
    for index in range(50):
        line.push(job(f"a{index}", member="busy"))
        line.push(job(f"i{index}", member="idler")) if index == 0 else None
    for _ in range(30):
        serve(line)
    for index in range(1, 21):
        line.push(job(f"i{index}", member="idler"))
    following = [name[0] for _ in range(20) for name in serve(line)]
    assert 9 <= following.count("a") <= 11


def test_debts_are_not_shed_by_leaving_and_coming_back() -> None:
    line = queue(batch=1)
    line.push(job("dear", member="greedy", cost=1.0))
    line.push(job("x", member="ann"))
    line.next_batch()
    line.settle("dear", 100.0)
    line.push(job("again", member="greedy"))
    line.push(job("y", member="ann"))
    line.push(job("z", member="ann"))
    assert [name for batch in drain(line) for name in batch] == ["x", "y", "z", "again"]


def test_a_broken_batch_goes_back_to_the_front_and_runs_one_by_one() -> None:
    line = queue()
    for index in range(4):
        line.push(job(f"j{index}"))
    line.push(job("later"))
    for each in reversed(line.next_batch()):
        line.requeue(
            QueuedJob(each.job_id, each.group, each.member, each.batch_key, each.cost, isolated=True)
        )
    assert drain(line) == [["j0"], ["j1"], ["j2"], ["j3"], ["later"]]


def test_clips_of_different_length_or_kind_do_not_share_a_batch() -> None:
    first = JobSpec("a", "c", seconds=10.0)
    assert batch_key(first) == batch_key(JobSpec("b", "c", seconds=10.0, rag=False, seed=9))
    assert batch_key(first) != batch_key(JobSpec("b", "c", seconds=12.0))
    assert batch_key(first) != batch_key(JobSpec("b", "c", seconds=10.0, continue_from="/results/a"))


@pytest.mark.parametrize(
    ("limits", "scope"),
    [
        (QueueLimits(per_member=2), "member"),
        (QueueLimits(per_group=2), "group"),
        (QueueLimits(total=2), "all"),
    ],
)
def test_caps_count_waiting_running_and_promised_jobs(limits: QueueLimits, scope: str) -> None:
    line = FairQueue(limits)
    line.push(job("running"))
    line.next_batch()
    line.reserve("g", "m")
    with pytest.raises(QueueFullError) as refusal:
        line.reserve("g", "m")
    assert (refusal.value.scope, refusal.value.limit) == (scope, 2)
    line.release("g", "m")
    line.reserve("g", "m")
    line.release("g", "m")
    line.settle("running", 1.0)
    line.reserve("g", "m", 2)


def test_a_members_cap_holds_across_guilds() -> None:
    line = FairQueue(QueueLimits(per_member=1))
    line.push(job("here", "g1", "ann"))
    with pytest.raises(QueueFullError, match="already have 1 clip on the way"):
        line.reserve("g2", "ann")
    line.reserve("g2", "bob")
