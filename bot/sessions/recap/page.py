"""The recap page: one HTML file that holds the whole session and requests nothing from the network.

Covers, sound, charts, style and script are inside; the page's own content security policy forbids every
request, and every word of members goes through the template's escaping. Votes are shown as counts: who gave
what stays between the member and the bot.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from albumgen_core.errors import AlbumGenError
from albumgen_core.files import write_durably
from albumgen_core.result import CLIP_MP3
from bot.sessions.recap.page_content import ClipUrl, Detail, PageContent
from bot.sessions.recap.sound import Mp3File, fitted
from bot.sessions.recap.statistics import summarise
from bot.sessions.results import read_results
from bot.sessions.state.model import SessionRecord

ASSETS = Path(__file__).parent / "assets"
MAX_PAGE_BYTES = 8 * 2**20
"""Discord's smallest upload limit is 10 MiB; the mixtape and the message come beside it."""

_MIN_PAGE_BYTES = 256 * 1024
_DETAILS = (
    (16, Detail(480)),
    (60, Detail(240)),
    (250, Detail(120)),
    (1000, Detail(80)),
    (1000, Detail(64, radar=False)),
)
"""(covers, detail): what a page of so many covers begins with; the next ones where it would be too large."""


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
        record: the session.
        locale: of all words but the members' own.
        max_bytes: most bytes of the page. Covers get smaller and sound gives way first.
        clip_url: where a take can be had for which there was no room, if anywhere. Only http and https.
        mixtape_url: where the mixtape is, if anywhere.

    Raises PageError when not even the words and small covers fit into `max_bytes`.
    """
    recap = summarise(record)
    results = read_results(record)
    bare = b""
    for detail in _details(len(record.entries)):
        content = PageContent(
            record, recap, results, locale, detail, clip_url=clip_url, mixtape_url=mixtape_url
        )
        bare = _render(content.values({}))
        if len(bare) <= max_bytes:
            break
    room = max_bytes - len(bare)
    if room < 0 or max_bytes < _MIN_PAGE_BYTES:
        raise PageError("The recap page does not fit into the upload limit.")
    order = [result for result in recap.results if result.clip.ready]
    takes = [Mp3File((result.clip.result_dir or Path()) / CLIP_MP3, result.clip.seconds) for result in order]
    # Base64 takes four bytes for three, and each player some words around them.
    sounds = fitted(takes, max(0, room - 400 * len(takes)) * 3 // 4)
    sound = {result.clip.job_id: data for result, data in zip(order, sounds, strict=True) if data}
    return Page(_render(content.values(sound)), len(sound), len(recap.results) - len(sound))


def write_recap_page(record: SessionRecord, locale: str, out: Path, **options: Any) -> Page:
    """`recap_page`, written to `out`, whole or not at all. Raises PageError, OSError."""
    page = recap_page(record, locale, **options)
    write_durably(out, page.html)
    return page


def _details(covers: int) -> list[Detail]:
    return [detail for most, detail in _DETAILS if covers <= most] or [_DETAILS[-1][1]]


def _render(values: dict[str, Any]) -> bytes:
    style, script = _asset("recap.css"), _asset("recap.js")
    page = _template().render(
        **values,
        policy=_policy(style, script),
        style=Markup(style),  # the project's own file
        script=Markup(script),
    )
    return page.encode("utf-8")


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
