"""What the commands print about a cover and what was made from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from albumgen_core.albums import Neighbour, Reason
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cli.console import say
from albumgen_core.prompt.template import key_words
from albumgen_core.result import CARD, CLIP_MP3, Take

REASONS: dict[Reason, str] = {"look": "looks alike", "artist": "same artist", "album": "this album"}


class Notices:
    """Prints each notice once, however many takes bring it."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def show(self, notices: Sequence[str]) -> None:
        """Print those that are new."""
        for notice in notices:
            if notice not in self._shown:
                self._shown.add(notice)
                say("  ", (notice, "yellow"))


def show_take(label: str, take: Take, folder: Path, notices: Notices) -> None:
    """The attributes in one line, what they were reasoned from, and where the files are."""
    attributes = take.attributes
    engine = "sketch" if take.family == "sketch" else take.composer
    say(
        (label, "bold"),
        f" → {attributes.album_genre}, {key_words(attributes)}, {attributes.tempo:.0f} BPM, "
        f"{attributes.time_signature}/4, {take.seconds:.1f} s ",
        (f"({engine}, seed {take.seed})", "dim"),
    )
    show_album(take.itself)
    if take.words is not None and take.words["shown"]:
        say("  ", ("reads", "dim"), f"  {take.words['shown']}")
        say("  ", (take.words["sentence"], "dim"))
    show_context(take.neighbours, take.prompt)
    notices.show(take.notices)
    say(f"  {folder / CLIP_MP3}\n  {folder / CARD}")


def show_album(itself: Neighbour | None) -> None:
    """The album whose cover was given, where the index holds it."""
    if itself is not None:
        say("  ", ("this album", "dim"), f"  {itself.album.title} — {itself.album.artist}")


def show_context(neighbours: Sequence[Neighbour], prompt: str | None) -> None:
    """The neighbours with their distances, and the prompt."""
    for neighbour in neighbours:
        album = neighbour.album
        why = REASONS[neighbour.reason]
        if neighbour.distance is not None:
            why += f", {neighbour.distance:.2f}"
        say("  ", (why, "dim"), f"  {album.title} — {album.artist}")
    if prompt:
        say("  ", ("prompt", "dim"), f"  {prompt}")


def attributes_table(columns: dict[str, MusicalAttributes]) -> Table:
    """The attributes of one or more readings, side by side."""
    table = Table()
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right")
    read = list(columns.values())
    table.add_row("artist", *(attributes.artist_name for attributes in read))
    table.add_row("genre", *(attributes.album_genre for attributes in read))
    table.add_row("key", *map(key_words, read))
    table.add_row("tempo", *(f"{attributes.tempo:.0f} BPM" for attributes in read))
    table.add_row("metre", *(f"{attributes.time_signature}/4" for attributes in read))
    for feature in AUDIO_FEATURES:
        values = [float(getattr(attributes, feature)) for attributes in read]
        table.add_row(feature, *(f"{'█' * round(value * 10):<10} {value:.2f}" for value in values))
    return table
