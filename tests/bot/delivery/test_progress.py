"""Queue messages move, but seldom, and never after the result."""

from __future__ import annotations

import time
from pathlib import Path

from albumgen_core.inference.events import JobEvent
from bot.delivery.progress import QueueMessages, overall
from bot.messages.embeds import bar, duration, plain, progress_embed
from tests.bot.bot_harness import bot_harness, has_clip
from tests.waiting import quiet

EDIT = "PATCH /channels/{channel_id}/messages/{message_id}"
APART = 1.5


async def test_many_messages_in_one_channel_share_a_pace_and_results_do_not_wait(tmp_path: Path) -> None:
    core = {"inference": {"max_batch": 1, "max_jobs_per_member": 10}}
    async with bot_harness(tmp_path, core=core, progress_interval=0.5) as home:
        home.hold()
        began = time.monotonic()
        asked = [await home.ask() for _ in range(6)]
        await home.until_running()
        await quiet(1.0)
        edits, took = home.loopback.count(EDIT), time.monotonic() - began
        assert 1 <= edits <= took / APART + 2
        home.release()
        for used in asked:
            await used.message.wait_until(has_clip, 20)
        await home.settled()
        seen = [len(used.message.revisions) for used in asked]
        await quiet(0.2)
        assert [len(used.message.revisions) for used in asked] == seen, "nothing follows a result"
        assert all(has_clip(used.message) for used in asked)


async def test_a_queue_message_shows_its_place_and_the_next_process_goes_on_with_it(tmp_path: Path) -> None:
    core = {"inference": {"max_batch": 1}}
    async with bot_harness(tmp_path, core=core, progress_interval=0.5) as home:
        home.hold()
        await home.ask()
        await home.until_running()
        second = await home.ask()
        assert "Platz **1**" in second.message.text
        queue_messages = home.bot.services[QueueMessages]
        await queue_messages.close()
        await queue_messages.resume()
        home.release()
        await second.message.wait_until(has_clip, 20)
        await home.settled()


def test_the_job_furthest_behind_speaks_for_a_comparison() -> None:
    composing = JobEvent("a", "running", "compose", 0.5)
    waiting = JobEvent("b", "queued", position=3)
    done = JobEvent("c", "done")
    assert overall([composing, waiting, done]) is waiting
    assert overall([composing, done]) is composing
    assert overall([done]) is done


def test_stages_name_retrieval_only_with_rag() -> None:
    event = JobEvent("a", "running", "compose", 0.25, eta=65.0)
    shown = str(progress_embed(event, {"rag": True}, "en").description)
    assert "Finding similar albums" in shown
    assert "**Composing 25%**" in shown
    assert "about 65 s" in shown
    assert "kindred" not in str(progress_embed(event, {"rag": False}, "en").description)


def test_words_bars_and_times() -> None:
    assert bar(0.0) == "░" * 10
    assert bar(7.0) == "█" * 10
    assert [duration(seconds, "en") for seconds in (0.2, 89, 95, 3900)] == [
        "1 s",
        "89 s",
        "2 min",
        "1 h 5 min",
    ]
    assert plain("a\n*b* " + "x" * 200, 20).startswith("a \\*b\\* xxx")
    assert "@everyone" not in plain("@everyone")
    assert len(plain("y" * 500, 50)) == 50
