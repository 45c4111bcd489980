"""The panel as a message: few edits, one copy, through failures, restarts and age."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sessions.panel import panels as rooms
from bot.sessions.panel.panels import SessionPanels
from bot.sessions.state.model import EndReason, Session
from tests.bot.sessions.voice_harness import VoiceHarness, voice_harness
from tests.discord.state import Channel, Message
from tests.waiting import quiet

SEND = "POST /channels/*/messages"
EDIT = "PATCH /channels/*/messages/*"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[VoiceHarness]:
    async with voice_harness(tmp_path) as made:
        hasten(made)
        yield made


def hasten(place: VoiceHarness) -> SessionPanels:
    """SessionPanels that wait for nothing."""
    panels = place.bot.services[SessionPanels]
    panels.edits_apart, panels.moves_apart, panels.retry_pause = 0.05, 0.2, 0.05
    return panels


def general(place: VoiceHarness) -> Channel:
    return place.guild.channel("general")


def panels(place: VoiceHarness) -> list[Message]:
    return [message for message in place.loopback.messages(general(place)) if "Listening in" in message.text]


async def begun(place: VoiceHarness) -> tuple[Session, Message]:
    session = await place.start()
    return session, await general(place).wait_for_message(lambda m: "Listening in" in m.text)


async def test_a_burst_of_changes_is_few_edits(place: VoiceHarness) -> None:
    session, panel = await begun(place)
    kept = hasten(place)
    kept.edits_apart = 0.4
    before = place.loopback.count("PATCH /channels/{channel_id}/messages/{message_id}")
    for percent in range(50, 80):
        await place.sessions.controls(session.session_id).set_volume(percent / 100)
        await kept.changed(session.session_id)
    await panel.wait_until(lambda m: "volume 79 %" in m.text)
    edits = place.loopback.count("PATCH /channels/{channel_id}/messages/{message_id}") - before
    assert edits <= 4


async def test_a_panel_whose_sending_was_not_answered_is_there_once(place: VoiceHarness) -> None:
    fault = place.loopback.faults.reset_after(SEND)
    session, panel = await begun(place)
    await place.until(lambda: place.sessions.view(session.session_id).session.board_message_id == panel.id)  # type: ignore[union-attr]
    assert fault.hits == 1
    assert panels(place) == [panel]


async def test_failed_edits_are_made_up_for(place: VoiceHarness) -> None:
    session, panel = await begun(place)
    place.loopback.faults.reset_before(EDIT, count=2)
    place.loopback.faults.refuse(EDIT, 429, 30046, "Maximum number of edits to messages older than 1 hour")
    await place.sessions.controls(session.session_id).set_volume(0.5)
    await panel.wait_until(lambda m: "volume 50 %" in m.text)
    assert panels(place) == [panel]


async def test_a_panel_is_sent_anew_before_it_is_too_old(
    place: VoiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, panel = await begun(place)
    monkeypatch.setattr(rooms, "_OLD", datetime.timedelta(seconds=-5))
    await place.sessions.controls(session.session_id).set_volume(0.5)
    await panel.wait_deleted()
    monkeypatch.undo()
    newer = await general(place).wait_for_message(lambda m: "Listening in" in m.text and m.id > panel.id)
    assert "volume 50 %" in newer.text


async def test_a_panel_that_was_deleted_while_the_bot_was_away_comes_back(
    place: VoiceHarness, tmp_path: Path
) -> None:
    _, panel = await begun(place)
    await place.until(lambda: place.sessions.running()[0].board_message_id == panel.id)
    async with place.after_a_kill(tmp_path / "after") as again:
        await place.people[0].delete(panel)
        hasten(again)
        newer = await general(place).wait_for_message(lambda m: "Listening in" in m.text and m.id > panel.id)
        await again.until(lambda: again.sessions.running()[0].board_message_id == newer.id)


async def test_a_session_that_is_taken_up_again_has_a_new_panel(place: VoiceHarness) -> None:
    session, panel = await begun(place)
    await place.sessions.stop(session.session_id, EndReason.EMPTY)
    await panel.wait_until(lambda m: "has ended" in m.text)
    used = await place.people[0].slash(general(place), "session resume", session=session.session_id)
    assert "goes on where it was" in (await used.wait_message()).text
    newer = await general(place).wait_for_message(lambda m: "Listening in" in m.text and m.id > panel.id)
    assert "has ended" in panel.text
    assert newer.components == []


async def test_a_panel_that_may_not_be_written_does_no_harm(place: VoiceHarness) -> None:
    place.loopback.faults.refuse(SEND, 403, 50013, "Missing Permissions", count=2)
    session = await place.start()
    await quiet(0.3)
    assert panels(place) == []
    await place.sessions.stop(session.session_id)
    assert place.sessions.running() == []
