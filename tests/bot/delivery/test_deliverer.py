"""Each way in which Discord or the network fails, and the one reply that comes all the same."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from albumgen_core.audio.encode import ClipTags, encode_clip
from albumgen_core.audio.types import Audio
from bot.gallery.stored_result import link_to
from tests.bot.bot_harness import RUNNER, BotHarness, bot_harness, has_clip
from tests.bot.running_bot import bot_settings, new_bot, started
from tests.discord.faults import Faults
from tests.discord.permissions import P
from tests.discord.state import Message
from tests.waiting import no_longer, quiet

NOISE = ClipTags("Noise", "sketch", "noise", 120.0, "C", None, b"", "noise", 1)
EDIT = "PATCH /channels/*/messages/*"
SEND = "POST /channels/*/messages"
CALLBACK = "POST /interactions/*/*/callback"


async def held(home: BotHarness, **options: object) -> Message:
    """A job that is running, with its queue message past its own edits."""
    home.hold()
    used = await home.ask(**options)
    await home.until_running()
    await used.message.wait_until(lambda m: len(m.revisions) > 1)
    return used.message


async def until(holds: Callable[[], bool], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110  (no event tells)
            await asyncio.sleep(0.01)


def expect_too_large(home: BotHarness, times: int) -> None:
    """These tests break one limit on purpose, and no other."""
    assert [violation.kind for violation in home.loopback.violations] == ["limit"] * times
    home.loopback.server.rest.violations.clear()


FAULTS: dict[str, Callable[[Faults], object]] = {
    "429 of the bucket": lambda faults: faults.rate_limit(EDIT, retry_after=0.05),
    "429 for everything": lambda faults: faults.rate_limit_globally(EDIT, retry_after=0.05),
    "503, which discord.py does not retry": lambda faults: faults.status(EDIT, 503, count=2),
    "502": lambda faults: faults.status(EDIT, 502),
    "connection lost before": lambda faults: faults.reset_before(EDIT, count=2),
    "connection lost after": lambda faults: faults.reset_after(EDIT, count=2),
    "silence": lambda faults: faults.stall(EDIT),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failing_edit_is_repeated_until_the_reply_is_there_once(home: BotHarness, fault: str) -> None:
    home.bot.delivery.timeout = 2.0
    message = await held(home)
    planned = FAULTS[fault](home.loopback.faults)
    home.release()
    await message.wait_until(has_clip, 15)
    await home.settled()
    assert planned.hits >= 1
    assert home.clips() == [message]
    assert len(home.loopback.messages(home.channel)) == 1
    assert [job.state for job in await home.jobs()] == ["delivered"]


async def test_a_deleted_queue_message_cancels_its_job_and_nothing_is_sent(home: BotHarness) -> None:
    message = await held(home)
    await home.owner.delete(message)
    await home.settled()
    assert (await home.jobs())[0].state == "cancelled"
    assert not home.clips()
    assert await home.dropped() == ["the message was deleted"]


async def test_a_message_deleted_unheard_is_not_replaced(home: BotHarness) -> None:
    message = await held(home)
    home.loopback.faults.refuse(EDIT, 404, 10008, "Unknown Message")
    home.release()
    await home.settled()
    assert await home.dropped() == ["the message was deleted"]
    assert not has_clip(message)


async def test_a_lost_permission_leads_to_one_direct_message(home: BotHarness) -> None:
    await held(home)
    home.loopback.forbid_bot(home.channel, P.VIEW_CHANNEL)
    home.release()
    reply = await home.ann.dm.wait_for_message(has_clip, 15)
    await home.settled()
    assert "channel in which you asked" in reply.text or "Kanal" in reply.text
    assert len(home.loopback.messages(home.ann.dm)) == 1
    assert not home.clips()


async def test_a_deleted_channel_leads_to_one_direct_message(home: BotHarness) -> None:
    await held(home)
    home.loopback.faults.reset_after("POST /channels/*/messages")  # and its outcome is in doubt
    home.loopback.delete_channel(home.channel)
    home.release()
    await home.ann.dm.wait_for_message(has_clip, 15)
    await home.settled()
    assert len(home.loopback.messages(home.ann.dm)) == 1


async def test_who_takes_no_direct_messages_is_not_asked_for_ever(home: BotHarness) -> None:
    home.ann.user.accepts_dms = False
    await held(home)
    home.loopback.forbid_bot(home.channel, P.VIEW_CHANNEL)
    home.release()
    await home.settled()
    assert await home.dropped() == ["the member takes no direct messages"]


async def test_a_private_reply_goes_through_its_token(home: BotHarness) -> None:
    used = await home.ask(private=True)
    message = await used.message.wait_until(has_clip, 15)
    await home.settled()
    assert message.ephemeral
    assert not home.loopback.messages(home.channel)

    async def token_is_kept() -> bool:
        return "token" in (await home.jobs())[0].spec.origin

    await no_longer(token_is_kept, 5)
    assert home.loopback.count("PATCH /channels/{channel_id}/messages/{message_id}") == 0


async def test_after_the_token_a_private_reply_is_a_direct_message(home: BotHarness) -> None:
    home.hold()
    await home.ask(private=True)
    await home.until_running()
    home.loopback.clock.advance(16 * 60)
    home.release()
    await home.ann.dm.wait_for_message(has_clip, 15)
    await home.settled()
    assert not home.loopback.messages(home.channel)


async def test_a_private_reply_nobody_takes_becomes_a_mention_without_its_content(home: BotHarness) -> None:
    home.ann.user.accepts_dms = False
    home.hold()
    await home.ask(private=True)
    await home.until_running()
    home.loopback.clock.advance(16 * 60)
    home.release()
    note = await home.channel.wait_for_message(within=15)
    await home.settled()
    assert home.ann.mention in note.content
    assert [user.id for user in note.mentions] == [home.ann.id]
    assert not note.attachments
    assert not note.embeds


async def test_an_acknowledgement_in_doubt_is_found_again(home: BotHarness) -> None:
    home.loopback.faults.reset_after(CALLBACK)
    message = await home.clip()
    assert home.loopback.messages(home.channel) == [message]


async def test_an_acknowledgement_that_never_arrived_becomes_a_mention(home: BotHarness) -> None:
    home.loopback.faults.refuse(CALLBACK, 404, 10062, "Unknown interaction")
    await home.ann.slash(home.channel, "albumgen", image=("cover.png", b"no picture"))
    message = await home.channel.wait_for_message(within=15)
    await home.settled()
    assert [user.id for user in message.mentions] == [home.ann.id]
    assert len(home.loopback.messages(home.channel)) == 1


async def test_a_replayed_interaction_is_ignored(home: BotHarness) -> None:
    used = await home.ask()
    home.loopback.world.announce("INTERACTION_CREATE", used.payload(), home.channel)
    home.loopback.gateway.drop()
    await used.message.wait_until(has_clip, 15)
    await home.settled()
    assert len(await home.jobs()) == 1
    assert len(home.loopback.messages(home.channel)) == 1
    assert used.refused == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["drop", "invalidate"])
async def test_gateway_faults_do_not_touch_jobs(home: BotHarness, fault: str) -> None:
    message = await held(home)
    getattr(home.loopback.gateway, fault)()
    home.release()
    await message.wait_until(has_clip, 15)
    await home.settled()
    assert home.clips() == [message]


async def test_a_clip_too_large_for_discord_gets_a_lower_bit_rate(home: BotHarness) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (1, 32000 * 6)).astype(np.float32)
    clip = encode_clip(Audio(noise, 32000), NOISE)
    (home.home / "clip.mp3").write_bytes(clip.mp3)
    home.loopback.limit_uploads(int(len(clip.mp3) * 0.8))
    message = await home.clip()
    assert 1000 < len(message.attachment(".mp3").data) < len(clip.mp3) * 0.8
    assert message.embeds[0]["image"]
    expect_too_large(home, 1)


async def test_where_no_file_fits_the_reply_says_so(home: BotHarness) -> None:
    home.loopback.limit_uploads(100)
    used = await home.ask()
    message = await used.message.wait_until(lambda m: "Sekunden" in m.content, 15)
    await home.settled()
    assert not message.attachments
    expect_too_large(home, 4)


async def test_a_failed_job_is_answered_in_the_members_language(home: BotHarness) -> None:
    (home.home / "fail").touch()
    used = await home.ask()
    await used.message.wait_until(lambda m: "schiefgegangen" in m.text, 15)
    await home.settled()
    assert [job.state for job in await home.jobs()] == ["failed"]


async def test_a_queue_message_whose_id_was_lost_is_found_by_its_button(home: BotHarness) -> None:
    message = await held(home)
    (job,) = await home.jobs()
    await home.bot.inference.update_origin(job.job_id, message_id=None)
    home.release()
    await message.wait_until(has_clip, 15)
    await home.settled()
    assert home.loopback.messages(home.channel) == [message]


async def test_a_reaction_whose_queue_message_is_in_doubt_gets_one_reply(home: BotHarness) -> None:
    message = await home.clip()
    home.loopback.faults.reset_after(SEND)
    await home.ann.react(message, "🔁")
    await home.place.until(lambda _: len(home.clips()) == 2)
    await home.settled()
    assert len(home.loopback.messages(home.channel)) == 2


async def test_a_reaction_whose_queue_message_fails_gets_one_reply_all_the_same(home: BotHarness) -> None:
    message = await home.clip()
    home.loopback.faults.status(SEND, 503, count=4)
    await home.ann.react(message, "🔁")
    await home.place.until(lambda _: len(home.clips()) == 2)
    await home.settled()
    assert len(home.loopback.messages(home.channel)) == 2


@pytest.mark.slow
async def test_a_polite_stop_delivers_what_is_being_made_and_keeps_the_rest(tmp_path: Path) -> None:
    core = {"inference": {"max_batch": 1, "grace_seconds": 10.0}}
    async with bot_harness(tmp_path, core=core) as home:
        message = await held(home)
        waiting = await home.ask(seconds=5)
        stopping = asyncio.create_task(home.bot.close())
        await quiet(0.1)
        late = await home.ask()
        assert "startet gerade neu" in late.message.text
        home.release()
        await stopping
        assert has_clip(message)
        async with started(home.loopback, new_bot(home.loopback, bot_settings(tmp_path), RUNNER)):
            await waiting.message.wait_until(has_clip, 15)
        assert len(home.clips()) == 2


async def test_a_result_whose_files_are_gone_is_told_at_once_and_once(home: BotHarness) -> None:
    message = await held(home)
    fault = home.loopback.faults.status(EDIT, 503, count=1)
    home.bot.delivery.pause = lambda attempt: 0.5
    home.release()
    await until(lambda: fault.hits == 1)
    shutil.rmtree(Path(str((await home.jobs())[0].result_dir)))
    await message.wait_until(lambda m: "Festplatte" in m.text, 15)
    await home.settled()
    assert not has_clip(message)
    assert await home.dropped() == []
    assert len(home.loopback.messages(home.channel)) == 1


async def test_a_direct_message_is_known_as_one_and_not_as_the_servers(home: BotHarness) -> None:
    await held(home)
    home.loopback.forbid_bot(home.channel, P.VIEW_CHANNEL)
    home.release()
    reply = await home.ann.dm.wait_for_message(has_clip, 15)
    await home.settled()
    known = await home.bot.messages.find(reply.id)
    assert known is not None
    assert (known.guild_id, known.channel_id) == (None, home.ann.dm.id)
    assert link_to(known) == f"https://discord.com/channels/@me/{home.ann.dm.id}/{reply.id}"


async def test_a_reply_refused_for_a_reset_token_goes_out_right_after_the_next_start(tmp_path: Path) -> None:
    core = {"inference": {"grace_seconds": 0.5}}
    async with bot_harness(tmp_path, core=core, progress_interval=60.0) as home:
        message = await held(home)
        refused = home.loopback.faults.refuse(EDIT, 401, 0, "401: Unauthorized", count=3)
        home.release()
        await until(lambda: refused.hits == 1)
        await asyncio.sleep(0.5)
        assert refused.hits == 1, "a refused token is not tried again and again"
        await home.bot.close()
        home.loopback.faults.clear()
        async with started(home.loopback, new_bot(home.loopback, bot_settings(tmp_path), RUNNER)):
            await message.wait_until(has_clip, 5)
        assert home.clips() == [message]
