"""What came of a torture: for every request and vote, whether what its sender sees is right.

acknowledged        exactly one message with that clip (of a comparison: with both), or one apology
                    that says what to do; of a vote that was confirmed: it is stored
not acknowledged    at most one message with that clip (the answer may have been lost on its way)
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bot.instant_runner import seed_of
from tests.discord.driver import LoopbackDiscord
from tests.discord.interactions import Interaction
from tests.discord.state import Channel, Message

Clips = Mapping[int, Mapping[int, int]]
"""Seed → message id → how many clips with that seed it carries."""


@dataclass
class Asked:
    """One use of /albumgen or /compare."""

    seed: int
    interaction: Interaction
    private: bool
    comparison: bool

    @property
    def acknowledged(self) -> bool:
        return self.interaction.acknowledged_at is not None

    @property
    def words(self) -> str:
        kind = "comparison " if self.comparison else ""
        return f"{kind}{'(private) ' if self.private else ''}seed {self.seed}"


@dataclass
class Vote:
    """One vote on a comparison, each by another member."""

    message: Message
    interaction: Interaction

    @property
    def key(self) -> tuple[str, int]:
        """The comparison, as its buttons name it, and the member."""
        [which] = [part for part in self.message.parts() if "vote-a" in part.get("custom_id", "")]
        return which["custom_id"].rpartition(":")[2], self.interaction.user.id

    @property
    def confirmed(self) -> bool:
        """Whether the member was told that it was noted."""
        return any("Noted" in each.text for each in self.interaction.followups)


@dataclass
class Report:
    """What happened, and whether anything was lost or told twice."""

    asked: int = 0
    acknowledged: int = 0
    clips: int = 0
    comparisons: int = 0
    votes: int = 0
    apologies: int = 0
    unacknowledged_clips: int = 0
    bot_kills: int = 0
    worker_kills: int = 0
    gateway_drops: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    database: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    tortured_for: float = 0.0
    settled_after: float = 0.0

    @property
    def kills(self) -> int:
        return self.bot_kills + self.worker_kills

    @property
    def clean(self) -> bool:
        return not (self.lost or self.twice or self.database or self.failures or self.violations)

    def lines(self) -> Iterator[str]:
        """The report for people."""
        yield f"asked                {self.asked}, acknowledged {self.acknowledged}"
        yield (
            f"answered             {self.clips} clips, {self.comparisons} comparisons,"
            f" {self.apologies} apologies, {self.votes} votes;"
            f" {self.unacknowledged_clips} clips for requests whose acknowledgement was lost"
        )
        yield f"bot kills (-9)       {self.bot_kills}"
        yield f"worker kills (-9)    {self.worker_kills}"
        yield f"gateway drops        {self.gateway_drops}"
        yield f"faults               {dict(self.faults)}"
        yield f"took                 {self.tortured_for:.0f} s"
        yield f"settled              {self.settled_after:.1f} s after the last kill"
        for name in ("lost", "twice", "database", "failures", "violations"):
            found: list[str] = getattr(self, name)
            yield f"{name:<20} {len(found)}" + "".join(f"\n    {each}" for each in found[:8])


def is_comparison(message: Message) -> bool:
    """Whether there are two takes to vote on."""
    clips = [each for each in message.attachments if each.filename.endswith(".mp3")]
    return len(clips) == 2 and not message.deleted


def judge(
    report: Report,
    asked: Sequence[Asked],
    votes: Sequence[Vote],
    loopback: LoopbackDiscord,
    database: sqlite3.Connection,
    data: Path,
) -> None:
    """Fill the report; `database` is the journal, `data` the bot's data directory."""
    report.asked = len(asked)
    report.acknowledged = sum(each.acknowledged for each in asked)
    report.violations = [str(each) for each in loopback.violations]
    report.database += [row[0] for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
    report.database += [
        f"{row['delivery_id']} was dropped: {row['dropped']}"
        for row in database.execute("SELECT * FROM outbox WHERE dropped IS NOT NULL")
    ]
    shown = _clips(loopback)
    jobs: dict[int, list[Any]] = defaultdict(list)
    for row in database.execute("SELECT * FROM jobs"):
        jobs[json.loads(row["spec"])["seed"]].append(row)
    for each in asked:
        _judge_one(report, each, shown.get(each.seed, {}), jobs[each.seed])
    _judge_votes(report, votes, database)
    report.database += [
        f"{path.name} is left over in {path.parent.name}"
        for folder in ("covers", "results")
        for path in (data / folder).glob("*")
        if folder == "covers" or path.name.endswith(".partial")
    ]


def _judge_one(report: Report, asked: Asked, messages: Mapping[int, int], jobs: Sequence[Any]) -> None:
    words = f"{asked.words}, jobs {[dict(job) for job in jobs]}"
    wanted = 2 if asked.comparison else 1
    if len(messages) > 1 or any(clips > wanted for clips in messages.values()):
        report.twice.append(f"{words}: {len(messages)} messages with {sorted(messages.values())} clips")
    if any(clips < wanted for clips in messages.values()):
        report.lost.append(f"{words}: a clip is missing")
        return
    if not asked.acknowledged:
        report.unacknowledged_clips += len(messages) == 1
        return
    if messages:
        report.comparisons += asked.comparison
        report.clips += not asked.comparison
        return
    said = asked.interaction.original.text if asked.interaction.original else ""
    failed = [job for job in jobs if job["state"] == "failed" and job["delivered_at"]]
    if jobs and failed == list(jobs) and failed[0]["error"][:20] in said:
        report.apologies += 1
    else:
        report.lost.append(f"{words}: shows {said[:300]!r}")


def _judge_votes(report: Report, votes: Sequence[Vote], database: sqlite3.Connection) -> None:
    """Each member voted once on a comparison; there is a row for each vote that was confirmed."""
    cast = {vote.key: vote for vote in votes}
    rows = database.execute("SELECT bundle_id, user_id FROM bot_ballots WHERE choice IS NOT NULL")
    stored = {(str(row[0]), int(row[1])) for row in rows}
    report.votes = len(stored)
    report.database += [f"vote {key} was never cast" for key in stored if key not in cast]
    report.lost += [f"vote {key}" for key, vote in cast.items() if vote.confirmed and key not in stored]


def _clips(loopback: LoopbackDiscord) -> Clips:
    """Whole clips in messages, private ones included."""
    found: dict[int, Counter[int]] = defaultdict(Counter)
    channels: list[Channel] = list(loopback.world.channels.values())
    for message in (message for channel in channels for message in channel.messages.values()):
        if message.deleted:
            continue
        for attachment in message.attachments:
            if attachment.filename.endswith(".mp3"):
                seed = seed_of(attachment.data)
                assert seed is not None, f"{attachment.filename} is not whole"
                found[seed][message.id] += 1
    return found
