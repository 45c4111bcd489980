"""Where a take comes from and what was made from it, as far as the one who looks may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import discord

from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from bot.gallery.stored_result import stored_result
from bot.i18n.catalogue import text
from bot.messages.message_log import KnownMessage, MessageLog
from bot.ui.paginator import MOST_OPTIONS

_MOST_NUMBERS = 20


class Lineage:
    """A take among the others of its cover.

    Args:
        takes: the whole line, oldest first. at: the id of the take that is looked at.
    """

    def __init__(self, takes: Sequence[JobRecord], at: str) -> None:
        self.takes = list(takes)
        self.numbers = {take.job_id: number for number, take in enumerate(self.takes, 1)}
        self.at = at

    def sentence(self, locale: str) -> str | None:
        """ "Take 3 of 5 · made from take 1 · became takes 4 and 5"; None where it is the only one."""
        if len(self.takes) < 2 or self.at not in self.numbers:
            return None
        words = [
            text(locale, "gallery.line.number", number=self.numbers[self.at], of=len(self.takes)),
        ]
        parent = self._here.spec.parent_id
        if parent in self.numbers:
            words.append(text(locale, "gallery.line.from", number=self.numbers[parent]))
        elif parent is not None:
            words.append(text(locale, "gallery.line.from_gone"))
        children = [self.numbers[take.job_id] for take in self.takes if take.spec.parent_id == self.at]
        if children:
            shown = ", ".join(map(str, children[:_MOST_NUMBERS]))
            more = "…" if len(children) > _MOST_NUMBERS else ""
            words.append(text(locale, "gallery.line.into", numbers=shown + more))
        return " · ".join(words)

    async def options(
        self, messages: MessageLog, locale: str, visible: Callable[[KnownMessage], bool]
    ) -> list[discord.SelectOption]:
        """The takes one can step to, this one included; [] where there is nowhere to go."""
        found: list[discord.SelectOption] = []
        for take in self._around():
            known = await messages.showing(take.job_id, take.spec.bundle_id)
            if known is None or not visible(known):
                continue
            title = (await stored_result(take)).title(locale)
            option = discord.SelectOption(
                label=text(locale, "gallery.line.option", number=self.numbers[take.job_id], title=title)[
                    :100
                ],
                value=take.job_id,
                description=self._relation(take, locale),
                default=take.job_id == self.at,
            )
            found.append(option)
        return found if any(not option.default for option in found) else []

    @property
    def _here(self) -> JobRecord:
        return self.takes[self.numbers[self.at] - 1]

    def _around(self) -> list[JobRecord]:
        """At most 25 takes with this one in their midst."""
        if self.at not in self.numbers:
            return []
        start = max(0, min(self.numbers[self.at] - 1 - MOST_OPTIONS // 2, len(self.takes) - MOST_OPTIONS))
        return self.takes[start : start + MOST_OPTIONS]

    def _relation(self, take: JobRecord, locale: str) -> str | None:
        if take.job_id == self.at:
            return text(locale, "gallery.line.this")
        if take.job_id == self._here.spec.parent_id:
            return text(locale, "gallery.line.parent")
        if take.spec.parent_id == self.at:
            return text(locale, "gallery.line.child")
        return None


async def lineage_of(inference: InferenceClient, job_id: str) -> Lineage:
    """The line of a take."""
    return Lineage(await inference.history.lineage(job_id), job_id)
