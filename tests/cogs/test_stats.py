"""`/stats`: counts, times, genres, and an honest word on RAG."""

from __future__ import annotations

from bot.comparisons.votes import Choice, Comparisons
from tests.bot.bot_harness import BotHarness


async def stats(home: BotHarness) -> str:
    used = await home.owner.slash(home.channel, "stats")
    message = await used.wait_message()
    await message.wait_until(lambda m: "What" in m.text)
    assert not message.ephemeral
    return message.text


async def votes(home: BotHarness, *choices: Choice) -> None:
    comparisons = Comparisons(home.bot.database)
    for number, choice in enumerate(choices):
        await comparisons.vote(f"b{number}", 1000 + number, home.guild.id, choice)


async def test_a_server_that_has_heard_nothing_is_told_how_to_begin(home: BotHarness) -> None:
    told = await stats(home)
    assert "`/albumgen` with a cover" in told
    assert "`/compare` plays both" in told


async def test_clips_covers_genres_and_stars_are_counted(home: BotHarness) -> None:
    message = await home.clip(rag=True)
    await home.owner.react(message, "🔁")
    await home.place.until(lambda _: len(home.clips()) == 2)
    await home.clip(rag=False)
    await home.settled()
    told = await stats(home)
    assert "Clips **3** · covers **2** · members **2**" in told
    assert "67%" in told
    assert "jazz ██████████ 3" in told
    assert "sketch 3" in told
    assert "House \\*of\\* sound" in told


async def test_few_votes_allow_no_verdict_and_many_do(home: BotHarness) -> None:
    await votes(home, Choice.RAG, Choice.RAG, Choice.WITHOUT, Choice.SAME)
    told = await stats(home)
    assert "No preference yet" in told
    assert "67% chose similar albums (95 % interval 21% to 94%, two-sided sign test p = 1.000)" in told
    await votes(home, *[Choice.RAG] * 20)
    assert "The takes with similar albums are preferred" in await stats(home)


async def test_in_direct_messages_the_figures_are_ones_own(home: BotHarness) -> None:
    await home.clip(seconds=6)
    used = await home.ann.slash(home.ann.dm, "stats")
    message = await used.wait_message()
    await message.wait_until(lambda m: "Was du gehört hast" in m.text)
    assert "Clips **1** · Cover **1** · " in message.text
