"""A picture that is being composed: its SVG, its colours and its language."""

from __future__ import annotations

from typing import Any

import resvg_py
from PIL import Image

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.keys import key_name
from albumgen_core.attributes.names import genre_label
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.card import parts
from albumgen_core.card.content import CardContent
from albumgen_core.card.fonts import REGULAR, SEMIBOLD
from albumgen_core.card.palette import Palette
from albumgen_core.card.parts import EDGE, LABEL, WIDTH
from albumgen_core.card.text_layout import fit, is_bundled, text_tag, width
from albumgen_core.localisation import core_text, decimal

SHOWN_NEIGHBOURS = 5


class Sheet:
    """What cards and comparisons draw on.

    Args:
        palette: colours. scale: pixels per unit, 0.5 to 4. language: of the words.

    Raises ValueError for a scale out of range.
    """

    def __init__(self, palette: Palette, scale: float, language: str) -> None:
        if not 0.5 <= scale <= 4:
            raise ValueError(f"scale is {scale:g}, outside 0.5 to 4")
        self.palette, self.scale, self.language = palette, scale, language
        self._body: list[str] = []

    def add(self, *markup: str) -> None:
        """Add SVG elements above what is there."""
        self._body.extend(markup)

    def rule(self, y: float) -> None:
        """Add a line across."""
        self.add(parts.rectangle(EDGE, y, WIDTH - 2 * EDGE, 1, self.palette.line))

    def say(self, key: str, /, **values: Any) -> str:
        """One of the words under "card." in the sheet's language."""
        return core_text(self.language, f"card.{key}", **values)

    def genre(self, genre: str) -> str:
        """A genre as a heading."""
        return genre_label(genre, self.language)

    def facts(self, attributes: MusicalAttributes) -> str:
        """ "C# minor · 4/4 · 118 BPM" """
        key = key_name(attributes.key, attributes.mode, self.language)
        return f"{key} · {attributes.time_signature}/4 · {attributes.tempo:.0f} BPM"

    def length_and_seed(self, card: CardContent, x: float, y: float, room: float) -> str:
        """The clip's length at the left of a line, its seed at the right."""
        length = self.say("seconds", seconds=decimal(card.seconds, self.language, 1))
        seed = self.say("seed", seed=card.seed)
        return text_tag(length, x, y, LABEL, self.palette.muted) + text_tag(
            seed, x + room, y, LABEL, self.palette.muted, anchor="end"
        )

    def picture(self, image: Image.Image, x: float, y: float, side: float, name: str) -> str:
        """A picture in a square of `side` units."""
        return parts.picture(image, x, y, side, name, round(side * self.scale), self.palette.panel)

    def albums(self, card: CardContent, y: float, room: float, x: float, name: str) -> float:
        """Add a row of the retrieved albums from the base line `y` on; returns where it ends.

        Covers with distances, or with why else they are here; titles too where a cover has 90 units and more.
        """
        palette = self.palette
        distance = self.say("distance")
        space = room - width(distance, LABEL) - 12
        headings = [self.say("albums"), self.say("albums.short")]
        heading = next((each for each in headings if width(each, LABEL, bold=True) <= space), headings[-1])
        self.add(text_tag(heading, x, y, LABEL, palette.text, bold=True))
        self.add(text_tag(distance, x + room, y, LABEL, palette.accent, anchor="end"))
        step = (room + 10) / SHOWN_NEIGHBOURS
        side = step - 10
        titled = side >= 90
        below = y + 12 + side + (46 if titled else 23)
        for i, neighbour in enumerate(card.neighbours[:SHOWN_NEIGHBOURS]):
            left = x + i * step
            self.add(self._thumbnail(card, i, left, y + 12, side, f"{name}-{i}"))
            if titled:
                title = fit(neighbour.album.title, LABEL, side)
                self.add(text_tag(title, left, below - 23, LABEL, palette.text))
            shown = fit(self.why(neighbour), LABEL, side, bold=True)
            self.add(text_tag(shown, left, below, LABEL, palette.accent, bold=True))
        return below

    def why(self, neighbour: Neighbour) -> str:
        """The distance of an album that looks alike; of another, why it is here."""
        if neighbour.reason == "look" and neighbour.distance is not None:
            return decimal(neighbour.distance, self.language)
        return self.say(f"reason.{neighbour.reason}")

    def svg(self, height: int) -> str:
        """The picture, `height` units high, on a ground with round corners."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="Inter" xml:space="preserve">'
            f"{parts.rectangle(0, 0, WIDTH, height, self.palette.background, radius=18)}"
            f"{''.join(self._body)}</svg>"
        )

    def _thumbnail(self, card: CardContent, i: int, x: float, y: float, side: float, name: str) -> str:
        image = parts.opened(card.thumbnails[i]) if i < len(card.thumbnails) else None
        if image is None:
            return parts.missing_cover(x, y, side, self.palette)
        return self.picture(image, x, y, side, name)


def rasterise(svg: str, scale: float) -> bytes:
    """An SVG as PNG bytes, `scale` pixels per unit; the same for the same SVG and fonts."""
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=scale,
            # System fonts differ from machine to machine and take time to find; only text in other
            # scripts needs them.
            skip_system_fonts=is_bundled(svg),
            font_files=[str(REGULAR), str(SEMIBOLD)],
            font_family="Inter",
            sans_serif_family="Inter",
        )
    )
