"""`/session` on Discord: the commands, the panel and its buttons, pictures in the chat, planned evenings."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.sessions.panel.panels import SessionPanels
from bot.sessions.schedule.events import Schedule
from bot.sessions.state.model import SessionState
from tests.bot.bot_harness import has_clip
from tests.bot.sessions.voice_harness import VoiceHarness, cover, voice_harness
from tests.discord.driver import Person
from tests.discord.interactions import Interaction
from tests.discord.permissions import P
from tests.discord.state import Channel, Message
from tests.waiting import eventually, no_longer


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[VoiceHarness]:
    async with voice_harness(tmp_path, clip_seconds=3.0) as made:
        hasten(made)
        yield made


def hasten(place: VoiceHarness) -> None:
    """Panels that are drawn at once."""
    panels = place.bot.services[SessionPanels]
    panels.edits_apart, panels.moves_apart = 0.05, 0.2


def general(place: VoiceHarness) -> Channel:
    return place.guild.channel("general")


def is_panel(message: Message) -> bool:
    return "Listening in" in message.text


async def begun(place: VoiceHarness, **options: Any) -> tuple[Channel, Message]:
    """A session that Ana began from the general channel: its thread and its panel."""
    used = await place.people[0].slash(general(place), "session start", title="Friday", **options)
    said = await used.wait_message(15)
    assert "Friday** has begun" in said.text
    thread = next(channel for channel in place.guild.channels.values() if channel.name == "Friday")
    panel = await thread.wait_for_message(is_panel)
    return thread, panel


async def brings(place: VoiceHarness, person: Person, channel: Channel, **options: Any) -> str:
    used = await person.slash(channel, "session submit", image=("low_tide.png", cover()), **options)
    return (await used.wait_message()).text


async def whisper(used: Interaction) -> str:
    said = await used.wait_message()
    assert said.ephemeral
    return said.text


async def votes(place: VoiceHarness) -> list[tuple[int, int | None, bool]]:
    session = place.sessions.running()[0]
    stored = await place.sessions.store.votes(session.session_id)
    return sorted((vote.user_id, vote.score, vote.starred) for vote in stored)


@pytest.mark.slow
async def test_an_evening_begins_in_the_channel_that_one_sits_in(place: VoiceHarness) -> None:
    thread, panel = await begun(place, theme="Water")
    assert "Theme: **Water**" in panel.text
    assert "Add a cover" in panel.text
    assert place.guild.voice_states[place.bot.user.id]["channel_id"] == str(place.room.id)  # type: ignore[union-attr]
    assert "Cover 1 of this session is yours" in await brings(place, place.people[1], thread)
    await panel.wait_until(lambda m: "### low tide" in m.text and bool(m.attachments), 20)
    assert "brought by Bo" in panel.text
    await place.until(lambda: place.room.status == "🎧 low tide – Bo")
    assert len([m for m in place.loopback.messages(thread) if is_panel(m)]) == 1


async def test_who_sits_nowhere_is_asked_to_join_first(place: VoiceHarness) -> None:
    await place.people[0].leave(place.guild)
    used = await place.people[0].slash(general(place), "session start")
    assert "join a voice channel first" in await whisper(used)
    used = await place.people[0].slash(general(place), "session submit", image=("c.png", cover()))
    assert "No session is running" in await whisper(used)


async def test_a_permission_that_is_missing_is_named_before_anything_begins(place: VoiceHarness) -> None:
    place.loopback.forbid_bot(place.room, P.CONNECT)
    used = await place.people[0].slash(general(place), "session start")
    assert "Connect" in (await used.wait_message()).text
    assert place.sessions.running() == []


@pytest.mark.slow
async def test_votes_stars_and_skips_by_button(place: VoiceHarness) -> None:
    ana, bo, cy = place.people
    thread, panel = await begun(place)
    await brings(place, cy, thread)
    await panel.wait_until(lambda m: "### low tide" in m.text, 20)
    assert "4 for low tide" in await whisper(await ana.click(panel, "4"))
    assert "2 for low tide" in await whisper(await ana.click(panel, "2"))
    assert "⭐ for low tide" in await whisper(await bo.click(panel, "Star"))
    assert await votes(place) == [(ana.id, 2, False), (bo.id, None, True)]
    await bo.react(panel, "⭐")
    await cy.react(panel, "⭐")

    async def counted() -> bool:
        return (cy.id, None, True) in await votes(place)

    await eventually(counted, 5)
    mine = await (await ana.click(panel, "My votes")).wait_message()
    assert "5 for low tide" in await whisper(await ana.select(mine, "low tide", "5"))
    assert "1 of 2" in await whisper(await bo.click(panel, "Skip"))
    assert "Only the session's host" in await whisper(await bo.slash(thread, "session skip", force=True))
    assert "Skipped" in await whisper(await cy.click(panel, "Skip"))
    await panel.wait_until(lambda m: "Just heard" in m.text, 10)


@pytest.mark.slow
async def test_the_host_steers(place: VoiceHarness) -> None:
    ana, bo, _ = place.people
    thread, panel = await begun(place)
    await brings(place, ana, thread)
    await panel.wait_until(lambda m: "### low tide" in m.text, 20)
    assert "Only the session's host" in await whisper(await bo.click(panel, "Pause"))
    await ana.click(panel, "Pause")
    await panel.wait_until(lambda m: "Paused." in m.text)
    assert "goes on" in await whisper(await ana.slash(thread, "session pause"))
    assert "Once more" in await whisper(await ana.slash(thread, "session replay"))
    volume = await ana.slash(thread, "session volume", percent=50)
    assert "50 %" in await whisper(volume)
    await panel.wait_until(lambda m: "volume 50 %" in m.text)
    await ana.slash(thread, "session stop")
    await panel.wait_until(lambda m: "has ended" in m.text)
    assert not panel.components
    assert place.sessions.running() == []


@pytest.mark.slow
async def test_a_blind_evening_tells_nothing_before_its_time(place: VoiceHarness) -> None:
    ana, bo, cy = place.people
    thread, panel = await begun(place, blind=True)
    await brings(place, bo, thread, title="Hidden Harbour")
    await panel.wait_until(lambda m: "### Cover 1" in m.text and bool(m.attachments), 20)
    everything = str([r.payload for m in place.loopback.messages(thread) for r in m.revisions])
    assert "Hidden Harbour" not in everything
    assert "Bo" not in everything
    assert "Hidden Harbour" not in (place.room.status or "")
    for person in (ana, bo, cy):
        assert "Cover 1" in await whisper(await person.click(panel, "3"))
    await panel.wait_until(lambda m: "Hidden Harbour" in m.text, 10)


async def test_pictures_that_mention_the_bot_in_the_chat_are_taken(place: VoiceHarness) -> None:
    thread, _ = await begun(place)
    me = f"<@{place.bot.user.id}>"  # type: ignore[union-attr]
    await place.people[1].say(thread, "no mention", files={"quiet.png": cover()})
    said = await place.people[1].say(thread, f"{me} listen", files={"harbour.png": cover()})
    await place.until(lambda: "🎧" in said.reactions)
    broken = await place.people[1].say(thread, me, files={"broken.png": b"\x89PNG nonsense"})
    answer = await thread.wait_for_message(lambda m: m.reference is not None)
    assert answer.reference["message_id"] == str(broken.id)  # type: ignore[index]
    entries = await place.sessions.store.entries(place.sessions.running()[0].session_id)
    assert [entry.title for entry in entries] == ["harbour"]


async def test_the_panel_stays_at_the_bottom_and_comes_back(place: VoiceHarness) -> None:
    thread, panel = await begun(place)
    await place.people[1].say(thread, "what a night")
    second = await thread.wait_for_message(lambda m: is_panel(m) and m.id > panel.id)
    await place.until(lambda: panel.deleted)
    await place.people[0].delete(second)
    third = await thread.wait_for_message(lambda m: is_panel(m) and m.id > second.id)
    await place.until(lambda: place.sessions.running()[0].board_message_id == third.id)


@pytest.mark.slow
async def test_after_a_restart_the_same_panel_goes_on(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    async with voice_harness(before, clip_seconds=4.0) as place:
        hasten(place)
        thread, panel = await begun(place)
        await brings(place, place.people[1], thread)
        await panel.wait_until(lambda m: "### low tide" in m.text, 20)
        async with place.after_a_kill(after) as again:
            hasten(again)
            await again.until(lambda: again.sessions.running(), 20)
            await again.playing(again.sessions.running()[0])
            assert "5 for low tide" in await whisper(await place.people[0].click(panel, "5"))
            await panel.wait_until(lambda m: "**5.0**" in m.text)
            assert len([m for m in place.loopback.messages(thread) if is_panel(m)]) == 1


@pytest.mark.slow
async def test_buttons_of_a_session_that_is_over_say_so(place: VoiceHarness) -> None:
    thread, panel = await begun(place)
    await brings(place, place.people[1], thread)
    await panel.wait_until(lambda m: "### low tide" in m.text, 20)
    old = panel.components
    await place.people[0].slash(thread, "session stop")
    await panel.wait_until(lambda m: "has ended" in m.text)
    panel.components = old
    assert "no longer running" in await whisper(await place.people[1].click(panel, "5"))


@pytest.mark.slow
async def test_a_result_goes_into_the_playlist(place: VoiceHarness) -> None:
    _, panel = await begun(place)
    used = await place.people[1].slash(general(place), "albumgen", image=("c.png", cover()), seconds=5)
    await used.wait_acknowledged()
    clip = await used.message.wait_until(has_clip, 20)
    said = await whisper(await place.people[2].click(clip, "🎧"))
    assert "Added to **Friday** as cover 1" in said
    assert "already" in await whisper(await place.people[1].click(clip, "🎧"))
    await panel.wait_until(lambda m: "brought by Cy" in m.text, 10)


async def test_sessions_are_listed_and_shown(place: VoiceHarness) -> None:
    ana = place.people[0]
    assert (
        "has been no session" in (await (await ana.slash(general(place), "session list")).wait_message()).text
    )
    thread, _ = await begun(place)
    listed = await (await ana.slash(general(place), "session list")).wait_message()
    assert "**Friday** · running" in listed.text
    shown = await (await ana.slash(general(place), "session show")).wait_message()
    assert is_panel(shown)
    found = await ana.autocomplete(general(place), "session show", "session", session="fri")
    assert [choice["name"] for choice in found] == ["Friday · running"]
    refused = await ana.slash(general(place), "session show", session="0" * 32)
    assert "no longer exists" in await whisper(refused)
    assert thread.is_thread


@pytest.mark.slow
async def test_a_planned_session_begins_when_its_time_has_come(tmp_path: Path) -> None:
    async with voice_harness(tmp_path, clip_seconds=1.0, recaps=True) as place:
        hasten(place)
        await planned_evening(place)


async def planned_evening(place: VoiceHarness) -> None:
    ana, bo, _ = place.people
    used = await ana.slash(general(place), "session schedule", when="in 2 h", title="Saturday", rounds=1)
    said = await used.wait_message()
    assert "is planned for <t:" in said.text
    [event] = place.guild.events.values()
    assert (event["name"], event["entity_type"], event["status"]) == ("Saturday", 2, 1)
    [planned] = await place.sessions.store.of_guild(place.guild.id)
    assert "Cover 1" in await brings(place, bo, general(place), session=planned.session_id)
    schedule = place.bot.services[Schedule]
    now = datetime.datetime.now(datetime.UTC)
    await schedule.look(now)
    assert place.sessions.running() == []
    await schedule.look(now + datetime.timedelta(hours=2, minutes=1))
    await place.until(lambda: place.sessions.running())
    assert event["status"] == 2
    panel = await general(place).wait_for_message(is_panel)
    await panel.wait_until(lambda m: "### low tide" in m.text, 20)
    await ana.slash(general(place), "session stop")
    await place.until(lambda: event["status"] == 3)


async def test_a_cancelled_event_takes_its_session_along(place: VoiceHarness) -> None:
    used = await place.people[0].slash(general(place), "session schedule", when="in 3 h", title="Sunday")
    await used.wait_message()
    [identity] = place.guild.events
    event = place.guild.events.pop(identity)
    place.loopback.world.announce("GUILD_SCHEDULED_EVENT_DELETE", event | {"status": 4}, guild=place.guild)
    await no_longer(lambda: place.sessions.store.in_states(SessionState.PLANNED), 5)


async def test_a_moment_that_is_none_is_asked_again(place: VoiceHarness) -> None:
    used = await place.people[0].slash(general(place), "session schedule", when="some day")
    assert "do not understand that time" in await whisper(used)
    assert not place.guild.events
