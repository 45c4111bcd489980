"""How jobs and results look: embeds within Discord's limits, with untrusted words made harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from albumgen_core.albums import is_named
from albumgen_core.attributes.fields import AUDIO_FEATURES, FIELD
from albumgen_core.attributes.keys import key_name
from albumgen_core.attributes.names import genre_label
from albumgen_core.inference.events import JobEvent
from albumgen_core.inference.records import JobRecord
from albumgen_core.vocabulary import STAGES
from bot.i18n.catalogue import language_of, text
from bot.i18n.core_sentences import NO_RETRIEVAL, coded, retold

WAITING = discord.Colour(0x8A8F98)
WORKING = discord.Colour(0x5B8DEF)
DONE = discord.Colour(0x2FA98C)
FAILED = discord.Colour(0xC4564B)

_BAR = 10
_MOST_NOTICES = 4


def plain(words: str, longest: int = 100) -> str:
    """Untrusted text for an embed: on one line, no Markdown, no mention, no link, cut with an ellipsis."""
    words = " ".join(words.split())
    if len(words) > longest:
        words = words[: longest - 1].rstrip() + "…"
    # Discord makes links of bare addresses too; a zero-width space after the colon prevents it.
    words = discord.utils.escape_markdown(words.replace("://", ":\u200b//"))
    return discord.utils.escape_mentions(words)


def bar(fraction: float, width: int = _BAR) -> str:
    """A bar of `width` characters for a fraction in [0, 1]."""
    filled = round(min(1.0, max(0.0, fraction)) * width)
    return "█" * filled + "░" * (width - filled)


def duration(seconds: float, locale: str) -> str:
    """A length of time for people: "7 s", "2 min", "1 h 5 min"."""
    whole = max(1, round(seconds))
    if whole < 90:
        return text(locale, "time.seconds", count=whole)
    minutes = round(whole / 60)
    if minutes < 60:
        return text(locale, "time.minutes", count=minutes)
    return text(locale, "time.hours", hours=minutes // 60, minutes=minutes % 60)


def progress_embed(event: JobEvent | None, origin: Mapping[str, Any], locale: str) -> discord.Embed:
    """The queue message: place in line and time to wait, then the stages with a bar."""
    running = event is not None and event.state == "running" and event.stage in STAGES
    embed = discord.Embed(
        title=text(locale, "progress.title.working" if running else "progress.title.waiting"),
        colour=WORKING if running else WAITING,
    )
    if running and event is not None:
        embed.description = _stages(event, locale, rag=bool(origin.get("rag", True)))
    elif event is not None and event.position is not None:
        embed.description = text(locale, "progress.position", position=event.position)
    else:
        embed.description = text(locale, "progress.accepted")
    if event is not None and event.eta is not None:
        embed.description += "\n" + text(locale, "progress.eta", time=duration(event.eta, locale))
    if wishes := str(origin.get("wishes", "")):
        embed.set_footer(text=wishes[:200])
    if thumbnail := origin.get("thumbnail"):
        embed.set_thumbnail(url=str(thumbnail))
    return embed


def _stages(event: JobEvent, locale: str, *, rag: bool) -> str:
    at = STAGES.index(event.stage)
    lines = []
    for index, stage in enumerate(STAGES):
        if stage == "prompt" or (stage == "retrieve" and not rag):
            continue  # over in an instant, or not done at all; members need not hear of it
        words = text(locale, f"stage.{stage}")
        if index < at:
            lines.append(f"✓ {words}")
        elif index == at or (stage == "compose" and event.stage == "prompt"):
            share = f" {event.fraction:.0%}" if stage == "compose" else ""
            lines.append(f"▸ **{words}{share}**")
    done = (at + event.fraction) / len(STAGES)
    return "\n".join([f"`{bar(done, 20)}`", *lines])


def ending_embed(records: Sequence[JobRecord], locale: str) -> discord.Embed:
    """For jobs of which none has a result: the reason, or that they were cancelled."""
    failed = next((record for record in records if record.state == "failed"), None)
    if failed is None:
        return discord.Embed(description=text(locale, "ending.cancelled"), colour=WAITING)
    return discord.Embed(description=failure_sentence(failed, locale), colour=FAILED)


def failure_sentence(record: JobRecord, locale: str) -> str:
    """Why a job failed, in the member's language where the sentence is a known one."""
    known = coded(record.error_code, record.error_params, locale)
    return (known or retold(record.error or "", locale))[:1000] or text(locale, "ending.failed")


def take_embed(
    document: Mapping[str, Any],
    record: JobRecord,
    locale: str,
    *,
    lineage: str | None = None,
    image: str | None = "attachment://card.png",
) -> discord.Embed:
    """A finished take.

    Args:
        document: the result.json of the take.
        record: its job.
        locale: of the labels.
        lineage: a sentence about where it comes from, Markdown links allowed.
        image: the card.
    """
    attributes = document["attributes"]
    embed = discord.Embed(
        title=take_title(document, locale), colour=DONE, description=_bars(document, locale)
    )
    embed.add_field(name=text(locale, "field.tempo"), value=FIELD["tempo"].display(attributes["tempo"]))
    embed.add_field(
        name=text(locale, "field.time_signature"),
        value=FIELD["time_signature"].display(attributes["time_signature"]),
    )
    embed.add_field(name=text(locale, "field.length"), value=f"{document['seconds']:.0f} s")
    if album := document.get("album"):
        embed.add_field(name=text(locale, "take.album"), value=_album_words(album), inline=False)
    if document["rag"] and document["neighbours"]:
        embed.add_field(
            name=text(locale, "take.kindred"),
            value=kindred_lines(document["neighbours"], locale),
            inline=False,
        )
    if reads := words_read(document):
        embed.add_field(name=text(locale, "take.reads"), value=plain(reads, 200), inline=False)
    if overridden := record.spec.origin.get("edited") or document.get("overridden"):
        names = ", ".join(text(locale, f"field.{name}") for name in overridden if name in FIELD)
        embed.add_field(name=text(locale, "take.by_hand"), value=names or "–", inline=False)
    if lineage:
        embed.add_field(name=text(locale, "take.lineage"), value=lineage[:1024], inline=False)
    notes = [text(locale, str(key)) for key in record.spec.origin.get("notes", ())]
    notes += [plain(retold(str(notice), locale), 240) for notice in document.get("notices", ())]
    if notes:
        words = "\n".join(f"• {note}" for note in notes[:_MOST_NOTICES])
        embed.add_field(name=text(locale, "take.notices"), value=words[:1024], inline=False)
    embed.set_footer(text=_footer(document, record, locale))
    if image:
        embed.set_image(url=image)
    return embed


def take_title(document: Mapping[str, Any], locale: str) -> str:
    """ "Indie pop in C# minor"."""
    attributes, language = document["attributes"], language_of(locale)
    key = key_name(attributes["key"], attributes.get("mode"), language)
    genre = genre_label(str(attributes["album_genre"]), language)
    return text(locale, "take.title", genre=genre, key=key)[:256]


def take_details(document: Mapping[str, Any], locale: str) -> str:
    """ "118 BPM · seed 7": what tells takes of one title apart."""
    tempo = FIELD["tempo"].display(document["attributes"]["tempo"])
    return f"{tempo} · {text(locale, 'take.seed', seed=document['seed'])}"


def _bars(document: Mapping[str, Any], locale: str) -> str:
    names = {name: text(locale, f"field.{name}") for name in AUDIO_FEATURES}
    width = max(len(words) for words in names.values())
    lines = [
        f"{words:<{width}} {bar(document['attributes'][name])} {document['attributes'][name]:.2f}"
        for name, words in names.items()
    ]
    return "```\n" + "\n".join(lines) + "\n```"


def words_read(document: Mapping[str, Any]) -> str:
    """Artist and title that were recognised on the cover, "" where nobody was; as read, not escaped."""
    words = document.get("words") or {}
    return ", ".join(str(words[name]) for name in ("artist", "title") if words.get(name))


def kindred_lines(neighbours: Sequence[Mapping[str, Any]], locale: str) -> str:
    """The retrieved albums with their distances, or why they are here; at most 1024 characters."""
    lines = []
    for place, album in enumerate(neighbours, 1):
        lines.append(f"{place}. {_album_words(album)} · {_why(album, locale)}")
    words = ""
    for line in lines:
        if len(words) + len(line) + 1 > 1024:
            break
        words += line + "\n"
    return words.rstrip() or "–"


def _album_words(album: Mapping[str, Any]) -> str:
    year = f" ({album['year']})" if album.get("year") else ""
    artist = f" – {plain(str(album['artist']), 40)}" if is_named(str(album.get("artist") or "")) else ""
    return f"**{plain(str(album['title']), 50)}**{artist}{year}"


def source_label(document: Mapping[str, Any], locale: str) -> str:
    """What the attributes were read from: similar albums, the cover alone, or "" where they were all given.

    RAG that was asked for and not to be had (no index) is the cover alone.
    """
    if document["neighbours"]:
        return text(locale, "take.with_rag")
    unavailable = any(str(notice).startswith(NO_RETRIEVAL) for notice in document.get("notices", ()))
    return text(locale, "take.without_rag") if not document["rag"] or unavailable else ""


def _why(album: Mapping[str, Any], locale: str) -> str:
    reason = album.get("reason", "look")
    if reason in ("artist", "album"):
        return text(locale, f"take.reason.{reason}")
    return f"{album['distance']:.3f}"


def engine_label(document: Mapping[str, Any], locale: str) -> str:
    """Which engine made a take; the sketch engine is named as what it is."""
    engine = document["engine"]
    return text(locale, f"engine.{engine['family']}", composer=str(engine.get("composer", ""))[:60])


def _footer(document: Mapping[str, Any], record: JobRecord, locale: str) -> str:
    parts = [
        engine_label(document, locale),
        source_label(document, locale),
        text(locale, "take.seed", seed=document["seed"]),
    ]
    if record.finished_at and record.started_at:
        parts.append(
            text(locale, "take.made_in", time=duration(record.finished_at - record.started_at, locale))
        )
    return " · ".join(part for part in parts if part)[:2048]
