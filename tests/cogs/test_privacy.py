"""What is kept about a member is shown to them whole, and goes whole: database, files, messages."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bot.requests import intake
from tests.bot.bot_harness import RUNNER, BotHarness, bot_harness, has_clip, picture
from tests.bot.running_bot import bot_settings, new_bot, started
from tests.bot.traces import traces
from tests.discord.interactions import Interaction
from tests.discord.state import Channel, Message
from tests.waiting import eventually


@pytest.fixture
def home(home: BotHarness) -> BotHarness:
    home.bot.erasure.pause = 0.01
    return home


async def clip_by(home: BotHarness, person: object, channel: Channel, **options: object) -> Message:
    used = await person.slash(channel, "albumgen", image=("c.png", picture()), **options)  # type: ignore[attr-defined]
    message: Message = (await used.wait_acknowledged()).message
    await message.wait_until(has_clip)
    await home.settled()
    return message


async def forget(home: BotHarness, button: str, channel: Channel | None = None) -> Interaction:
    used = await home.ann.slash(channel or home.channel, "privacy forget-me")
    asked = await used.wait_message()
    assert asked.ephemeral
    pressed = await home.ann.click(asked, button)
    await asked.wait_until(lambda m: "gelöscht" in m.text, 15)
    return pressed


async def rows(home: BotHarness, query: str) -> int:
    return int((await home.bot.database.fetch(f"SELECT count(*) FROM {query}"))[0][0])


async def starred(home: BotHarness, count: int) -> None:
    async def stored() -> bool:
        return await rows(home, "bot_stars") == count

    await eventually(stored)


async def test_show_tells_exactly_what_is_kept(home: BotHarness) -> None:
    message = await home.clip(seed=77)
    await clip_by(home, home.ann, home.ann.dm)
    await clip_by(home, home.owner, home.channel)
    await home.ann.react(message, "⭐")
    await starred(home, 1)
    used = await home.ann.slash(home.channel, "privacy show")
    shown = await used.wait_message()
    assert shown.ephemeral
    assert "Clips, die du gewünscht hast: **2**" in shown.text
    assert "Sterne, die du vergeben hast: **1**" in shown.text
    assert "Meine Nachrichten, die sie zeigen: **2**" in shown.text
    assert "aufbewahrt werden: **2**" in shown.text
    assert "Direktnachrichten: 1" in shown.text
    words = shown.attachment(".json").data.decode()
    told = json.loads(words)
    assert told["user_id"] == home.ann.id
    assert {job["seed"] for job in told["jobs"]} >= {77}
    assert len(told["jobs"]) == 2
    assert str(home.owner.id) not in words
    assert '"token"' not in words


async def test_forgetting_everywhere_leaves_no_trace(home: BotHarness, tmp_path: Path) -> None:
    ours = [await home.clip(seed=seed) for seed in range(3)]
    direct = await clip_by(home, home.ann, home.ann.dm)
    theirs = await clip_by(home, home.owner, home.channel)
    await home.ann.react(theirs, "⭐")
    await home.owner.react(ours[0], "⭐")
    await starred(home, 2)
    used = await home.owner.slash(home.channel, "compare", image=("c.png", picture()))
    compared = (await used.wait_acknowledged()).message
    await compared.wait_until(lambda m: len(m.attachments) >= 2, 20)
    await home.settled()
    for person, choice in ((home.ann, "Take A"), (home.owner, "Take B")):
        await (await person.click(compared, choice)).wait_acknowledged()
    await compared.wait_until(lambda m: "2 listeners" in m.text)
    folders = [Path(str(job.result_dir)) for job in await home.jobs()]
    assert traces(tmp_path / "data", home.ann.id)
    await forget(home, "Überall")
    assert traces(tmp_path, home.ann.id) == []
    assert [folder.exists() for folder in folders] == [False] * 4 + [True] * 3
    assert await rows(home, "bot_stars") == 0
    assert await rows(home, "bot_ballots") == 1
    for message in (*ours, direct):
        await message.wait_deleted()
    assert not theirs.deleted

    async def cleared() -> bool:
        return await rows(home, "bot_doomed_messages") == 0

    await eventually(cleared)
    # The others' clips are as they were.
    again = await home.owner.click(theirs, "Again")
    await (await again.wait_acknowledged()).message.wait_until(has_clip)
    await home.settled()
    # And whoever was forgotten is welcome again.
    await home.clip()
    assert traces(tmp_path, home.ann.id)


async def test_what_is_running_is_cancelled_without_a_reply(home: BotHarness, tmp_path: Path) -> None:
    home.hold()
    used = await home.ask()
    await home.until_running()
    await forget(home, "Überall")
    home.release()
    await used.message.wait_deleted()
    await home.settled()
    assert await rows(home, "jobs") == 0
    assert traces(tmp_path, home.ann.id) == []

    async def swept() -> bool:
        return not list((tmp_path / "results").glob("*/*"))

    await eventually(swept)


async def test_one_server_only(home: BotHarness) -> None:
    other = home.loopback.guild("Elsewhere", home.owner, [home.ann])
    home.loopback.invite_bot(other)
    here = await home.clip()
    there = await clip_by(home, home.ann, other.channel("general"))
    direct = await clip_by(home, home.ann, home.ann.dm)
    for message in (here, there):
        await home.ann.react(message, "⭐")
    await starred(home, 2)
    await forget(home, "Auf diesem Server")
    await here.wait_deleted()
    assert not there.deleted
    assert not direct.deleted
    assert sorted(job.spec.group for job in await home.jobs()) == sorted([str(other.id), f"dm:{home.ann.id}"])
    assert await rows(home, f"bot_stars WHERE message_id = {there.id}") == 1
    assert await rows(home, f"bot_stars WHERE message_id = {here.id}") == 0


async def test_saying_no_deletes_nothing(home: BotHarness) -> None:
    message = await home.clip()
    used = await home.ann.slash(home.channel, "privacy forget-me")
    asked = await used.wait_message()
    await home.ann.click(asked, "behalten")
    await asked.wait_until(lambda m: "nichts gelöscht" in m.text)
    assert not message.deleted
    assert len(await home.jobs()) == 1


@pytest.mark.parametrize("at", ["part", "rows", "files"])
async def test_it_goes_on_after_a_kill_half_way(tmp_path: Path, at: str) -> None:
    async with bot_harness(tmp_path, progress_interval=60.0) as home:
        messages = [await home.clip(seed=seed) for seed in range(2)]
        await home.ann.react(messages[0], "⭐")
        await starred(home, 1)

        async def die(*_: object, **__: object) -> None:
            raise asyncio.CancelledError  # as a kill looks from inside: nothing after this happens

        if at == "part":
            home.bot.erasure.register("fatal", die)
        elif at == "rows":
            home.bot.inference.delete_member = die  # type: ignore[assignment,method-assign]
        else:
            home.bot.erasure._remove_files = die  # type: ignore[method-assign]
        home.bot.erasure.pause = 3600.0
        with pytest.raises(asyncio.CancelledError):
            await home.bot.erasure.forget(home.ann.id, None)
        assert traces(tmp_path, home.ann.id)
        await home.bot.close()
        bot = new_bot(home.loopback, bot_settings(tmp_path), RUNNER)
        async with started(home.loopback, bot):
            assert traces(tmp_path, home.ann.id) == []
            for table in ("jobs", "bot_stars", "bot_messages", "bot_forgetting"):
                assert (await bot.database.fetch(f"SELECT count(*) FROM {table}"))[0][0] == 0
            for message in messages:
                await message.wait_deleted()


async def test_a_reply_that_was_on_its_way_is_deleted_too(home: BotHarness, tmp_path: Path) -> None:
    gate, inside = asyncio.Event(), asyncio.Event()
    send = home.bot.delivery._send

    async def slow(*details: object) -> object:
        place = await send(*details)  # type: ignore[arg-type]
        inside.set()
        await gate.wait()
        return place

    home.bot.delivery._send = slow  # type: ignore[assignment,method-assign]
    used = await home.ask()
    await inside.wait()
    assert has_clip(used.message)
    await home.bot.erasure.forget(home.ann.id, None)
    gate.set()
    await used.message.wait_deleted()
    await home.settled()
    assert traces(tmp_path, home.ann.id) == []


async def test_messages_that_cannot_be_deleted_are_given_up(home: BotHarness) -> None:
    message = await home.clip()
    await home.owner.delete(message)
    kept = await home.clip()
    home.loopback.faults.status("DELETE /channels/*/messages/*", 503, count=2)
    await forget(home, "Überall")
    await kept.wait_deleted(15)

    async def cleared() -> bool:
        return await rows(home, "bot_doomed_messages") == 0

    await eventually(cleared)


@pytest.mark.parametrize("moment", ["the message is sent", "the picture is read"])
async def test_a_request_that_was_just_being_taken_is_forgotten_too(
    home: BotHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    owner, name = (
        (home.bot.requests._queue_message, "send")
        if moment == "the message is sent"
        else (intake, "checked_cover")
    )
    usual = getattr(owner, name)

    async def forgotten_meanwhile(*details: object) -> object:
        result = await usual(*details)
        await home.bot.erasure.forget(home.ann.id, None)
        return result

    monkeypatch.setattr(owner, name, forgotten_meanwhile)
    used = await home.ask()
    await used.message.wait_deleted()
    await home.settled()
    assert await rows(home, "jobs") == 0
    assert traces(tmp_path, home.ann.id) == []
