"""The pages of `/gallery`: a server's most starred results, and each of them to look at and to hear.

Nothing is kept between two clicks: each looks anew who may see what, so a page from before a restart works,
and never shows what its reader may no longer see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord

from albumgen_core.errors import UnknownJobError
from albumgen_core.inference.client import InferenceClient
from bot.delivery.deliverer import Delivery
from bot.gallery.lineage import lineage_of
from bot.gallery.star_recovery import StarRecovery
from bot.gallery.stars import Starred, Stars
from bot.gallery.stored_result import StoredResult, link_to, may_see, rebuild_reply, results_of
from bot.guilds.policy import ChannelContext, check_place
from bot.guilds.settings import GuildSettingsStore
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.embeds import DONE, WAITING, take_details
from bot.messages.errors import Refusal
from bot.messages.message_log import KnownMessage, MessageLog
from bot.messages.reply import Reply
from bot.services import services_of
from bot.ui.paginator import Pick, Turn, arrows, defer, register, show

PAGE = 5
"""Results on a page."""

PAGES, PLACE, PLAY, LINE = "gallery", "gallery-at", "gallery-play", "gallery-line"
_LABEL = 100


async def open_gallery(interaction: discord.Interaction[Any]) -> None:
    """Answer the command with the first page. Raises Refusal."""
    await show_page(interaction, "0")


async def show_page(interaction: discord.Interaction[Any], to: str) -> None:
    """Page `to` of the list (0 is the first)."""
    guild_id, locale = await _admit(interaction)
    await defer(interaction)
    stars = services_of(interaction)[Stars]
    page = int(to or 0)
    channels = await _channels(interaction, guild_id)
    best = await stars.ranking(guild_id, channels, start=page * PAGE, limit=PAGE)
    if await _checked(interaction, best):  # Discord knew better
        channels = await _channels(interaction, guild_id)
        best = await stars.ranking(guild_id, channels, start=page * PAGE, limit=PAGE)
    total = await stars.total(guild_id, channels)
    if not best and page > 0:
        best = await stars.ranking(guild_id, channels, start=0, limit=PAGE)
        page = 0
    await show(
        interaction, await _list(services_of(interaction)[InferenceClient], best, page, total, locale), locale
    )


async def show_place(interaction: discord.Interaction[Any], to: str) -> None:
    """The result at place `to` of the ranking (0 is the first)."""
    guild_id, locale = await _admit(interaction)
    await defer(interaction)
    channels = await _channels(interaction, guild_id)
    found = await services_of(interaction)[Stars].ranking(guild_id, channels, start=int(to or 0), limit=1)
    if not found:
        raise Refusal("gallery.not_there")
    await _show_result(interaction, found[0].message, None, locale, place=int(to or 0))


async def play(interaction: discord.Interaction[Any], to: str) -> None:
    """The result of message `to`, chosen from a page; its place comes along as "place.message"."""
    _, locale = await _admit(interaction)
    place, _, message = to.partition(".")
    known = await services_of(interaction)[MessageLog].find(int(message or 0))
    if known is None or not visible(interaction, known):
        raise Refusal("gallery.not_there")
    await defer(interaction)
    await _show_result(interaction, known, None, locale, place=int(place or 0))


async def step(interaction: discord.Interaction[Any], to: str) -> None:
    """Another take of the same line, by its job's id."""
    services = services_of(interaction)
    _, locale = await _admit(interaction)
    try:
        record = await services[InferenceClient].record(to)
    except UnknownJobError:
        raise Refusal("gallery.not_there") from None
    known = await services[MessageLog].showing(to, record.spec.bundle_id)
    if known is None or not visible(interaction, known):
        raise Refusal("gallery.not_there")
    await defer(interaction)
    await _show_result(interaction, known, to, locale, place=None)


def visible(interaction: discord.Interaction[Any], known: KnownMessage) -> bool:
    """Whether a result may be shown to this member here: of this server, public, still there, readable."""
    return (
        known.guild_id is not None
        and known.guild_id == interaction.guild_id
        and known.delivered_at is not None
        and not known.deleted
        and may_see(interaction, known.channel_id)
    )


async def _admit(interaction: discord.Interaction[Any]) -> tuple[int, str]:
    """(server, language), where the server's policy lets the member in here. Raises Refusal."""
    if interaction.guild_id is None or interaction.guild is None:
        raise Refusal("refusal.server_only")
    settings = await services_of(interaction)[GuildSettingsStore].of(interaction.guild_id)
    check_place(ChannelContext.of_interaction(interaction, with_permissions=False), settings)
    return interaction.guild_id, await locale_of(interaction)


async def _channels(interaction: discord.Interaction[Any], guild_id: int) -> list[int]:
    """The channels whose results this member may be shown here."""
    every = await services_of(interaction)[Stars].channels(guild_id)
    return [channel for channel in every if may_see(interaction, channel)]


async def _checked(interaction: discord.Interaction[Any], results: Sequence[Starred]) -> bool:
    """Compare these with Discord; whether anything was different."""
    services = services_of(interaction)
    stars, messages = services[Stars], services[MessageLog]
    await services[StarRecovery].check([result.message for result in results])
    for result in results:
        known = await messages.find(result.message.message_id)
        if known is None or known.deleted or await stars.count(known.message_id) != result.stars:
            return True
    return False


async def _list(
    inference: InferenceClient, best: Sequence[Starred], page: int, total: int, locale: str
) -> Reply:
    title = text(locale, "gallery.title")
    if not best:
        return Reply(
            embeds=[discord.Embed(title=title, description=text(locale, "gallery.empty"), colour=WAITING)]
        )
    lines: list[str] = []
    options: list[discord.SelectOption] = []
    for place, result in enumerate(best, page * PAGE):
        known = result.message
        results = await results_of(inference, known)
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
                label=f"{place + 1}. {name}"[:_LABEL],
                value=f"{place}.{known.message_id}",
                emoji="▶️",
                description=_details(results, locale)[:100] or None,
            )
        )
    pages = -(-total // PAGE)
    embed = discord.Embed(title=title, description="\n".join(lines), colour=DONE)
    embed.set_footer(text=text(locale, "gallery.page", page=page + 1, pages=pages, count=total))
    view = discord.ui.View(timeout=None)
    view.add_item(Pick(PLAY, str(page), options, text(locale, "gallery.play"), row=0))
    arrows(view, PAGES, page, pages, row=1)
    return Reply(embeds=[embed], view=view)


def _details(results: Sequence[StoredResult], locale: str) -> str:
    """Tempo and seed of a single take; a comparison's would tell which half is which."""
    if len(results) != 1 or results[0].document is None:
        return ""
    return take_details(results[0].document, locale)


async def _show_result(
    interaction: discord.Interaction[Any],
    known: KnownMessage,
    job_id: str | None,
    locale: str,
    *,
    place: int | None,
) -> None:
    """One result with its sound, and where to go from it. `job_id`: which take the line is seen from."""
    services = services_of(interaction)
    inference, stars = services[InferenceClient], services[Stars]
    await services[StarRecovery].check([known])
    results = await results_of(inference, known)
    line = await lineage_of(inference, job_id or known.job_id)
    embeds, files = await rebuild_reply(
        services[Delivery], known.kind, results, locale, lineage=line.sentence(locale)
    )
    content = text(
        locale,
        "gallery.result",
        stars=await stars.count(known.message_id),
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
        more = await _more(interaction, place)
        view.add_item(Turn(PLACE, str(place + 1), emoji="⏭️", mark="on", disabled=not more, row=0))
    page = (place or 0) // PAGE
    view.add_item(Turn(PAGES, str(page), emoji="📋", label=text(locale, "gallery.back"), row=0))
    view.add_item(discord.ui.Button(label=text(locale, "gallery.jump"), url=link_to(known), row=0))
    options = await line.options(services[MessageLog], locale, lambda other: visible(interaction, other))
    if options:
        view.add_item(Pick(LINE, "", options, text(locale, "gallery.line"), row=1))
    await show(interaction, Reply(content=content, embeds=embeds, files=files, view=view), locale)


async def _more(interaction: discord.Interaction[Any], place: int) -> bool:
    guild_id = interaction.guild_id or 0
    channels = await _channels(interaction, guild_id)
    return await services_of(interaction)[Stars].total(guild_id, channels) > place + 1


def register_pages() -> None:
    """Let arrows and menus find their pages."""
    register(PAGES, show_page)
    register(PLACE, show_place)
    register(PLAY, play)
    register(LINE, step)
