"""Cards as pictures: composed as SVG, drawn by resvg.

resvg sets text properly, smooths every edge, and gives the same bytes for the same card and fonts.
"""

from __future__ import annotations

from collections.abc import Sequence

import resvg_py

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.card import parts
from albumgen_core.card.content import CardContent
from albumgen_core.card.palette import Palette, palette_of
from albumgen_core.card.text_layout import REGULAR, SEMIBOLD, fit, is_bundled, text_tag, width, wrap
from albumgen_core.prompt.template import key_words

WIDTH, HEIGHT = 600, 636
COMPARISON_HEIGHT = 758
_BLIND_HEIGHT = 622
SCALE = 2.0
SHOWN_NEIGHBOURS = 5

_EDGE = 26.0
_COVER = 214.0
_UNNAMED = frozenset({"", "unknown", "unknown artist", "various artists"})


def render_card(card: CardContent, *, scale: float = SCALE) -> bytes:
    """Draw a card.

    Args:
        card: what it shows.
        scale: pixels per unit, 0.5 to 4; a card is 600 × 636 units, so 1,200 × 1,272 pixels by default.

    Returns PNG bytes, the same for the same content; with round, transparent corners. Raises ValueError
    for a scale out of range.
    """
    _check(scale)
    palette = palette_of(card.cover.image)
    body = [
        parts.picture(card.cover.image, _EDGE, _EDGE, _COVER, "cover", round(_COVER * scale), palette.panel),
        _headline(card, palette),
        _rule(262, palette),
        _chart(card, palette),
        _neighbours(card, palette, scale) if card.neighbours else _bars(card.attributes, palette),
        _rule(548, palette),
        _prompt(card.prompt, 574, palette),
    ]
    return _png("".join(body), HEIGHT, palette, scale)


def render_comparison(
    left: CardContent, right: CardContent, *, scale: float = SCALE, names: tuple[str, str] | None = None
) -> bytes:
    """Draw two takes of one cover side by side: with RAG (usually left) and without.

    One chart holds both shapes; the cover is the left take's. Arguments and result as `render_card`, at
    600 × 758 units.

    Args:
        names: headings of the two, such as ("Take A", "Take B"), for listeners who are not to know which is
            which: nothing that only one of them retrieved is drawn then, and the picture is 600 × 622 units.
    """
    _check(scale)
    palette = palette_of(left.cover.image)
    room = WIDTH - 2 * _EDGE
    half = (room - 24) / 2
    title_x = _EDGE + 112 + 20
    body = [
        parts.picture(left.cover.image, _EDGE, _EDGE, 112, "cover", round(112 * scale), palette.panel),
        text_tag("One cover, heard twice", title_x, 66, 25, palette.text, bold=True),
        text_tag(_difference(left, right), title_x, 92, 14.5, palette.muted),
        text_tag(f"{left.family} engine", title_x, 114, 14.5, palette.muted),
        _rule(160, palette),
    ]
    told = names or (_source(left), _source(right))
    for number, (card, colour) in enumerate(((left, palette.accent), (right, palette.second))):
        x = _EDGE + number * (half + 24)
        body.append(_column(card, told[number], x, half, colour, palette))
    body.append(_rule(334, palette))
    low, high = _range(() if names else left.neighbours or right.neighbours)
    shapes = [(left.attributes.features(), palette.accent), (right.attributes.features(), palette.second)]
    body.append(parts.radar(shapes, (WIDTH / 2, 478, 96), palette, low=low, high=high))
    if names:
        return _png("".join(body), _BLIND_HEIGHT, palette, scale)
    retrieved = [card for card in (left, right) if card.neighbours]
    for number, card in enumerate(retrieved):
        # One row of albums takes the whole width, and so has room for titles.
        width_each = room if len(retrieved) == 1 else half
        x = _EDGE + number * (half + 24)
        body.append(_thumbnail_row(card, x, 628, width_each, f"n{number}", palette, scale))
    if not retrieved:
        body.append(text_tag("Both were read from the cover alone", _EDGE, 638, 13.5, palette.muted))
    return _png("".join(body), COMPARISON_HEIGHT, palette, scale)


def _source(card: CardContent) -> str:
    return "With retrieval" if card.rag else "Cover alone"


def _headline(card: CardContent, palette: Palette) -> str:
    x = _EDGE + _COVER + 24
    room = WIDTH - _EDGE - x
    attributes = card.attributes
    engine, chip_x = parts.chip(card.family, WIDTH - _EDGE, 27, palette, filled=True)
    source = "retrieval" if card.rag else "cover alone"
    how, _ = parts.chip(source, chip_x - 8, 27, palette, filled=False)
    genre = attributes.album_genre
    heading = "R&B" if genre == "r&b" else genre[:1].upper() + genre[1:]
    size = next((size for size in (34.0, 30.0, 26.0) if width(heading, size, bold=True) <= room), 26.0)
    drawn = [
        engine,
        how,
        text_tag(fit(heading, size, room, bold=True), x, 94, size, palette.text, bold=True),
        _facts(attributes, x, 122, palette),
    ]
    if attributes.artist_name.strip().casefold() not in _UNNAMED:
        artist = fit(f"Looks like {attributes.artist_name}", 14, room)
        drawn.append(text_tag(artist, x, 146, 14, palette.muted))
    drawn.append(parts.waveform(card.audio, x, 160, room, 52, palette.accent, 56))
    drawn.append(text_tag(f"{card.seconds:.1f} s", x, 237, 13, palette.muted))
    drawn.append(text_tag(f"seed {card.seed}", WIDTH - _EDGE, 237, 13, palette.muted, anchor="end"))
    return "".join(drawn)


def _facts(attributes: MusicalAttributes, x: float, y: float, palette: Palette) -> str:
    words = (key_words(attributes), f"{attributes.time_signature}/4", f"{attributes.tempo:.0f} BPM")
    return text_tag("  ·  ".join(words).replace("  ", "\u00a0\u00a0"), x, y, 17, palette.accent, bold=True)


def _chart(card: CardContent, palette: Palette) -> str:
    low, high = _range(card.neighbours)
    around = (188.0, 398.0, 84.0)
    drawn = parts.radar([(card.attributes.features(), palette.accent)], around, palette, low=low, high=high)
    if low is not None:
        key = parts.rectangle(_EDGE, 524, 14, 9, palette.text, more=' fill-opacity="0.25"', radius=2)
        count = len(card.neighbours)
        words = "range of the nearest album" + (f"s ({count})" if count > 1 else "")
        drawn += key + text_tag(words, _EDGE + 21, 533, parts.LABEL, palette.muted)
    return drawn


def _neighbours(card: CardContent, palette: Palette, scale: float) -> str:
    x, side = 362.0, 41.0
    room = WIDTH - _EDGE - x
    drawn = [
        text_tag("Nearest covers", x, 290, 14.5, palette.text, bold=True),
        text_tag("distance", x + room, 290, parts.LABEL, palette.muted, anchor="end"),
    ]
    for i, neighbour in enumerate(card.neighbours[:SHOWN_NEIGHBOURS]):
        y = 303.0 + 47 * i
        drawn.append(_thumbnail(card, i, x, y, side, f"near{i}", palette, scale))
        left = x + side + 10
        distance = f"{neighbour.distance:.2f}"
        space = room - side - 10
        title = fit(neighbour.album.title, 13.5, space, bold=True)
        artist = fit(neighbour.album.artist, 12.5, space - 38)
        drawn.append(text_tag(title, left, y + 17, 13.5, palette.text, bold=True))
        drawn.append(text_tag(artist, left, y + 35, 12.5, palette.muted))
        drawn.append(text_tag(distance, x + room, y + 35, 12.5, palette.accent, bold=True, anchor="end"))
    return "".join(drawn)


def _bars(attributes: MusicalAttributes, palette: Palette) -> str:
    x = 372.0
    drawn = [text_tag("Read from the cover alone", x, 290, 14.5, palette.text, bold=True)]
    for i, (name, value) in enumerate(zip(AUDIO_FEATURES, attributes.features(), strict=True)):
        drawn.append(parts.bar_row(name, value, x, 308 + 29 * i, WIDTH - _EDGE - x, palette))
    return "".join(drawn)


def _prompt(prompt: str, y: float, palette: Palette) -> str:
    lines = wrap(prompt, 13.5, WIDTH - 2 * _EDGE, 3)
    return "".join(text_tag(line, _EDGE, y + 19 * i, 13.5, palette.muted) for i, line in enumerate(lines))


def _column(card: CardContent, name: str, x: float, room: float, colour: str, palette: Palette) -> str:
    attributes = card.attributes
    genre = attributes.album_genre
    heading = "R&B" if genre == "r&b" else genre[:1].upper() + genre[1:]
    facts = f"{key_words(attributes)} · {attributes.time_signature}/4 · {attributes.tempo:.0f} BPM"
    return "".join(
        (
            text_tag(name, x, 188, 14, colour, bold=True),
            text_tag(fit(heading, 24, room, bold=True), x, 218, 24, palette.text, bold=True),
            text_tag(facts, x, 242, 14.5, palette.text),
            parts.waveform(card.audio, x, 256, room, 42, colour, 46),
            text_tag(f"{card.seconds:.1f} s", x, 319, 13, palette.muted),
            text_tag(f"seed {card.seed}", x + room, 319, 13, palette.muted, anchor="end"),
        )
    )


def _thumbnail_row(
    card: CardContent, x: float, y: float, room: float, name: str, palette: Palette, scale: float
) -> str:
    step = (room + 8) / SHOWN_NEIGHBOURS
    side = min(62.0, step - 8)
    titled = step - 8 > 62
    drawn = [text_tag("Nearest covers (range shaded)", x, y + 10, 13.5, palette.muted)]
    for i, neighbour in enumerate(card.neighbours[:SHOWN_NEIGHBOURS]):
        left = x + i * step
        drawn.append(_thumbnail(card, i, left, y + 22, side, f"{name}-{i}", palette, scale))
        distance = f"{neighbour.distance:.2f}"
        if titled:
            title = fit(neighbour.album.title, parts.LABEL, step - 10, bold=True)
            drawn.append(text_tag(title, left, y + 22 + side + 17, parts.LABEL, palette.text, bold=True))
            drawn.append(text_tag(distance, left + side + 8, y + 22 + side - 4, parts.LABEL, palette.accent))
        else:
            middle, below = left + side / 2, y + 22 + side + 16
            drawn.append(text_tag(distance, middle, below, parts.LABEL, palette.text, anchor="middle"))
    return "".join(drawn)


def _thumbnail(
    card: CardContent, i: int, x: float, y: float, side: float, name: str, palette: Palette, scale: float
) -> str:
    image = parts.opened(card.thumbnails[i]) if i < len(card.thumbnails) else None
    if image is None:
        return parts.missing_cover(x, y, side, palette)
    return parts.picture(image, x, y, side, name, round(side * scale), palette.panel)


def _range(neighbours: Sequence[Neighbour]) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Lowest and highest value of each attribute among the neighbours; (None, None) without any."""
    if not neighbours:
        return None, None
    columns = list(zip(*(neighbour.attributes.features() for neighbour in neighbours), strict=True))
    return tuple(map(min, columns)), tuple(map(max, columns))


def _difference(left: CardContent, right: CardContent) -> str:
    """What differs most, as a sentence that fits under the title."""
    pairs = zip(AUDIO_FEATURES, left.attributes.features(), right.attributes.features(), strict=True)
    name, first, second = max(pairs, key=lambda pair: abs(pair[1] - pair[2]))
    if round(first, 2) == round(second, 2):
        return "Both read the same attributes"
    return f"They differ most in {name}: {first:.2f} and {second:.2f}"


def _rule(y: float, palette: Palette) -> str:
    return parts.rectangle(_EDGE, y, WIDTH - 2 * _EDGE, 1, palette.line)


def _check(scale: float) -> None:
    if not 0.5 <= scale <= 4:
        raise ValueError(f"scale is {scale:g}, outside 0.5 to 4")


def _png(body: str, height: int, palette: Palette, scale: float) -> bytes:
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="Inter" xml:space="preserve">'
        f"{parts.rectangle(0, 0, WIDTH, height, palette.background, radius=18)}{body}</svg>"
    )
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            width=round(WIDTH * scale),
            height=round(height * scale),
            # System fonts differ from machine to machine and take time to find; only text in other
            # scripts needs them.
            skip_system_fonts=is_bundled(svg),
            font_files=[str(REGULAR), str(SEMIBOLD)],
            font_family="Inter",
            sans_serif_family="Inter",
        )
    )
