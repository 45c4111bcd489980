"""The styles."""

from __future__ import annotations

from albumgen_core.engines.sketch.players import (
    BAND,
    CHAMBER,
    CHURCH,
    CRUNCH,
    DREAM,
    GLOBE,
    ISLAND,
    JAZZ,
    LOFI,
    METAL,
    NATURE,
    POP,
    RAVE,
    RIO,
    ROCK,
    RURAL,
    SOUL,
    SYNTH,
    TRAP,
    TROPIC,
    URBAN,
)
from albumgen_core.engines.sketch.style import Mix, Style

STYLES: dict[str, Style] = {
    "pop": Style(
        "pop", "pop", ("arpeggio", "pulse"), ("root", "eighths"), BAND, POP, lift=True,
    ),
    "rock": Style(
        "rock", "rock", ("strum", "pulse"), ("root", "eighths"), BAND, ROCK, pentatonic=True,
        cadence="modal", ending="stop", mix=Mix(-4.3, levels={"lead": 1.0}, doubled=("chords",),
        saturation=2.0),
    ),
    "punk": Style(
        "rock", "punk", ("chug", "pulse"), ("eighths", "eighths"), BAND, CRUNCH, pentatonic=True,
        cadence="modal", fill="snare", ending="stop", push=0.4, mix=Mix(-4.0, doubled=("chords",),
        saturation=3.0),
    ),
    "metal": Style(
        "metal", "metal", ("chug", "chug"), ("eighths", "eighths"), CRUNCH, METAL, cadence="modal",
        ending="stop", mix=Mix(-4.2, doubled=("chords", "lead"), saturation=3.0),
    ),
    "indie": Style(
        "rock", "indie", ("arpeggio", "strum"), ("eighths", "eighths"), BAND, ROCK, cadence="plagal",
        push=0.3, mix=Mix(-4.4, levels={"chords": 1.0}, doubled=("chords",), saturation=1.0),
    ),
    "hiphop": Style(
        "hiphop", "boombap", ("block", "stabs"), ("root", "root"), SOUL, URBAN, 0.58, True, True,
        fill="none", laid_back=14.0, syncopation=0.5, mix=Mix(-5.0, levels={"drums": 2.0, "bass": 1.0},
        saturation=2.0),
    ),
    "trap": Style(
        "hiphop", "trap", ("arpeggio", "block"), ("808", "808"), URBAN, TRAP, pentatonic=True, fill="hats",
        syncopation=0.5, mix=Mix(-5.2, duck=2.0, levels={"bass": 3.0, "drums": 1.0}, saturation=1.0),
    ),
    "lofi": Style(
        "soul", "lofi", ("block", "block"), ("root", "root"), JAZZ, LOFI, 0.6, True, True, "plagal",
        fill="none", ending="fade", laid_back=20.0, static=True, mix=Mix(-5.5, levels={"drums": -1.0},
        saturation=3.0),
    ),
    "soul": Style(
        "soul", "soul", ("block", "stabs"), ("funk", "root"), JAZZ, SOUL, 0.54, True, True, "plagal",
        laid_back=12.0, syncopation=0.5, lift=True, mix=Mix(-4.8),
    ),
    "rnb": Style(
        "soul", "rnb", ("block", "pulse"), ("808", "root"), SOUL, URBAN, 0.55, True, True, "plagal", "none",
        laid_back=16.0, syncopation=0.5, mix=Mix(-4.9, levels={"bass": 1.5}),
    ),
    "funk": Style(
        "soul", "funk", ("stabs", "stabs"), ("funk", "funk"), SOUL, SOUL, 0.53, True, True, fill="snare",
        ending="stop", push=0.35, syncopation=0.6, mix=Mix(-4.4, levels={"bass": 1.5}),
    ),
    "disco": Style(
        "dance", "disco", ("stabs", "offbeat"), ("octaves", "octaves"), SOUL, SOUL, cadence="modal",
        push=0.3, syncopation=0.45, mix=Mix(-4.4, duck=1.5, levels={"bass": 1.0}),
    ),
    "gospel": Style(
        "soul", "gospel", ("block", "pulse"), ("root", "walking"), CHURCH, CHURCH, 0.62, cadence="plagal",
        lift=True, laid_back=8.0, mix=Mix(-4.7, levels={"voice": 3.0}),
    ),
    "house": Style(
        "dance", "house", ("offbeat", "stabs"), ("offbeat", "octaves"), POP, SYNTH, cadence="modal",
        fill="roll", syncopation=0.45, mix=Mix(-4.6, duck=6.0, levels={"drums": 2.0, "lead": -1.0},
        doubled=("pad", "lead")),
    ),
    "techno": Style(
        "dance", "techno", ("offbeat", "offbeat"), ("offbeat", "eighths"), POP, RAVE, cadence="modal",
        fill="roll", syncopation=0.5, static=True, mix=Mix(-4.8, duck=6.0, levels={"drums": 3.0, "lead":
        -3.0}, saturation=2.0),
    ),
    "trance": Style(
        "dance", "trance", ("arpeggio", "pulse"), ("offbeat", "offbeat"), POP, RAVE, cadence="modal",
        fill="roll", mix=Mix(-4.4, duck=7.0, levels={"pad": 3.0}, doubled=("pad", "lead", "chords")),
    ),
    "synthpop": Style(
        "pop", "synthpop", ("pulse", "arpeggio"), ("eighths", "octaves"), POP, SYNTH, cadence="modal",
        fill="toms", mix=Mix(-4.4, duck=2.0, doubled=("pad", "lead")),
    ),
    "breaks": Style(
        "dance", "breaks", ("block", "stabs"), ("dub", "long"), POP, SYNTH, cadence="modal", fill="snare",
        syncopation=0.55, mix=Mix(-4.5, duck=2.0, levels={"drums": 3.0, "bass": 2.0}, saturation=2.0),
    ),
    "ambient": Style(
        "ambient", "none", ("arpeggio", "block"), ("long", "long"), NATURE, DREAM, cadence="plagal",
        fill="none", ending="fade", syncopation=0.1, static=True, mix=Mix(-5.4, levels={"pad": 2.0, "lead":
        -2.0}),
    ),
    "jazz": Style(
        "jazz", "swing", ("charleston", "charleston"), ("walking", "walking"), JAZZ, JAZZ, 0.64,
        fill="brush", laid_back=10.0, push=0.4, syncopation=0.55, mix=Mix(-5.0, levels={"drums": 2.0}),
    ),
    "blues": Style(
        "blues", "shuffle", ("pulse", "charleston"), ("walking", "fifths"), BAND, ROCK, 0.65,
        pentatonic=True, laid_back=10.0, syncopation=0.4, mix=Mix(-4.8, levels={"lead": 1.0}, saturation=1.0),
    ),
    "country": Style(
        "country", "train", ("strum", "strum"), ("fifths", "fifths"), RURAL, BAND, 0.52, fill="snare",
        ending="stop", lift=True, mix=Mix(-4.6, levels={"chords": 1.5}),
    ),
    "folk": Style(
        "folk", "brush", ("arpeggio", "strum"), ("root", "fifths"), RURAL, BAND, cadence="plagal",
        fill="none", syncopation=0.2, mix=Mix(-5.0, levels={"chords": 1.0, "drums": -1.0}, doubled=()),
    ),
    "classical": Style(
        "classical", "none", ("arpeggio", "block"), ("root", "fifths"), CHAMBER, CHAMBER, fill="none",
        syncopation=0.08, push=0.0, mix=Mix(-5.3, doubled=()),
    ),
    "screen": Style(
        "pop", "cinematic", ("pulse", "block"), ("long", "root"), CHAMBER, CHAMBER, cadence="modal",
        fill="toms", syncopation=0.15, push=0.0, mix=Mix(-5.2, levels={"pad": 5.0, "drums": 1.0}),
    ),
    "latin": Style(
        "latin", "salsa", ("montuno", "montuno"), ("tumbao", "tumbao"), TROPIC, TROPIC, fill="conga",
        ending="stop", push=0.5, syncopation=0.6, mix=Mix(-4.6),
    ),
    "bossa": Style(
        "jazz", "bossa", ("bossa", "bossa"), ("bossa", "bossa"), RIO, RIO, fill="none", push=0.4,
        syncopation=0.55, laid_back=6.0, mix=Mix(-5.2, levels={"drums": -1.0, "chords": 1.0}, doubled=()),
    ),
    "reggaeton": Style(
        "latin", "dembow", ("block", "stabs"), ("808", "root"), TROPIC, URBAN, pentatonic=True,
        cadence="modal", fill="roll", syncopation=0.5, mix=Mix(-4.7, duck=2.0, levels={"drums": 2.0, "bass":
        1.5}),
    ),
    "reggae": Style(
        "reggae", "onedrop", ("skank", "skank"), ("dub", "dub"), ISLAND, ISLAND, 0.56, cadence="plagal",
        fill="snare", laid_back=10.0, mix=Mix(-5.2, levels={"bass": 3.0}),
    ),
    "ska": Style(
        "reggae", "ska", ("skank", "skank"), ("walking", "eighths"), TROPIC, ISLAND, 0.54, cadence="plagal",
        fill="snare", ending="stop", push=0.3, mix=Mix(-4.3),
    ),
    "world": Style(
        "folk", "afro", ("arpeggio", "montuno"), ("funk", "funk"), GLOBE, GLOBE, cadence="modal",
        fill="conga", syncopation=0.55, mix=Mix(-4.6, levels={"drums": 1.0}),
    ),
    "standards": Style(
        "jazz", "brush", ("block", "arpeggio"), ("root", "walking"), JAZZ, JAZZ, 0.6, fill="brush",
        laid_back=10.0, syncopation=0.3, mix=Mix(-5.3, levels={"pad": 2.0}),
    ),
}  # fmt: skip
