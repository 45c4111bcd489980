"""The pages of `/gallery`: a server's most starred results, and each of them to look at and to hear.

Nothing is kept between two clicks: each looks anew who may see what, so a page from before a restart works,
and never shows what its reader may no longer see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import discord

from albumgen_core.errors import UnknownJobError
from bot.gallery.lineage import line_of
from bot.gallery.star_recovery import StarWatch
from bot.gallery.stars import Starred, Stars
from bot.gallery.stored_result import link_to, may_see, parts, shown_by
from bot.guilds.policy import Setting, check_place
from bot.i18n.catalogue import text
from bot.messages.embeds import DONE, WAITING
from bot.messages.errors import Refusal
from bot.messages.message_log import KnownMessage
from bot.messages.reply import Reply
from bot.ui.paginator import Pick, Turn, arrows, defer, register, show

if TYPE_CHECKING:
    from bot.bot import AlbumGenBot

PAGE = 5
"""Results on a page."""

PAGES, PLACE, PLAY, LINE = "gallery", "gallery-at", "gallery-play", "gallery-line"
_LABEL = 100


async def open_gallery(bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> None:
    """Answer the command with the first page. Raises Refusal."""
    await show_page(bot, interaction, "0")


async def show_page(bot: AlbumGenBot, interaction: discord.Interaction[Any], to: str) -> None:
    """Page `to` of the list (0 is the first)."""
    guild_id, locale = await _admit(bot, interaction)
    await defer(interaction)
    cog = _cog(bot)
    page = int(to or 0)
    channels = await _channels(bot, interaction, guild_id)
    best = await cog.stars.ranking(guild_id, channels, start=page * PAGE, limit=PAGE)
    if await _checked(bot, best):  # Discord knew better
        channels = await _channels(bot, interaction, guild_id)
        best = await cog.stars.ranking(guild_id, channels, start=page * PAGE, limit=PAGE)
    total = await cog.stars.total(guild_id, channels)
    if not best and page > 0:
        best = await cog.stars.ranking(guild_id, channels, start=0, limit=PAGE)
        page = 0
    await show(interaction, await _list(bot, best, page, total, locale), locale)


async def show_place(bot: AlbumGenBot, interaction: discord.Interaction[Any], to: str) -> None:
    """The result at place `to` of the ranking (0 is the first)."""
    guild_id, locale = await _admit(bot, interaction)
    await defer(interaction)
    channels = await _channels(bot, interaction, guild_id)
    found = await _cog(bot).stars.ranking(guild_id, channels, start=int(to or 0), limit=1)
    if not found:
        raise Refusal("gallery.not_there")
    await _show_result(bot, interaction, found[0].message, None, locale, place=int(to or 0))


async def play(bot: AlbumGenBot, interaction: discord.Interaction[Any], to: str) -> None:
    """The result of message `to`, chosen from a page; its place comes along as "place.message"."""
    _, locale = await _admit(bot, interaction)
    place, _, message = to.partition(".")
    known = await bot.messages.find(int(message or 0))
    if known is None or not visible(interaction, known):
        raise Refusal("gallery.not_there")
    await defer(interaction)
    await _show_result(bot, interaction, known, None, locale, place=int(place or 0))


async def step(bot: AlbumGenBot, interaction: discord.Interaction[Any], to: str) -> None:
    """Another take of the same line, by its job's id."""
    _, locale = await _admit(bot, interaction)
    try:
        record = await bot.inference.record(to)
    except UnknownJobError:
        raise Refusal("gallery.not_there") from None
    known = await bot.messages.showing(to, record.spec.bundle_id)
    if known is None or not visible(interaction, known):
        raise Refusal("gallery.not_there")
    await defer(interaction)
    await _show_result(bot, interaction, known, to, locale, place=None)


def visible(interaction: discord.Interaction[Any], known: KnownMessage) -> bool:
    """Whether a result may be shown to this member here: of this server, public, still there, readable."""
    return (
        known.guild_id is not None
        and known.guild_id == interaction.guild_id
        and known.delivered_at is not None
        and not known.deleted
        and may_see(interaction, known.channel_id)
    )


async def _admit(bot: AlbumGenBot, interaction: discord.Interaction[Any]) -> tuple[int, str]:
    """(server, language), where the server's policy lets the member in here. Raises Refusal."""
    if interaction.guild_id is None or interaction.guild is None:
        raise Refusal("refusal.server_only")
    settings = await bot.guild_settings.of(interaction.guild_id)
    check_place(Setting.of_interaction(interaction, with_permissions=False), settings)
    return interaction.guild_id, await bot.locale_of(interaction)


async def _channels(bot: AlbumGenBot, interaction: discord.Interaction[Any], guild_id: int) -> list[int]:
    """The channels whose results this member may be shown here."""
    every = await _cog(bot).stars.channels(guild_id)
    return [channel for channel in every if may_see(interaction, channel)]


async def _checked(bot: AlbumGenBot, results: Sequence[Starred]) -> bool:
    """Compare these with Discord; whether anything was different."""
    cog = _cog(bot)
    await cog.watch.check([result.message for result in results])
    for result in results:
        known = await bot.messages.find(result.message.message_id)
        if known is None or known.deleted or await cog.stars.count(known.message_id) != result.stars:
            return True
    return False


async def _list(bot: AlbumGenBot, best: Sequence[Starred], page: int, total: int, locale: str) -> Reply:
    title = text(locale, "gallery.title")
    if not best:
        return Reply(
            embeds=[discord.Embed(title=title, description=text(locale, "gallery.empty"), colour=WAITING)]
        )
    lines: list[str] = []
    options: list[discord.SelectOption] = []
    for place, result in enumerate(best, page * PAGE):
        known = result.message
        results = await shown_by(bot, known)
        # Sorted, for the order would tell which half of a comparison is which.
        names = sorted({each.title(locale) for each in results}) or [text(locale, "gallery.gone.title")]
        name = " / ".join(names)
        lines.append(
            text(
                locale,
                "gallery.entry",
                place=place + 1,
                stars=result.stars,
                title=discord.utils.escape_markdown(name[:_LABEL]),
                member=f"<@{known.user_id}>",
                link=link_to(known),
            )
        )
        options.append(
            discord.SelectOption(
                label=f"{place + 1}. {name}"[:_LABEL], value=f"{place}.{known.message_id}", emoji="▶️"
            )
        )
    pages = -(-total // PAGE)
    embed = discord.Embed(title=title, description="\n".join(lines), colour=DONE)
    embed.set_footer(text=text(locale, "gallery.page", page=page + 1, pages=pages, count=total))
    view = discord.ui.View(timeout=None)
    view.add_item(Pick(PLAY, str(page), options, text(locale, "gallery.play"), row=0))
    arrows(view, PAGES, page, pages, row=1)
    return Reply(embeds=[embed], view=view)


async def _show_result(
    bot: AlbumGenBot,
    interaction: discord.Interaction[Any],
    known: KnownMessage,
    job_id: str | None,
    locale: str,
    *,
    place: int | None,
) -> None:
    """One result with its sound, and where to go from it. `job_id`: which take the line is seen from."""
    cog = _cog(bot)
    await cog.watch.check([known])
    results = await shown_by(bot, known)
    line = await line_of(bot, job_id or known.job_id)
    embeds, files = await parts(bot, known.kind, results, locale, lineage=line.sentence(locale))
    content = text(
        locale,
        "gallery.result",
        stars=await cog.stars.count(known.message_id),
        member=f"<@{known.user_id}>",
        link=link_to(known),
    )
    if not files:
        gone = discord.Embed(description=text(locale, "gallery.gone"), colour=WAITING)
        if sentence := line.sentence(locale):
            gone.add_field(name=text(locale, "take.lineage"), value=sentence)
        embeds = [gone]
    view = discord.ui.View(timeout=None)
    if place is not None:
        view.add_item(Turn(PLACE, str(max(0, place - 1)), emoji="⏮️", mark="back", disabled=place == 0, row=0))
        more = await _more(bot, interaction, place)
        view.add_item(Turn(PLACE, str(place + 1), emoji="⏭️", mark="on", disabled=not more, row=0))
    page = (place or 0) // PAGE
    view.add_item(Turn(PAGES, str(page), emoji="📋", label=text(locale, "gallery.back"), row=0))
    view.add_item(discord.ui.Button(label=text(locale, "gallery.jump"), url=link_to(known), row=0))
    options = await line.options(bot, locale, lambda other: visible(interaction, other))
    if options:
        view.add_item(Pick(LINE, "", options, text(locale, "gallery.line"), row=1))
    await show(interaction, Reply(content=content, embeds=embeds, files=files, view=view), locale)


async def _more(bot: AlbumGenBot, interaction: discord.Interaction[Any], place: int) -> bool:
    guild_id = interaction.guild_id or 0
    channels = await _channels(bot, interaction, guild_id)
    return await _cog(bot).stars.total(guild_id, channels) > place + 1


class _Keeper(Protocol):
    """What the pages need of the cog."""

    stars: Stars
    watch: StarWatch


def _cog(bot: AlbumGenBot) -> _Keeper:
    keeper: Any = bot.get_cog("GalleryCog")
    found: _Keeper = keeper
    return found


def register_pages() -> None:
    """Let arrows and menus find their pages."""
    register(PAGES, show_page)
    register(PLACE, show_place)
    register(PLAY, play)
    register(LINE, step)
