"""Numbers, counts and names in the words of a language, for recap, page and board."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from albumgen_core.attributes.keys import key_name
from albumgen_core.attributes.names import genre_label
from albumgen_core.card.text_layout import clean
from bot.i18n.catalogue import language_of, text
from bot.sessions.state.model import Clip, Entry

MAX_NAME, MAX_TITLE = 40, 80


def number(value: float, locale: str, digits: int = 1, *, sign: bool = False) -> str:
    """A number for people: "4.3", in German "4,3"; with `sign` "+0.5" and "−0.5"."""
    shown = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    if float(shown) == 0:
        shown = shown.lstrip("+-")
    shown = shown.replace("-", "−")
    return shown.replace(".", ",") if language_of(locale) == "de" else shown


def counted(locale: str, what: str, count: int) -> str:
    """ "1 cover", "6 covers": the words of `count.<what>`."""
    return text(locale, f"count.{what}.{'one' if count == 1 else 'many'}", count=count)


def clock(seconds: float) -> str:
    """A length of sound: "0:14", "12:05", "1:02:03"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def short(words: str, longest: int) -> str:
    """Untrusted words on one line, cleaned of what hides or turns text, cut with an ellipsis."""
    line = clean(words)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def entry_title(entry: Entry, locale: str) -> str:
    """What a cover is called; "Cover 3" where nobody named it."""
    return short(entry.title, MAX_TITLE) or text(locale, "board.nameless", number=entry.entry_id)


def member_name(name: str, locale: str) -> str:
    """A member's name; words for somebody whom nobody knows."""
    return short(name, MAX_NAME) or text(locale, "board.somebody")


def music_line(attributes: Mapping[str, Any], locale: str) -> str:
    """ "Indie pop · C# minor · 4/4 · 118 BPM" """
    language = language_of(locale)
    heading = genre_label(str(attributes["album_genre"]), language)
    key = key_name(attributes["key"], attributes.get("mode"), language)
    metre, tempo = attributes["time_signature"], float(attributes["tempo"])
    return f"{heading} · {key} · {metre}/4 · {tempo:.0f} BPM"


def engine_label(document: Mapping[str, Any], locale: str) -> str:
    """Which engine composed; the sketch engine says plainly that it is one."""
    engine = document["engine"]
    return text(locale, f"engine.{engine['family']}", composer=short(str(engine.get("composer", "")), 60))


def rag_label(clip: Clip, locale: str) -> str:
    """ "with RAG" or "without RAG" """
    return text(locale, "take.with_rag" if clip.rag else "take.without_rag")
