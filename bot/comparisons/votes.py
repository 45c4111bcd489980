"""Votes on comparisons: which of two takes of a cover, with RAG or without, listeners like better.

The takes are shown as A and B, in an order that depends on the comparison and tells nothing, and a member
learns which is which only when their vote can no longer be changed. What is counted was therefore chosen by
ear.
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from albumgen_core.inference.database import Database
from bot.messages.errors import Refusal

KIND = "comparison"
"""Kind of replies (see `Delivery`) that show two takes."""

_Z95 = 1.959963984540054
"""The standard normal distribution's 97.5 % quantile."""

_EXACT_UP_TO = 2000
SIGNIFICANT = 0.05


class Choice(StrEnum):
    """What a member can say."""

    RAG = "rag"
    WITHOUT = "without"
    SAME = "same"


class Preference(StrEnum):
    """What a tally allows to say."""

    NO_VOTES = "no_votes"
    UNDECIDED = "undecided"
    RAG = "rag"
    WITHOUT = "without"


@dataclass(frozen=True, slots=True)
class Ballot:
    """A member's part in one comparison. `choice` None: no vote. `told`: knows which take is which."""

    choice: Choice | None
    told: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Votes, each of one member on one comparison."""

    rag: int = 0
    without: int = 0
    same: int = 0

    @property
    def votes(self) -> int:
        """All of them."""
        return self.rag + self.without + self.same

    @property
    def decided(self) -> int:
        """Those that preferred one take."""
        return self.rag + self.without

    @property
    def share(self) -> float | None:
        """The share of the decided votes that RAG has, 0 to 1; None without any."""
        return self.rag / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval of `share` at 95 % (Wilson, JASA 22, 1927); None without decided votes."""
        if self.share is None:
            return None
        n, z2 = self.decided, _Z95**2
        middle = (self.share + z2 / (2 * n)) / (1 + z2 / n)
        reach = _Z95 / (1 + z2 / n) * math.sqrt(self.share * (1 - self.share) / n + z2 / (4 * n * n))
        return max(0.0, middle - reach), min(1.0, middle + reach)

    @property
    def p_value(self) -> float | None:
        """Two-sided sign test against "neither is preferred": exact binomial, ties left out.

        Beyond 2,000 decided votes the normal approximation with continuity correction. Votes of one member
        on several comparisons are taken as independent, which flatters a small circle of voters.
        """
        n, fewer = self.decided, min(self.rag, self.without)
        if not n:
            return None
        if n > _EXACT_UP_TO:
            distance = max(0.0, abs(self.rag - n / 2) - 0.5) / math.sqrt(n / 4)
            return math.erfc(distance / math.sqrt(2))
        tail = sum(math.comb(n, k) for k in range(fewer + 1))
        return min(1.0, float(2 * tail / 2**n))

    @property
    def preference(self) -> Preference:
        """A preference only where chance would show one as clear in fewer than one of twenty cases."""
        if not self.votes:
            return Preference.NO_VOTES
        if self.p_value is None or self.p_value >= SIGNIFICANT:
            return Preference.UNDECIDED
        return Preference.RAG if self.rag > self.without else Preference.WITHOUT


def rag_comes_first(bundle_id: str) -> bool:
    """Whether take A is the one with RAG: as good as a coin, and the same at every look."""
    return bool(hashlib.sha256(bundle_id.encode()).digest()[0] & 1)


class Comparisons:
    """Reads and writes bot_ballots."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ballot(self, bundle_id: str, user_id: int) -> Ballot | None:
        """A member's part in a comparison, or None."""
        rows = await self._database.fetch(
            "SELECT choice, told FROM bot_ballots WHERE bundle_id = ? AND user_id = ?", (bundle_id, user_id)
        )
        if not rows:
            return None
        return Ballot(Choice(rows[0]["choice"]) if rows[0]["choice"] else None, bool(rows[0]["told"]))

    async def vote(self, bundle_id: str, user_id: int, guild_id: int | None, choice: Choice) -> None:
        """Store a vote, or change it. Raises Refusal for who knows already which take is which."""

        def operation(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "INSERT INTO bot_ballots (bundle_id, user_id, guild_id, choice, voted_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (bundle_id, user_id) DO UPDATE"
                " SET choice = excluded.choice, voted_at = excluded.voted_at WHERE told = 0",
                (bundle_id, user_id, guild_id, str(choice), time.time()),
            )
            return cursor.rowcount

        if not await self._database.write(operation):
            raise Refusal("refusal.told_already")

    async def tell(self, bundle_id: str, user_id: int, guild_id: int | None) -> Choice | None:
        """Close a member's vote, for they are told which take is which. Returns the vote, None for none."""
        await self._database.execute(
            "INSERT INTO bot_ballots (bundle_id, user_id, guild_id, told, voted_at) VALUES (?, ?, ?, 1, ?)"
            " ON CONFLICT (bundle_id, user_id) DO UPDATE SET told = 1",
            (bundle_id, user_id, guild_id, time.time()),
        )
        ballot = await self.ballot(bundle_id, user_id)
        return ballot.choice if ballot else None

    async def of_bundle(self, bundle_id: str) -> Tally:
        """The votes on one comparison."""
        return await self._tally("bundle_id = ?", bundle_id)

    async def of_guild(self, guild_id: int) -> Tally:
        """The votes on all comparisons of a server."""
        return await self._tally("guild_id = ?", guild_id)

    async def of_user(self, user_id: int) -> Tally:
        """What a member voted, everywhere."""
        return await self._tally("user_id = ?", user_id)

    async def of_member(self, user_id: int, guild_id: int | None) -> list[dict[str, Any]]:
        """A member's ballots, in one server or (None) everywhere."""
        rows = await self._database.fetch(f"SELECT * FROM bot_ballots WHERE {_MINE}", (user_id, guild_id))
        return [dict(row) for row in rows]

    async def forget(self, user_id: int, guild_id: int | None) -> None:
        """Delete a member's ballots, in one server or (None) everywhere."""
        await self._database.execute(f"DELETE FROM bot_ballots WHERE {_MINE}", (user_id, guild_id))

    async def _tally(self, where: str, key: str | int) -> Tally:
        rows = await self._database.fetch(
            f"SELECT choice, count(*) AS votes FROM bot_ballots WHERE {where} AND choice IS NOT NULL"
            " GROUP BY choice",
            (key,),
        )
        votes = {str(row["choice"]): int(row["votes"]) for row in rows}
        return Tally(**{str(choice): votes.get(choice, 0) for choice in Choice})


_MINE = "user_id = ?1 AND (?2 IS NULL OR guild_id = ?2)"
