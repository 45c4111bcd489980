"""`/compare`: two takes in one message, heard blind, and votes that outlive the bot."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from albumgen_core.audio.encode import decode_mp3
from bot.comparisons.votes import Comparisons, Tally, rag_comes_first
from bot.monitoring.statistics import statistics
from tests.bot.bot_harness import RUNNER, BotHarness, bot_harness, picture
from tests.bot.running_bot import bot_settings, new_bot, running_bot, started
from tests.discord.interactions import Interaction
from tests.discord.state import Message
from tests.paths import EXAMPLE_COVERS, EXAMPLE_SHELF
from tests.waiting import eventually

COVER = EXAMPLE_COVERS / "solar-arcade.png"


def has_both(message: Message) -> bool:
    return sum(attachment.filename.endswith(".mp3") for attachment in message.attachments) == 2


async def compared(home: BotHarness, **options: Any) -> Message:
    used = await home.owner.slash(home.channel, "compare", image=("c.png", picture()), **options)
    await used.wait_acknowledged()
    message = await used.message.wait_until(has_both, 20)
    await home.settled()
    return message


async def tally(home: BotHarness) -> Tally:
    return await Comparisons(home.bot.database).of_guild(home.guild.id)


async def told(used: Interaction) -> Message:
    return await used.wait_followup()


async def test_both_takes_come_in_one_message_that_does_not_say_which_is_which(home: BotHarness) -> None:
    message = await compared(home, seed=5, seconds=6)
    first, second = (job.spec for job in await home.jobs())
    assert {first.rag, second.rag} == {True, False}
    assert (first.seed, first.seconds, first.bundle_id) == (second.seed, second.seconds, second.bundle_id)
    assert [a.filename for a in message.attachments][:2] == ["take-a.mp3", "take-b.mp3"]
    assert "with and without similar albums" in str(message.revisions[0].payload)
    assert "Night" not in message.text, "the kindred albums would tell"
    assert "Nobody has voted" in message.text
    assert len(home.loopback.messages(home.channel)) == 1


async def test_a_vote_is_stored_counted_and_can_be_changed(home: BotHarness) -> None:
    message = await compared(home)
    first_is_rag = rag_comes_first((await home.jobs())[0].spec.bundle_id or "")
    confirmed = await told(await home.owner.click(message, "Take A"))
    assert confirmed.ephemeral
    assert "take A" in confirmed.text
    assert await tally(home) == Tally(rag=int(first_is_rag), without=int(not first_is_rag))
    await told(await home.owner.click(message, "Take B"))
    await told(await home.ann.click(message, "No difference"))
    assert await tally(home) == Tally(rag=int(not first_is_rag), without=int(first_is_rag), same=1)
    assert "2 listeners have voted" in message.text
    assert has_both(message), "the clips stay where they are"


async def test_the_answer_is_told_in_private_and_closes_the_vote(home: BotHarness) -> None:
    message = await compared(home)
    await told(await home.ann.click(message, "Take A"))
    used = await home.ann.click(message, "Which is which?")
    answer = await used.wait_message()
    assert answer.ephemeral
    letter = "A" if rag_comes_first((await home.jobs())[0].spec.bundle_id or "") else "B"
    assert f"Fassung {letter} entstand **mit ähnlichen Alben**" in answer.text
    assert "Night" in answer.text, "the kindred albums are named now"
    refused = await (await home.ann.click(message, "Take B")).wait_message()
    assert "steht deine Stimme hier fest" in refused.text
    assert (await tally(home)).votes == 1


async def test_a_crowd_that_votes_at_once_is_counted_to_the_last(home: BotHarness) -> None:
    message = await compared(home)
    crowd = [home.loopback.user(f"Fan {number}") for number in range(8)]
    for fan in crowd:
        home.loopback.world.add_member(home.guild, fan.user)
    names = ["Take A", "Take B", "No difference"]
    # Discord lets the first answer wait: it comes last, with the number that was true when it was written.
    home.loopback.faults.rate_limit("POST /interactions/**", retry_after=0.5)
    clicks = [await crowd[0].click(message, names[0])]
    await eventually(lambda: home.loopback.faults.hits, 5)
    clicks += [await fan.click(message, names[i % 3]) for i, fan in enumerate(crowd) if i]
    await asyncio.gather(*map(told, clicks))
    assert "8 listeners have voted" in message.text
    counted = await tally(home)
    assert counted.votes == 8
    assert {counted.rag, counted.without} == {3}


async def test_a_vote_counts_where_a_moderator_hid_the_embed(home: BotHarness) -> None:
    message = await compared(home)
    message.embeds.clear()
    assert "take A" in (await told(await home.owner.click(message, "Take A"))).text
    assert (await tally(home)).votes == 1
    assert has_both(message)


async def test_the_same_cover_is_compared_again_by_button_and_by_reaction(home: BotHarness) -> None:
    await compared(home, seed=5, seconds=6)
    message = home.clips()[0]
    used = await home.ann.click(message, "Again")
    again = await (await used.wait_acknowledged()).message.wait_until(has_both)
    await home.settled()
    await home.ann.react(again, "🔁")
    await home.channel.wait_for_message(lambda m: m not in (message, again) and has_both(m))
    await home.settled()
    jobs = [job.spec for job in await home.jobs()]
    assert [job.rag for job in jobs] == [True, False] * 3
    assert len({job.seed for job in jobs}) == len({job.bundle_id for job in jobs}) == 3
    assert {job.seconds for job in jobs} == {6.0}
    assert {job.root_id for job in jobs[2:]} == {jobs[0].job_id}
    told_now = await statistics(home.bot.database, guild_id=home.guild.id)
    assert (told_now.clips, told_now.covers) == (6, 1)


async def test_any_message_with_a_picture_can_be_compared(home: BotHarness) -> None:
    posted = await home.owner.say(home.channel, "look", {"a.png": picture()})
    used = await home.ann.message_command(posted, "Compare with similar albums")
    await (await used.wait_acknowledged()).message.wait_until(has_both)
    words = await home.owner.say(home.channel, "no picture here")
    used = await home.ann.message_command(words, "Compare with similar albums")
    assert "kein Bild" in (await used.wait_message()).text
    await home.settled()


async def test_votes_go_on_after_a_restart(tmp_path: Path) -> None:
    async with bot_harness(tmp_path) as home:
        message = await compared(home)
        await home.bot.close()
        again = new_bot(home.loopback, bot_settings(tmp_path), RUNNER)
        async with started(home.loopback, again):
            await told(await home.owner.click(message, "Take B"))
            assert (await Comparisons(again.database).of_guild(home.guild.id)).votes == 1


@pytest.mark.slow
async def test_a_comparison_without_an_album_index_takes_no_votes(tmp_path: Path) -> None:
    async with running_bot(tmp_path, runner="albumgen_core.worker.runner:build_runner") as place:
        used = await place.owner.slash(
            place.channel, "compare", image=("c.png", COVER.read_bytes()), seconds=2
        )
        await used.wait_acknowledged()
        message = await used.message.wait_until(lambda m: bool(m.attachments), 60)
        assert "nothing to vote on" in message.text
        assert [a.filename for a in message.attachments] == ["take.mp3", "card.png"]


async def test_where_one_take_fails_the_other_is_still_given_and_nobody_is_asked(home: BotHarness) -> None:
    (home.home / "fail-rag").touch()
    used = await home.owner.slash(home.channel, "compare", image=("c.png", picture()))
    message = await (await used.wait_acknowledged()).message.wait_until(lambda m: bool(m.attachments), 20)
    assert "Only one of the two takes could be made" in message.text
    assert "went wrong" in message.text
    assert [a.filename for a in message.attachments] == ["take.mp3", "card.png"]
    assert "cover alone" in message.text
    labels = [part.get("label") for part in message.parts() if part["type"] == 2]
    assert labels == ["Again", "Delete"]
    (home.home / "fail-rag").unlink()
    used = await home.owner.click(message, "Again")
    await (await used.wait_acknowledged()).message.wait_until(has_both)
    await home.settled()


async def test_where_one_take_is_cancelled_the_other_is_still_given(home: BotHarness) -> None:
    home.hold()
    used = await home.owner.slash(home.channel, "compare", image=("c.png", picture()))
    await used.wait_acknowledged()
    await home.until_running()
    with_rag, _ = await home.jobs()
    await home.bot.inference.cancel(with_rag.job_id)
    home.release()
    message = await used.message.wait_until(lambda m: bool(m.attachments), 20)
    assert "Only one of the two takes could be made" in message.text
    assert "ancel" in message.text
    assert message.attachment("take.mp3")


async def test_where_both_takes_fail_the_reason_is_said_once(home: BotHarness) -> None:
    (home.home / "fail").touch()
    used = await home.owner.slash(home.channel, "compare", image=("c.png", picture()))
    await used.wait_acknowledged()
    message = await used.message.wait_until(lambda m: "went wrong" in m.text, 20)
    assert not message.attachments


@pytest.mark.slow
async def test_a_real_comparison_has_two_clips_that_play_and_one_chart(tmp_path: Path) -> None:
    build = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "albumgen_core.cli.main", "index", "build", str(EXAMPLE_SHELF)),
        env={"ALBUMGEN_DATA_DIR": str(tmp_path / "data"), "PATH": "", "OMP_NUM_THREADS": "1"},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await build.wait() == 0
    async with running_bot(tmp_path, runner="albumgen_core.worker.runner:build_runner") as place:
        used = await place.owner.slash(
            place.channel, "compare", image=("c.png", COVER.read_bytes()), seconds=3
        )
        await used.wait_acknowledged()
        message = await used.message.wait_until(has_both, 60)
        clips = [message.attachment(f"take-{name}.mp3").data for name in "ab"]
        for clip in clips:
            assert decode_mp3(clip).seconds == pytest.approx(3.0, abs=0.2)
        assert clips[0] != clips[1]
        chart = Image.open(io.BytesIO(message.attachment("comparison.png").data))
        assert min(chart.size) >= 1000
        await told(await place.ann.click(message, "Take A"))
