"""Options of the commands that make clips, and the clip options they amount to."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from albumgen_core.attributes.fields import FIELD, field_named
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import parse_field
from albumgen_core.errors import AlbumGenError, AttributeRangeError
from albumgen_core.jobs.spec import ClipOptions
from albumgen_core.settings import Settings, nearest_of

Covers = Annotated[
    list[Path], typer.Argument(help="Pictures: PNG, JPEG, WebP or GIF.", metavar="COVER…", show_default=False)
]
OneCover = Annotated[
    Path, typer.Argument(help="A picture: PNG, JPEG, WebP or GIF.", metavar="COVER", show_default=False)
]
Rag = Annotated[bool, typer.Option("--rag/--no-rag", help="Reason from the nearest albums of the index too.")]
Seconds = Annotated[
    float | None,
    typer.Option(
        min=1.0,
        max=300.0,
        help="Length of the clip, up to clip.max_seconds.  [default: clip.seconds]",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0, max=2**31 - 1, help="The same seed gives the same clip.  [default: random]", show_default=False
    ),
]
Style = Annotated[
    str | None, typer.Option("--prompt-style", help="concise or slides.  [default: prompt.style]")
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; one subfolder a cover.")]
Genre = Annotated[str | None, typer.Option(help="Set the genre instead of reading it from the cover.")]
Key = Annotated[str | None, typer.Option(help="Set the key: C, F#, Bb minor, Am, …")]
Tempo = Annotated[str | None, typer.Option(help="Set the tempo in BPM, 40 to 220.")]
Metre = Annotated[str | None, typer.Option(help="Set the metre: 3, 4, 5/4, …")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set any attribute, e.g. --set energy=0.8; may be given again."),
]


def overrides_of(
    *, genre: str | None, key: str | None, tempo: str | None, metre: str | None, pairs: Sequence[str] | None
) -> dict[str, Any]:
    """Attributes set by hand, by field name. Raises AlbumGenError naming the option and the nearest name."""
    given = [
        (option, field, value)
        for option, field, value in (
            ("--genre", "album_genre", genre),
            ("--key", "key", key),
            ("--tempo", "tempo", tempo),
            ("--metre", "time_signature", metre),
        )
        if value is not None
    ]
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise AlbumGenError(f"--set {pair}: write NAME=VALUE, such as energy=0.8.")
        given.append((f"--set {pair}", _field(pair, name.strip()), value.strip()))
    values: dict[str, Any] = {}
    explicit = {field for _, field, _ in given}
    for option, field, value in given:
        try:
            parsed = parse_field(field, value)
        except AttributeRangeError as error:
            raise AlbumGenError(f"{option}: {error.problem}{_meant(field, value)}") from error
        values |= {name: one for name, one in parsed.items() if name == field or name not in explicit}
    return values


def _field(pair: str, name: str) -> str:
    try:
        return field_named(name).name
    except AttributeRangeError as error:
        nearest = nearest_of(name, FIELD)
        hint = f"did you mean {nearest}?" if nearest else f"there are {', '.join(FIELD)}."
        raise AlbumGenError(f"--set {pair}: there is no attribute {name!r}; {hint}") from error


def _meant(field: str, value: str) -> str:
    nearest = nearest_of(value, GENRES) if field == "album_genre" else None
    if nearest:
        return f"; did you mean {nearest}?"
    return f"; the genres are {', '.join(GENRES)}." if field == "album_genre" else "."


def options_for(
    settings: Settings,
    *,
    rag: bool = True,
    seconds: float | None = None,
    seed: int | None = None,
    style: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Callable[[], ClipOptions]:
    """What makes the options of each clip, which differ in their seeds where none is given.

    Raises AlbumGenError for a clip that is longer than the configuration allows.
    """
    chosen_style = style if style is not None else settings.prompt.style
    if chosen_style not in ("concise", "slides"):
        raise typer.BadParameter("choose concise or slides", param_hint="--prompt-style")
    if seconds is not None and seconds > settings.clip.max_seconds:
        raise AlbumGenError(
            f"--seconds {seconds:g} is more than clip.max_seconds allows ({settings.clip.max_seconds:g} s)."
        )

    def options() -> ClipOptions:
        return ClipOptions(
            rag=rag,
            seconds=seconds if seconds is not None else settings.clip.seconds,
            seed=seed if seed is not None else secrets.randbelow(2**31),
            prompt_style="slides" if chosen_style == "slides" else "concise",
            name_artist=settings.prompt.name_artist,
            overrides=overrides or {},
        )

    return options
