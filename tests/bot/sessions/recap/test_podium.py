from __future__ import annotations

import io

from PIL import Image

from bot.sessions.recap.podium import podium_png
from bot.sessions.recap.statistics import summarise
from tests.bot.sessions.records import ANA, BO, entry, record, votes


def picture_of(scores: list[int]) -> Image.Image:
    """The podium of covers that two members gave these scores."""
    given = votes({(number, 0): {ANA: score, BO: score} for number, score in enumerate(scores, 1)})
    recap = summarise(record([entry(number) for number in range(1, len(scores) + 1)], given))
    png = podium_png(recap.podium, {}, "de")
    assert png is not None
    return Image.open(io.BytesIO(png)).convert("RGB")


def medals(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """How many medals of a colour there are: patches of it that do not touch."""
    mask = picture.resize((picture.width // 8, picture.height // 8), Image.Resampling.NEAREST)
    hits = {
        (x, y)
        for x in range(mask.width)
        for y in range(mask.height)
        if max(abs(a - b) for a, b in zip(mask.getpixel((x, y)), colour, strict=True)) < 12  # type: ignore[arg-type]
    }
    found = 0
    while hits:
        found += 1
        front = [hits.pop()]
        while front:
            x, y = front.pop()
            near = {(x + dx, y + dy) for dx in range(-6, 7) for dy in range(-6, 7)} & hits
            hits -= near
            front += near
    return found


BRONZE = (0xE0, 0xA2, 0x7A)


def test_who_shares_the_third_place_is_on_the_podium() -> None:
    three, shared = picture_of([5, 4, 3, 1]), picture_of([5, 4, 3, 3, 1])
    assert (medals(three, BRONZE), medals(shared, BRONZE)) == (1, 2)
    assert shared.height > three.height
    assert shared.width == three.width == 1200


def test_without_votes_there_is_no_podium() -> None:
    assert podium_png(summarise(record([entry(1)])).podium, {}, "en") is None
