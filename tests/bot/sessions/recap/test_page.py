from __future__ import annotations

import base64
import io
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from albumgen_core.audio.encode import decode_mp3
from bot.sessions.recap.page import PageError, recap_page, write_recap_page
from bot.sessions.state.model import EntryState, SessionRecord
from tests.bot.sessions import browser
from tests.bot.sessions.records import ANA, BO, CY, DI, entry, record, votes
from tests.bot.sessions.result_folders import take

HOSTILE = '</script><img src=x onerror="document.title=1">&{{7*7}}\u202e\x00'


@pytest.fixture
def evening(tmp_path: Path) -> SessionRecord:
    """Three covers by three members, each played with RAG and without, one of them with a hostile name."""
    entries = [
        entry(
            number,
            submitter,
            title=title,
            folders=[
                take(tmp_path / f"{number}r", colour=colour),
                take(tmp_path / f"{number}p", colour=colour, rag=False),
            ],
        )
        for number, submitter, title, colour in (
            (1, ANA, "Low Tide", "#124"),
            (2, BO, HOSTILE, "#d42"),
            (3, CY, "Größe – 夜", "#2a6"),
        )
    ]
    cast = votes(
        {
            (1, 0): {ANA: 5, BO: 4, CY: 5},
            (1, 1): {ANA: 4, BO: 4},
            (2, 0): {ANA: 1, CY: 5, DI: 1},
            (2, 1): {ANA: 2},
            (3, 0): {BO: 3},
        },
        stars=[(1, DI)],
    )
    return record(entries, cast, versus=True, title=HOSTILE, theme="Rain <i>")


class Reader(HTMLParser):
    """Collects elements, and the words between them."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_the_page_holds_covers_sound_charts_and_votes(evening: SessionRecord) -> None:
    page = recap_page(evening, "en")
    read = Reader(page.html)
    assert (page.embedded, page.missing) == (6, 0)
    players = [str(player["src"]) for player in read.all("audio")]
    assert len(players) == 6
    sound = decode_mp3(base64.b64decode(players[0].removeprefix("data:audio/mpeg;base64,")))
    assert sound.seconds == pytest.approx(3, abs=0.1)
    classes = [str(svg["class"]) for svg in read.all("svg")]
    assert (classes.count("radar"), classes.count("histogram"), classes.count("dumbbell")) == (3, 5, 2)
    assert "Low Tide" in read.words
    assert "C# minor · 4/4 · 118 BPM" in read.words
    assert "Sketch engine (no neural model)" in read.words
    assert "Undecided" in read.words
    assert "Most divisive" in read.words
    assert all(image.get("alt") is not None for image in read.all("img"))
    assert all(svg["aria-label"] for svg in read.all("svg"))


def test_nothing_is_asked_of_anybody(evening: SessionRecord) -> None:
    html = recap_page(evening, "en").html
    read = Reader(html)
    for _, attributes in read.tags:
        for name in ("src", "href", "srcset", "action", "poster", "data"):
            assert str(attributes.get(name) or "#").startswith(("data:", "#"))
    assert b"url(" not in html
    assert b"@import" not in html
    (policy,) = [str(m["content"]) for m in read.all("meta") if m.get("http-equiv")]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_words_of_members_stay_words(evening: SessionRecord) -> None:
    read = Reader(recap_page(evening, "en").html)
    assert len(read.all("script")) == 1
    assert not [image for image in read.all("img") if "onerror" in image or image["src"] == "x"]
    assert '<img src=x onerror="document.title=1">&{{7*7}}' in read.words
    assert "\u202e" not in read.words
    assert "Smoky jazz with <brushes>" in read.words


def test_who_voted_what_is_not_told(evening: SessionRecord) -> None:
    shy = votes({(1, 0): {ANA: 5, BO: 1}})
    swapped = votes({(1, 0): {ANA: 1, BO: 5}})
    pages = [recap_page(record(evening.entries, cast), "en").html for cast in (shy, swapped)]
    covers = rb'<details class="card entry".*?</details>\n(?=<details class="card|</section>)'
    entries = [re.findall(covers, page, re.DOTALL) for page in pages]
    assert len(entries[0]) == 3
    assert entries[0] == entries[1]


def test_sound_gives_way_to_the_limit_and_the_best_stay(evening: SessionRecord, tmp_path: Path) -> None:
    whole = recap_page(evening, "en")
    smaller = recap_page(evening, "en", max_bytes=len(whole.html) - 60_000)
    assert (smaller.embedded, smaller.missing) == (6, 0)  # at a lower bit rate, all of them
    for folder in tmp_path.glob("*r"):
        (folder / "clip.mp3").write_bytes((folder / "clip.mp3").read_bytes() * 20)
    tight = recap_page(
        evening, "en", max_bytes=300_000, clip_url=lambda clip: f"https://clips.example/{clip.job_id}"
    )
    assert len(tight.html) <= 300_000
    assert tight.missing > 0
    read = Reader(tight.html)
    links = [link for link in read.all("a") if str(link["href"]).startswith("https://clips.example/")]
    assert len(links) == tight.missing
    with pytest.raises(PageError, match="does not fit"):
        recap_page(evening, "en", max_bytes=20_000)


def test_links_of_other_kinds_are_not_shown(evening: SessionRecord) -> None:
    page = recap_page(evening, "en", mixtape_url="javascript:alert(1)")
    assert b"javascript:" not in page.html
    page = recap_page(evening, "en", mixtape_url='https://files.example/a"b.mp3')
    assert b'href="https://files.example/a&#34;b.mp3"' in page.html


def test_what_is_gone_is_said(tmp_path: Path) -> None:
    broken = take(tmp_path / "broken")
    (broken / "result.json").write_text("{")
    (broken / "cover.jpg").write_bytes(b"no picture")
    evening = record(
        [
            entry(1, folder=tmp_path / "gone"),
            entry(2, folder=broken, title=""),
            entry(3, folder=tmp_path / "gone", state=EntryState.FAILED, played_at=None, error="Broken."),
        ]
    )
    page = recap_page(evening, "en")
    words = Reader(page.html).words
    assert (page.embedded, page.missing) == (1, 2)
    assert "The sound of this take is not in this page." in words
    assert "No clip could be made of this cover." in words
    assert "Cover 2" in words
    assert "Podium" not in words


def test_an_evening_without_anything_is_a_page_too() -> None:
    assert "Nobody brought a cover." in Reader(recap_page(record([]), "en").html).words


def test_german_speaks_german_and_keeps_its_comma(evening: SessionRecord) -> None:
    read = Reader(recap_page(evening, "de").html)
    assert read.all("html")[0]["lang"] == "de"
    assert "Der Abend der Reihe nach" in read.words
    assert "4,7" in read.words
    assert "cis-Moll" in read.words


def test_it_is_written_whole(evening: SessionRecord, tmp_path: Path) -> None:
    page = write_recap_page(evening, "en", tmp_path / "recap.html")
    assert (tmp_path / "recap.html").read_bytes() == page.html


@pytest.fixture
async def tab() -> AsyncIterator[browser.Tab]:
    if browser.PROGRAM is None:
        pytest.skip("no Chromium or Chrome is installed")
    async with browser.tab() as opened:
        yield opened


LEAST_CONTRAST = """(() => {
  const linear = (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
  };
  const kinds = ["p", "h2", "h3", "th", "td", "li", ".badge", ".medal"].map((kind) => "main " + kind);
  return [...document.querySelectorAll(kinds.join() + ", button")]
    .filter((element) => element.offsetParent && element.textContent.trim())
    .map((element) => {
      const [a, b] = [getComputedStyle(element).color, behind(element)].map(luminance);
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.outerHTML.slice(0, 80)];
    })
    .sort((one, other) => one[0] - other[0])[0];
})()"""


async def test_a_browser_shows_it_without_a_request_or_a_complaint(
    tab: browser.Tab, evening: SessionRecord, tmp_path: Path
) -> None:
    page = tmp_path / "recap.html"
    write_recap_page(evening, "en", page)
    for width, dark in ((1280, False), (1280, True), (390, False), (320, True)):
        await tab.open(page, width=width, dark=dark)
        assert await tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert await tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        contrast, where = await tab.evaluate(LEAST_CONTRAST)
        assert contrast >= 4.5, where  # WCAG 2 level AA
    assert {address for address in tab.requests if not address.startswith("data:")} == {page.as_uri()}
    assert tab.problems == []
    assert await tab.evaluate("document.title") != "1"
    assert len(await tab.picture()) > 20_000


async def test_a_browser_plays_it_one_take_at_a_time(
    tab: browser.Tab, evening: SessionRecord, tmp_path: Path
) -> None:
    page = tmp_path / "recap.html"
    write_recap_page(evening, "en", page)
    await tab.open(page, width=1280)
    playing = "[...document.querySelectorAll('audio')].map(a => !a.paused)"
    once = "new Promise(r => document.querySelectorAll('audio')[%d].addEventListener('%s', r, {once: true}))"
    await tab.evaluate(
        f"(() => {{ const started = {once % (0, 'playing')};"
        "document.getElementById('play-all').click(); return started; })().then(() => 0)"
    )
    assert await tab.evaluate(playing) == [True] + [False] * 5
    assert await tab.evaluate("document.getElementById('play-all').textContent") == "Stop"
    assert await tab.evaluate("document.querySelector('audio').duration") == pytest.approx(3, abs=0.1)
    # At its end the next one begins.
    await tab.evaluate(
        f"(() => {{ const next = {once % (1, 'playing')};"
        "document.querySelector('audio').currentTime = 2.9; return next; })().then(() => 0)"
    )
    assert (await tab.evaluate(playing))[1]
    # Whoever starts another one silences this one.
    await tab.evaluate("document.querySelectorAll('audio')[4].play().then(() => 0)")
    await tab.evaluate("new Promise(r => setTimeout(r, 50))")
    assert await tab.evaluate(playing) == [False] * 4 + [True, False]


SMALL_LABELS = """[...document.querySelectorAll("svg text")]
  .filter(text => text.getBoundingClientRect().width)
  .map(text => {
    const svg = text.ownerSVGElement, scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return [parseFloat(getComputedStyle(text).fontSize) * scale, svg.classList[0] + ": " + text.textContent];
  })
  .filter(([pixels]) => pixels < 11)"""

SMALL_TARGETS = """[...document.querySelectorAll("a:not(.skip), button, summary, audio")]
  .map(target => getComputedStyle(target).display === "contents" ? target.firstElementChild : target)
  .filter(target => target.getClientRects().length && target.getBoundingClientRect().height < 44)
  .map(target => target.outerHTML.slice(0, 80))"""


async def test_on_a_phone_covers_fold_labels_are_read_and_targets_are_hit(
    tab: browser.Tab, evening: SessionRecord, tmp_path: Path
) -> None:
    page = tmp_path / "recap.html"
    write_recap_page(evening, "de", page)
    await tab.open(page, width=360, height=800)
    heights = "[...document.querySelectorAll('details.entry')].map(entry => entry.offsetHeight)"
    assert len(await tab.evaluate(heights)) == 3
    assert max(await tab.evaluate(heights)) < 200
    assert await tab.evaluate(SMALL_TARGETS) == []
    hint = "document.querySelector('.sideways').getClientRects().length"
    assert await tab.evaluate(hint) == 1, "the table of members is wider than the screen, and says so"
    # A place on the podium leads to its cover, which unfolds.
    await tab.evaluate("location.hash = '#cover-1'; new Promise(r => setTimeout(r, 50))")
    assert await tab.evaluate("[...document.querySelectorAll('details.entry[open]')].map(e => e.id)") == [
        "cover-1"
    ]
    await tab.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    assert await tab.evaluate(SMALL_LABELS) == []
    assert await tab.evaluate(SMALL_TARGETS) == []
    assert await tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await tab.open(page, width=1280)
    assert await tab.evaluate(hint) == 0


@pytest.mark.slow
def test_many_covers_get_small_pictures_before_anything_else_is_left_out(tmp_path: Path) -> None:
    folder = take(tmp_path / "take")
    (folder / "clip.mp3").unlink()
    sizes = []
    for count, limit in ((2, 2**20), (70, 2**20), (300, 4 * 2**20), (300, 1_100_000)):
        covers = [entry(number, folder=folder) for number in range(1, count + 1)]
        page = recap_page(record(covers), "en", max_bytes=limit)
        read = Reader(page.html)
        assert len(page.html) <= limit
        assert f"Cover {count}" in read.words
        (picture,) = {image["src"] for image in read.all("img")}
        pixels = Image.open(io.BytesIO(base64.b64decode(str(picture).partition(",")[2]))).width
        sizes.append((pixels, any("radar" in str(svg["class"]) for svg in read.all("svg"))))
    assert sizes == [(480, True), (120, True), (80, True), (64, False)]
