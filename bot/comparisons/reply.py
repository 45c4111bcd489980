"""How a comparison looks: two clips, one chart, and nothing that tells which take is which."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import discord

from albumgen_core.attributes.fields import AUDIO_FEATURES, FIELD
from albumgen_core.errors import TaskError
from albumgen_core.inference.records import JobRecord
from albumgen_core.result import CARD, CLIP_MP3, read_document
from albumgen_core.tasks.child import run_task
from bot.comparisons.votes import Comparisons, rag_comes_first
from bot.i18n.catalogue import language_of, text
from bot.messages.embeds import DONE, bar, ending_embed, engine_label, take_embed, take_title
from bot.messages.reply import Reply, ReplyFile

log = logging.getLogger(__name__)

NAMES = ("A", "B")
CHART = "comparison.png"

_DRAWING = "albumgen_core.card.task"
_DRAWING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FinishedTake:
    """A finished take of a comparison: its job, its folder and its result.json."""

    record: JobRecord
    folder: Path
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """What became of the two jobs of a comparison.

    Attributes:
        takes: those that are finished and whose files are there, as A and B where there are two.
    """

    bundle_id: str
    takes: tuple[FinishedTake, ...]

    @property
    def comparable(self) -> bool:
        """Whether there are two, and one of them really was reasoned from other albums."""
        return len(self.takes) == 2 and any(take.document["neighbours"] for take in self.takes)


async def read_pair(records: Sequence[JobRecord]) -> Pair:
    """Look at the files of a comparison's jobs."""
    bundle_id = records[0].spec.bundle_id or records[0].job_id
    ordered = sorted(records, key=lambda record: record.spec.rag, reverse=rag_comes_first(bundle_id))
    takes = []
    for record in ordered:
        if record.state not in ("done", "delivered") or record.result_dir is None:
            continue
        folder = Path(record.result_dir)
        try:
            takes.append(FinishedTake(record, folder, await asyncio.to_thread(read_document, folder)))
        except (OSError, ValueError):
            log.info("the files of %s are gone", record.job_id)
    return Pair(bundle_id, tuple(takes))


async def comparison_reply(pair: Pair, locale: str, comparisons: Comparisons, view: discord.ui.View) -> Reply:
    """Both takes, blind.

    Args:
        pair: a comparable one.
        locale: of the words. comparisons: where the votes are. view: its buttons.
    """
    names = [text(locale, "compare.take", name=name) for name in NAMES]
    chart = await _chart(pair, names, locale)
    embed = _embed(pair, locale, names)
    embed.add_field(name="\u200b", value=await votes_line(comparisons, pair.bundle_id, locale), inline=False)
    files = [
        ReplyFile(f"take-{name.lower()}.mp3", take.folder / CLIP_MP3)
        for name, take in zip(NAMES, pair.takes, strict=True)
    ]
    if chart is not None:
        embed.set_image(url=f"attachment://{CHART}")
        words = text(locale, "compare.chart", first=names[0], second=names[1])
        files.append(ReplyFile(CHART, chart, words))
    return Reply(embeds=[embed], files=files, view=view)


def lone_reply(pair: Pair, records: Sequence[JobRecord], locale: str, view: discord.ui.View) -> Reply:
    """Where there is nothing to compare: the one take that there is, or why there is none."""
    if not pair.takes:
        return Reply(embeds=[ending_embed(records, locale)], view=view)
    take = min(pair.takes, key=lambda take: take.document["rag"])
    if len(pair.takes) == 2:
        why = text(locale, "compare.same")
    else:
        lost = [record for record in records if record.job_id != take.record.job_id]
        why = text(locale, "compare.one_missing", reason=ending_embed(lost, locale).description or "")
    return Reply(
        content=why[:1900],
        embeds=[take_embed(take.document, take.record, locale)],
        files=[
            ReplyFile("take.mp3", take.folder / CLIP_MP3),
            ReplyFile(
                CARD, take.folder / CARD, text(locale, "take.card", title=take_title(take.document, locale))
            ),
        ],
        view=view,
    )


async def votes_line(comparisons: Comparisons, bundle_id: str, locale: str) -> str:
    """ "3 listeners have voted": how many, not for what."""
    count = (await comparisons.of_bundle(bundle_id)).votes
    key = "none" if not count else "one" if count == 1 else "many"
    return text(locale, f"compare.votes.{key}", count=count)


def _embed(pair: Pair, locale: str, names: Sequence[str]) -> discord.Embed:
    first, second = (take.document for take in pair.takes)
    embed = discord.Embed(
        title=text(locale, "compare.title"),
        description=f"{text(locale, 'compare.explain')}\n{_bars(first, second, locale)}",
        colour=DONE,
    )
    for name, document in zip(names, (first, second), strict=True):
        attributes = document["attributes"]
        facts = text(
            locale,
            "compare.facts",
            title=take_title(document, locale),
            tempo=FIELD["tempo"].display(attributes["tempo"]),
            metre=FIELD["time_signature"].display(attributes["time_signature"]),
        )
        embed.add_field(name=name, value=facts)
    seed = text(locale, "take.seed", seed=first["seed"])
    embed.set_footer(text=f"{engine_label(first, locale)} · {first['seconds']:.0f} s · {seed}")
    return embed


def _bars(first: Mapping[str, Any], second: Mapping[str, Any], locale: str) -> str:
    names = {name: text(locale, f"field.{name}") for name in AUDIO_FEATURES}
    width = max(len(words) for words in names.values())
    lines = [f"{'':<{width}} {NAMES[0]:<10} {NAMES[1]}"]
    for name, words in names.items():
        values = [document["attributes"][name] for document in (first, second)]
        lines.append(f"{words:<{width}} " + " ".join(f"{bar(value, 5)} {value:.2f}" for value in values))
    return "```\n" + "\n".join(lines) + "\n```"


async def _chart(pair: Pair, names: Sequence[str], locale: str) -> bytes | None:
    """The picture, drawn by another process; None where that fails, for the clips matter more."""
    with tempfile.TemporaryDirectory(prefix="albumgen-") as folder:
        out = Path(folder) / CHART
        payload = {
            "folders": [take.folder for take in pair.takes],
            "names": names,
            "language": language_of(locale),
            "out": out,
        }
        try:
            await run_task(_DRAWING, payload, _DRAWING_SECONDS)
            return await asyncio.to_thread(out.read_bytes)
        except (TaskError, OSError) as error:
            log.warning("no chart for the comparison %s: %s", pair.bundle_id, error)
            return None
