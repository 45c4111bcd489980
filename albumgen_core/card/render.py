"""A take's card as a picture: composed as SVG, drawn by resvg."""

from __future__ import annotations

from albumgen_core.albums import is_named
from albumgen_core.card import parts
from albumgen_core.card.content import CardContent
from albumgen_core.card.palette import palette_of
from albumgen_core.card.parts import EDGE, LABEL, WIDTH
from albumgen_core.card.sheet import Sheet, rasterise
from albumgen_core.card.text_layout import fit, text_tag, width, wrap

SCALE = 2.0

_COVER = 200.0
_PROMPT_LINES = 3


def render_card(card: CardContent, *, scale: float = SCALE) -> bytes:
    """Draw a card.

    Args:
        card: what it shows.
        scale: pixels per unit, 0.5 to 4; a card is 600 units wide, so 1,200 pixels by default. No letter is
            smaller than 18.4 units: 11 px where a phone shows the card 360 px wide.

    Returns PNG bytes, the same for the same content; with round, transparent corners. Raises ValueError
    for a scale out of range.
    """
    return rasterise(card_svg(card, scale), scale)


def card_svg(card: CardContent, scale: float) -> str:
    """The card as SVG; its pictures have the resolution for `scale`."""
    sheet = Sheet(palette_of(card.cover.image), scale, card.language)
    sheet.add(sheet.picture(card.cover.image, EDGE, EDGE, _COVER, "cover"), _headline(card, sheet))
    sheet.rule(242)
    low, high = parts.feature_range(card.neighbours)
    shape = [(card.attributes.features(), sheet.palette.accent)]
    around = (WIDTH / 2, 374.0, 86.0)
    sheet.add(parts.radar(shape, around, sheet.palette, card.language, low=low, high=high, label=LABEL))
    bottom = 504.0
    if card.neighbours:
        bottom = sheet.albums(card, 522, WIDTH - 2 * EDGE, EDGE, "near") + 16
    sheet.rule(bottom)
    lines = wrap(card.prompt, LABEL, WIDTH - 2 * EDGE, _PROMPT_LINES)
    for number, line in enumerate(lines):
        sheet.add(text_tag(line, EDGE, bottom + 28 + 24 * number, LABEL, sheet.palette.muted))
    return sheet.svg(round(bottom + 28 + 24 * _PROMPT_LINES))


def _headline(card: CardContent, sheet: Sheet) -> str:
    x, palette = EDGE + _COVER + 22, sheet.palette
    room = WIDTH - EDGE - x
    engine, chip_x = parts.chip(
        sheet.say(f"engine.{card.family}"), WIDTH - EDGE, EDGE, palette, filled=True, label=LABEL
    )
    source = sheet.say("source.albums" if card.rag else "source.cover")
    how, _ = parts.chip(source, chip_x - 8, EDGE, palette, filled=False, label=LABEL)
    heading = sheet.genre(card.attributes.album_genre)
    size = next((size for size in (34.0, 30.0, 26.0) if width(heading, size, bold=True) <= room), 24.0)
    facts = sheet.facts(card.attributes)
    drawn = [
        engine,
        how,
        text_tag(fit(heading, size, room, bold=True), x, 96, size, palette.text, bold=True),
        text_tag(fit(facts, 20, room, bold=True), x, 127, 20, palette.accent, bold=True),
    ]
    if line := _artist_line(card, sheet):
        drawn.append(text_tag(fit(line, LABEL, room), x, 154, LABEL, palette.muted))
    drawn.append(parts.waveform(card.audio, x, 164, room, 34, palette.accent, 56))
    drawn.append(sheet.length_and_seed(card, x, 222, room))
    return "".join(drawn)


def _artist_line(card: CardContent, sheet: Sheet) -> str:
    """Whose album it is where that is known, else whom the cover suggests."""
    if card.album is not None:
        if not is_named(card.album.artist):
            return sheet.say("is_album", title=card.album.title)
        return sheet.say("is_album_by", title=card.album.title, artist=card.album.artist)
    if card.reads:
        return sheet.say("reads", words=card.reads)
    artist = card.attributes.artist_name
    return sheet.say("suggests", artist=artist) if is_named(artist) else ""
