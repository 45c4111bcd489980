"""The pages of `/history`: a member's own jobs, what became of them, and each of them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord

from albumgen_core.errors import UnknownJobError
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.database import Database
from albumgen_core.inference.records import JobRecord
from bot.delivery.controls import CancelButton, jobs_of
from bot.delivery.deliverer import Delivery
from bot.gallery.stored_result import StoredResult, link_to, rebuild_reply, stored_result
from bot.i18n.catalogue import text
from bot.i18n.reply_language import locale_of
from bot.messages.embeds import DONE, WAITING, failure_sentence, plain, take_details
from bot.messages.errors import Refusal
from bot.messages.message_log import KnownMessage, MessageLog
from bot.messages.reply import Reply
from bot.requests.intake import Requests
from bot.services import services_of
from bot.takes.regenerate import finished, regenerate
from bot.ui.buttons import JobButton
from bot.ui.paginator import Pick, Turn, arrows, defer, register, show

PAGE = 8
"""Jobs on a page."""

HERE, EVERYWHERE = "h", "e"
PAGES, PICK = "history", "history-pick"
_SIGNS = {
    "received": "📥",
    "queued": "⏳",
    "running": "🎛️",
    "done": "📤",
    "delivered": "🎵",
    "failed": "⚠️",
    "cancelled": "✖️",
}


class HistoryAgain(JobButton, action="history-again"):
    """🔁 of one's own history: another take, as private or public as the first one was."""

    emoji, label_key = "🔁", "button.again"

    async def act(self, interaction: discord.Interaction[Any]) -> None:
        """Submit."""
        services = services_of(interaction)
        requests = services[Requests]
        own = await _own(interaction, self.job_id)
        record, folder = await finished(services[InferenceClient], own.job_id)
        private = bool(record.spec.origin.get("ephemeral"))
        context = await requests.context(interaction, private=private)
        await requests.check(context)
        await regenerate(requests, context, record, folder)


async def show_page(interaction: discord.Interaction[Any], to: str) -> None:
    """Page `to`: "h0" is the first of what was asked for here, "e2" the third of everything."""
    await defer(interaction)
    services = services_of(interaction)
    database = services[Database]
    locale = await locale_of(interaction)
    scope, page = to[:1] or HERE, int(to[1:] or 0)
    member, group = str(interaction.user.id), _group(interaction, scope)
    rows = await database.fetch(
        "SELECT count(*) FROM jobs WHERE member_key = ?1 AND (?2 IS NULL OR group_key = ?2)", (member, group)
    )
    total = int(rows[0][0])
    pages = max(1, -(-total // PAGE))
    page = min(page, pages - 1)
    rows = await database.fetch(
        "SELECT * FROM jobs WHERE member_key = ?1 AND (?2 IS NULL OR group_key = ?2)"
        " ORDER BY rowid DESC LIMIT ?3 OFFSET ?4",
        (member, group, PAGE, page * PAGE),
    )
    jobs = [JobRecord.from_row(row) for row in rows]
    await show(interaction, await _list(services[MessageLog], jobs, scope, page, total, locale), locale)


async def pick(interaction: discord.Interaction[Any], to: str) -> None:
    """One job: "h0.<job id>" also says to which page one goes back."""
    services = services_of(interaction)
    back, _, job_id = to.partition(".")
    record = await _own(interaction, job_id)
    await defer(interaction)
    locale = await locale_of(interaction)
    result = await stored_result(record)
    known = await services[MessageLog].showing(record.job_id, record.spec.bundle_id)
    kind = str(record.spec.origin.get("kind", "take"))
    mates = [record] if kind == "take" else await jobs_of(services[InferenceClient], record.job_id)
    embeds, files = await rebuild_reply(
        services[Delivery], kind, [await stored_result(mate) for mate in mates], locale
    )
    if not files:
        embeds = [discord.Embed(description=_state(result, locale), colour=WAITING)]
    view = discord.ui.View(timeout=None)
    view.add_item(Turn(PAGES, back, emoji="📋", label=text(locale, "gallery.back"), row=0))
    if files and kind == "take":
        view.add_item(HistoryAgain(record.job_id, locale, row=0))
    if not record.is_terminal:
        view.add_item(CancelButton(record.spec.bundle_id or record.job_id, locale, row=0))
    if known is not None:
        view.add_item(discord.ui.Button(label=text(locale, "gallery.jump"), url=link_to(known), row=0))
    await show(interaction, Reply(embeds=embeds, files=files, view=view), locale)


async def _own(interaction: discord.Interaction[Any], job_id: str) -> JobRecord:
    """A job of the member who asks, and of nobody else. Raises Refusal."""
    try:
        record = await services_of(interaction)[InferenceClient].record(job_id)
    except UnknownJobError:
        raise Refusal("gallery.not_there") from None
    if record.spec.member != str(interaction.user.id):
        raise Refusal("gallery.not_there")
    return record


def _group(interaction: discord.Interaction[Any], scope: str) -> str | None:
    """The queue's group that is shown; None for all."""
    if scope == EVERYWHERE:
        return None
    return str(interaction.guild_id) if interaction.guild_id is not None else f"dm:{interaction.user.id}"


async def _list(
    messages: MessageLog, jobs: Sequence[JobRecord], scope: str, page: int, total: int, locale: str
) -> Reply:
    title = text(locale, "history.title")
    view = discord.ui.View(timeout=None)
    if not jobs:
        embed = discord.Embed(title=title, description=text(locale, "history.empty"), colour=WAITING)
    else:
        lines: list[str] = []
        options: list[discord.SelectOption] = []
        for record in jobs:
            result = await stored_result(record)
            known = await messages.showing(record.job_id, record.spec.bundle_id)
            lines.append(_line(result, known, locale))
            words = f"{_SIGNS[record.state]} {_name(result, locale)}"
            options.append(
                discord.SelectOption(
                    label=words[:100],
                    value=f"{scope}{page}.{record.job_id}",
                    description=" · ".join(_details(result, locale))[:100],
                )
            )
        pages = -(-total // PAGE)
        embed = discord.Embed(title=title, description="\n".join(lines)[:4096], colour=DONE)
        embed.set_footer(text=text(locale, "history.page", page=page + 1, pages=pages, count=total))
        view.add_item(Pick(PICK, f"{scope}{page}", options, text(locale, "history.pick"), row=0))
        arrows(view, PAGES, page, pages, scope=scope, row=1)
    other = HERE if scope == EVERYWHERE else EVERYWHERE
    view.add_item(Turn(PAGES, f"{other}0", label=text(locale, f"history.scope.{other}"), mark="scope", row=2))
    return Reply(embeds=[embed], view=view)


def _line(result: StoredResult, known: KnownMessage | None, locale: str) -> str:
    record = result.record
    words = f"{_SIGNS[record.state]} **{plain(_name(result, locale))}** · "
    words += " · ".join([*_details(result, locale)[:-1], _state(result, locale)])
    words += f" · <t:{int(record.received_at)}:R>"
    if known is not None:
        words += f" · [{text(locale, 'gallery.jump')}]({link_to(known)})"
    return words


def _details(result: StoredResult, locale: str) -> list[str]:
    """Tempo and seed where there is a clip, and its state in a word or two."""
    state = text(locale, f"history.state.{result.record.state}")
    return [state] if result.document is None else [take_details(result.document, locale), state]


def _name(result: StoredResult, locale: str) -> str:
    """What was heard in the cover, or else what was asked for."""
    if result.document is not None:
        return result.title(locale)
    spec = result.record.spec
    rag = text(locale, "take.with_rag" if spec.rag else "take.without_rag")
    return f"{spec.seconds:g} s · {rag} · {text(locale, 'take.seed', seed=spec.seed)}"


def _state(result: StoredResult, locale: str) -> str:
    record = result.record
    if record.state == "failed":
        return plain(failure_sentence(record, locale), 200)
    if record.state in ("done", "delivered") and result.document is None:
        return text(locale, "history.state.gone")
    return text(locale, f"history.state.{record.state}")


def register_pages() -> None:
    """Let arrows and menus find their pages."""
    register(PAGES, show_page)
    register(PICK, pick)


__all__ = ["EVERYWHERE", "HERE", "HistoryAgain", "register_pages", "show_page"]
