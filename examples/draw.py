"""Draws every picture that AlbumGen ships: three example covers and the small record shelf behind them.

    python examples/draw.py

The covers are free to use (CC0). The shelf is fictional: its artists, albums and measured attributes were
made up so that retrieval can be tried without anybody's data.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

HERE = Path(__file__).parent
SIZE = 640
SCALE = 2  # drawn twice as large and reduced, which smooths every edge
Colour = tuple[int, int, int]
Painter = Callable[[np.random.Generator, list[Colour]], Image.Image]


def hex_colours(text: str) -> list[Colour]:
    """Colours from "1b1b3a ff5e5b …"."""
    return [(int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)) for code in text.split()]


def gradient(top: Colour, bottom: Colour) -> Image.Image:
    """A vertical gradient over the whole canvas."""
    side = SIZE * SCALE
    ramp = np.linspace(0.0, 1.0, side)[:, None, None]
    pixels = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    return Image.fromarray(np.broadcast_to(pixels, (side, side, 3)).astype(np.uint8), "RGB")


def grain(image: Image.Image, rng: np.random.Generator, strength: float = 7.0) -> Image.Image:
    """Paper grain, so that flat areas look printed."""
    pixels = np.asarray(image, dtype=np.float32)
    noise = rng.normal(0.0, strength, pixels.shape[:2])[:, :, None]
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8), "RGB")


def finish(image: Image.Image, rng: np.random.Generator, strength: float = 6.0) -> Image.Image:
    """Reduce to the final size and add grain."""
    return grain(image.resize((SIZE, SIZE), Image.Resampling.LANCZOS), rng, strength)


def glow(image: Image.Image, centre: tuple[float, float], radius: float, colour: Colour) -> Image.Image:
    """Add light around a point."""
    layer = Image.new("RGB", image.size)
    x, y = centre
    ImageDraw.Draw(layer).ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return ImageChops.screen(image, layer.filter(ImageFilter.GaussianBlur(radius * 0.7)))


def arcade(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """A striped sun over a grid that runs to the horizon."""
    top, bottom, sun_top, sun_bottom, line = colours
    side = SIZE * SCALE
    image = glow(gradient(top, bottom), (side / 2, side * 0.5), side * 0.3, tuple(c // 2 for c in sun_bottom))
    disc = Image.new("L", image.size)
    pen = ImageDraw.Draw(disc)
    radius, centre = side * 0.27, side * 0.46
    pen.ellipse((side / 2 - radius, centre - radius, side / 2 + radius, centre + radius), fill=255)
    for stripe in range(6):
        y = centre + radius * (0.05 + 0.16 * stripe)
        pen.rectangle((0, y, side, y + radius * (0.02 + 0.012 * stripe)), fill=0)
    image.paste(gradient(sun_top, sun_bottom), mask=disc)
    horizon = side * 0.66
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, horizon, side, side), fill=tuple(c // 4 for c in top))
    for column in range(-14, 15):
        pen.line(
            (side / 2 + column * side * 0.035, horizon, side / 2 + column * side * 0.22, side),
            fill=line,
            width=4,
        )
    for row in range(11):
        y = horizon + (side - horizon) * (row / 10) ** 2.2
        pen.line((0, y, side, y), fill=line, width=3 + row // 3)
    return finish(image, rng)


def tide(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """A moon and its broken reflection on dark water."""
    sky, horizon_colour, water, light = colours
    side = SIZE * SCALE
    image = gradient(sky, horizon_colour)
    horizon = side * 0.6
    pen = ImageDraw.Draw(image)
    for _ in range(90):
        x, y = rng.uniform(0, side), rng.uniform(0, horizon * 0.9)
        size = rng.uniform(0.6, 2.6)
        pen.ellipse((x - size, y - size, x + size, y + size), fill=light)
    image.paste(gradient(horizon_colour, water).crop((0, 0, side, int(side - horizon))), (0, int(horizon)))
    moon_x = side * float(rng.uniform(0.4, 0.62))
    image = glow(image, (moon_x, side * 0.3), side * 0.15, tuple(c // 3 for c in light))
    pen = ImageDraw.Draw(image)
    radius = side * 0.085
    pen.ellipse((moon_x - radius, side * 0.3 - radius, moon_x + radius, side * 0.3 + radius), fill=light)
    for row in range(46):
        depth = row / 46
        y = horizon + 8 + (side - horizon) * depth**1.4
        half = side * (0.02 + 0.13 * depth) * rng.uniform(0.25, 1.0)
        shift = rng.normal(0, side * 0.012 * (1 + depth))
        shade = tuple(
            int(lit * (0.85 - 0.5 * depth) + wet * (0.15 + 0.5 * depth))
            for lit, wet in zip(light, water, strict=True)
        )
        pen.line((moon_x + shift - half, y, moon_x + shift + half, y), fill=shade, width=2 + int(5 * depth))
    return finish(image, rng, 5.0)


def orchard(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """Layered hills with round trees, under a paper sky."""
    paper, sun, *hills = colours
    side = SIZE * SCALE
    image = gradient(paper, tuple(min(255, c + 12) for c in paper))
    pen = ImageDraw.Draw(image)
    radius, x, y = side * 0.1, side * float(rng.uniform(0.25, 0.75)), side * 0.24
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=sun)
    for layer, colour in enumerate(hills):
        base = side * (0.42 + 0.15 * layer)
        phase, waves = rng.uniform(0, 2 * math.pi), rng.uniform(0.8, 1.6)
        ridge = [
            (
                px,
                base
                + side * 0.05 * math.sin(phase + waves * 2 * math.pi * px / side)
                - side * 0.02 * math.sin(px / 90),
            )
            for px in range(0, side + 8, 8)
        ]
        for tx, ty in ridge[4 :: int(rng.integers(9, 15))]:
            height = side * rng.uniform(0.03, 0.06) * (0.7 + 0.25 * layer)
            dark = tuple(int(c * 0.72) for c in colour)
            pen.line((tx, ty + 6, tx, ty - height), fill=dark, width=5)
            pen.ellipse(
                (tx - height * 0.55, ty - height * 1.7, tx + height * 0.55, ty - height * 0.5), fill=dark
            )
        pen.polygon([*ridge, (side, side), (0, side)], fill=colour)
    return finish(image, rng, 8.0)


def rings(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """Concentric quarter rings: a soul sleeve."""
    ground, *bands = colours
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)
    corner_x, corner_y = (side * float(rng.choice([0.0, 0.5, 1.0])), side * float(rng.choice([0.6, 1.0])))
    for ring in range(11, 0, -1):
        radius = side * 0.095 * ring
        colour = bands[ring % len(bands)]
        pen.ellipse((corner_x - radius, corner_y - radius, corner_x + radius, corner_y + radius), fill=colour)
    return finish(image, rng)


def shards(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """Splinters bursting from a dark centre."""
    ground, *splinters = colours
    side = SIZE * SCALE
    image = gradient(ground, tuple(c // 2 for c in ground))
    pen = ImageDraw.Draw(image)
    for _ in range(150):
        angle, reach = rng.uniform(0, 2 * math.pi), side * rng.uniform(0.12, 0.75)
        start, width = side * rng.uniform(0.04, 0.2), rng.uniform(0.01, 0.05)
        points = [
            (side / 2 + math.cos(a) * r, side / 2 + math.sin(a) * r)
            for a, r in (
                (angle, start),
                (angle + width, reach),
                (angle - width, reach * rng.uniform(0.6, 1.0)),
            )
        ]
        pen.polygon(points, fill=splinters[int(rng.integers(len(splinters)))])
    return finish(image, rng, 11.0)


def lattice(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """A field of dots that swell in waves: machine music."""
    ground, *dots = colours
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)
    count = int(rng.integers(13, 20))
    cell, phase = side / count, rng.uniform(0, 6)
    for row in range(count):
        for column in range(count):
            swell = 0.5 + 0.5 * math.sin(phase + math.hypot(row - count * 0.4, column - count * 0.6) * 0.75)
            radius = cell * (0.08 + 0.36 * swell)
            x, y = (column + 0.5) * cell, (row + 0.5) * cell
            pen.ellipse(
                (x - radius, y - radius, x + radius, y + radius), fill=dots[int(swell * (len(dots) - 0.01))]
            )
    return finish(image, rng, 4.0)


def bloom(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """Soft overlapping lights: dream pop and ambient."""
    ground, *lights = colours
    side = SIZE * SCALE
    image = gradient(ground, tuple(min(255, int(c * 1.15)) for c in ground))
    for _ in range(9):
        colour = lights[int(rng.integers(len(lights)))]
        centre = (side * rng.uniform(0.1, 0.9), side * rng.uniform(0.1, 0.9))
        image = glow(image, centre, side * rng.uniform(0.08, 0.22), tuple(int(c * 0.75) for c in colour))
    return finish(image, rng, 8.0)


def strokes(rng: np.random.Generator, colours: list[Colour]) -> Image.Image:
    """Broad brush strokes on a warm ground: a jazz sleeve."""
    ground, *paints = colours
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side), ground)
    for stroke in range(8):
        layer = Image.new("L", image.size)
        pen = ImageDraw.Draw(layer)
        y, slope = side * (0.1 + 0.1 * stroke), rng.normal(0, 0.25)
        for bristle in range(26):
            offset = (bristle - 13) * side * 0.0035
            start, end = sorted(rng.uniform(0.02, 0.98, 2))
            pen.line(
                (
                    side * start,
                    y + offset + slope * side * (start - 0.5),
                    side * end,
                    y + offset + slope * side * (end - 0.5),
                ),
                fill=int(rng.uniform(120, 255)),
                width=6,
            )
        image.paste(paints[stroke % len(paints)], mask=layer)
    return finish(image, rng, 9.0)


COVERS: dict[str, tuple[Painter, str]] = {
    "solar-arcade": (arcade, "2b0f54 ff4f79 ffe66d ff5e5b 4ff0ff"),
    "low-tide": (tide, "060b1f 1d3461 081226 e8eef7"),
    "orchard-letters": (orchard, "f4e9d2 e4943a a7b978 7d9a5b 567a48 38593a"),
}

# title, artist, genre, year, painter, colours,
# then acousticness danceability energy instrumentalness liveness loudness(dB) speechiness valence tempo key mode
SHELF: list[tuple[str, str, str, int, Painter, str, str]] = [
    ("Coin Slot Summer", "Vector Palms", "electropop", 2019, arcade, "241056 f0527c ffd166 ff6b6b 59e0ff", ".04 .76 .82 .21 .11 -5.4 .05 .81 122 9 1"),
    ("Night Highway 84", "Vector Palms", "synthwave", 2021, arcade, "0b0b2f 7b2d8b ff9f68 ff3f7f 7af5ff", ".02 .67 .86 .58 .14 -5.9 .04 .55 112 6 0"),
    ("High Score", "Kid Joystick", "dance pop", 2016, arcade, "3a0ca3 f72585 fff275 ff7b54 4cc9f0", ".05 .82 .88 .03 .19 -4.4 .07 .88 128 0 1"),
    ("Heatwave Radio", "Marina Vice", "disco", 2020, arcade, "51126b ff6d6d fff3b0 ff9b42 ffd6e0", ".09 .85 .79 .12 .09 -6.1 .05 .92 118 4 0"),
    ("Harbour at Four", "Elin Moss", "ambient", 2014, tide, "0a1024 24385e 0a1322 dfe7f2", ".93 .22 .12 .91 .10 -21.5 .04 .11 68 2 0"),
    ("Letters to the Moon", "Paper Lighthouse", "indie folk", 2012, tide, "101a33 3a4f7a 131f38 f2ead8", ".84 .38 .26 .33 .12 -14.2 .03 .24 84 7 1"),
    ("Black Water Blues", "Otis Delacroix", "blues", 1998, tide, "05070d 1f2b3a 070b12 f0dca4", ".62 .49 .38 .06 .21 -11.8 .05 .34 76 4 0"),
    ("Still", "Elin Moss", "ambient", 2018, tide, "0d1b2a 415a77 0d1b2a e0e1dd", ".97 .28 .09 .94 .09 -24.8 .04 .09 62 9 0"),
    ("Windfall", "The Cider Press", "folk", 2009, orchard, "f5ebd6 dd8b3a b4c08a 8aa563 5f8350 3e6240", ".88 .51 .36 .04 .15 -10.6 .03 .62 104 7 1"),
    ("Fence Posts", "June Callahan", "country", 2005, orchard, "f9edcf e0a458 c9b27c a28a4f 7c6a3b 5b4b2b", ".58 .58 .54 .01 .17 -7.9 .03 .68 112 2 1"),
    ("Small Fields", "The Cider Press", "folk", 2011, orchard, "efe6dd c8553d aebd93 7f9c74 557a5d 2f5249", ".91 .44 .29 .02 .11 -12.3 .04 .47 92 0 1"),
    ("Morning Hymnal", "St. Brendan Choir", "gospel", 2001, orchard, "fff4e0 f2b134 c7cf9f a1b57b 7b9a5f 5a7a4a", ".66 .47 .55 .00 .46 -8.8 .05 .66 88 5 1"),
    ("Velvet Staircase", "Roy Amber & the Keys", "soul", 1973, rings, "f2e3c6 d1495b edae49 00798c 30638e", ".35 .71 .58 .04 .12 -9.4 .06 .78 104 10 0"),
    ("Sunday Strut", "The Brass Ministry", "funk", 1977, rings, "3b1c32 f18f01 c73e1d 6a994e f7ede2", ".18 .84 .77 .11 .13 -8.2 .08 .93 108 2 0"),
    ("Ceiling of Gold", "Roy Amber & the Keys", "r&b", 1982, rings, "1b2021 e5b25d b88b4a 5c6b73 f4e4ba", ".28 .75 .52 .02 .10 -8.9 .05 .61 98 8 1"),
    ("Iron Psalm", "Gravemark", "metal", 2007, shards, "120a0a 8d0801 bf0603 4a4a4a e5e5e5", ".00 .31 .97 .34 .28 -3.9 .11 .19 164 4 0"),
    ("Collapse Theory", "Null Parade", "industrial", 2013, shards, "0d0d0d 2f3e46 84a98c cad2c5 52796f", ".01 .48 .93 .52 .20 -4.8 .07 .22 138 1 0"),
    ("No Brakes", "Tin Can Riot", "punk", 1996, shards, "1a1a1a ff006e ffbe0b fb5607 f8f9fa", ".01 .41 .96 .00 .33 -4.1 .09 .64 182 9 1"),
    ("Grid Study", "Mono Kern", "techno", 2017, lattice, "101010 e0e0e0 9e9e9e ff5400", ".03 .80 .78 .88 .10 -8.1 .05 .34 130 1 0"),
    ("Warehouse, 3 a.m.", "Mono Kern", "house", 2015, lattice, "0b132b 1c7293 9eb3c2 f4d35e", ".05 .81 .74 .71 .09 -7.5 .05 .48 124 7 0"),
    ("Copper Tape", "DJ Halftone", "hip hop", 2003, lattice, "2d1e2f f8c630 f78154 b4436c", ".15 .83 .65 .01 .22 -6.3 .27 .58 92 1 0"),
    ("Slow Aurora", "Hollow Meadow", "dream pop", 2018, bloom, "16213e 9d4edd 48bfe3 f72585 80ffdb", ".34 .43 .47 .45 .11 -10.2 .03 .33 96 9 1"),
    ("Peach Static", "Lumen Club", "indie pop", 2022, bloom, "3d2c4f ffafcc ffc8dd bde0fe ffd6a5", ".23 .66 .61 .06 .12 -7.4 .04 .71 114 0 1"),
    ("Blue Room Sessions", "Cassius Wynn Quartet", "jazz", 1961, strokes, "e9d8a6 005f73 0a9396 ae2012 001219", ".82 .53 .31 .62 .18 -14.6 .04 .52 118 10 0"),
    ("Left Hand Only", "Theo Bright Trio", "jazz", 1959, strokes, "f1e3d3 99582a 6f1d1b 432818 bb9457", ".94 .47 .22 .88 .16 -17.2 .04 .41 136 3 1"),
]  # fmt: skip

FEATURES = "acousticness danceability energy instrumentalness liveness loudness speechiness valence tempo key mode".split()


def draw_covers(folder: Path) -> None:
    """Write the three example covers as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (painter, colours)) in enumerate(COVERS.items()):
        picture = painter(np.random.default_rng(seed + 7), hex_colours(colours))
        picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(folder / f"{name}.png", optimize=True)


def draw_shelf(folder: Path) -> None:
    """Write the fictional record shelf: albums.csv and a JPEG an album."""
    (folder / "covers").mkdir(parents=True, exist_ok=True)
    with (folder / "albums.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "artist", "album", "genre", "year", *FEATURES, "time_signature"])
        for seed, (title, artist, genre, year, painter, colours, numbers) in enumerate(SHELF):
            stem = "".join(letter if letter.isalnum() else "-" for letter in title.lower()).strip("-")
            picture = painter(np.random.default_rng(seed + 100), hex_colours(colours))
            picture.resize((320, 320), Image.Resampling.LANCZOS).save(
                folder / "covers" / f"{stem}.jpg", quality=82
            )
            writer.writerow([f"covers/{stem}.jpg", artist, title, genre, year, *numbers.split(), 4])


if __name__ == "__main__":
    draw_covers(HERE / "covers")
    draw_shelf(HERE / "shelf")
