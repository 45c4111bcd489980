"""🔁 and ⭐ are put under results after everything else, where the bot may."""

from __future__ import annotations

import pytest

from bot.gallery.reaction_prompts import ReactionPrompts
from tests.bot.bot_harness import BotHarness, has_clip, picture
from tests.discord.permissions import P
from tests.discord.state import Message
from tests.waiting import quiet

PUT = "PUT /channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me"


@pytest.fixture
def home(home: BotHarness) -> BotHarness:
    offers = home.bot.services[ReactionPrompts]
    offers.between = offers.quiet = 0.02
    return home


async def offered(home: BotHarness, message: Message, *emojis: str) -> None:
    bot = home.loopback.world.bot

    def there() -> bool | None:
        return [each for each, users in message.reactions.items() if bot in users] == list(emojis) or None

    await home.loopback.world.until(there, 10, lambda: f"{message.reactions}")


async def test_a_result_gets_both_and_pressing_one_works(home: BotHarness) -> None:
    message = await home.clip()
    await offered(home, message, "🔁", "⭐")
    assert len(await home.jobs()) == 1, "the bot's own reactions ask for nothing"
    assert await home.bot.database.fetch("SELECT * FROM bot_stars") == []
    await home.ann.react(message, "🔁")
    second = await home.channel.wait_for_message(lambda m: m is not message and has_clip(m))
    await offered(home, second, "🔁", "⭐")


async def test_direct_messages_have_no_gallery_to_star_for(home: BotHarness) -> None:
    used = await home.ann.slash(home.ann.dm, "albumgen", image=("c.png", picture()))
    message = await (await used.wait_acknowledged()).message.wait_until(has_clip)
    await offered(home, message, "🔁")


async def test_nothing_is_offered_where_it_may_not_or_under_what_is_private(home: BotHarness) -> None:
    home.loopback.forbid_bot(home.channel, P.ADD_REACTIONS)
    message = await home.clip()
    private = await home.ask(private=True)
    await private.message.wait_until(has_clip)
    (home.home / "fail").touch()
    failed = await home.ask()
    await failed.message.wait_until(lambda m: "schiefgegangen" in m.text)
    await home.settled()
    await quiet(0.2)
    assert home.loopback.count(PUT) == 0
    assert not message.reactions


async def test_a_refusal_is_believed_for_the_channel(home: BotHarness) -> None:
    home.loopback.faults.refuse("PUT /channels/**", 403, 50013, "Missing Permissions", count=9)
    await home.clip()

    def tried() -> bool | None:
        return home.loopback.count(PUT) == 1 or None

    await home.loopback.world.until(tried, 10, lambda: "no reaction was tried")
    await home.clip()
    await quiet(0.3)
    assert tried()
    assert len(home.clips()) == 2
