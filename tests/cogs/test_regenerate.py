"""Reactions and buttons under results: other takes, their lineage, and what people may take away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from albumgen_core.result import EXACT_COVER
from bot.takes.edit_modal import EditModal
from tests.bot.bot_harness import RUNNER, BotHarness, bot_harness, has_clip, picture
from tests.bot.fake_runner import ATTRIBUTES
from tests.bot.running_bot import bot_settings, new_bot, started
from tests.discord.state import Message
from tests.waiting import quiet


async def pressed(home: BotHarness, message: Message, button: str) -> Message:
    """The take that a button makes."""
    used = await home.ann.click(message, button)
    await used.wait_acknowledged()
    made = await used.message.wait_until(has_clip)
    await home.settled()
    return made


async def test_a_reaction_makes_another_take_that_knows_its_lineage(home: BotHarness) -> None:
    message = await home.clip(seed=5, seconds=6, rag=True)
    await home.owner.react(message, "🔁")
    second = await home.channel.wait_for_message(lambda m: m is not message and has_clip(m))
    await home.settled()
    first_job, job = await home.jobs()
    assert job.spec.seed != 5
    assert (job.spec.seconds, job.spec.rag) == (6.0, True)
    assert (job.spec.parent_id, job.spec.root_id) == (first_job.job_id, first_job.job_id)
    assert job.spec.member == str(home.owner.id)
    assert second.reference is not None
    assert f"/{message.id})" in second.text
    await home.ann.react(second, "🔁")
    await home.place.until(lambda _: len(home.clips()) == 3)
    third = (await home.jobs())[2]
    assert (third.spec.parent_id, third.spec.root_id) == (job.job_id, first_job.job_id)
    assert "Fassung 3" in home.clips()[2].text or "Take 3" in home.clips()[2].text


async def test_other_reactions_and_other_messages_make_nothing(home: BotHarness) -> None:
    message = await home.clip()
    posted = await home.owner.say(home.channel, "hello")
    await home.ann.react(posted, "🔁")
    await home.ann.react(message, "👍")
    await quiet(0.2)
    assert len(await home.jobs()) == 1


async def test_reactions_obey_the_cooldown(home: BotHarness) -> None:
    message = await home.clip()
    await home.bot.guild_settings.change(home.guild.id, cooldown_seconds=3600)
    await home.ann.react(message, "🔁")
    told = await home.ann.dm.wait_for_message()
    assert "warte" in told.text
    assert len(await home.jobs()) == 1


async def test_again_flip_and_longer(home: BotHarness) -> None:
    message = await home.clip(seed=5, seconds=6, rag=True)
    await pressed(home, message, "Noch einmal")
    await pressed(home, message, "Ähnliche Alben")
    longer = await pressed(home, message, "Länger")
    first, again, flipped, long = [job.spec for job in await home.jobs()]
    assert again.seed != first.seed
    assert (flipped.rag, flipped.seed) == (False, 5)
    assert long.seconds == 16.0
    assert Path(str(long.continue_from)).name == first.job_id
    assert long.overrides["tempo"] == 118.3
    assert "16 s" in longer.text
    assert {spec.parent_id for spec in (again, flipped, long)} == {first.job_id}


async def test_longer_stops_at_the_servers_limit(home: BotHarness) -> None:
    await home.bot.guild_settings.change(home.guild.id, max_seconds=8)
    message = await home.clip(seconds=6)
    longest = await pressed(home, message, "Länger")
    used = await home.ann.click(longest, "Länger")
    assert "höchstens 8 Sekunden" in (await used.wait_message()).text


async def test_edit_changes_what_was_changed_and_nothing_else(home: BotHarness) -> None:
    message = await home.clip(seed=5, seconds=6)
    opened = await home.ann.click(message, "Ändern")
    shown = await opened.wait_modal()
    assert shown["title"] == "Die Musik ändern"
    levels = "Energie: 0,25\nvalence = 0.9"
    sent = await home.ann.submit_modal(
        opened, {"album_genre": "Dream Pop", "tempo": "90 BPM", "levels": levels, "seconds": "8"}
    )
    await sent.wait_acknowledged()
    edited = await sent.message.wait_until(has_clip)
    await home.settled()
    spec = (await home.jobs())[1].spec
    by_hand = {"album_genre": "indie pop", "tempo": 90.0, "energy": 0.25, "valence": 0.9}
    shown = {name: value for name, value in ATTRIBUTES.items() if name != "raw_genre"}
    assert dict(spec.overrides) == {**shown, **by_hand}, "what was shown is pinned"
    assert (spec.seed, spec.seconds) == (5, 8.0)
    shown_by_hand = next(f["value"] for f in edited.embeds[0]["fields"] if "Von Hand" in f["name"])
    assert shown_by_hand == "Genre, Tempo, Energie, Heiterkeit"
    await pressed(home, edited, "Ähnliche Alben")
    flipped = (await home.jobs())[2].spec
    assert dict(flipped.overrides) == by_hand, "what RAG may change is free again"
    assert flipped.rag is not spec.rag


async def test_a_take_of_a_compressed_cover_says_so_and_one_of_the_original_does_not(
    home: BotHarness,
) -> None:
    message = await home.clip()
    again = await pressed(home, message, "Noch einmal")
    assert "komprimierten Kopie" not in again.text
    for job in await home.jobs():  # as takes of earlier versions are
        (Path(str(job.result_dir)) / EXACT_COVER).unlink()
    again = await pressed(home, message, "Noch einmal")
    assert "komprimierten Kopie" in again.text


async def test_an_edit_sent_unchanged_asks_for_the_same_clip(home: BotHarness) -> None:
    message = await home.clip(seed=5, seconds=6)
    opened = await home.ann.click(message, "Ändern")
    await opened.wait_modal()
    sent = await home.ann.submit_modal(opened)
    await (await sent.wait_acknowledged()).message.wait_until(has_clip)
    await home.settled()
    first, second = [job.spec for job in await home.jobs()]
    assert dict(second.overrides) == ATTRIBUTES
    assert (second.seed, second.seconds, second.rag) == (first.seed, first.seconds, first.rag)
    assert "Von Hand" not in sent.message.text


async def test_a_refused_edit_is_offered_again_filled_in(home: BotHarness) -> None:
    await home.bot.guild_settings.change(home.guild.id, max_seconds=8)
    message = await home.clip(seconds=6)
    opened = await home.ann.click(message, "Ändern")
    await opened.wait_modal()
    sent = await home.ann.submit_modal(opened, {"tempo": "91", "seconds": "20"})
    told = await sent.wait_message()
    assert told.ephemeral
    assert "1 bis 8 Sekunden" in told.text
    again = await home.ann.click(told, "Weiter bearbeiten")
    modal = await again.wait_modal()
    filled = {part["component"]["custom_id"]: part["component"].get("value") for part in modal["components"]}
    assert (filled["tempo"], filled["seconds"]) == ("91", "20")
    sent = await home.ann.submit_modal(again, {"seconds": "7"})
    made = await (await sent.wait_acknowledged()).message.wait_until(has_clip)
    assert "91 BPM" in made.text
    await home.settled()
    assert (await home.jobs())[1].spec.seconds == 7.0


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("tempo", "500", "40 bis 220 Schläge"),
        ("key", "H major", "Tonart"),
        ("album_genre", "zzz", "kein Genre"),
        ("levels", "Energie 0.7", "eigene Zeile"),
        ("levels", "Energie: 7", "Energie: 7 geht nicht"),
        ("seconds", "soon", "Sekunden"),
    ],
)
async def test_a_wrong_edit_is_refused_by_name(home: BotHarness, field: str, value: str, words: str) -> None:
    message = await home.clip()
    opened = await home.ann.click(message, "Ändern")
    sent = await home.ann.submit_modal(opened, {field: value})
    told = await sent.wait_message()
    assert told.ephemeral
    assert words in told.text
    assert len(await home.jobs()) == 1


async def test_prompt_is_shown_to_the_one_who_asks(home: BotHarness) -> None:
    message = await home.clip(seconds=6)
    used = await home.owner.click(message, "Prompt")
    told = await used.wait_message()
    assert told.ephemeral
    assert "A jazz piece of 6 seconds" in told.text


async def test_delete_is_for_the_author_and_moderators(home: BotHarness) -> None:
    message = await home.clip()
    (job,) = await home.jobs()
    stranger = home.loopback.user("Sue")
    home.loopback.world.add_member(home.guild, stranger.user)
    used = await stranger.click(message, "Löschen")
    assert "clip" in (await used.wait_message()).text
    assert not message.deleted
    await home.ann.click(message, "Löschen")
    await message.wait_deleted()
    await home.place.until(lambda _: not Path(str(job.result_dir)).exists())
    again = await home.clip()
    await home.owner.click(again, "Löschen")
    await again.wait_deleted()


async def test_a_clip_that_is_no_longer_kept_says_so(home: BotHarness) -> None:
    message = await home.clip()
    (job,) = await home.jobs()
    await home.bot.inference.history.forget_results([job.job_id])
    used = await home.ann.click(message, "Noch einmal")
    assert "nicht mehr aufbewahrt" in (await used.wait_message()).text


@pytest.mark.parametrize("how", ["button", "reaction"])
async def test_cancel_ends_a_running_job_and_says_so(home: BotHarness, how: str) -> None:
    home.hold()
    used = await home.ask()
    await home.until_running()
    stranger = home.loopback.user("Sue")
    home.loopback.world.add_member(home.guild, stranger.user)
    if how == "button":
        told = await (await stranger.click(used.message, "Abbrechen")).wait_message()
        assert told.ephemeral
        await home.ann.click(used.message, "Abbrechen")
    else:
        await stranger.react(used.message, "❌")
        await home.ann.react(used.message, "❌")
    await used.message.wait_until(lambda m: "abgebrochen" in m.text)
    await home.settled()
    assert [job.state for job in await home.jobs()] == ["cancelled"]


async def test_a_private_take_stays_private(home: BotHarness) -> None:
    used = await home.ask(private=True)
    message = await used.message.wait_until(has_clip)
    again = await home.ann.click(message, "Noch einmal")
    await again.wait_acknowledged()
    made = await again.message.wait_until(has_clip)
    assert made.ephemeral
    await home.settled()
    assert not home.loopback.messages(home.channel)


async def test_buttons_and_reactions_outlive_the_process_that_made_them(tmp_path: Path) -> None:
    async with bot_harness(tmp_path) as home:
        message = await home.clip(seed=5)
        await home.bot.close()
        bot = new_bot(home.loopback, bot_settings(tmp_path, guild_defaults={"cooldown_seconds": 0}), RUNNER)
        async with started(home.loopback, bot):
            used = await home.ann.click(message, "Noch einmal")
            await used.wait_acknowledged()
            await used.message.wait_until(has_clip)
            await home.ann.react(message, "🔁")
            await home.place.loopback.world.until(
                lambda: len(home.clips()) == 3 or None, 20, lambda: f"{len(home.clips())} clips"
            )
            rows = await bot.database.fetch("SELECT spec FROM jobs")
            assert len(rows) == 3


async def test_a_reaction_in_direct_messages_makes_another_take(home: BotHarness) -> None:
    used = await home.ann.slash(home.ann.dm, "albumgen", image=("c.png", picture()))
    await used.wait_acknowledged()
    message = await used.message.wait_until(has_clip)
    await home.settled()
    await home.ann.react(message, "🔁")
    await home.ann.dm.wait_for_message(lambda m: m is not message and has_clip(m))
    await home.settled()
    assert [job.spec.group for job in await home.jobs()] == [f"dm:{home.ann.id}"] * 2


async def test_what_was_typed_before_a_restart_is_not_lost(tmp_path: Path) -> None:
    async with bot_harness(tmp_path) as home:
        message = await home.clip(seed=5)
        opened = await home.ann.click(message, "Ändern")
        second = await home.ann.click(message, "Ändern")
        await second.wait_modal()
        await opened.wait_modal()
        await home.bot.close()
        EditModal.alive.clear()  # a new process knows of none
        bot = new_bot(home.loopback, bot_settings(tmp_path, guild_defaults={"cooldown_seconds": 0}), RUNNER)
        async with started(home.loopback, bot):
            sent = await home.ann.submit_modal(opened, {"tempo": "90", "levels": "Energie: 0,25"})
            made = await (await sent.wait_acknowledged()).message.wait_until(has_clip)
            assert "90 BPM" in made.text
            rows = await bot.database.fetch("SELECT spec FROM jobs ORDER BY rowid")
            assert json.loads(rows[1][0])["overrides"] == {**ATTRIBUTES, "tempo": 90.0, "energy": 0.25}
            sent = await home.ann.submit_modal(second, {"tempo": "900"})
            assert "40 bis 220" in (await sent.wait_message()).text


async def test_the_servers_language_wins_over_the_members(home: BotHarness) -> None:
    await home.bot.guild_settings.change(home.guild.id, language="en")
    message = await home.clip()
    assert message.embeds[0]["title"] == "Jazz in C# minor"
    used = await home.ann.click(message, "Again")
    await used.wait_acknowledged()
    await used.message.wait_until(has_clip)
    await home.settled()
