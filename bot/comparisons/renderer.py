"""The message that shows a comparison, or what is left of one."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from albumgen_core.inference.records import JobRecord
from bot.comparisons.buttons import AgainBoth, comparison_view
from bot.comparisons.reply import comparison_reply, lone_reply, read_pair
from bot.comparisons.votes import Comparisons
from bot.delivery.controls import DeleteButton
from bot.messages.reply import Reply


class ComparisonRenderer:
    """Writes the reply of a comparison."""

    def __init__(self, votes: Comparisons) -> None:
        self._votes = votes

    async def render(self, records: Sequence[JobRecord], locale: str) -> Reply:
        """Both takes, or the one that there is, or why there is none."""
        pair = await read_pair(records)
        if pair.comparable:
            view = comparison_view(pair.bundle_id, locale)
            return await comparison_reply(pair, locale, self._votes, view)
        view = discord.ui.View(timeout=None)
        if pair.takes:
            view.add_item(AgainBoth(pair.bundle_id, locale))
        view.add_item(DeleteButton(pair.bundle_id, locale))
        return lone_reply(pair, records, locale, view)
