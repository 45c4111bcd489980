"""What members may see of an entry now: the one place where something is withheld.

Until votes are in, a `blind` session shows neither cover, title nor submitter, and a `versus` session does
not say which of its two takes was made with RAG; means of open secret votes are withheld too, because they
would influence the next vote.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from albumgen_core.result import COVER
from bot.i18n.catalogue import text
from bot.sessions import formatting
from bot.sessions.playback.view import SessionView
from bot.sessions.state.model import Entry

LETTERS = "AB"


@dataclass(frozen=True, slots=True)
class RedactedEntry:
    """An entry without what is hidden.

    Attributes:
        entry_id: the session's number of it.
        hidden: whether title, submitter and cover are.
        title, submitter, cover: cleaned words, and the picture; None while hidden, title and cover also where
            there is none.
        rag: of each take, whether similar albums were consulted; None while that is hidden.
        counted: whether the mean of its votes may be seen.
    """

    entry_id: int
    hidden: bool
    title: str | None
    submitter: str | None
    cover: Path | None
    rag: tuple[bool | None, ...]
    counted: bool

    def title_words(self, locale: str) -> str:
        """The title; "Cover 3" where there is none, or while it is hidden."""
        return self.title or text(locale, "board.nameless", number=self.entry_id)

    def take_words(self, take: int, locale: str) -> str:
        """How a take was made; "take A" while that is hidden."""
        rag = self.rag[take]
        if rag is None:
            return text(locale, "board.take", letter=LETTERS[take])
        return text(locale, "take.with_rag" if rag else "take.without_rag")

    def ballot_words(self, take: int, locale: str) -> str:
        """What a vote is about: "Low Tide", or "Low Tide, take A" where two takes compete."""
        title = formatting.short(self.title_words(locale), 60)
        return title if len(self.rag) < 2 else f"{title}, {text(locale, 'board.take', letter=LETTERS[take])}"


def redacted(view: SessionView, entry: Entry) -> RedactedEntry:
    """An entry of a session as it may be shown now."""
    shown = view.shows(entry)
    return RedactedEntry(
        entry.entry_id,
        not shown,
        (formatting.short(entry.title, formatting.MAX_TITLE) or None) if shown else None,
        formatting.member_name(entry.submitter_name, view.session.locale) if shown else None,
        _cover(entry) if shown else None,
        tuple(clip.rag if view.reveals_rag(entry) else None for clip in entry.clips),
        entry.entry_id in view.revealed or not (view.session.blind or entry.versus),
    )


def _cover(entry: Entry) -> Path | None:
    kept = next((clip.result_dir / COVER for clip in entry.clips if clip.result_dir is not None), None)
    return kept or entry.cover_path
