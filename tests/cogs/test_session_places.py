"""`/session` where it is not the usual voice channel of a usual server: stages, policies, privileges."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.sessions.panel.panels import SessionPanels
from bot.sessions.state.model import EndReason, SessionState
from bot.setup.invite import permissions
from tests.bot.bot_harness import has_clip
from tests.bot.running_bot import bot_settings, new_bot, started
from tests.bot.sessions.voice_harness import RUNNER, VoiceHarness, cover, ogg, voice_harness
from tests.discord import payloads
from tests.discord.driver import LoopbackDiscord
from tests.discord.intents import CONTENT
from tests.discord.permissions import P
from tests.discord.state import Channel, Message, Overwrite
from tests.waiting import no_longer


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[VoiceHarness]:
    async with voice_harness(tmp_path) as made:
        hasten(made)
        yield made


def hasten(place: VoiceHarness) -> None:
    panels = place.bot.services[SessionPanels]
    panels.edits_apart = panels.retry_pause = 0.05


def general(place: VoiceHarness) -> Channel:
    return place.guild.channel("general")


def is_panel(message: Message) -> bool:
    return "Listening in" in message.text


async def refusal(place: VoiceHarness, command: str, who: int = 0, **options: Any) -> str:
    used = await place.people[who].slash(general(place), command, **options)
    said = await used.wait_message()
    assert said.ephemeral
    return said.text


async def test_on_a_stage_the_panel_says_that_nobody_hears_until_somebody_lets_us_speak(
    place: VoiceHarness,
) -> None:
    stage = place.loopback.voice_channel(place.guild, "Stage", stage=True)
    await place.people[0].join(stage)
    place.loopback.faults.refuse("PATCH /guilds/*/voice-states/@me", 403, 50013, "Missing Permissions")
    await place.people[0].slash(general(place), "session start", title="Up high")
    thread = await place.loopback.world.until(
        lambda: next((c for c in place.guild.channels.values() if c.name == "Up high"), None),
        10,
        lambda: "no thread",
    )
    panel = await thread.wait_for_message(is_panel)
    await panel.wait_until(lambda m: "requested to speak" in m.text)
    mine = place.guild.voice_states[place.loopback.world.bot.id]
    place.guild.voice_states[place.loopback.world.bot.id] = allowed = mine | {"suppress": False}
    place.loopback.world.announce("VOICE_STATE_UPDATE", allowed, guild=place.guild)
    await panel.wait_until(lambda m: "requested to speak" not in m.text)


@pytest.mark.parametrize(
    ("stage", "denied", "named"),
    [
        (False, P.SPEAK, "speak"),
        (False, P.CONNECT, "connect"),
        (True, P.REQUEST_TO_SPEAK, "request to speak"),
    ],
)
async def test_what_voice_needs_is_asked_for_before_anything_begins(
    place: VoiceHarness, stage: bool, denied: P, named: str
) -> None:
    room = place.loopback.voice_channel(place.guild, "Other", stage=stage)
    place.loopback.forbid_bot(room, denied)
    used = await place.people[0].slash(general(place), "session start", channel=room)
    said = await used.wait_message()
    assert named in said.text.lower()
    assert place.sessions.running() == []
    assert not [c for c in place.guild.channels.values() if c.is_thread and not c.archived]


async def test_a_channel_that_one_cannot_join_is_not_begun_in(place: VoiceHarness) -> None:
    bo = place.people[1]
    room = place.loopback.voice_channel(place.guild, "Secret")
    room.overwrites[bo.id] = Overwrite(bo.id, 1, deny=P.CONNECT)
    place.loopback.world.announce("CHANNEL_UPDATE", payloads.channel(room), guild=place.guild)
    assert "cannot join that voice channel" in await refusal(place, "session start", 1, channel=room)


async def test_the_servers_policy_holds_for_sessions_too(place: VoiceHarness) -> None:
    role = place.loopback.world.add_role(place.guild, "listeners", P(0))
    await place.bot.guild_settings.change(place.guild.id, roles=(role.id,))
    assert f"<@&{role.id}>" in await refusal(place, "session start")
    await place.start()
    assert f"<@&{role.id}>" in await refusal(place, "session submit", image=("c.png", cover()))


async def test_the_policy_holds_for_the_button_under_a_clip_too(place: VoiceHarness) -> None:
    bo = place.people[1]
    used = await bo.slash(general(place), "albumgen", image=("c.png", cover()), seconds=5)
    await used.wait_acknowledged()
    clip = await used.message.wait_until(has_clip, 20)
    session = await place.start()
    role = place.loopback.world.add_role(place.guild, "listeners", P(0))
    await place.bot.guild_settings.change(place.guild.id, roles=(role.id,))
    said = await (await bo.click(clip, "🎧")).wait_message()
    assert f"<@&{role.id}>" in said.text
    await place.bot.guild_settings.change(place.guild.id, roles=(), pictures="nsfw_channels")
    said = await (await bo.click(clip, "🎧")).wait_message()
    assert "age-restricted" in said.text
    assert await place.sessions.store.entries(session.session_id) == []


async def test_a_session_is_resumed_by_its_title_as_the_recap_says(place: VoiceHarness) -> None:
    session = await place.start(title="Low *Tide*")
    await place.bring(session, place.people[1])
    await place.playing(session)
    await place.sessions.stop(session.session_id, EndReason.REMOVED)
    used = await place.people[0].slash(general(place), "session resume", session="low *tide*")
    assert "goes on where it was" in (await used.wait_message()).text
    assert place.sessions.running()[0].session_id == session.session_id


async def test_events_need_a_permission_of_the_bot_and_of_the_member(place: VoiceHarness) -> None:
    wish = {"when": "in 2 h", "title": "Later"}
    assert "not allowed to do that here" in await refusal(place, "session schedule", 1, **wish)
    place.loopback.forbid_bot(place.room, P.CREATE_EVENTS)
    assert "not allowed to create events" in await refusal(place, "session schedule", 0, **wish)
    assert not place.guild.events


async def test_an_unexpected_error_leaves_neither_thread_nor_event(
    place: VoiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(place.sessions.store, "create", broken)
    for command, options in (("start", {}), ("schedule", {"when": "in 2 h"})):
        used = await place.people[0].slash(general(place), f"session {command}", title="Never", **options)
        said = await used.wait_message()
        assert "went wrong" in said.text
    assert [c.archived for c in place.guild.channels.values() if c.name == "Never"] == [True]
    assert not place.guild.events
    assert place.sessions.running() == []
    monkeypatch.undo()
    await place.people[0].slash(general(place), "session start", title="Now")
    await place.until(place.sessions.running)


async def test_an_event_that_somebody_starts_begins_its_session(place: VoiceHarness) -> None:
    stage = place.loopback.voice_channel(place.guild, "Stage", stage=True)
    used = await place.people[0].slash(
        general(place), "session schedule", when="in 2 h", title="Early", channel=stage
    )
    assert "is planned for" in (await used.wait_message()).text
    [event] = place.guild.events.values()
    assert (event["entity_type"], event["channel_id"]) == (1, str(stage.id))
    event["status"] = 2
    place.loopback.world.announce("GUILD_SCHEDULED_EVENT_UPDATE", event, guild=place.guild)
    await place.until(place.sessions.running)
    assert place.sessions.running()[0].voice_channel_id == stage.id


async def test_a_plan_survives_a_kill_and_hears_of_what_it_missed(
    place: VoiceHarness, tmp_path: Path
) -> None:
    for title in ("One", "Two"):
        used = await place.people[0].slash(general(place), "session schedule", when="in 2 h", title=title)
        await used.wait_message()
    first, second = place.guild.events.values()
    first["status"] = 2  # started, and the other one deleted, while the bot was away
    del place.guild.events[int(second["id"])]
    async with place.after_a_kill(tmp_path / "after") as again:
        await again.until(again.sessions.running)
        assert again.sessions.running()[0].title == "One"
        await no_longer(lambda: again.sessions.store.in_states(SessionState.PLANNED), 5)


async def test_many_sessions_are_pages(place: VoiceHarness) -> None:
    for number in range(11):
        session = await place.plan(theme=str(number))
        await place.sessions.stop(session.session_id)
    used = await place.people[2].slash(general(place), "session list")
    first = await used.wait_message()
    assert first.text.count("· over ·") == 8
    assert "Page 1 of 2" in first.text
    await place.people[2].click(first, "▶️")
    second = await first.wait_until(lambda m: "Page 2 of 2" in m.text)
    assert second.text.count("· over ·") == 3


async def test_with_the_privileged_intent_no_mention_is_needed(tmp_path: Path) -> None:
    (tmp_path / "clip.ogg").write_bytes(ogg(0.6))
    async with LoopbackDiscord(
        privileged_intents=CONTENT, bot_permissions=P(permissions().value)
    ) as loopback:
        ana = loopback.user("Ana")
        guild = loopback.guild("House", ana)
        room = loopback.voice_channel(guild, "Hall")
        await ana.join(room)
        settings = bot_settings(tmp_path, message_content=True)
        async with started(loopback, new_bot(loopback, settings, RUNNER)) as bot:
            place = VoiceHarness(loopback, bot, tmp_path, guild, room, [ana])
            place.listen()
            session = await place.start()
            said = await ana.say(guild.channel("general"), "this one", files={"a_b.png": cover()})
            await loopback.world.until(
                lambda: said if "🎧" in said.reactions else None, 10, lambda: "no reaction"
            )
            [entry] = await place.sessions.store.entries(session.session_id)
            assert (entry.title, entry.submitter_id) == ("a b", ana.id)
        assert loopback.violations == []
