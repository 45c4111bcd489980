"""A running session: order, waits, votes to skip, holds and ends, with the real bot and voice server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from bot.messages.errors import Refusal
from bot.sessions.playback.playlist import Track
from bot.sessions.playback.view import PlaybackStatus
from bot.sessions.state.model import EndReason, EntryState
from tests.bot.sessions.voice_harness import VoiceHarness, voice_harness
from tests.discord.voice.udp import SILENCE
from tests.waiting import quiet


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[VoiceHarness]:
    async with voice_harness(tmp_path) as made:
        yield made


async def refused(work: object) -> str:
    with pytest.raises(Refusal) as caught:
        await work  # type: ignore[misc]
    return caught.value.key.removeprefix("session_core.")


@pytest.mark.slow
async def test_covers_play_one_after_the_other_fairly_and_without_a_gap(place: VoiceHarness) -> None:
    ana, bo, cy = place.people
    session = await place.start(rounds=3)
    place.hold()
    entries = await place.bring(session, ana, ana, ana, bo, cy)
    place.release()
    view = await place.until_played(session, 5)
    assert [entry.submitter_id for entry in view.entries] == [ana.id, bo.id, cy.id, ana.id, ana.id]
    assert [e.entry_id for e in view.entries] == [entries[i].entry_id for i in (0, 3, 4, 1, 2)]
    assert all(entry.closed_at for entry in view.entries[:3])
    assert not any(entry.closed_at for entry in view.entries[3:])
    packets = [p for p in place.loopback.voice.of(place.guild).packets if p.payload != SILENCE]
    gaps = [after.at - before.at for before, after in pairwise(packets)]
    assert max(gaps) < 0.5, "it went on from cover to cover"


@pytest.mark.slow
async def test_a_cover_that_fails_says_why_and_the_evening_goes_on(place: VoiceHarness) -> None:
    ana, bo, _ = place.people
    (place.home / f"fail-{ana.id}").touch()
    session = await place.start()
    failed, fine = await place.bring(session, ana, bo)
    view = await place.until_played(session, 1)
    by_id = {entry.entry_id: entry for entry in view.entries}
    assert by_id[failed.entry_id].state is EntryState.FAILED
    assert by_id[failed.entry_id].error == "This cover defeats the engine."
    assert by_id[fine.entry_id].state is EntryState.PLAYED
    await place.until_view(session, lambda view: view.status is PlaybackStatus.WAITING)
    (place.home / "clip.ogg").write_bytes(b"not an Ogg file")
    (broken,) = await place.bring(session, bo)
    view = await place.until_view(
        session, lambda view: sum(e.state is EntryState.FAILED for e in view.entries) == 2
    )
    assert next(e.error for e in view.entries if e.entry_id == broken.entry_id) == (
        "This clip could not be played."
    )


@pytest.mark.slow
async def test_while_the_next_cover_is_composed_an_earlier_one_fills_the_wait_once(
    place: VoiceHarness,
) -> None:
    ana, bo, _ = place.people
    session = await place.start()
    place.hold()
    (first,) = await place.bring(session, ana)
    view = await place.until_view(session, lambda view: view.status is PlaybackStatus.COMPOSING)
    assert [entry.entry_id for entry in view.up_next] == [first.entry_id]
    place.release()
    await place.playing(session, first)
    place.hold()
    (second,) = await place.bring(session, bo)
    view = await place.until_view(session, lambda view: view.status is PlaybackStatus.ENCORE)
    assert view.current is not None
    assert view.current.entry_id == first.entry_id
    await place.until_view(session, lambda view: view.status is PlaybackStatus.COMPOSING)
    assert view.up_next[0].entry_id == second.entry_id
    place.release()
    await place.until_played(session, 2)


@pytest.mark.slow
async def test_the_room_skips_by_the_votes_of_those_who_hear(tmp_path: Path) -> None:
    async with voice_harness(tmp_path, clip_seconds=20) as place:
        ana, bo, cy = place.people
        await cy.join(place.room, deaf=True)
        session = await place.start(rounds=0)
        sid = session.session_id
        assert await refused(place.sessions.controls(sid).skip(ana.id)) == "nothing_plays"
        first, second, third = await place.bring(session, ana, bo, cy)
        await place.playing(session, first)
        assert await refused(place.sessions.controls(sid).skip(cy.id)) == "not_listening"
        assert await refused(place.sessions.controls(sid).skip(12345)) == "not_listening"
        view = place.view(session)
        assert view.hearing == {ana.id, bo.id}
        assert view.skips_needed == 1
        result = await place.sessions.controls(sid).skip(bo.id)
        assert (result.skipped, result.votes, result.needed) == (True, 1, 1)
        await place.playing(session, second)
        assert place.view(session).skip_votes == 0, "the next one begins without votes"

        for person in place.people:
            await person.join(place.room, deaf=True)
        view = await place.until_view(session, lambda view: not view.hearing)
        assert view.skips_needed == 1
        assert len(view.listeners) == 3, "they are there, so it goes on"
        assert await refused(place.sessions.controls(sid).skip(ana.id)) == "not_listening"

        for person in place.people:
            await person.join(place.room)
        await place.until_view(session, lambda view: view.skips_needed == 2)
        assert not (await place.sessions.controls(sid).skip(bo.id)).skipped
        assert (await place.sessions.controls(sid).skip(bo.id)).votes == 1, "one vote a member"
        await ana.leave(place.guild)  # now one of two wants it skipped
        await place.playing(session, third)

        assert (await place.sessions.controls(sid).skip(0, force=True)).skipped
        view = await place.until_view(session, lambda view: view.status is PlaybackStatus.WAITING)
        assert [entry.state for entry in view.entries] == [EntryState.SKIPPED] * 3


@pytest.mark.slow
async def test_an_empty_channel_holds_the_music_and_then_ends_it(tmp_path: Path) -> None:
    async with voice_harness(
        tmp_path, clip_seconds=20, empty_pause_seconds=0.2, empty_end_seconds=2.0
    ) as place:
        session = await place.start()
        await place.bring(session, place.people[0])
        await place.playing(session)
        for person in place.people:
            await person.leave(place.guild)
        view = await place.until_view(session, lambda view: view.status is PlaybackStatus.EMPTY)
        assert view.paused
        assert view.ends_at is not None
        held = place.view(session).position
        await quiet(0.3)
        assert place.view(session).position == held
        await place.people[0].join(place.room)
        view = await place.playing(session)
        assert view.ends_at is None
        await place.people[0].leave(place.guild)
        await place.until(lambda: place.ends == [EndReason.EMPTY])
        record = await place.record(session)
        assert record.session.end_reason is EndReason.EMPTY
        assert place.bot.voice_clients == []


async def test_pause_replay_and_back(tmp_path: Path) -> None:
    async with voice_harness(tmp_path, clip_seconds=20) as place:
        ana, bo, _ = place.people
        session = await place.start()
        sid = session.session_id
        assert await refused(place.sessions.controls(sid).replay()) == "nothing_plays"
        first, second = await place.bring(session, ana, bo)
        await place.playing(session, first)
        assert await refused(place.sessions.controls(sid).back()) == "nothing_before"
        await place.until_view(session, lambda view: view.position > 0.3)
        await place.sessions.controls(sid).set_paused(True)
        held = place.view(session)
        assert held.status is PlaybackStatus.PAUSED
        await quiet(0.2)
        assert place.view(session).position == held.position
        await place.sessions.controls(sid).set_paused(False)
        await place.until_view(session, lambda view: view.position > held.position)
        await place.sessions.controls(sid).replay()
        assert place.view(session).position < 0.2

        await place.sessions.controls(sid).skip(0, force=True)
        await place.playing(session, second)
        await place.sessions.controls(sid).back()
        view = await place.playing(session, first)
        assert [entry.entry_id for entry in view.up_next] == [second.entry_id]
        await place.sessions.controls(sid).skip(0, force=True)
        await place.playing(session, second)


@pytest.mark.slow
async def test_votes_are_open_from_the_first_note_until_others_have_played(place: VoiceHarness) -> None:
    ana, bo, cy = place.people
    session = await place.start()
    sid, vote = session.session_id, place.sessions.vote
    place.hold()
    first, *_ = await place.bring(session, ana, bo, cy)
    job = first.clips[0].job_id
    assert await refused(vote(sid, first.entry_id, job, bo.id, "Bo", score=5)) == "vote_too_early"
    assert await refused(vote(sid, 99, job, bo.id, "Bo", score=5)) == "vote_unknown"
    place.release()
    await place.playing(session, first)
    assert await refused(vote(sid, first.entry_id, job, 4711, "Someone", score=5)) == "vote_listeners"
    await vote(sid, first.entry_id, job, bo.id, "Bo", score=5)
    await vote(sid, first.entry_id, job, bo.id, "Bo", score=3, starred=True)
    await place.until_played(session, 1)
    await vote(sid, first.entry_id, job, bo.id, "Bo", score=4)
    view = await place.until_view(session, lambda view: view.entries[0].closed_at)
    assert sum(entry.played_at is not None for entry in view.entries) == 3
    assert await refused(vote(sid, first.entry_id, job, bo.id, "Bo", score=1)) == "vote_closed"
    (stored,) = await place.sessions.store.votes(sid)
    assert (stored.user_id, stored.score, stored.starred) == (bo.id, 4, True)


async def test_blind_covers_are_shown_once_everyone_has_voted(place: VoiceHarness) -> None:
    ana, bo, cy = place.people
    session = await place.start(blind=True)
    place.hold()
    (entry,) = await place.bring(session, ana)
    place.release()
    view = await place.playing(session, entry)
    assert not view.reveal
    for person in (ana, bo):
        await place.sessions.vote(
            session.session_id, entry.entry_id, entry.clips[0].job_id, person.id, person.user.name, score=4
        )
    view = await place.until_played(session, 1)
    assert not view.shows(view.entries[0]), "one of three has not voted"
    await place.sessions.vote(session.session_id, entry.entry_id, entry.clips[0].job_id, cy.id, "Cy", score=2)
    await place.until_view(session, lambda view: view.shows(view.entries[0]))


@pytest.mark.slow
async def test_versus_plays_both_takes_and_tells_them_apart_once_votes_are_in(place: VoiceHarness) -> None:
    ana, bo, cy = place.people
    session = await place.start(versus=True)
    place.hold()
    (entry,) = await place.bring(session, ana)
    assert {clip.rag for clip in entry.clips} == {True, False}
    place.release()
    view = await place.playing(session, entry)
    early = view.entries[0].clips[1].job_id
    refusal = await refused(place.sessions.vote(session.session_id, 1, early, bo.id, "Bo", score=1))
    assert refusal == "vote_too_early"
    view = await place.until_view(session, lambda view: view.current_clip == 1)
    assert view.current is not None
    assert [clip.job_id for clip in view.current.clips] == [clip.job_id for clip in entry.clips]
    records = [await place.bot.inference.record(clip.job_id) for clip in entry.clips]
    assert len({record.spec.seed for record in records}) == 1
    assert not view.reveals_rag(view.current)
    for person in (ana, bo, cy):
        for clip in entry.clips:
            await place.sessions.vote(session.session_id, 1, clip.job_id, person.id, "x", score=3)
    view = await place.until_played(session, 1)
    await place.until_view(session, lambda view: view.reveals_rag(view.entries[0]))

    (place.home / "fail-rag-True").touch()  # it goes on with the take that is left
    await place.bring(session, bo)
    view = await place.until_played(session, 2)
    assert [clip.rag for clip in view.entries[1].clips] == [False]


@pytest.mark.slow
async def test_when_all_was_played_and_nobody_brings_more_it_ends_and_votes_close(tmp_path: Path) -> None:
    async with voice_harness(tmp_path, idle_end_seconds=1.0) as place:
        session = await place.start()
        await place.bring(session, *place.people[:2])
        await place.until(lambda: place.ends == [EndReason.FINISHED], 20)
        record = await place.record(session)
        assert [entry.state for entry in record.entries] == [EntryState.PLAYED] * 2
        assert all(entry.closed_at is not None for entry in record.entries)
        assert set(record.members) == {person.id for person in place.people}
        connection = place.loopback.voice.of(place.guild)
        assert connection.frames[-5:] == [SILENCE] * 5


async def test_votes_are_taken_while_the_cover_before_is_made_quieter(tmp_path: Path) -> None:
    async with voice_harness(tmp_path, clip_seconds=2.0) as place:
        ana, bo, _ = place.people
        reads = place.sessions.track_reader.track_for
        ready, asked = asyncio.Event(), asyncio.Event()

        async def slow(folder: Path, volume: float, key: str) -> Track:
            if volume < 1:
                asked.set()
                await ready.wait()
            return await reads(folder, volume, key)

        place.sessions.track_reader.track_for = slow  # type: ignore[assignment, method-assign]
        session = await place.start()
        sid = session.session_id
        first, second = await place.bring(session, ana, bo)
        await place.playing(session, second)
        controls = place.sessions.controls(sid)
        quieter = asyncio.create_task(controls.set_volume(0.5))
        await asked.wait()
        going_back = asyncio.create_task(controls.back())
        # The rendering has not ended; the session does not wait for it.
        async with asyncio.timeout(1):
            await place.sessions.vote(sid, first.entry_id, first.clips[0].job_id, bo.id, "Bo", score=4)
            await controls.set_paused(True)
            await controls.set_paused(False)
        assert not going_back.done()
        ready.set()
        await asyncio.gather(quieter, going_back)
        view = await place.playing(session, first)
        assert [entry.entry_id for entry in view.up_next] == [second.entry_id]
        assert len(await place.sessions.store.votes(sid)) == 1
