"""What the recap page shows, as values for its template: words, numbers, charts, pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.mixtape.tags import small_picture
from albumgen_core.result import COVER
from bot.i18n.catalogue import language_of, text
from bot.sessions import formatting
from bot.sessions.recap import charts
from bot.sessions.recap.statistics import ClipResult, MemberStats, Placed, Recap, was_heard
from bot.sessions.state.model import Clip, Entry, SessionRecord

ClipUrl = Callable[[Clip], str | None]
"""Where a take can be heard that is not in the page; None for nowhere."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of each cover a page holds: `pixels` of its picture's longer side; whether its radar chart."""

    pixels: int
    radar: bool = True


class PageContent:
    """The template's values for one session.

    Args:
        recap, results: statistics, and result documents by job id.
        detail: see Detail. Covers are read and made smaller here (blocking).
        clip_url, mixtape_url: see `bot.sessions.recap.page.recap_page`.
    """

    def __init__(
        self,
        record: SessionRecord,
        recap: Recap,
        results: Mapping[str, Mapping[str, Any]],
        locale: str,
        detail: Detail,
        *,
        clip_url: ClipUrl | None,
        mixtape_url: str | None,
    ) -> None:
        self.record, self.recap, self.results, self.locale = record, recap, results, locale
        self.detail, self.clip_url, self.mixtape_url = detail, clip_url, mixtape_url
        self._covers = {entry.entry_id: _cover(entry, detail.pixels) for entry in record.entries}
        self._takes = {result.clip.job_id: result for result in recap.results}
        self._places = {placed.result.entry.entry_id: placed.place for placed in recap.places}
        self._names = {entry.submitter_id: entry.submitter_name for entry in reversed(record.entries)}

    def values(self, sound: Mapping[str, bytes]) -> dict[str, Any]:
        """Everything but style and script. `sound`: MP3 bytes by job id, of the takes that the page plays."""
        session = self.record.session
        return {
            "t": self._words,
            "lang": language_of(self.locale),
            "title": formatting.short(session.title, 120) or self._words("kicker"),
            "theme": formatting.short(session.theme, 120),
            "host": self._name(session.host_id),
            "when": _when(session.started_at or session.created_at),
            "facts": self._facts(),
            "backdrop": self._backdrop(),
            "podium": [self._placed(placed) for placed in self.recap.podium],
            "highlights": self._highlights(),
            "rag": self._rag(),
            "entries": [self._entry(entry, sound) for entry in self._in_order()],
            "members": [self._member(member) for member in self.recap.members],
            "mixtape": _safe_url(self.mixtape_url),
        }

    def _words(self, key: str, /, **values: Any) -> str:
        return text(self.locale, f"page.{key}", **values)

    def _number(self, value: float | None, digits: int = 1, *, sign: bool = False) -> str:
        return "–" if value is None else formatting.number(value, self.locale, digits, sign=sign)

    def _counted(self, what: str, count: int) -> str:
        return formatting.counted(self.locale, what, count)

    def _name(self, user: int) -> str:
        name = self.record.members.get(user) or self._names.get(user, "")
        return formatting.member_name(name, self.locale)

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
        return self._covers.get(first[0]) if first else None

    def _in_order(self) -> list[Entry]:
        """As the session went: what was heard first comes first, what was not heard last."""
        return sorted(
            self.record.entries,
            key=lambda entry: (not was_heard(entry), entry.played_at or 0.0, entry.entry_id),
        )

    def _placed(self, placed: Placed) -> dict[str, Any]:
        entry = placed.result.entry
        return {
            "place": placed.place,
            "place_words": self._words("shared_place" if placed.shared else "place", place=placed.place),
            "cover": self._covers[entry.entry_id],
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
                        "cover": self._covers[result.entry.entry_id],
                        "take": self._take_line(result.entry, result.clip),
                        "note": self._words(f"{kind}.note", spread=spread, **self._given(result)),
                    }
                )
        return shown

    def _take_line(self, entry: Entry, clip: Clip) -> str:
        document = self.results.get(clip.job_id)
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
        takes = [
            self._take(self._takes[clip.job_id], sound) for clip in entry.clips if clip.job_id in self._takes
        ]
        return {
            "anchor": f"cover-{entry.entry_id}",
            "cover": self._covers[entry.entry_id],
            "title": formatting.entry_title(entry, self.locale),
            "by": self._name(entry.submitter_id),
            "place": self._places.get(entry.entry_id),
            "versus": entry.versus,
            "status": self._status(entry),
            "takes": takes,
            "radar": self._radar(entry) if self.detail.radar else None,
            "given": " / ".join(take["mean"] for take in takes if take["scored"]),
        }

    def _status(self, entry: Entry) -> str:
        if was_heard(entry):
            return ""
        return self._words("failed" if entry.error else "unheard")

    def _take(self, result: ClipResult, sound: Mapping[str, bytes]) -> dict[str, Any]:
        clip, entry = result.clip, result.entry
        document = self.results.get(clip.job_id)
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
            (clip, self.results[clip.job_id]["attributes"])
            for clip in entry.clips
            if clip.job_id in self.results
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

    def _member(self, member: MemberStats) -> dict[str, Any]:
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
