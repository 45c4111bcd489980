"""Sessions come, go and come back: caps, plans, losses of voice, kills, and members who are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.messages.errors import Refusal
from bot.sessions.lifecycle.erasure import SessionErasure
from bot.sessions.playback.playlist import read_track
from bot.sessions.playback.view import PlaybackStatus
from bot.sessions.state.model import EndReason, EntryState, Session, SessionState
from tests.bot.sessions.playback.test_player import refused
from tests.bot.sessions.voice_harness import VoiceHarness, voice_harness
from tests.discord.routes import channels
from tests.waiting import no_longer


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[VoiceHarness]:
    async with voice_harness(tmp_path, clip_seconds=20) as made:
        yield made


@pytest.mark.slow
async def test_there_are_limits_and_each_is_one_sentence(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"max_total": 2, "max_per_guild": 2, "entries_per_member": 2, "max_covers": 4}
    async with voice_harness(tmp_path, clip_seconds=20, **limits) as place:
        ana, bo, cy = place.people
        session = await place.start(rounds=1)
        assert await refused(place.start()) == "one_per_guild"
        await place.bring(session, ana)
        assert await refused(place.bring(session, ana)) == "rounds_used"
        planned = await place.plan()
        assert await refused(place.plan()) == "too_many_guild"
        await place.bring(planned, ana, ana, bo, cy)
        assert await refused(place.bring(planned, ana)) == "full"
        for not_running in (planned.session_id, "gone"):
            with pytest.raises(Refusal, match="not_running"):
                place.sessions.controls(not_running)
        assert await refused(place.sessions.begin("gone")) == "unknown"
        assert await refused(place.sessions.controls(session.session_id).set_volume(0.01)) == "volume"

        # Another server has its own session; a third one is too many for all.
        other = place.loopback.guild("Other", ana)
        place.loopback.invite_bot(other)
        room = place.loopback.voice_channel(other, "Room")
        await ana.join(room)
        await place.until(lambda: place.bot.get_channel(room.id))
        there = {"guild_id": other.id, "voice_channel_id": room.id}
        second = await place.start(**there, text_channel_id=other.channel("general").id)
        await place.bring(second, ana)
        await place.playing(second)
        await place.playing(session)
        assert {found.session_id for found in place.sessions.running()} == {
            session.session_id,
            second.session_id,
        }
        assert place.sessions.of_channel(room.id) == place.sessions.of_guild(other.id)
        third = place.loopback.guild("Third", ana)
        place.loopback.invite_bot(third)
        attic = place.loopback.voice_channel(third, "Attic")
        await place.until(lambda: place.bot.get_channel(attic.id))
        elsewhere = {"guild_id": third.id, "voice_channel_id": attic.id}
        assert await refused(place.start(**elsewhere)) == "too_many_total"
        await place.sessions.stop(second.session_id)
        assert place.view(session).status is PlaybackStatus.PLAYING, "the other one goes on"


async def test_a_channel_that_cannot_be_joined_leaves_nothing_behind(place: VoiceHarness) -> None:
    place.loopback.voice.refuse_with = [4017]
    assert await refused(place.start()) == "voice_encryption"
    place.loopback.voice.refuse_with = [4006] * 9
    assert await refused(place.start()) == "voice_unreachable"
    place.loopback.voice.refuse_with = []
    assert await refused(place.start(voice_channel_id=4711)) == "no_voice_channel"
    assert await place.sessions.store.of_guild(place.guild.id) == []
    await place.start()


@pytest.mark.slow
async def test_a_planned_session_takes_covers_and_begins_with_its_event(place: VoiceHarness) -> None:
    planned = await place.plan(event_id=77)
    await place.bring(planned, place.people[0])
    found = await place.sessions.store.of_event(77)
    assert found is not None
    assert found.state is SessionState.PLANNED
    assert not (await place.bot.inference.status()).queued, "nothing is composed before it begins"
    begun = await place.sessions.begin(found.session_id)
    assert begun.state is SessionState.RUNNING
    await place.playing(begun)
    assert (await place.sessions.begin(begun.session_id)).session_id == begun.session_id
    unheard = await place.plan()
    await place.sessions.stop(unheard.session_id)
    assert place.ends == [], "what never began has no end to tell"
    await place.sessions.stop(begun.session_id)
    await place.until(lambda: place.ends == [EndReason.HOST])
    assert await refused(place.sessions.resume(begun.session_id)) == "not_resumable"


@pytest.mark.slow
async def test_trouble_ends_politely_and_keeps_the_playlist(place: VoiceHarness) -> None:
    ana, bo, _ = place.people
    session = await place.start()
    first, _ = await place.bring(session, ana, bo)
    position = 0
    for reason in (EndReason.REFUSED, EndReason.REMOVED, EndReason.CHANNEL_GONE):
        view = await place.playing(session, first)
        assert view.position >= position * 0.02, "it goes on where it was"
        assert view.session.end_reason is None
        await place.loopback.voice.wait_frames(place.guild, 15)
        if reason is EndReason.REFUSED:
            await place.loopback.voice.hang_up(place.guild, 4022)
        else:
            await place.loopback.voice.disconnect_bot(place.guild)
        if reason is EndReason.CHANNEL_GONE:  # this news may come second
            channels.remove(place.loopback.server, place.room)
        await place.until(lambda: place.ends)
        assert place.ends.pop() is reason
        record = await place.record(session)
        assert [entry.state for entry in record.entries] == [EntryState.PLAYING, EntryState.READY]
        assert record.session.position > position
        position = record.session.position
        if reason is not EndReason.CHANNEL_GONE:
            await place.sessions.resume(session.session_id)
    assert await refused(place.sessions.resume(session.session_id)) == "no_voice_channel"


async def test_a_server_that_puts_the_bot_out_ends_it(place: VoiceHarness) -> None:
    session = await place.start()
    place.loopback.world.announce("GUILD_DELETE", {"id": str(place.guild.id)}, guild=place.guild)
    await place.until(lambda: place.ends == [EndReason.GUILD_GONE])
    assert (await place.record(session)).session.end_reason is EndReason.GUILD_GONE
    assert place.sessions.running() == []


@pytest.mark.slow
async def test_a_move_is_followed_and_its_channel_counts(place: VoiceHarness) -> None:
    session = await place.start()
    await place.bring(session, place.people[0])
    await place.playing(session)
    attic = place.loopback.voice_channel(place.guild, "Attic")
    await place.people[1].join(attic)
    await place.loopback.voice.move_bot(place.guild, attic)
    view = await place.until_view(
        session,
        lambda view: view.session.voice_channel_id == attic.id and view.status is PlaybackStatus.PLAYING,
    )
    assert set(view.listeners) == {place.people[1].id}
    assert place.ends == []


@pytest.mark.slow
async def test_killed_in_the_middle_it_rejoins_and_goes_on(place: VoiceHarness, tmp_path: Path) -> None:
    ana, bo, cy = place.people
    session = await place.start(title="Through a kill")
    sid = session.session_id
    (first,) = await place.bring(session, ana)
    await place.playing(session, first)
    job = first.clips[0].job_id
    await place.sessions.vote(sid, first.entry_id, job, bo.id, "Bo", score=5, starred=True)
    await place.sessions.controls(sid).skip(cy.id)
    place.hold()
    (second,) = await place.bring(session, bo)
    await place.until_running()
    await place.until_view(session, lambda view: view.position > 0.4)
    await place.sessions.controls(sid).set_paused(True)  # notes the position, as every change does
    await place.sessions.controls(sid).set_paused(False)
    async with place.after_a_kill(tmp_path / "again") as again:
        view = await again.playing(session, first)
        assert view.position >= 0.4
        assert view.skip_votes == 1
        assert [(v.user_id, v.score, v.starred) for v in view.votes] == [(bo.id, 5, True)]
        assert view.current is not None
        again.release()
        assert (await again.sessions.controls(sid).skip(ana.id)).skipped, "with the vote from before"
        await again.playing(session, second)
        jobs = await again.bot.database.fetch("SELECT job_id FROM jobs")
        assert {row[0] for row in jobs} == {job, second.clips[0].job_id}, "nothing was composed twice"
        await again.sessions.stop(sid)
        await again.until(lambda: again.ends == [EndReason.HOST])
        record = await again.record(session)
        assert [entry.state for entry in record.entries] == [EntryState.SKIPPED, EntryState.PLAYED]

        async def a_reply_is_owed() -> object:
            return (await again.bot.inference.status()).owed_replies

        await no_longer(a_reply_is_owed, 15)  # for what a session composed


async def test_a_recap_that_is_owed_is_sent_after_the_restart(tmp_path: Path) -> None:
    async with voice_harness(tmp_path, recaps=True) as place:
        session = await place.start()
        store = place.sessions.store
        await place.sessions.stop(session.session_id)
        await no_longer(store.owed_recaps, 15)
        message = await store.recap_message(session.session_id)
        await store.set_recap(session.session_id, message, complete=False)
        async with place.after_a_kill(tmp_path / "again") as again:
            await no_longer(again.sessions.store.owed_recaps, 15)
            assert await again.sessions.store.recap_message(session.session_id) == message


@pytest.mark.slow
async def test_volume_changes_what_plays_where_it_is(place: VoiceHarness) -> None:
    session = await place.start()
    await place.bring(session, *place.people[:2])
    await place.playing(session)
    connection = await place.loopback.voice.wait_frames(place.guild, 20)
    await place.sessions.controls(session.session_id).set_volume(0.4)
    before = place.view(session)
    assert before.position > 0.3
    assert before.session.volume == 0.4
    whole = read_track(place.home / "clip.ogg").packets
    await place.until(lambda: connection.frames[-1] not in whole)
    played = [frame in whole for frame in connection.frames]
    assert played == sorted(played, reverse=True), "the quieter copy goes on where the clip was"
    stored = await place.sessions.store.get(session.session_id)
    assert stored is not None
    assert stored.volume == 0.4


@pytest.mark.slow
async def test_a_finished_clip_joins_the_playlist_as_it_is(place: VoiceHarness) -> None:
    ana, bo, _ = place.people
    session = await place.start()
    (first,) = await place.bring(session, ana)
    await place.playing(session, first)
    record = await place.bot.inference.record(first.clips[0].job_id)
    refusal = await refused(place.submissions.add_result(session.session_id, record, bo.id, "Bo"))
    assert refusal == "already_in"
    await place.sessions.stop(session.session_id)
    another = await place.start()
    entry = await place.submissions.add_result(another.session_id, record, bo.id, "Bo")
    await place.playing(another, entry)
    assert len(await place.bot.database.fetch("SELECT 1 FROM jobs")) == 1


@pytest.mark.slow
async def test_a_forgotten_member_is_gone_from_a_running_session(place: VoiceHarness) -> None:
    ana, bo, _ = place.people
    session = await place.start()
    mine, theirs = await place.bring(session, ana, bo)
    await place.playing(session, mine)
    await place.sessions.vote(session.session_id, mine.entry_id, mine.clips[0].job_id, ana.id, "Ana", score=5)
    assert mine.cover_path is not None
    assert mine.cover_path.exists()
    await place.bot.erasure.forget(ana.id, place.guild.id)
    assert not mine.cover_path.exists()
    assert await place.bot.services[SessionErasure].of_member(ana.id) == []
    view = await place.playing(session, theirs)
    assert [entry.submitter_id for entry in view.entries] == [bo.id]
    assert view.votes == []


@pytest.mark.slow
async def test_what_is_wanted_ahead_is_composed_and_what_is_stopped_is_not(tmp_path: Path) -> None:
    async with voice_harness(tmp_path, clip_seconds=20, ahead=2) as place:
        session = await place.start()
        await place.bring(session, *[place.people[0]] * 5)
        await place.playing(session)
        view = await place.until_view(
            session, lambda view: [e.state for e in view.up_next[:2]] == [EntryState.READY] * 2
        )
        assert [entry.state for entry in view.up_next[2:]] == [EntryState.COMPOSING] * 2
        assert len(await place.bot.database.fetch("SELECT 1 FROM jobs")) == 3
        place.hold()
        await place.sessions.controls(session.session_id).skip(0, force=True)
        await place.until_running()
        record = await place.sessions.stop(session.session_id)
        states = [entry.state for entry in record.entries]
        assert states[:2] == [EntryState.SKIPPED, EntryState.PLAYED]
        assert states[3:] == [EntryState.FAILED] * 2, "one was being composed, one was not begun"
        jobs = [row[0] for row in await place.bot.database.fetch("SELECT state FROM jobs ORDER BY rowid")]
        assert jobs[3:] == ["cancelled"]


async def test_of_two_who_begin_at_the_same_moment_one_is_refused_and_one_plays(place: VoiceHarness) -> None:
    ana, bo, _ = place.people
    planned = await place.plan(event_id=5)
    begun = await asyncio.gather(
        place.start(host_id=ana.id),
        place.start(host_id=bo.id),
        place.sessions.begin(planned.session_id),
        return_exceptions=True,
    )
    (session,) = [result for result in begun if isinstance(result, Session)]
    refusals = [result.key for result in begun if isinstance(result, Refusal)]
    assert refusals == ["session_core.one_per_guild"] * 2
    assert place.sessions.running() == [session]
    # Neither has put the other out of the channel, and nothing of the refused one is stored.
    await place.bring(session, ana)
    await place.playing(session)
    stored = await place.sessions.store.of_guild(place.guild.id)
    assert {one.session_id for one in stored} == {session.session_id, planned.session_id}


async def test_a_start_that_fails_unexpectedly_leaves_voice_and_no_session(
    place: VoiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> object:
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(place.sessions.store, "members", broken)
    with pytest.raises(RuntimeError):
        await place.start()
    assert await place.sessions.store.of_guild(place.guild.id) == []
    monkeypatch.undo()
    session = await place.start()
    assert place.sessions.running() == [session]
