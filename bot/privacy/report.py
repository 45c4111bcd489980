"""What is kept about a member, for that member's eyes: counts and places, and all of it as JSON."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import discord

from bot.i18n.catalogue import SOURCE, catalogue, text
from bot.messages.embeds import DONE, plain
from bot.messages.reply import ReplyFile

Told = Mapping[str, Sequence[Mapping[str, Any]]]
"""Part → what it keeps, as `Erasure.tell` says it."""

_LARGEST = 4 * 2**20
"""Bytes above which the JSON is compressed."""

_MOST_PLACES = 15


async def report(client: discord.Client, told: Told, days: int, locale: str) -> discord.Embed:
    """How much of what, and where. `days`: how long the operator keeps results."""
    jobs = told["jobs"]
    folders = [str(job["result_dir"]) for job in jobs if job["result_dir"]]
    covers = {str(job["cover_path"]) for job in jobs if job["cover_path"]}
    kept, size = await asyncio.to_thread(_measure, folders, covers)
    lines = [
        _count(locale, "jobs", len(jobs)),
        text(locale, "privacy.files", count=kept, megabytes=f"{size / 1e6:.1f}"),
        *(_count(locale, name, len(things)) for name, things in told.items() if name != "jobs"),
    ]
    embed = discord.Embed(title=text(locale, "privacy.title"), description="\n".join(lines), colour=DONE)
    if jobs:
        embed.add_field(
            name=text(locale, "privacy.where"), value=_places(client, jobs, locale)[:1024], inline=False
        )
    embed.add_field(
        name=text(locale, "privacy.how_long"),
        value=text(locale, "privacy.how_long.value", days=days),
        inline=False,
    )
    embed.add_field(name=text(locale, "privacy.not"), value=text(locale, "privacy.not.value"), inline=False)
    embed.set_footer(text=text(locale, "privacy.footer"))
    return embed


def export(told: Told, user_id: int) -> ReplyFile:
    """All of it as a JSON file, compressed where it would be large."""
    words = json.dumps({"user_id": user_id, **told}, indent=1, ensure_ascii=False, default=str)
    data = words.encode()
    if len(data) <= _LARGEST:
        return ReplyFile("albumgen-data.json", data)
    return ReplyFile("albumgen-data.json.gz", gzip.compress(data))


def _count(locale: str, part: str, count: int) -> str:
    key = f"privacy.part.{part}"
    words = text(locale, key) if key in catalogue(SOURCE) else part
    return f"• {words}: **{count}**"


def _places(client: discord.Client, jobs: Sequence[Mapping[str, Any]], locale: str) -> str:
    """ "• My server: 12", the places with the most first."""
    counts = Counter(str(job["group"]) for job in jobs)
    lines = []
    for group, count in counts.most_common(_MOST_PLACES):
        guild = client.get_guild(int(group)) if group.isdecimal() else None
        if guild is not None:
            name = plain(guild.name, 50)
        elif group.isdecimal():
            name = text(locale, "privacy.where.unknown", id=group)
        else:
            name = text(locale, "privacy.where.dm")
        lines.append(f"• {name}: {count}")
    if len(counts) > _MOST_PLACES:
        lines.append("…")
    return "\n".join(lines)


def _measure(folders: Sequence[str], covers: set[str]) -> tuple[int, int]:
    """(result folders that are there, bytes in them and in the covers)."""
    kept, size = 0, 0
    for folder in map(Path, folders):
        if folder.is_dir():
            kept += 1
            size += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    size += sum(path.stat().st_size for path in map(Path, covers) if path.is_file())
    return kept, size
