"""The panel's words and picture: what is told, and what is kept back until votes are in."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bot.sessions.panel.buttons import panel_buttons
from bot.sessions.panel.content import PanelContent, panel_content, panel_embed, picture_of, status_line
from bot.sessions.panel.picture import draw, draw_in_child, panel_svg
from bot.sessions.panel.redaction import redacted
from bot.sessions.playback.listeners import Listener
from bot.sessions.playback.play_queue import QueueItem
from bot.sessions.playback.view import PlaybackStatus, SessionView, make_view
from bot.sessions.results import read_result
from bot.sessions.state.model import Entry, EntryState, SessionState, Vote
from tests.bot.sessions.records import ANA, BO, CY, DI, NAMES, entry, session, votes
from tests.bot.sessions.result_folders import take

NOW = 1_790_000_200.0
FOUR_SECONDS = 200
"""In frames of 20 ms."""
SECRET = "The Red Album"
HEARING = {member: Listener(NAMES[member], hears=True) for member in (ANA, BO, CY)}


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    """One heard, one (with and without RAG) playing, two ready, one composition."""
    folders = [take(tmp_path / "2r", colour="#f00"), take(tmp_path / "2p", colour="#f00", rag=False)]
    coming: dict[str, Any] = {"played_at": None, "submitter": CY}
    return [
        entry(1, ANA, title="Low Tide", folder=take(tmp_path / "1", colour="#124")),
        entry(2, BO, title=SECRET, state=EntryState.PLAYING, folders=folders),
        entry(3, title="Three", state=EntryState.READY, turn=1, **coming),
        entry(4, title="*Five* @everyone", state=EntryState.READY, turn=2, **coming),
        entry(5, title="Four", state=EntryState.COMPOSING, turn=3, **coming),
    ]


def seen(
    entries: Sequence[Entry], cast: Iterable[Vote] = (), *, clip: int = 0, playing: int = 2, **changes: Any
) -> SessionView:
    """The session while `playing` is heard; `changes` go to the view where it takes them."""
    more = {name: changes.pop(name) for name in ("skips", "needed", "ends_at", "trouble") if name in changes}
    status = changes.pop("status", PlaybackStatus.PLAYING)
    evening = session(**({"state": SessionState.RUNNING, "ended_at": None} | changes))
    item = QueueItem(playing, clip, Path("/nowhere")) if playing else None
    return make_view(
        evening,
        {one.entry_id: one for one in entries},
        list(cast),
        status=status,
        item=item,
        position=FOUR_SECONDS,
        audience=HEARING,
        **more,
    )


def shown(view: SessionView) -> PanelContent:
    folder = view.clip.result_dir if view.clip is not None else None
    return panel_content(view, read_result(folder), now=NOW)


def words(board: PanelContent) -> str:
    """Everything that members read on the panel."""
    told = panel_embed(board).to_dict()
    fields = " ".join(f"{field['name']} {field['value']}" for field in told.get("fields", []))
    footer = told.get("footer", {}).get("text", "")
    return f"{told.get('title')} {told.get('description')} {fields} {footer}"


def everything(board: PanelContent) -> str:
    """All that leaves for Discord: words, buttons, what the picture is drawn from, the channel's status."""
    buttons = panel_buttons(board)
    picture = picture_of(board)
    parts = [
        json.dumps(panel_embed(board).to_dict(), ensure_ascii=False),
        json.dumps(buttons.to_components(), ensure_ascii=False) if buttons is not None else "",
        json.dumps(asdict(picture), ensure_ascii=False) if picture is not None else "",
        status_line(board) or "",
    ]
    return "\n".join(parts)


def drawn(board: PanelContent) -> bytes:
    picture = picture_of(board)
    assert picture is not None
    return draw(picture)


def reddest(png: bytes) -> float:
    """How much redder than green and blue the reddest twentieth of a picture is."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.int16)
    excess = pixels[..., 0] - pixels[..., 1:].max(axis=2)
    return float(np.quantile(excess, 0.95))


def test_an_open_board_tells_what_plays_what_comes_and_what_was_given(entries: list[Entry]) -> None:
    entries[1] = replace(entries[1], clips=entries[1].clips[:1])
    cast = votes({(1, 0): {BO: 4, CY: 5}, (2, 0): {ANA: 4, DI: 2}}, stars=[(2, CY)])
    board = shown(seen(entries, cast, skips={ANA, DI}, needed=2, theme="Red", volume=0.5))
    said = words(board)
    assert "Listening in <#2>" in said
    assert f"### {SECRET}" in said
    assert "brought by Bo · with similar albums" in said
    assert "Ends <t:1790000208:R>" in said
    assert "Theme: **Red**" in said
    assert "Jazz · C# minor · 4/4 · 118 BPM" in said
    # Who left still counts in the mean, not among those who hear.
    assert "**3.0** · 1 of 3 voted · 1 ★" in said
    assert "1. Three – Cy\n2. " in said
    assert "3. Four – Cy · *composing*" in said
    assert "Low Tide, brought by Ana: **4.5** (2 votes)" in said
    assert "skip 1/2" in said
    assert "Sketch engine" in said
    assert "0:32 of music ready" in said  # 8 s of this take and two clips of 12 s
    assert "volume 50 %" in said
    assert status_line(board) == f"🎧 {SECRET} – Bo"


def test_markdown_and_mentions_of_members_do_nothing(entries: list[Entry]) -> None:
    said = words(shown(seen(entries, title="**boo** <@&123456789012345678>", theme="[x](https://e.example)")))
    assert "\\*Five\\*" in said
    assert "@everyone" not in said
    assert "\\*\\*boo" in said
    assert "<@&123456789012345678>" not in said
    assert "https://" not in said


@pytest.mark.parametrize("clip", [0, 1])
def test_a_blind_board_hides_cover_title_submitter_and_take_everywhere(
    entries: list[Entry], clip: int
) -> None:
    view = seen(entries, votes({(2, 0): {ANA: 5}, (1, 0): {BO: 4}}), clip=clip, blind=True)
    board = shown(view)
    sent = everything(board)
    hidden = (
        SECRET,
        "Low Tide",
        "Three",
        "Four",
        "Bo",
        "Ana",
        "Cy",
        "with similar albums",
        "· cover alone",
        "**5.0**",
    )
    for secret in (*hidden, "**4.0**", str(entries[1].clips[0].result_dir), "cover.jpg"):
        assert secret not in sent
    assert "Cover 2" in sent
    assert f"take {'AB'[clip]}" in sent
    assert ("1 of 3 voted" in sent) is (clip == 0)
    assert status_line(board) == "🎧 Cover 2"
    assert SECRET not in redacted(view, entries[1]).ballot_words(clip, "en")
    assert reddest(drawn(board)) < 40
    assert reddest(drawn(shown(seen(entries, clip=clip)))) > 150


def test_votes_that_are_in_reveal_a_blind_cover(entries: list[Entry]) -> None:
    entries[0] = replace(entries[0], closed_at=NOW)
    board = shown(seen(entries, votes({(1, 0): {BO: 4, CY: 5}}), blind=True))
    said = words(board)
    assert "Low Tide, brought by Ana: **4.5** (2 votes)" in said
    assert SECRET not in everything(board)
    entries[1] = replace(entries[1], closed_at=NOW)  # heard once more
    again = everything(shown(seen(entries, blind=True)))
    assert SECRET in again
    assert "with similar albums" in again


def test_versus_keeps_the_takes_apart_without_naming_them(entries: list[Entry]) -> None:
    board = shown(seen(entries, votes({(2, 1): {ANA: 5}}), clip=1, versus=True))
    sent = everything(board)
    assert SECRET in sent
    assert "take B" in sent
    for secret in ("with similar albums", "· cover alone", "**5.0**"):
        assert secret not in sent
    assert board.ready_seconds == 8 + 24  # nothing of take A is left


def test_the_picture_changes_with_what_plays_and_not_with_votes(entries: list[Entry]) -> None:
    first = picture_of(shown(seen(entries)))
    assert first == picture_of(shown(seen(entries, votes({(2, 0): {ANA: 5}}), skips={ANA})))
    assert first == picture_of(shown(seen(entries, status=PlaybackStatus.PAUSED)))
    assert first != picture_of(shown(seen(entries, clip=1)))
    assert first != picture_of(shown(seen(entries, blind=True)))
    assert first != picture_of(shown(seen(entries, playing=1)))


async def test_the_picture_is_drawn_in_a_process_of_its_own(entries: list[Entry], tmp_path: Path) -> None:
    picture = picture_of(shown(seen(entries)))
    assert picture is not None
    aside = await draw_in_child(picture)
    assert aside is not None
    assert aside == draw(picture)
    assert Image.open(io.BytesIO(aside)).size == (1200, 840)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    assert await draw_in_child(replace(picture, cover=str(broken))) is not None
    unfit = replace(picture, features=(0.5,))
    assert await draw_in_child(unfit) is None


@pytest.mark.parametrize("status", list(PlaybackStatus))
@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_status_is_said(entries: list[Entry], status: PlaybackStatus, locale: str) -> None:
    between = status in (PlaybackStatus.COMPOSING, PlaybackStatus.WAITING, PlaybackStatus.OVER)
    state = SessionState.ENDED if status is PlaybackStatus.OVER else SessionState.RUNNING
    board = shown(
        seen(entries, playing=0 if between else 2, status=status, state=state, locale=locale, ends_at=None)
    )
    told = panel_embed(board).to_dict()
    assert ("image" in told) is not between
    assert (picture_of(board) is None) is between
    assert (panel_buttons(board) is None) is (status is PlaybackStatus.OVER)
    held = status in (PlaybackStatus.PAUSED, PlaybackStatus.EMPTY, PlaybackStatus.RECONNECTING)
    assert ("0:08" in told.get("description", "")) is held


@pytest.mark.parametrize("locale", ["en", "de"])
def test_after_the_end_nothing_comes_next_and_before_the_beginning_it_does(
    entries: list[Entry], locale: str
) -> None:
    heading = {"en": "Up next", "de": "Als Nächstes"}[locale]
    for state, listed in ((SessionState.ENDED, False), (SessionState.PLANNED, True)):
        board = shown(seen(entries, playing=0, status=PlaybackStatus.OVER, state=state, locale=locale))
        assert (heading in words(board)) is listed
        assert bool(board.upcoming) is listed


def test_the_picture_is_drawn_in_the_servers_language_and_cuts_no_tempo(entries: list[Entry]) -> None:
    pictures = [picture_of(shown(seen(entries, locale=locale))) for locale in ("en", "de")]
    english, german = (picture for picture in pictures if picture is not None)
    assert (english.language, german.language) == ("en", "de")
    svg = panel_svg(replace(german, title="Die unerträgliche Leichtigkeit des Seins"))
    for said in ("Tanzbarkeit", "cis-Moll · 4/4 · 118 BPM", "Die unerträgliche", "Leichtigkeit des Seins"):
        assert said in svg
    assert "…" not in svg
    assert "Danceability" in panel_svg(english)
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    assert min(sizes) >= 18.4, "11 px where a phone shows it 360 px wide"


def test_a_session_that_closes_by_itself_says_when_and_trouble_is_told(entries: list[Entry]) -> None:
    view = seen(entries, status=PlaybackStatus.EMPTY, ends_at=NOW + 300, trouble="The queue is *full*.")
    said = words(shown(view))
    assert "<t:1790000500:R>" in said
    assert "The queue is \\*full\\*." in said


def test_a_result_that_is_gone_leaves_a_board(tmp_path: Path) -> None:
    lost = entry(2, BO, folder=tmp_path / "gone", state=EntryState.PLAYING)
    board = shown(seen([lost]))
    assert board.now is not None
    assert (board.now.music, board.now.features) == ("", None)
    assert Image.open(io.BytesIO(drawn(board))).size == (1200, 840)
    assert "Cover 2" in words(board)


@pytest.mark.parametrize("hostile", ["W*" * 300, "\u202e<@1>`" * 60, "𝕎" * 300, "|~_" * 200])
def test_long_lists_and_names_stay_within_discords_limits(hostile: str) -> None:
    many = [
        entry(
            number,
            title=hostile,
            submitter_name=hostile,
            state=EntryState.PLAYING if number == 1 else EntryState.READY,
            played_at=NOW if number == 1 else None,
            turn=number,
        )
        for number in range(1, 40)
    ]
    heard = replace(many[-1], state=EntryState.PLAYED, played_at=NOW - 60)
    board = shown(
        seen([*many[:-1], heard], playing=1, title=hostile, theme=hostile, trouble=hostile, versus=True)
    )
    embed = panel_embed(board)
    assert len(embed) <= 6000
    assert 0 < len(embed.title or "") <= 256
    assert len(embed.description or "") <= 4096
    assert all(0 < len(field.value or "") <= 1024 for field in embed.fields)
    upcoming = embed.fields[1].value or ""
    named = upcoming.count("\n")
    assert 0 < named <= 5
    assert upcoming.endswith(f"… and {37 - named} more")
    assert len(status_line(board) or "") <= 500


def test_buttons_are_named_after_session_cover_and_take(entries: list[Entry]) -> None:
    buttons = panel_buttons(shown(seen(entries, clip=1)))
    assert buttons is not None
    parts = [part for row in buttons.to_components() for part in row["components"]]
    ids = [part["custom_id"] for part in parts]
    assert [part["label"] for part in parts[:5]] == ["1", "2", "3", "4", "5"]
    assert len(set(ids)) == len(ids) == 9
    assert all(len(each) <= 100 and "5e" * 16 in each for each in ids)
    between = panel_buttons(shown(seen(entries[:1], playing=0, status=PlaybackStatus.WAITING)))
    assert between is not None
    assert [part["label"] for row in between.to_components() for part in row["components"]] == ["My votes"]
