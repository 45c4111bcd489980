"""/albumgen and "Imagine this album" as members meet them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from albumgen_core.cover.read import load_checked_cover
from tests.bot.bot_harness import BotHarness, bot_harness, has_clip, picture
from tests.discord.driver import NotOfferedError
from tests.discord.permissions import P
from tests.discord.state import Message
from tests.waiting import eventually, quiet


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[BotHarness]:
    async with bot_harness(tmp_path, progress_interval=0.5) as made:
        yield made


async def refused(home: BotHarness, **options: object) -> str:
    """The sentence of a refusal: only the member sees it, and no job exists."""
    before = len(await home.jobs())
    used = await home.ask(**options)
    assert used.message.ephemeral
    assert len(await home.jobs()) == before
    return used.message.text


async def test_a_cover_becomes_a_clip_in_the_message_that_was_there_at_once(home: BotHarness) -> None:
    home.hold()
    used = await home.ask(seconds=7, seed=42, rag=True, style="slides")
    message = used.message
    assert used.latency < 1
    first = message.revisions[0].payload["embeds"][0]
    assert first["thumbnail"]["url"].startswith("https://cdn.discordapp.com/")
    await message.wait_until(lambda m: "Komponieren 40%" in m.text)
    home.release()
    await message.wait_until(has_clip)
    await home.settled()
    (job,) = await home.jobs()
    assert (job.spec.seconds, job.spec.seed, job.spec.rag, job.spec.prompt_style) == (7.0, 42, True, "slides")
    assert job.spec.language == "de"
    assert message.attachment(".mp3").filename == "albumgen-jazz-42.mp3"
    assert message.attachment("card.png").embedded
    assert message.embeds[0]["title"] == "Jazz in cis-Moll"
    for shown in (
        "118 BPM",
        "4/4",
        "Seed 42",
        "7 s",
        "Sketch-Engine",
        "0.432",
        "Energie      ███████░░░ 0.70",
    ):
        assert shown in message.text
    assert len(message.revisions) <= 5


async def test_words_of_others_are_harmless_in_a_result(home: BotHarness) -> None:
    message = await home.clip(rag=True)
    kindred = next(field["value"] for field in message.embeds[0]["fields"] if "Night" in field["value"])
    assert r"Night \*Drive\*" in kindred
    assert "@everyone" not in kindred
    assert "https://" not in kindred
    assert message.mentions == []


async def test_the_servers_default_decides_about_rag(home: BotHarness) -> None:
    await home.bot.guild_settings.change(home.guild.id, rag=False)
    message = await home.clip()
    assert "nur das Cover" in message.text
    assert (await home.jobs())[0].spec.rag is False


async def test_cover_bytes_arrive_checked_and_are_gone_after_delivery(home: BotHarness) -> None:
    home.hold()
    used = await home.ask()
    await home.until_running()
    (job,) = await home.jobs()
    cover = load_checked_cover(Path(job.spec.cover_path))
    assert cover.image.size == (64, 48)
    home.release()
    await used.message.wait_until(has_clip)
    await home.settled()
    assert list((home.home / "data" / "covers").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"", "leer"),
        (picture()[:60], "Bild"),
        (b"%PDF-1.7 nothing", "PDF"),
    ],
)
async def test_a_refused_picture_is_told_to_its_member_alone(
    home: BotHarness, data: bytes, words: str
) -> None:
    used = await home.ann.slash(home.channel, "albumgen", image=("cover.png", data))
    await used.wait_acknowledged()
    told = await used.wait_followup()
    assert told.ephemeral
    assert words in told.text
    await used.message.wait_deleted()

    async def ended() -> bool:
        return [job.state for job in await home.jobs()] == ["failed"]

    await eventually(ended)
    await home.settled()
    assert home.loopback.messages(home.channel) == [], "nobody else sees that a picture was refused"
    assert await home.dropped() == []


async def test_a_refusal_that_cannot_be_told_in_private_is_told_in_the_message(home: BotHarness) -> None:
    home.loopback.faults.refuse("POST /webhooks/**", 404, 10015, "Unknown Webhook")
    used = await home.ann.slash(home.channel, "albumgen", image=("cover.png", b"%PDF-1.7 nothing"))
    await used.wait_acknowledged()
    await used.message.wait_until(lambda m: "PDF" in m.text)
    await home.settled()
    assert home.loopback.messages(home.channel) == [used.message]


async def test_a_refusal_of_a_private_request_stays_in_its_message(home: BotHarness) -> None:
    used = await home.ann.slash(
        home.channel, "albumgen", image=("cover.png", b"%PDF-1.7 nothing"), private=True
    )
    await used.wait_acknowledged()
    await used.message.wait_until(lambda m: "PDF" in m.text)
    await home.settled()
    assert used.message.ephemeral
    assert used.followups == []


async def test_cancelled_while_the_picture_is_read_no_clip_comes(home: BotHarness) -> None:
    release = asyncio.Event()
    home.loopback.server.cdn.held = release
    used = await home.ask()
    clicked = await home.ann.click(used.message, "Abbrechen")
    await clicked.wait_acknowledged()
    await used.message.wait_until(lambda m: "bgebrochen" in m.text)
    assert clicked.followups == [], "it is not called finished already"
    release.set()
    await home.settled()
    await quiet(0.5)
    assert [job.state for job in await home.jobs()] == ["cancelled"]
    assert not has_clip(used.message)


async def test_a_cancelled_job_whose_picture_would_be_refused_stays_cancelled(home: BotHarness) -> None:
    release = asyncio.Event()
    home.loopback.server.cdn.held = release
    used = await home.ann.slash(home.channel, "albumgen", image=("cover.png", b"%PDF-1.7 nothing"))
    await used.wait_acknowledged()
    await home.ann.click(used.message, "Abbrechen")
    await used.message.wait_until(lambda m: "bgebrochen" in m.text)
    release.set()
    await home.settled()
    assert used.followups == []
    assert [job.state for job in await home.jobs()] == ["cancelled"]


async def test_one_note_where_one_of_several_pictures_or_frames_was_taken(home: BotHarness) -> None:
    files = {"notes.txt": b"words", "a.png": picture(), "b.png": picture((1, 2, 3))}
    posted = await home.owner.say(home.channel, "look", files)
    used = await home.ann.message_command(posted, "Imagine this album")
    await used.wait_acknowledged()
    await used.message.wait_until(has_clip)
    assert used.message.text.count("mehrere Bilder") == 1
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    target = io.BytesIO()
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:])
    used = await home.ann.slash(home.channel, "albumgen", image=("cover.gif", target.getvalue()))
    await used.wait_acknowledged()
    await used.message.wait_until(has_clip)
    assert used.message.text.count("animiert") == 1
    assert "mehrere Bilder" not in used.message.text
    await home.settled()


async def test_one_sentence_for_every_refusal_before_any_work(home: BotHarness) -> None:
    change = home.bot.guild_settings.change
    await change(home.guild.id, max_seconds=20)
    assert "höchstens 20 Sekunden" in await refused(home, seconds=21)
    other = home.loopback.text_channel(home.guild, "music")
    await change(home.guild.id, channels=(other.id,))
    assert f"<#{other.id}>" in await refused(home)
    role = home.loopback.world.add_role(home.guild, "Listeners", P(0))
    await change(home.guild.id, channels=(), roles=(role.id,))
    assert f"<@&{role.id}>" in await refused(home)
    await change(home.guild.id, roles=(), pictures="nsfw_channels")
    assert "Altersbeschränkung" in await refused(home)
    await change(home.guild.id, pictures="any")
    home.loopback.forbid_bot(home.channel, P.ATTACH_FILES)
    assert "Dateien anhängen" in await refused(home)
    home.loopback.allow_bot(home.channel)
    assert not home.loopback.messages(home.channel)


async def test_cooldown_and_share_say_what_to_wait_for(home: BotHarness) -> None:
    await home.bot.guild_settings.change(home.guild.id, cooldown_seconds=60)
    await home.clip()
    assert "Bitte warte noch" in await refused(home)
    await home.bot.guild_settings.change(home.guild.id, cooldown_seconds=0, jobs_per_member=1)
    home.hold()
    await home.ask()
    await home.until_running()
    assert "❌" in await refused(home)


async def test_a_full_queue_is_said_in_the_message(tmp_path: Path) -> None:
    async with bot_harness(tmp_path, core={"inference": {"max_jobs": 1, "max_jobs_per_member": 5}}) as home:
        home.hold()
        await home.ask()
        await home.until_running()
        used = await home.ask()
        await used.message.wait_until(lambda m: "Warteschlange ist" in m.text)


async def test_what_discord_itself_forbids_is_not_offered(home: BotHarness) -> None:
    with pytest.raises(NotOfferedError):
        await home.ask(seed=-1)
    with pytest.raises(NotOfferedError):
        await home.ask(seconds=301)


async def test_imagine_this_album_takes_the_picture_of_any_message(home: BotHarness) -> None:
    posted = await home.owner.say(home.channel, "look", {"a.jpg": picture(kind="JPEG")})
    used = await home.ann.message_command(posted, "Imagine this album")
    await used.wait_acknowledged()
    await used.message.wait_until(has_clip)
    words = await home.owner.say(home.channel, "no picture here")
    used = await home.ann.message_command(words, "Imagine this album")
    assert "kein Bild" in (await used.wait_message()).text
    await home.settled()


def offered(message: Message) -> str:
    """The buttons' emoji."""
    return " ".join(str(part.get("emoji", {}).get("name", "")) for part in message.parts())


async def test_direct_messages_and_user_installs(home: BotHarness) -> None:
    clips = []
    used = await home.ann.slash(home.ann.dm, "albumgen", image=("c.png", picture()))
    await used.wait_acknowledged()
    clips.append(await used.message.wait_until(has_clip))
    group = home.ann.group_dm(home.owner)
    used = await home.ann.slash(group, "albumgen", image=("c.png", picture()), user_install=True)
    await used.wait_acknowledged()
    clips.append(await used.message.wait_until(has_clip))
    elsewhere = home.loopback.guild("Elsewhere", home.owner, [home.ann], has_bot=False)
    used = await home.ann.slash(
        elsewhere.channel("general"), "albumgen", image=("c.png", picture()), user_install=True
    )
    await used.wait_acknowledged()
    clips.append(await used.message.wait_until(has_clip))
    await home.settled()
    assert all("🔁" in offered(clip) and "🎧" not in offered(clip) for clip in clips), (
        "no session can be there"
    )
    used = await home.ann.slash(home.channel, "albumgen", image=("c.png", picture()))
    assert "🎧" in offered(await (await used.wait_acknowledged()).message.wait_until(has_clip))
    await home.settled()
    assert {job.state for job in await home.jobs()} == {"delivered"}


async def test_large_pictures_in_many_formats_are_taken(home: BotHarness) -> None:
    target = io.BytesIO()
    Image.effect_noise((900, 900), 40).convert("RGB").save(target, "WEBP")
    used = await home.ann.slash(home.channel, "albumgen", image=("c.webp", target.getvalue()))
    await used.wait_acknowledged()
    await used.message.wait_until(has_clip)
    await home.settled()
