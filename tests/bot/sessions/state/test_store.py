"""The tables of sessions: what is put in comes out, votes above all, and what is forgotten is gone."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albumgen_core.inference.database import Database
from bot.bot import MIGRATIONS
from bot.sessions.state.member_data import delete_member_data, read_member_data
from bot.sessions.state.model import Clip, EndReason, Entry, EntryState, Session, SessionState
from bot.sessions.state.store import SessionStore

SID = "ab" * 16


def session(**changes: object) -> Session:
    values = {"session_id": SID, "guild_id": 1, "voice_channel_id": 2, "text_channel_id": 3, "host_id": 11}
    return Session(**(values | {"title": "Friday *covers*", "created_at": 5.0} | changes))  # type: ignore[arg-type]


def entry(member: int = 11, *, takes: int = 1, **changes: object) -> Entry:
    clips = tuple(Clip(f"{member:x}{take:031x}", take == 0) for take in range(takes))
    made = Entry(0, SID, member, f"Member {member}", "A cover", clips, submitted_at=6.0)
    return replace(made, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SessionStore]:
    database = await Database.open(folder, migrations=(MIGRATIONS,))
    try:
        yield SessionStore(database)
    finally:
        await database.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SessionStore]:
    async with opened(tmp_path) as made:
        yield made


async def test_what_is_stored_comes_back_as_it_was(tmp_path: Path) -> None:
    first = session(blind=True, versus=True, volume=0.5, theme="night", rounds=2, event_id=77)
    async with opened(tmp_path) as store:
        await store.create(first)
        added = await store.add_entry(entry(takes=2, cover_path=Path("/covers/a.png"), turn=3))
        assert added.entry_id == 1
        assert (await store.add_entry(entry(12))).entry_id == 2
        clips = (added.clips[1], replace(added.clips[0], result_dir=Path("/results/x"), seconds=9.5))
        changed = replace(added, clips=clips, state=EntryState.PLAYING, played_at=7.0, closed_at=8.0)
        await store.set_entry(changed)
        await store.set_position(SID, 1, 1, 250)
        await store.update(SID, state=SessionState.ENDED, end_reason=EndReason.REMOVED, ended_at=9.0)
    async with opened(tmp_path) as store:  # another process
        stored = await store.get(SID)
        assert stored == replace(
            first,
            state=SessionState.ENDED,
            end_reason=EndReason.REMOVED,
            ended_at=9.0,
            current_entry_id=1,
            current_clip=1,
            position=250,
        )
        assert (await store.entries(SID))[0] == changed
        assert await store.members(SID) == {11: "Member 11", 12: "Member 12"}
        assert await store.of_event(77) == stored
        assert await store.of_guild(1) == [stored]
        assert await store.running() == []


async def test_only_known_columns_can_be_set(store: SessionStore) -> None:
    with pytest.raises(ValueError, match="no colour"):
        await store.update(SID, colour="red")


async def test_a_later_vote_keeps_what_it_does_not_say(store: SessionStore) -> None:
    await store.create(session())
    added = await store.add_entry(entry())
    job = added.clips[0].job_id
    await store.vote(SID, 1, job, 12, score=4)
    starred = await store.vote(SID, 1, job, 12, starred=True)
    assert (starred.score, starred.starred) == (4, True)
    changed = await store.vote(SID, 1, job, 12, score=2)
    assert (changed.score, changed.starred) == (2, True)
    unstarred = await store.vote(SID, 1, job, 12, starred=False)
    assert (unstarred.score, unstarred.starred) == (2, False)
    assert await store.votes(SID) == [unstarred]
    with pytest.raises(ValueError, match="1 to 5"):
        await store.vote(SID, 1, job, 12, score=6)


BALLOTS = st.lists(
    st.tuples(
        st.integers(11, 14),
        st.integers(0, 2),
        st.one_of(st.none(), st.integers(1, 5)),
        st.one_of(st.none(), st.booleans()),
    ),
    max_size=25,
)
"""(member, which cover, score, star)"""


@settings(max_examples=15, deadline=None)
@given(BALLOTS)
def test_one_vote_a_member_and_clip_whatever_is_pressed_at_once(
    ballots: list[tuple[int, int, int | None, bool | None]],
) -> None:
    async def scenario(folder: Path) -> None:
        async with opened(folder) as store:
            await store.create(session())
            jobs = [(await store.add_entry(entry(member))).clips[0].job_id for member in (11, 12, 13)]
            expected: dict[tuple[str, int], tuple[int | None, bool]] = {}
            for member, which, score, starred in ballots:
                before = expected.get((jobs[which], member), (None, False))
                now = (before[0] if score is None else score, before[1] if starred is None else starred)
                expected[jobs[which], member] = now
            await asyncio.gather(
                *(
                    store.vote(SID, which + 1, jobs[which], member, score=score, starred=starred)
                    for member, which, score, starred in ballots
                )
            )
        async with opened(folder) as store:
            votes = await store.votes(SID)
            assert {(v.job_id, v.user_id): (v.score, v.starred) for v in votes} == expected
            assert len(votes) == len(expected)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))


async def test_skip_votes_are_one_a_member_and_end_with_the_clip(store: SessionStore) -> None:
    await store.create(session())
    await store.add_entry(entry())
    for member in (12, 13, 12):
        await store.add_skip(SID, 1, member)
    assert await store.skip_voters(SID, 1) == {12, 13}
    await store.clear_skips(SID, 1)
    assert await store.skip_voters(SID, 1) == set()


async def test_who_only_voted_did_not_listen(store: SessionStore) -> None:
    await store.create(session())
    await store.note_member(SID, 12, "Bo", listened=True)
    await store.note_member(SID, 13, "Cy")
    await store.note_member(SID, 12, "Bob")
    assert await store.members(SID) == {12: "Bob", 13: "Cy"}
    assert await store.members(SID, listened=True) == {12: "Bob"}


async def test_a_recap_is_owed_until_it_is_complete(store: SessionStore) -> None:
    await store.create(session())
    assert await store.owed_recaps() == []
    await store.update(SID, state=SessionState.ENDED, ended_at=9.0, end_reason=EndReason.EMPTY)
    await store.set_recap(SID, 99, complete=False)
    assert [owed.session_id for owed in await store.owed_recaps()] == [SID]
    await store.set_recap(SID, 99, complete=True)
    assert await store.owed_recaps() == []
    await store.reopen(SID)
    again = await store.get(SID)
    assert again is not None
    assert (again.state, again.end_reason, again.ended_at) == (SessionState.RUNNING, None, None)
    assert await store.recap_message(SID) == 99, "the next recap changes the same message"


async def test_a_forgotten_member_is_nowhere_and_the_evening_stays(store: SessionStore) -> None:
    await store.create(session())
    mine = await store.add_entry(entry(11, cover_path=Path("/covers/mine.png")))
    theirs = await store.add_entry(entry(12))
    await store.vote(SID, mine.entry_id, mine.clips[0].job_id, 12, score=5)
    await store.vote(SID, theirs.entry_id, theirs.clips[0].job_id, 11, score=1)
    await store.vote(SID, theirs.entry_id, theirs.clips[0].job_id, 12, score=3)
    await store.add_skip(SID, theirs.entry_id, 11)
    kinds = [told["kind"] for told in await read_member_data(store.database, 11)]
    assert kinds == ["hosted", "took part", "brought", "voted"]
    assert (await delete_member_data(store.database, 11, guild_id=999)).sessions == ()
    forgotten = await delete_member_data(store.database, 11, guild_id=1)
    assert forgotten.covers == (Path("/covers/mine.png"),)
    assert forgotten.sessions == (SID,)
    assert await read_member_data(store.database, 11) == []
    record = await store.record(SID)
    assert record.session.host_id == 0
    assert [e.submitter_id for e in record.entries] == [12]
    assert [(v.user_id, v.score) for v in record.votes] == [(12, 3)]
    assert record.members == {12: "Member 12"}
    await store.set_entry(replace(mine, state=EntryState.PLAYED))  # by a player that had not heard
    assert [e.submitter_id for e in await store.entries(SID)] == [12]


async def test_the_clips_of_an_entry_lead_back_to_its_session(store: SessionStore) -> None:
    await store.create(session())
    added = await store.add_entry(entry(takes=2))
    assert await store.sessions_of_job(added.clips[1].job_id) == [SID]
    await store.delete(SID)
    assert await store.sessions_of_job(added.clips[1].job_id) == []
    with pytest.raises(LookupError):
        await store.record(SID)
