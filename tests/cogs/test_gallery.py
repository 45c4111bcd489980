"""⭐ and the gallery they make; one's own history."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable
from pathlib import Path

from tests.bot.bot_harness import RUNNER, BotHarness, bot_harness, has_clip, picture
from tests.bot.running_bot import bot_settings, new_bot, started
from tests.discord.driver import Person
from tests.discord.permissions import P
from tests.discord.state import Channel, Message, Overwrite
from tests.waiting import eventually


async def stars(home: BotHarness) -> set[tuple[int, int]]:
    rows = await home.bot.database.fetch("SELECT message_id, user_id FROM bot_stars")
    return {(row[0], row[1]) for row in rows}


async def starred(home: BotHarness, message: Message, *people: Person) -> None:
    for person in people:
        await person.react(message, "⭐")
    wanted = {(message.id, person.id) for person in people}

    async def all_there() -> bool:
        return wanted <= await stars(home)

    await eventually(all_there)


async def gallery(home: BotHarness, person: Person | None = None, channel: Channel | None = None) -> Message:
    used = await (person or home.ann).slash(channel or home.channel, "gallery")
    shown = await used.wait_message()
    assert shown.ephemeral
    return shown


def people(home: BotHarness, *names: str) -> list[Person]:
    made = [home.loopback.user(name) for name in names]
    for person in made:
        home.loopback.world.add_member(home.guild, person.user)
    return made


async def changed(home: BotHarness, message: Message, press: Awaitable[object]) -> Message:
    before = len(message.revisions)
    await press
    return await message.wait_until(lambda m: len(m.revisions) > before)


async def test_stars_are_stored_at_once_and_taken_back(home: BotHarness) -> None:
    message = await home.clip()
    said = await home.owner.say(home.channel, "hello")
    await home.ann.react(said, "⭐")
    await home.ann.react(message, "👍")
    await starred(home, message, home.ann, home.owner)
    assert await stars(home) == {(message.id, home.ann.id), (message.id, home.owner.id)}
    await home.ann.unreact(message, "⭐")

    async def one_left() -> bool:
        return await stars(home) == {(message.id, home.owner.id)}

    await eventually(one_left)


async def test_the_most_starred_come_first_and_can_be_heard(home: BotHarness) -> None:
    assert "noch kein Clip" in (await gallery(home)).text
    first, second = await home.clip(seed=1), await home.clip(seed=2, rag=True)
    await starred(home, first, home.ann)
    await starred(home, second, home.ann, home.owner)
    shown = await gallery(home)
    one, two = shown.text.index(f"/{second.id})"), shown.text.index(f"/{first.id})")
    assert one < two
    assert "**1.** ⭐ 2 · **Jazz in cis-Moll**" in shown.text
    heard = await changed(home, shown, home.ann.select(shown, "Einen abspielen", "1. Jazz in cis-Moll"))
    assert heard.attachment(".mp3").data == second.attachment(".mp3").data
    assert "card.png" in heard.embeds[0]["image"]["url"]
    assert "⭐ **2**" in heard.text
    assert any(str(second.id) in part.get("url", "") for part in heard.parts())
    heard = await changed(home, heard, home.ann.click(heard, "⏭️"))
    assert heard.attachment(".mp3").filename == "albumgen-1.mp3"
    back = await changed(home, heard, home.ann.click(heard, "Liste"))
    assert "Galerie" in back.text
    assert not back.attachments


async def test_pages_turn_also_after_a_restart(tmp_path: Path) -> None:
    async with bot_harness(tmp_path, progress_interval=60.0) as home:
        messages = [await home.clip(seed=seed) for seed in range(7)]
        for message in messages:
            await starred(home, message, home.owner)
        shown = await gallery(home)
        assert "Seite 1 von 2 · 7" in shown.text
        await home.bot.close()
        bot = new_bot(home.loopback, bot_settings(tmp_path), RUNNER)
        async with started(home.loopback, bot):
            turned = await changed(home, shown, home.ann.click(shown, "▶️"))
            assert "Seite 2 von 2" in turned.text
            assert turned.text.count("⭐ 1") == 2
            heard = await changed(home, turned, home.ann.select(turned, "abspielen", "6. Jazz in cis-Moll"))
            assert has_clip(heard)


async def test_stars_of_an_absence_are_asked_of_discord(tmp_path: Path) -> None:
    async with bot_harness(tmp_path, progress_interval=60.0) as home:
        first, second, gone = await home.clip(seed=1), await home.clip(seed=2), await home.clip(seed=3)
        await starred(home, first, home.ann)
        await starred(home, gone, home.ann, home.owner)
        (sue,) = people(home, "Sue")
        await home.bot.close()
        await home.ann.unreact(first, "⭐")
        for person in (home.owner, sue):
            await person.react(second, "⭐")
        await home.owner.delete(gone)
        bot = new_bot(home.loopback, bot_settings(tmp_path), RUNNER)
        async with started(home.loopback, bot):

            async def right() -> bool:
                rows = await bot.database.fetch("SELECT message_id, user_id FROM bot_stars")
                found = {(row[0], row[1]) for row in rows if row[0] != gone.id}
                return found == {(second.id, home.owner.id), (second.id, sue.id)}

            await eventually(right)
            shown = await gallery(home)
            assert f"/{second.id})" in shown.text
            assert f"/{gone.id})" not in shown.text
            assert "1 mit Stern" in shown.text


async def test_private_channels_and_restricted_ones_stay_there(home: BotHarness) -> None:
    (sue,) = people(home, "Sue")
    secret = home.loopback.text_channel(home.guild, "staff")
    secret.overwrites[sue.id] = Overwrite(sue.id, 1, deny=P.VIEW_CHANNEL)
    late = home.loopback.text_channel(home.guild, "late", nsfw=True)
    home.loopback.grant(home.guild, home.owner, P.ADMINISTRATOR)
    home.loopback.allow_bot(secret)  # announces the channel's overwrites
    for channel in (secret, late):
        used = await home.owner.slash(channel, "albumgen", image=("c.png", picture()))
        await used.wait_acknowledged()
        message = await used.message.wait_until(has_clip)
        await home.settled()
        await starred(home, message, home.owner)
    hidden, restricted = secret.visible_messages[-1], late.visible_messages[-1]
    for_sue = await gallery(home, sue)
    assert str(hidden.id) not in for_sue.text
    assert str(restricted.id) not in for_sue.text
    assert str(hidden.id) in (await gallery(home)).text
    there = await gallery(home, sue, late)
    assert str(restricted.id) in there.text
    assert str(hidden.id) not in there.text
    # A menu that was shown before the channel was closed to its reader plays nothing any more.
    mine = await gallery(home)
    secret.overwrites[home.ann.id] = Overwrite(home.ann.id, 1, deny=P.VIEW_CHANNEL)
    home.loopback.allow_bot(secret)
    used = await home.ann.select(mine, "abspielen", "1. Jazz in cis-Moll")
    assert "steht hier nicht mehr" in (await used.wait_message()).text


async def test_other_servers_and_private_results_never_appear(home: BotHarness) -> None:
    other = home.loopback.guild("Elsewhere", home.owner, [home.ann])
    home.loopback.invite_bot(other)
    there = other.channel("general")
    used = await home.owner.slash(there, "albumgen", image=("c.png", picture()))
    message = await (await used.wait_acknowledged()).message.wait_until(has_clip)
    await home.settled()
    await starred(home, message, home.owner)
    await (await (await home.ask(private=True)).wait_acknowledged()).message.wait_until(has_clip)
    await home.settled()
    assert "noch kein Clip" in (await gallery(home)).text
    assert str(message.id) in (await gallery(home, home.owner, there)).text


async def test_a_restricting_server_shows_its_gallery_where_pictures_are_allowed(home: BotHarness) -> None:
    await home.bot.guild_settings.change(home.guild.id, pictures="nsfw_channels")
    used = await home.ann.slash(home.channel, "gallery")
    assert "Altersbeschränkung" in (await used.wait_message()).text


async def test_lineage_can_be_stepped_through(home: BotHarness) -> None:
    message = await home.clip(seed=5)
    used = await home.ann.click(message, "Noch einmal")
    child = await (await used.wait_acknowledged()).message.wait_until(has_clip)
    await home.settled()
    await starred(home, message, home.owner)
    shown = await gallery(home)
    first = await changed(home, shown, home.ann.select(shown, "abspielen", "1. Jazz in cis-Moll"))
    assert "Fassung 1 von 2 · daraus entstanden: 2" in first.text
    second = await changed(
        home, first, home.ann.select(first, "Andere Fassungen", "Fassung 2: Jazz in cis-Moll")
    )
    assert "Fassung 2 von 2 · entstanden aus Fassung 1" in second.text
    assert str(child.id) in second.text


async def test_results_whose_files_went_say_so(home: BotHarness) -> None:
    message = await home.clip()
    await starred(home, message, home.owner)
    (job,) = await home.jobs()
    shutil.rmtree(str(job.result_dir))
    shown = await gallery(home)
    assert "nicht mehr aufbewahrt" in shown.text
    opened = await changed(
        home, shown, home.ann.select(shown, "abspielen", "1. Ein Clip, der nicht mehr aufbewahrt wird")
    )
    assert "wurden entfernt" in opened.text
    assert not opened.attachments


async def test_history_shows_states_and_makes_takes_again(home: BotHarness) -> None:
    await home.clip(seed=5)
    (home.home / "fail").touch()
    used = await home.ask()
    await used.message.wait_until(lambda m: "schiefgegangen" in m.text)
    await home.settled()
    (home.home / "fail").unlink()
    used = await home.ann.slash(home.channel, "history")
    shown = await used.wait_message()
    assert shown.ephemeral
    assert "schiefgegangen" in shown.text
    assert "Jazz in cis-Moll" in shown.text
    opened = await changed(home, shown, home.ann.select(shown, "Einen anhören", "🎵 Jazz in cis-Moll"))
    assert has_clip(opened)
    again = await home.ann.click(opened, "Noch einmal")
    made = await (await again.wait_acknowledged()).message.wait_until(has_clip)
    assert not made.ephemeral
    await home.settled()
    assert len(await home.jobs()) == 3
    back = await changed(home, opened, home.ann.click(opened, "Liste"))
    assert "3 insgesamt" in back.text


async def test_history_is_ones_own_and_of_this_place_or_of_all(home: BotHarness) -> None:
    await home.clip()
    used = await home.owner.slash(home.channel, "history")
    assert "noch nichts" in (await used.wait_message()).text or "nothing here" in used.message.text
    used = await home.ann.slash(home.ann.dm, "history")
    shown = await used.wait_message()
    assert "noch nichts" in shown.text
    everything = await changed(home, shown, home.ann.click(shown, "Von überall"))
    assert "1 insgesamt" in everything.text


async def test_a_comparison_stays_blind_in_gallery_and_history(home: BotHarness) -> None:
    used = await home.ann.slash(home.channel, "compare", image=("c.png", picture()))
    message = (await used.wait_acknowledged()).message
    await message.wait_until(lambda m: len(m.attachments) >= 2, 20)
    await home.settled()
    await starred(home, message, home.owner)
    shown = await gallery(home)
    menus = [(shown, "Einen abspielen", "1. Jazz in cis-Moll")]
    used = await home.ann.slash(home.channel, "history")
    menus.append((await used.wait_message(), "Einen anhören", "🎵 Jazz in cis-Moll"))
    for menu, placeholder, option in menus:
        heard = await changed(home, menu, home.ann.select(menu, placeholder, option))
        names = [each.filename for each in heard.attachments if each.filename.endswith(".mp3")]
        assert names == ["take-a.mp3", "take-b.mp3"]
        assert "Ähnliche Alben (Abstand)" not in heard.text
        assert "Night" not in heard.text, "the kindred albums would tell"
