"""The message that ends a session: podium, best take, most divisive, RAG against no RAG, members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from bot.i18n.catalogue import text
from bot.messages.embeds import DONE, plain
from bot.sessions import formatting
from bot.sessions.recap.files import PODIUM
from bot.sessions.recap.rag_comparison import RagComparison
from bot.sessions.recap.statistics import ClipResult, MemberStats, Recap
from bot.sessions.state.model import TITLE_LENGTH, EndReason, SessionRecord

SHOWN_MEMBERS = 10

_MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
_FIELD = 1024


def recap_embed(
    record: SessionRecord,
    recap: Recap,
    documents: Mapping[str, Mapping[str, Any]],
    locale: str,
    *,
    picture: bool = False,
) -> discord.Embed:
    """The recap; with `picture` it shows the attachment PODIUM.

    Args:
        documents: result documents by job id (`bot.sessions.results`).
        locale: of the labels.
    """
    title = formatting.short(record.session.title, 120) or text(locale, "page.kicker")
    embed = discord.Embed(
        title=text(locale, "recap.title", title=plain(title, 200))[:256],
        description="\n".join(part for part in (_facts(recap, locale), _reason(record, locale)) if part),
        colour=DONE,
    )
    for name, lines in (
        ("recap.podium", _podium(recap, locale)),
        ("recap.best", [_take(result, documents, locale) for result in recap.best[:3]]),
        ("recap.divisive", [_divisive(result, documents, locale) for result in recap.divisive[:3]]),
        ("recap.rag", _rag(recap.rag, locale)),
        ("recap.members", _members(recap.members, locale)),
    ):
        if lines:
            embed.add_field(name=text(locale, name), value=_whole_lines(lines), inline=False)
    embed.set_footer(text=footer(record.session.session_id))
    if picture:
        embed.set_image(url=f"attachment://{PODIUM}")
    return embed


def footer(session_id: str) -> str:
    """Names the session, so that its recap is found again, and `/session resume` knows what is meant."""
    return f"AlbumGen · {session_id[:8]}"


def _reason(record: SessionRecord, locale: str) -> str:
    """Why it ended, where nobody there wanted it; and that it can go on."""
    reason = record.session.end_reason
    if reason in (None, EndReason.HOST, EndReason.FINISHED):
        return ""
    # Between backticks nothing is escaped, so nothing may end them.
    title = formatting.short(record.session.title, TITLE_LENGTH).replace("`", "'")
    return f"{text(locale, f'ending.reason.{reason}')} {text(locale, 'ending.resume', title=title)}"


def _facts(recap: Recap, locale: str) -> str:
    if not recap.covers:
        return text(locale, "page.empty")
    parts = [
        formatting.counted(locale, "covers", recap.played),
        text(locale, "recap.music", length=formatting.clock(recap.seconds)),
    ]
    if not recap.scores:
        return " · ".join([*parts, text(locale, "page.unvoted")])
    voters = formatting.counted(locale, "voters", recap.voters)
    return " · ".join([*parts, formatting.counted(locale, "votes", recap.scores), voters])


def _podium(recap: Recap, locale: str) -> list[str]:
    return [
        f"{_MEDALS[placed.place]} **{plain(formatting.entry_title(placed.result.entry, locale), 60)}** – "
        f"{plain(formatting.member_name(placed.result.entry.submitter_name, locale), 40)} · "
        f"{_given(placed.result, locale)}"
        for placed in recap.podium
    ]


def _given(result: ClipResult, locale: str) -> str:
    mean = "–" if result.tally.mean is None else formatting.number(result.tally.mean, locale)
    parts = [f"{mean} ({formatting.counted(locale, 'votes', result.tally.voters)})"]
    if result.tally.stars:
        parts.append(formatting.counted(locale, "stars", result.tally.stars))
    return " · ".join(parts)


def _take(result: ClipResult, documents: Mapping[str, Mapping[str, Any]], locale: str) -> str:
    parts = [f"**{plain(formatting.entry_title(result.entry, locale), 60)}**"]
    if document := documents.get(result.clip.job_id):
        parts.append(formatting.music_line(document["attributes"], locale))
    if result.entry.versus:
        parts.append(formatting.rag_label(result.clip, locale))
    return " · ".join([*parts, _given(result, locale)])


def _divisive(result: ClipResult, documents: Mapping[str, Mapping[str, Any]], locale: str) -> str:
    scores = " ".join(f"{score}×{count}" for score, count in enumerate(result.tally.scores, 1) if count)
    return f"{_take(result, documents, locale)} · {text(locale, 'recap.scores', scores=scores)}"


def _rag(found: RagComparison, locale: str) -> list[str]:
    if found.difference is None or found.p_value is None:
        return []
    evidence = text(
        locale,
        "page.rag.evidence",
        rag=formatting.number(found.rag_mean or 0.0, locale, 2),
        plain=formatting.number(found.plain_mean or 0.0, locale, 2),
        pairs=formatting.counted(locale, "pairs", found.pairs),
        members=formatting.counted(locale, "members", found.members),
        covers=formatting.counted(locale, "covers", found.covers),
        difference=formatting.number(found.difference, locale, 2, sign=True),
        p=formatting.number(found.p_value, locale, 3),
    )
    return [f"**{text(locale, f'page.rag.{found.verdict.value}')}**", evidence]


def _members(members: Sequence[MemberStats], locale: str) -> list[str]:
    lines = []
    for member in members[:SHOWN_MEMBERS]:
        parts = []
        if member.brought:
            received = (
                "–" if member.mean_received is None else formatting.number(member.mean_received, locale)
            )
            covers = formatting.counted(locale, "covers", member.brought)
            parts.append(text(locale, "recap.brought", covers=covers, mean=received))
        if member.scores_given:
            given = formatting.number(member.mean_given or 0.0, locale)
            votes = formatting.counted(locale, "votes", member.scores_given)
            parts.append(text(locale, "recap.gave", votes=votes, mean=given))
        name = plain(formatting.member_name(member.name, locale), 40)
        lines.append(f"**{name}**: {', '.join(parts) or text(locale, 'recap.listened')}")
    if len(members) > SHOWN_MEMBERS:
        lines.append(text(locale, "recap.more", count=len(members) - SHOWN_MEMBERS))
    return lines


def _whole_lines(lines: Sequence[str]) -> str:
    """As many whole lines as a field holds."""
    words = ""
    for line in lines:
        if len(words) + len(line) + 1 > _FIELD:
            break
        words += line + "\n"
    return words.rstrip() or lines[0][: _FIELD - 1] + "…"
