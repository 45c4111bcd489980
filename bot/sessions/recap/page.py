"""The recap page: one HTML file that holds the whole evening and asks nobody for anything.

Covers, sound, charts, style and script are inside; the page's own content security policy forbids every
request, and every word of members goes through the template's escaping. Votes are shown as counts: who gave
what stays between the member and the bot.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.errors import AlbumGenError
from albumgen_core.files import write_durably
from albumgen_core.mixtape.tags import small_picture
from albumgen_core.result import CLIP_MP3, COVER
from bot.i18n.catalogue import language_of, text
from bot.sessions import formatting
from bot.sessions.recap import charts
from bot.sessions.recap.sound import Take, fitted
from bot.sessions.recap.statistics import ClipResult, Recap, summarise, was_heard
from bot.sessions.results import read_results
from bot.sessions.state.model import Clip, Entry, SessionRecord

ASSETS = Path(__file__).parent / "assets"
MAX_PAGE_BYTES = 8 * 2**20
"""Discord's smallest upload limit is 10 MiB; the mixtape and the message come beside it."""

_MIN_PAGE_BYTES = 256 * 1024
_COVER_PIXELS, _MANY, _FEW_PIXELS = 480, 16, 240

ClipUrl = Callable[[Clip], str | None]


class PageError(AlbumGenError):
    """The page cannot be made; the message is one plain sentence."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and what is in it.

    Attributes:
        html: the file's bytes, UTF-8.
        embedded, missing: takes that can be heard in it, and takes for which there was no room.
    """

    html: bytes
    embedded: int
    missing: int


def recap_page(
    record: SessionRecord,
    locale: str,
    *,
    max_bytes: int = MAX_PAGE_BYTES,
    clip_url: ClipUrl | None = None,
    mixtape_url: str | None = None,
) -> Page:
    """Build the page (blocking: reads results, shrinks covers, may encode sound; call it in a thread).

    Args:
        record: the evening.
        locale: of all words but the members' own.
        max_bytes: most bytes of the page. Covers get smaller and sound gives way first.
        clip_url: where a take can be had for which there was no room, if anywhere. Only http and https.
        mixtape_url: where the mixtape is, if anywhere.

    Raises PageError when not even the words and small covers fit into `max_bytes`.
    """
    recap = summarise(record)
    documents = read_results(record)
    pixels = _COVER_PIXELS if len(record.entries) <= _MANY else _FEW_PIXELS
    covers = {entry.entry_id: _cover(entry, pixels) for entry in record.entries}
    builder = _Builder(record, recap, documents, covers, locale, clip_url, mixtape_url)
    bare = builder.render({})
    room = max_bytes - len(bare)
    if room < 0 or max_bytes < _MIN_PAGE_BYTES:
        raise PageError("The recap page does not fit into the upload limit.")
    order = [result for result in recap.results if result.clip.ready]
    takes = [Take((result.clip.result_dir or Path()) / CLIP_MP3, result.clip.seconds) for result in order]
    # Base64 takes four bytes for three, and each player some words around them.
    sounds = fitted(takes, max(0, room - 400 * len(takes)) * 3 // 4)
    sound = {result.clip.job_id: data for result, data in zip(order, sounds, strict=True) if data}
    return Page(builder.render(sound), len(sound), len(recap.results) - len(sound))


def write_recap_page(record: SessionRecord, locale: str, out: Path, **options: Any) -> Page:
    """`recap_page`, written to `out`, whole or not at all. Raises PageError, OSError."""
    page = recap_page(record, locale, **options)
    write_durably(out, page.html)
    return page


@dataclass(frozen=True, slots=True)
class _Builder:
    """Turns the evening into what the template shows."""

    record: SessionRecord
    recap: Recap
    documents: Mapping[str, Mapping[str, Any]]
    covers: Mapping[int, str | None]
    locale: str
    clip_url: ClipUrl | None
    mixtape_url: str | None

    def render(self, sound: Mapping[str, bytes]) -> bytes:
        session = self.record.session
        style, script = _asset("recap.css"), _asset("recap.js")
        page = _template().render(
            t=self._words,
            lang=language_of(self.locale),
            policy=_policy(style, script),
            style=Markup(style),  # the project's own file
            script=Markup(script),
            title=formatting.short(session.title, 120) or self._words("kicker"),
            theme=formatting.short(session.theme, 120),
            host=self._name(session.host_id),
            when=_when(session.started_at or session.created_at),
            facts=self._facts(),
            backdrop=self._backdrop(),
            podium=[self._placed(placed) for placed in self.recap.podium],
            highlights=self._highlights(),
            rag=self._rag(),
            entries=[self._entry(entry, sound) for entry in self._in_order()],
            members=[self._member(member) for member in self.recap.members],
            mixtape=_safe_url(self.mixtape_url),
        )
        return page.encode("utf-8")

    def _words(self, key: str, /, **values: Any) -> str:
        return text(self.locale, f"page.{key}", **values)

    def _number(self, value: float | None, digits: int = 1, *, sign: bool = False) -> str:
        return "–" if value is None else formatting.number(value, self.locale, digits, sign=sign)

    def _counted(self, what: str, count: int) -> str:
        return formatting.counted(self.locale, what, count)

    def _name(self, user: int) -> str:
        named = next((e.submitter_name for e in self.record.entries if e.submitter_id == user), "")
        return formatting.member_name(self.record.members.get(user) or named, self.locale)

    def _facts(self) -> list[tuple[str, str]]:
        recap = self.recap
        facts = [
            (str(recap.played), self._words("fact.covers")),
            (str(recap.voters), self._words("fact.voters")),
            (str(recap.scores), self._words("fact.votes")),
            (self._number(recap.mean), self._words("fact.mean")),
            (formatting.clock(recap.seconds), self._words("fact.music")),
        ]
        return facts if recap.scores else [facts[0], facts[4]]

    def _backdrop(self) -> str | None:
        first = [placed.result.entry.entry_id for placed in self.recap.podium[:1]]
        return self.covers.get(first[0]) if first else None

    def _in_order(self) -> list[Entry]:
        """As the evening went: what was heard first comes first, what was not heard last."""
        return sorted(
            self.record.entries,
            key=lambda entry: (not was_heard(entry), entry.played_at or 0.0, entry.entry_id),
        )

    def _placed(self, placed: Any) -> dict[str, Any]:
        entry = placed.result.entry
        return {
            "place": placed.place,
            "place_words": self._words("shared_place" if placed.shared else "place", place=placed.place),
            "cover": self.covers[entry.entry_id],
            "title": formatting.entry_title(entry, self.locale),
            "by": self._name(entry.submitter_id),
            "anchor": f"cover-{entry.entry_id}",
            **self._given(placed.result),
        }

    def _given(self, result: ClipResult) -> dict[str, Any]:
        return {
            "mean": self._number(result.tally.mean),
            "votes": self._counted("votes", result.tally.voters),
            "stars": self._counted("stars", result.tally.stars) if result.tally.stars else "",
        }

    def _highlights(self) -> list[dict[str, Any]]:
        shown = []
        for kind, results in (("best", self.recap.best), ("divisive", self.recap.divisive)):
            for result in results[:3]:
                spread = self._number(result.spread)
                shown.append(
                    {
                        "label": self._words(kind),
                        "title": formatting.entry_title(result.entry, self.locale),
                        "anchor": f"cover-{result.entry.entry_id}",
                        "cover": self.covers[result.entry.entry_id],
                        "take": self._take_line(result.entry, result.clip),
                        "note": self._words(f"{kind}.note", spread=spread, **self._given(result)),
                    }
                )
        return shown

    def _take_line(self, entry: Entry, clip: Clip) -> str:
        document = self.documents.get(clip.job_id)
        parts = [formatting.music_line(document["attributes"], self.locale)] if document else []
        if entry.versus:
            parts.append(formatting.rag_label(clip, self.locale))
        return " · ".join(parts)

    def _rag(self) -> dict[str, Any] | None:
        found = self.recap.rag
        if found.difference is None or found.p_value is None:
            return None
        return {
            "verdict": self._words(f"rag.{found.verdict.value}"),
            "evidence": self._words(
                "rag.evidence",
                rag=self._number(found.rag_mean, 2),
                plain=self._number(found.plain_mean, 2),
                pairs=self._counted("pairs", found.pairs),
                members=self._counted("members", found.members),
                covers=self._counted("covers", found.covers),
                difference=self._number(found.difference, 2, sign=True),
                p=self._number(found.p_value, 3),
            ),
            "tally": self._words("rag.tally", rag=found.rag_wins, plain=found.plain_wins, draws=found.draws),
            "rows": [
                {
                    "title": formatting.entry_title(entry, self.locale),
                    "chart": charts.dumbbell(
                        rag,
                        plain,
                        self._words("rag.row", rag=self._number(rag), plain=self._number(plain)),
                    ),
                    "difference": self._number(rag - plain, 1, sign=True),
                }
                for entry, rag, plain in found.by_cover
            ],
        }

    def _entry(self, entry: Entry, sound: Mapping[str, bytes]) -> dict[str, Any]:
        places = {p.result.entry.entry_id: p.place for p in self.recap.places}
        return {
            "anchor": f"cover-{entry.entry_id}",
            "cover": self.covers[entry.entry_id],
            "title": formatting.entry_title(entry, self.locale),
            "by": self._name(entry.submitter_id),
            "place": places.get(entry.entry_id),
            "versus": entry.versus,
            "status": self._status(entry),
            "takes": [
                self._take(result, sound)
                for clip in entry.clips
                for result in self.recap.results
                if result.clip.job_id == clip.job_id
            ],
            "radar": self._radar(entry),
        }

    def _status(self, entry: Entry) -> str:
        if was_heard(entry):
            return ""
        return self._words("failed" if entry.error else "unheard")

    def _take(self, result: ClipResult, sound: Mapping[str, bytes]) -> dict[str, Any]:
        clip, entry = result.clip, result.entry
        document = self.documents.get(clip.job_id)
        data = sound.get(clip.job_id)
        title = formatting.entry_title(entry, self.locale)
        counts = ", ".join(f"{score}: {count}" for score, count in enumerate(result.tally.scores, 1))
        return {
            "label": formatting.rag_label(clip, self.locale),
            "music": formatting.music_line(document["attributes"], self.locale) if document else "",
            "engine": formatting.engine_label(document, self.locale) if document else "",
            "kindred": _kindred(document) if document and clip.rag else "",
            "prompt": formatting.short(str(document.get("prompt", "")), 400) if document else "",
            "seconds": formatting.clock(clip.seconds),
            "source": Markup("data:audio/mpeg;base64,{}").format(base64.b64encode(data).decode())
            if data
            else None,
            "url": _safe_url(self.clip_url(clip)) if self.clip_url and not data else None,
            "play_label": self._words("play", title=title, take=formatting.rag_label(clip, self.locale)),
            "scored": bool(result.tally.voters),
            "histogram": charts.histogram(
                result.tally.scores, self._words("histogram", title=title, counts=counts)
            ),
            **self._given(result),
        }

    def _radar(self, entry: Entry) -> Markup | None:
        found = [
            (clip, self.documents[clip.job_id]["attributes"])
            for clip in entry.clips
            if clip.job_id in self.documents
        ]
        if not found:
            return None
        labels = [text(self.locale, f"field.{name}") for name in AUDIO_FEATURES]
        shapes = [[float(attributes[name]) for name in AUDIO_FEATURES] for _, attributes in found[:2]]
        told = "; ".join(
            f"{formatting.rag_label(clip, self.locale)}: "
            + ", ".join(
                f"{label} {self._number(value, 2)}" for label, value in zip(labels, shape, strict=True)
            )
            for (clip, _), shape in zip(found, shapes, strict=False)
        )
        return charts.radar(shapes, labels, self._words("radar", values=told))

    def _member(self, member: Any) -> dict[str, Any]:
        return {
            "name": formatting.member_name(member.name, self.locale),
            "brought": member.brought,
            "received": self._number(member.mean_received),
            "stars": member.stars_received,
            "votes": member.scores_given,
            "given": self._number(member.mean_given),
            "strictness": self._number(member.strictness, 1, sign=True),
        }


def _kindred(document: Mapping[str, Any]) -> str:
    names = [
        formatting.short(str(album.get("title", "")), 40) for album in document.get("neighbours", ())[:5]
    ]
    return ", ".join(name for name in names if name)


def _cover(entry: Entry, pixels: int) -> str | None:
    folders = [clip.result_dir / COVER for clip in entry.clips if clip.result_dir is not None]
    for path in [*folders, *([entry.cover_path] if entry.cover_path else [])]:
        if data := small_picture(path, pixels):
            return "data:image/jpeg;base64," + base64.b64encode(data).decode()
    return None


def _when(timestamp: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(timestamp, UTC)
    return {"iso": moment.isoformat(timespec="seconds"), "words": moment.strftime("%Y-%m-%d, %H:%M UTC")}


def _safe_url(url: str | None) -> str | None:
    """Only what a browser opens as a web page; never javascript: and the like."""
    try:
        return url if url and urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None


def _policy(style: str, script: str) -> str:
    """Nothing may be asked of anybody; style and script are known by their digests."""
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    return (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'sha256-{digests[0]}'; "
        f"script-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
    )


@lru_cache(maxsize=2)
def _asset(name: str) -> str:
    return (ASSETS / name).read_text("utf-8")


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("recap.html")


__all__: Sequence[str] = ("MAX_PAGE_BYTES", "Page", "PageError", "recap_page", "write_recap_page")
