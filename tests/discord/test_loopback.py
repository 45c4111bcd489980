"""The unmodified client against the loopback Discord."""

from __future__ import annotations

import asyncio
import datetime
import io
from typing import Any

import aiohttp
import discord
import pytest
from PIL import Image

from tests.discord.conftest import SampleGuild
from tests.discord.driver import LoopbackDiscord, NotOfferedError
from tests.discord.faults import Faults, Kind
from tests.discord.permissions import P
from tests.discord.sample_bot import Panel

SEND = "POST /channels/{channel_id}/messages"
EDIT = "PATCH /channels/{channel_id}/messages/{message_id}"


def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (32, 24), (200, 40, 90)).save(target, "PNG")
    return target.getvalue()


async def test_slash_with_a_file_becomes_an_edited_message(sample: SampleGuild) -> None:
    image = picture()
    used = await sample.ann.slash(sample.channel, "cover", image=("my cover.png", image), seconds=12)
    await used.wait_acknowledged()
    assert used.latency < 1
    assert used.message.revisions[0].payload["content"] == "queued 12"
    message = await used.message.wait_until(lambda m: bool(m.attachments))
    assert message.attachment("cover.png").data == image
    assert message.attachment("clip.mp3").data == b"ID3 music"
    assert message.embeds[0]["title"] == "32x24"
    assert message.embeds[0]["thumbnail"]["url"].startswith("https://cdn.discordapp.com/")
    shown = message.revisions[-1].payload["attachments"]
    assert [each["filename"] for each in shown] == ["clip.mp3"], "a file inside an embed is not listed again"


async def test_the_client_refuses_what_people_could_not_send(sample: SampleGuild) -> None:
    with pytest.raises(NotOfferedError, match="image is required"):
        await sample.ann.slash(sample.channel, "cover")
    with pytest.raises(NotOfferedError, match="between 1 and 30"):
        await sample.ann.slash(sample.channel, "cover", image=picture(), seconds=31)
    with pytest.raises(NotOfferedError, match="registered"):
        await sample.ann.slash(sample.channel, "nothing")


async def test_deferred_reply_is_replaced_by_the_first_follow_up(sample: SampleGuild) -> None:
    used = await sample.ann.slash(sample.channel, "think", private=True)
    message = await used.wait_message()
    more = await used.wait_followup()
    assert (message.content, more.content) == ("thought", "more")
    assert message.ephemeral
    assert message not in sample.loopback.messages(sample.channel)


async def test_buttons_select_and_modal(sample: SampleGuild) -> None:
    await sample.messageable().send("panel", view=Panel())
    panel = await sample.channel.wait_for_message(lambda m: m.content == "panel")
    again = await sample.ann.click(panel, "Again")
    assert (await again.wait_message()).content == "again 7"
    opened = await sample.ann.click(panel, "Edit")
    with pytest.raises(NotOfferedError, match="20 characters"):
        await sample.ann.submit_modal(opened, {"Genre": "x" * 21, "Key": "D"})
    sent = await sample.ann.submit_modal(opened, {"Genre": "dub", "Key": "D"})
    assert (await sent.wait_message()).content == "dub in D"
    await (await sample.ann.select(panel, "Style", "loud")).wait_acknowledged()
    assert panel.content == "style loud"


async def test_autocomplete_and_context_menu(sample: SampleGuild) -> None:
    choices = await sample.ann.autocomplete(sample.channel, "suggest", "name", name="blu")
    assert [choice["value"] for choice in choices] == ["blu0", "blu1", "blu2"]
    posted = await sample.owner.say(sample.channel, "look", {"a.png": picture()})
    used = await sample.ann.message_command(posted, "Imagine this album")
    assert (await used.wait_message()).content == "1 pictures by otto"


async def test_reactions_and_hidden_content(sample: SampleGuild) -> None:
    posted = await sample.owner.say(sample.channel, "secret")
    await sample.ann.react(posted, "🔁")
    assert await sample.bot.heard.get() == "", "no message content intent, no content"
    assert await sample.bot.heard.get() == ("🔁", sample.ann.id, sample.owner.id)
    message = await sample.messageable().fetch_message(posted.id)
    await message.add_reaction("⭐")
    users = [user.id async for user in message.reactions[0].users()]
    assert users == [sample.ann.id]
    assert posted.reactions["⭐"] == [sample.loopback.world.bot]


async def test_direct_messages_and_user_installs(sample: SampleGuild) -> None:
    user = await sample.bot.fetch_user(sample.ann.id)
    await user.send("hello")
    assert (await sample.ann.dm.wait_for_message()).content == "hello"
    used = await sample.ann.slash(sample.ann.dm, "cover", image=picture())
    await used.wait_acknowledged()
    await used.message.wait_until(lambda m: bool(m.attachments))
    group = sample.ann.group_dm(sample.owner)
    used = await sample.ann.slash(group, "cover", image=picture(), user_install=True)
    await used.wait_acknowledged()
    await used.message.wait_until(lambda m: bool(m.attachments))
    with pytest.raises(discord.Forbidden) as refused:
        await sample.bot.fetch_channel(group.id)
    assert refused.value.code == 50001


async def test_resume_replays_what_was_missed(sample: SampleGuild) -> None:
    sample.loopback.gateway.drop()
    used = await sample.ann.slash(sample.channel, "suggest", name="missed")
    assert (await used.wait_message()).content == "missed"
    assert len(sample.loopback.gateway.resumes) == 1
    sample.loopback.gateway.ask_to_reconnect()
    await sample.loopback.gateway.wait_resumed(2)
    assert len(sample.loopback.gateway.identifies) == 1


@pytest.mark.slow
async def test_an_invalid_session_identifies_anew(sample: SampleGuild) -> None:
    sample.loopback.gateway.invalidate()
    await sample.loopback.gateway.wait_connected(identifies=2)
    used = await sample.ann.slash(sample.channel, "suggest", name="back")
    assert (await used.wait_message()).content == "back"


async def test_rate_limits_are_retried_with_the_same_files(sample: SampleGuild) -> None:
    message = await sample.messageable().send("first")
    one = sample.loopback.faults.rate_limit("PATCH /channels/*/messages/*", retry_after=0.05)
    everywhere = sample.loopback.faults.rate_limit_globally(
        SEND.replace("{channel_id}", "*"), retry_after=0.05
    )
    await message.edit(content="second", attachments=[discord.File(io.BytesIO(b"abc"), "a.bin")])
    await sample.messageable().send("third")
    assert (one.hits, everywhere.hits) == (1, 1)
    assert sample.loopback.count(EDIT, 429) == sample.loopback.count(SEND, 429) == 1
    edited = sample.channel.messages[message.id]
    assert [attachment.data for attachment in edited.attachments] == [b"abc"]


async def test_enforced_buckets_slow_the_client_down(sample: SampleGuild) -> None:
    sample.loopback.rate_limits.enforced = True
    message = await sample.messageable().send("star me")
    await message.add_reaction("⭐")
    await message.add_reaction("🔁")
    assert sample.loopback.server.rest.invalid <= 1


async def test_an_ambiguous_send_is_told_apart_by_its_nonce(sample: SampleGuild) -> None:
    sample.loopback.faults.reset_after("POST /channels/*/messages")
    with pytest.raises(aiohttp.ClientError):
        await sample.messageable().send("once", nonce="job-1")
    await sample.messageable().send("once", nonce="job-1")
    assert [message.content for message in sample.loopback.messages(sample.channel)] == ["once"]
    sample.loopback.clock.advance(600)
    await sample.messageable().send("once", nonce="job-1")
    assert len(sample.loopback.messages(sample.channel)) == 2, "a nonce is remembered for minutes only"


async def test_server_errors_and_stalls(sample: SampleGuild) -> None:
    sample.loopback.faults.status("POST /channels/*/messages", 503)
    with pytest.raises(discord.DiscordServerError):
        await sample.messageable().send("x")
    sample.loopback.faults.stall("POST /channels/*/messages")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sample.messageable().send("x"), 0.2)
    assert sample.loopback.messages(sample.channel) == []


async def test_attachments_keep_add_and_drop(sample: SampleGuild) -> None:
    message = await sample.messageable().send(
        files=[discord.File(io.BytesIO(name.encode()), f"{name}.txt") for name in ("a", "b")]
    )
    kept = message.attachments[0]
    edited = await message.edit(attachments=[kept, discord.File(io.BytesIO(b"c"), "c.txt")])
    assert [attachment.filename for attachment in edited.attachments] == ["a.txt", "c.txt"]
    assert await edited.attachments[1].read() == b"c"
    with pytest.raises(discord.NotFound):
        await message.attachments[1].read()
    sample.loopback.clock.advance(25 * 3600)
    with pytest.raises(discord.NotFound):
        await kept.read()
    fresh = await edited.fetch()
    assert await fresh.attachments[0].read() == b"a"


async def refusal(sample: SampleGuild, **message: Any) -> discord.HTTPException:
    with pytest.raises(discord.HTTPException) as refused:
        await sample.messageable().send(**message)
    return refused.value


async def test_limits_are_the_documented_ones(sample: SampleGuild) -> None:
    too_long = await refusal(sample, content="x" * 2001)
    assert (too_long.status, too_long.code) == (400, 50035)
    assert "Must be 2000 or fewer in length." in too_long.text
    embeds = [discord.Embed(description="x" * 3001) for _ in range(2)]
    assert "maximum size of 6000" in (await refusal(sample, embeds=embeds)).text
    assert (await refusal(sample)).code == 50006
    view = discord.ui.View()
    for _ in range(2):
        view.add_item(discord.ui.Button(label="a", custom_id="same"))
    assert "cannot be duplicated" in (await refusal(sample, view=view)).text
    sample.loopback.limit_uploads(10)
    large = await refusal(sample, file=discord.File(io.BytesIO(b"x" * 11), "x.bin"))
    assert (large.status, large.code) == (413, 40005)
    assert len(sample.loopback.violations) == 5
    sample.loopback.violations.clear()
    assert sample.loopback.messages(sample.channel) == []


async def test_permissions_and_missing_things(sample: SampleGuild) -> None:
    message = await sample.messageable().send("mine")
    other = await sample.ann.say(sample.channel, "hers")
    sample.loopback.forbid_bot(sample.channel, P.SEND_MESSAGES)
    assert (await refusal(sample, content="x")).code == 50013
    with pytest.raises(discord.Forbidden) as refused:
        await sample.messageable().get_partial_message(other.id).delete()
    assert refused.value.code == 50013
    await message.edit(content="still editable")
    await sample.owner.delete(sample.channel.messages[message.id])
    with pytest.raises(discord.NotFound) as gone:
        await message.edit(content="x")
    assert gone.value.code == 10008
    sample.loopback.forbid_bot(sample.channel, P.VIEW_CHANNEL)
    with pytest.raises(discord.Forbidden) as hidden:
        await sample.bot.fetch_channel(sample.channel.id)
    assert hidden.value.code == 50001


async def test_a_server_without_the_bot_and_commands_out_of_reach(sample: SampleGuild) -> None:
    away = sample.loopback.guild("Away", sample.owner, [sample.ann], has_bot=False)
    channel = away.channel("general")
    used = await sample.ann.slash(channel, "cover", image=picture(), user_install=True)
    await used.wait_acknowledged()
    message = await used.message.wait_until(lambda m: bool(m.attachments))
    with pytest.raises(discord.Forbidden):
        await sample.bot.http.get_message(channel.id, message.id)
    with pytest.raises(NotOfferedError, match="user-installed"):
        await sample.ann.slash(channel, "suggest", name="x")
    sample.loopback.commands()[0]["default_member_permissions"] = str(int(P.MANAGE_GUILD))
    with pytest.raises(NotOfferedError, match="default_member_permissions"):
        await sample.ann.slash(sample.channel, sample.loopback.commands()[0]["name"])


async def test_the_gateway_refuses_bad_tokens_and_undeclared_intents() -> None:
    async with LoopbackDiscord() as loopback:
        for token, intents, error in (
            ("wrong", discord.Intents.none(), discord.LoginFailure),
            (loopback.token, discord.Intents.all(), discord.PrivilegedIntentsRequired),
        ):
            client = discord.Client(intents=intents, connector=loopback.connector())
            with pytest.raises(error):
                await client.start(token)
            await client.close()


def test_random_faults_are_the_same_for_the_same_seed() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults()
        faults.at_random("POST /channels/*/messages", Kind.STATUS, 0.3, seed=seed)
        return [faults.strike("POST", "/channels/1/messages") is not None for _ in range(50)]

    assert struck(1) == struck(1) != struck(2)
    assert 5 < sum(struck(1)) < 30
    assert Faults().strike("POST", "/channels/1/messages") is None


async def test_interactions_expire(sample: SampleGuild) -> None:
    used = await sample.ann.slash(sample.channel, "suggest", name="x")
    await used.wait_message()
    held = discord.Webhook.partial(sample.loopback.world.bot.id, used.token, client=sample.bot)
    await held.send("in time")
    sample.loopback.clock.advance(901)
    with pytest.raises(discord.HTTPException) as late:
        await held.send("late")
    assert (late.value.status, late.value.code) == (401, 50027)
    sample.loopback.gateway.drop()
    missed = await sample.ann.slash(sample.channel, "suggest", name="too late")
    sample.loopback.clock.advance(4)
    await sample.loopback.gateway.wait_resumed()
    assert (await missed.wait_refused()).code == 10062


async def test_nothing_but_discord_is_reachable(sample: SampleGuild) -> None:
    async with aiohttp.ClientSession(connector=sample.loopback.connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("https://example.org/")
        wrong = {"Authorization": "Bot nonsense"}
        async with session.get("https://discord.com/api/v10/users/@me", headers=wrong) as answer:
            assert answer.status == 401


async def test_threads_pins_and_events(sample: SampleGuild) -> None:
    message = await sample.messageable().send("board")
    thread = await message.create_thread(name="covers")
    await thread.send("in the thread")
    role = sample.guild.members[sample.loopback.world.bot.id].roles[0]
    role.permissions |= P.PIN_MESSAGES | P.CREATE_EVENTS
    await message.pin()
    assert [pinned.id async for pinned in sample.messageable().pins()] == [message.id]
    stage = sample.loopback.voice_channel(sample.guild, "Listening")
    guild = sample.bot.get_guild(sample.guild.id)
    assert guild is not None
    start = discord.utils.utcnow() + datetime.timedelta(hours=1)
    event = await guild.create_scheduled_event(
        name="Evening",
        start_time=start,
        channel=discord.Object(stage.id, type=discord.VoiceChannel),
        entity_type=discord.EntityType.voice,
        privacy_level=discord.PrivacyLevel.guild_only,
    )
    await event.start()
    assert sample.guild.events[event.id]["status"] == 2


async def test_the_bot_as_its_own_process_through_kill_and_restart() -> None:
    async with LoopbackDiscord() as loopback:
        ann = loopback.user("Ann")
        channel = loopback.guild("House", ann).channel("general")
        environment = {"DISCORD_TOKEN": loopback.token}
        entry = "tests.discord.sample_bot:run"
        first = await loopback.start_bot(environment=environment, entry=entry)
        await loopback.gateway.wait_connected()
        used = await ann.slash(channel, "cover", image=picture())
        await used.wait_acknowledged()
        message = await used.message.wait_until(lambda m: bool(m.attachments))
        first.kill()
        assert await first.wait() == -9
        await loopback.start_bot(environment=environment, entry=entry)
        await loopback.gateway.wait_connected(identifies=2)
        again = await ann.click(message, "🔁")
        assert (await again.wait_message()).content == "again 7"
        assert loopback.violations == []
