from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bot.sessions.board import Board, board_embed, board_of, is_revealed
from bot.sessions.documents import read_documents
from bot.sessions.model import Entry, EntryState, SessionRecord, SessionState, Vote
from bot.sessions.pictures import board_png, podium_png
from bot.sessions.recap import summarise
from bot.sessions.recap_message import recap_embed
from tests.bot.sessions.evening import ANA, BO, CY, DI, entry, record, votes
from tests.bot.sessions.takes import take

NOW = 1_790_000_200.0
SECRET = "The Red Album"


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    """One heard, one (two takes) playing, two ready, one composing."""
    playing = entry(
        2,
        BO,
        title=SECRET,
        state=EntryState.PLAYING,
        folders=[take(tmp_path / "2r", colour="#f00"), take(tmp_path / "2p", colour="#f00", rag=False)],
    )
    return [
        entry(1, ANA, title="Low Tide", folder=take(tmp_path / "1", colour="#124")),
        playing,
        entry(3, CY, title="Three", state=EntryState.READY, played_at=None),
        entry(4, CY, title="Four", state=EntryState.COMPOSING, played_at=None),
        entry(5, CY, title="*Five* @everyone", state=EntryState.READY, played_at=None),
    ]


def running(entries: list[Entry], cast: Iterable[Vote] = (), **changes: Any) -> SessionRecord:
    values: dict[str, Any] = {"state": SessionState.RUNNING, "current_entry_id": 2}
    return record(entries, list(cast), **values | changes)


def shown(evening: SessionRecord, listeners: frozenset[int] = frozenset({ANA, BO, CY}), **more: Any) -> Board:
    return board_of(evening, read_documents(evening), now=NOW, position=4.0, listeners=listeners, **more)


def words(board: Board) -> str:
    """Everything a member reads on the panel."""
    told = board_embed(board).to_dict()
    fields = " ".join(f"{field['name']} {field['value']}" for field in told.get("fields", []))
    return f"{told['title']} {told['description']} {fields} {told['footer'].get('text')}"


def reddest(png: bytes) -> float:
    """How much redder than green and blue the reddest twentieth of a picture is."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), np.int16)
    excess = pixels[..., 0] - pixels[..., 1:].max(axis=2)
    return float(np.quantile(excess, 0.95))


def test_an_open_board_tells_what_plays_what_comes_and_what_was_given(entries: list[Entry]) -> None:
    entries[1] = replace(entries[1], clips=entries[1].clips[:1])
    cast = votes({(1, 0): {BO: 4, CY: 5}, (2, 0): {ANA: 4, DI: 2}}, stars=[(2, CY)])
    board = shown(running(entries, cast, theme="Red"), skips=1, skips_needed=2)
    said = words(board)
    assert board.now is not None
    assert (board.now.title, board.now.submitter, board.now.rag) == (SECRET, "Bo", True)
    assert board.now.ends_at == NOW + 8
    assert "Ends <t:1790000208:R>" in said
    assert "Theme: **Red**" in said
    assert "Jazz · C# minor · 4/4 · 118 BPM" in said
    assert (
        "**3.0** · 1 of 3 voted · 1 ★" in said
    )  # who left still counts in the mean, not among the listeners
    assert "1. Three – Cy\n2. " in said
    assert "3. Four – Cy · *composing*" in said
    assert "Low Tide, brought by Ana: **4.5** (2 votes)" in said
    assert "skip 1/2" in said
    assert "Sketch engine" in said
    assert "0:32 of music ready" in said  # 8 s of this take and two clips of 12 s


def test_markdown_and_mentions_of_members_do_nothing(entries: list[Entry]) -> None:
    said = words(
        shown(running(entries, title="**boo** <@&123456789012345678>", theme="[x](https://e.example)"))
    )
    assert "\\*Five\\*" in said
    assert "@everyone" not in said
    assert "\\*\\*boo" in said
    assert "<@&123456789012345678>" not in said
    assert "https://" not in said


def test_a_blind_board_hides_cover_title_and_submitter_everywhere(entries: list[Entry]) -> None:
    hidden = shown(running(entries, votes({(2, 0): {ANA: 5}}), blind=True))
    said = words(hidden)
    for secret in (SECRET, "Bo", "Three", "Four", "Cy", "RAG against", "with RAG", "without RAG", "**5.0**"):
        assert secret not in said
    assert "Cover 2" in said
    assert "take A" in said
    assert "1 of 3 voted" in said
    assert hidden.now is not None
    assert hidden.now.cover is None
    assert SECRET not in repr(hidden)
    blind_png, open_png = board_png(hidden), board_png(shown(running(entries)))
    assert blind_png is not None
    assert open_png is not None
    assert reddest(open_png) > 150 > 40 > reddest(blind_png)


def test_votes_of_everybody_who_listens_reveal_it(entries: list[Entry]) -> None:
    listeners = frozenset({ANA, BO, CY})
    some = votes({(2, 0): {ANA: 5, CY: 3}, (2, 1): {ANA: 1}})
    assert not is_revealed(running(entries, some, blind=True), entries[1], listeners)
    everybody = running(entries, [*some, *votes({(2, 1): {CY: 4}})], blind=True)
    assert is_revealed(everybody, entries[1], listeners)  # Bo brought it, so nobody waits for Bo
    assert SECRET in words(shown(everybody))
    before, after = shown(running(entries, some, blind=True)), shown(everybody)
    assert before.picture_key != after.picture_key


def test_nobody_listening_reveals_nothing(entries: list[Entry]) -> None:
    evening = running(entries, blind=True)
    assert not is_revealed(evening, entries[1], frozenset())
    assert not is_revealed(evening, entries[1], frozenset({BO}))
    assert is_revealed(evening, entries[0], frozenset())  # it is over
    assert is_revealed(running(entries, blind=True, state=SessionState.ENDED), entries[1], frozenset())


def test_versus_keeps_the_takes_apart_without_naming_them(entries: list[Entry]) -> None:
    board = shown(running(entries, versus=True, current_clip=1))
    assert board.now is not None
    assert (board.now.title, board.now.rag, board.now.take) == (SECRET, None, 1)
    assert "take B" in words(board)
    assert board.left == 8 + 24  # nothing of take A is left


def test_the_picture_is_drawn_anew_only_when_it_changes(entries: list[Entry]) -> None:
    first = shown(running(entries))
    voted = shown(running(entries, votes({(2, 0): {ANA: 5}})))
    assert first.picture_key == voted.picture_key
    assert first.picture_key != shown(running(entries, current_clip=1)).picture_key
    assert first.picture_key != shown(running(entries, state=SessionState.PAUSED)).picture_key
    png = board_png(first)
    assert png == board_png(voted)
    assert png is not None
    assert Image.open(io.BytesIO(png)).size == (1200, 644)


def test_paused_waiting_empty_and_ended_say_so(entries: list[Entry]) -> None:
    assert "Paused, 0:08 left" in words(shown(running(entries, state=SessionState.PAUSED)))
    waiting = shown(running([entries[3]], current_entry_id=None))
    assert "being composed" in words(waiting)
    assert board_png(waiting) is None
    assert "image" not in board_embed(waiting).to_dict()
    assert "bring a cover" in words(shown(running([], current_entry_id=None)))
    ended = shown(running([entries[0]], current_entry_id=1, state=SessionState.ENDED))
    assert ended.now is None
    assert "has ended" in words(ended)


def test_a_result_that_is_gone_leaves_a_board(tmp_path: Path) -> None:
    lost = entry(2, BO, folder=tmp_path / "gone", state=EntryState.PLAYING)
    board = shown(running([lost]))
    assert board.now is not None
    assert (board.now.music, board.now.features) == ("", None)
    assert board_png(board) is not None
    assert "Cover 2" in words(board)


def test_long_lists_and_names_stay_within_discords_limits() -> None:
    long = "W*" * 300
    many = [
        entry(number, title=long, submitter_name=long, state=EntryState.READY, played_at=None)
        for number in range(1, 40)
    ]
    embed = board_embed(shown(running(many, title=long, theme=long)))
    assert len(embed) <= 6000
    assert len(embed.title or "") <= 256
    assert all(len(field.value or "") <= 1024 for field in embed.fields)
    assert "and 34 more" in (embed.fields[1].value or "")
    heard = [replace(one, state=EntryState.PLAYED, played_at=1.0) for one in many]
    ended = record(heard, votes({(n, 0): {ANA: 3, BO: 1, CY: 5} for n in range(1, 40)}), title=long)
    told = recap_embed(ended, summarise(ended), {}, "de")
    assert len(told) <= 6000
    assert all(0 < len(field.value or "") <= 1024 for field in told.fields)


def test_the_recap_message_tells_the_evening(entries: list[Entry]) -> None:
    cast = votes(
        {(1, 0): {BO: 5, CY: 5, DI: 5}, (2, 0): {ANA: 1, CY: 5, DI: 1}, (2, 1): {ANA: 3, CY: 2}},
        stars=[(1, BO)],
    )
    evening = record(entries, cast)
    told = recap_embed(evening, summarise(evening), read_documents(evening), "en").to_dict()
    fields = {field["name"]: field["value"] for field in told["fields"]}
    assert list(fields) == ["Podium", "Best take", "Most divisive", "RAG against no RAG", "Members"]
    assert fields["Podium"].startswith(
        "🥇 **Low Tide** – Ana · 5.0 (3 votes) · 1 ★\n🥈 **The Red Album** – Bo"
    )
    assert "scores 1×2 5×1" in fields["Most divisive"]
    assert "with RAG" in fields["Most divisive"]
    assert "Undecided" in fields["RAG against no RAG"]
    assert "**Cy**: brought 3 covers (received –), gave 3 votes (mean 4.0)" in fields["Members"]
    assert told["description"] == "2 covers · 0:36 of music · 8 votes · 4 voters"


def test_a_recap_without_votes_names_no_winner(entries: list[Entry]) -> None:
    evening = record(entries[:1])
    embed = recap_embed(evening, summarise(evening), {}, "en")
    assert [field.name for field in embed.fields] == ["Members"]
    assert "No votes" in (embed.description or "")
    assert embed.image.url is None
    empty = record([])
    assert "Nobody brought" in (recap_embed(empty, summarise(empty), {}, "en").description or "")


def test_the_podium_is_drawn_even_where_a_cover_is_gone(entries: list[Entry], tmp_path: Path) -> None:
    evening = record(entries, votes({(1, 0): {BO: 5}, (2, 0): {ANA: 2}}))
    places = summarise(evening).places
    covers = {1: tmp_path / "1" / "cover.jpg", 2: tmp_path / "nowhere.jpg"}
    png = podium_png(places, covers, "en")
    assert png is not None
    assert Image.open(io.BytesIO(png)).size == (1200, 524)
    assert podium_png([], covers, "en") is None
