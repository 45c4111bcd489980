"""Two takes of one cover as a picture."""

from __future__ import annotations

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.names import field_label
from albumgen_core.card import parts
from albumgen_core.card.content import CardContent
from albumgen_core.card.palette import palette_of
from albumgen_core.card.parts import EDGE, LABEL, WIDTH
from albumgen_core.card.render import SCALE
from albumgen_core.card.sheet import Sheet, rasterise
from albumgen_core.card.text_layout import fit, text_tag, wrap
from albumgen_core.localisation import decimal

_COVER = 116.0
_GAP = 24.0
_BLIND_HEIGHT = 602


def render_comparison(
    left: CardContent, right: CardContent, *, scale: float = SCALE, names: tuple[str, str] | None = None
) -> bytes:
    """Draw two takes of one cover side by side: with similar albums (usually left) and without.

    One chart holds both shapes; the cover and the language are the left take's. Arguments and result as
    `render_card`.

    Args:
        names: headings of the two, such as ("Take A", "Take B"), for listeners who are not to know which is
            which: nothing that only one of them retrieved is drawn then.
    """
    return rasterise(comparison_svg(left, right, scale, names), scale)


def comparison_svg(
    left: CardContent, right: CardContent, scale: float, names: tuple[str, str] | None = None
) -> str:
    """The picture as SVG; see `render_comparison`."""
    sheet = Sheet(palette_of(left.cover.image), scale, left.language)
    palette = sheet.palette
    room = WIDTH - 2 * EDGE
    half = (room - _GAP) / 2
    sheet.add(sheet.picture(left.cover.image, EDGE, EDGE, _COVER, "cover"), _title(left, right, sheet))
    sheet.rule(156)
    sources = [sheet.say("compare.albums" if card.rag else "compare.cover") for card in (left, right)]
    told = names or (sources[0], sources[1])
    for number, (card, colour) in enumerate(((left, palette.accent), (right, palette.second))):
        sheet.add(_column(card, told[number], EDGE + number * (half + _GAP), half, colour, sheet))
    sheet.rule(334)
    low, high = parts.feature_range(() if names else left.neighbours or right.neighbours)
    shapes = [(left.attributes.features(), palette.accent), (right.attributes.features(), palette.second)]
    around = (WIDTH / 2, 466.0, 86.0)
    sheet.add(parts.radar(shapes, around, palette, sheet.language, low=low, high=high, label=LABEL))
    if names:
        return sheet.svg(_BLIND_HEIGHT)
    retrieved = [card for card in (left, right) if card.neighbours]
    if not retrieved:
        sheet.add(text_tag(sheet.say("compare.no_albums"), EDGE, 618, LABEL, palette.muted))
        return sheet.svg(644)
    # One row of albums takes the whole width.
    width_each = room if len(retrieved) == 1 else half
    bottoms = [
        sheet.albums(card, 614, width_each, EDGE + number * (half + _GAP), f"n{number}")
        for number, card in enumerate(retrieved)
    ]
    return sheet.svg(round(max(bottoms) + EDGE))


def _title(left: CardContent, right: CardContent, sheet: Sheet) -> str:
    x = EDGE + _COVER + 18
    difference = wrap(_difference(left, right, sheet), LABEL, WIDTH - EDGE - x, 2)
    lines = [*difference, sheet.say(f"compare.engine.{left.family}")]
    drawn = [text_tag(sheet.say("compare.title"), x, 52, 25, sheet.palette.text, bold=True)]
    for number, line in enumerate(lines):
        drawn.append(text_tag(line, x, 82 + 24 * number, LABEL, sheet.palette.muted))
    return "".join(drawn)


def _column(card: CardContent, name: str, x: float, room: float, colour: str, sheet: Sheet) -> str:
    text = sheet.palette.text
    genre = fit(sheet.genre(card.attributes.album_genre), 24, room, bold=True)
    return "".join(
        (
            text_tag(fit(name, LABEL, room, bold=True), x, 186, LABEL, colour, bold=True),
            text_tag(genre, x, 216, 24, text, bold=True),
            text_tag(fit(sheet.facts(card.attributes), LABEL, room), x, 243, LABEL, text),
            parts.waveform(card.audio, x, 256, room, 38, colour, 46),
            sheet.length_and_seed(card, x, 318, room),
        )
    )


def _difference(left: CardContent, right: CardContent, sheet: Sheet) -> str:
    """What differs most, as a sentence."""
    pairs = zip(AUDIO_FEATURES, left.attributes.features(), right.attributes.features(), strict=True)
    name, first, second = max(pairs, key=lambda pair: abs(pair[1] - pair[2]))
    if round(first, 2) == round(second, 2):
        return sheet.say("compare.equal")
    attribute = field_label(name, sheet.language)
    if sheet.language == "en":
        attribute = attribute.lower()
    numbers = [decimal(value, sheet.language) for value in (first, second)]
    return sheet.say("compare.most", attribute=attribute, first=numbers[0], second=numbers[1])
