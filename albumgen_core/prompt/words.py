"""The words for every level of every attribute: one table, from the highest level down.

A level holds where the value is *above* its threshold, as in the slides' `describe_tempo`; the last one
holds for the rest. The tempo's thresholds are the slides' own. The others were chosen so that each of the
slides' printed examples gets the words it got there (valence .89 very upbeat, .54 moderately positive,
.40 neutral; danceability .80 highly, .74 and .62 quite, .52 moderately, .29 less; energy .96 extremely,
.82 to .86 very, .63 and .64 quite), and follow Spotify's own guidance where it gives any: liveness above
.8 is live, speechiness above .66 is speech and above .33 a mix, instrumentalness above .5 has no vocals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """Words for the values above a threshold.

    Attributes:
        above: lower bound, not included.
        phrase: a noun phrase with its article, for the slides' template.
        word: adjective or short phrase for captions; "" where the level goes without saying.
    """

    above: float
    phrase: str
    word: str


NOWHERE = float("-inf")

LEVELS: dict[str, tuple[Level, ...]] = {
    "valence": (
        Level(
            0.75, "a very upbeat and cheerful mood, bright and optimistic, that lifts the spirits", "cheerful"
        ),
        Level(0.60, "a positive mood, warm and confident, with harmonic layering", "uplifting"),
        Level(0.45, "a moderately positive mood, slightly happy, enjoyable and lighthearted", "warm"),
        Level(0.30, "a neutral mood, neither particularly happy nor sad", "wistful"),
        Level(0.15, "a somewhat sad mood, reflective and subdued", "melancholic"),
        Level(NOWHERE, "a deeply melancholic mood, dark and sorrowful", "dark"),
    ),
    "danceability": (
        Level(0.80, "highly danceable rhythms with compelling grooves", "irresistible dance groove"),
        Level(0.60, "quite danceable rhythms and beats that encourage movement", "danceable groove"),
        Level(0.45, "moderately danceable rhythms with a noticeable feel", "steady groove"),
        Level(0.25, "less danceable rhythms that are complex or subdued", "loose rhythm"),
        Level(NOWHERE, "free-flowing rhythms that are not made for dancing", "free-flowing rhythm"),
    ),
    "energy": (
        Level(0.90, "extremely high energy, intense and vigorous throughout", "intense"),
        Level(0.75, "very high energy, lively and dynamic", "energetic"),
        Level(0.55, "quite high energy, with a strong sense of movement", "lively"),
        Level(0.40, "moderate energy, balancing intensity with calmer moments", "mid-energy"),
        Level(0.20, "low energy, relaxed and gentle", "relaxed"),
        Level(NOWHERE, "very low energy, calm and still", "calm"),
    ),
    "acousticness": (
        Level(0.80, "a fully acoustic sound of natural instruments", "all acoustic"),
        Level(0.60, "a mostly acoustic sound with light production", "mostly acoustic"),
        Level(0.35, "a balanced blend of acoustic and electronic sounds", "part acoustic, part electric"),
        Level(0.15, "a mostly electric sound with a few acoustic touches", "mostly electric"),
        Level(NOWHERE, "a non-acoustic sound of amplified and electronic instruments", "amplified"),
    ),
    "liveness": (
        Level(0.80, "a live concert recording with an audible audience", "live concert recording"),
        Level(0.50, "a recording with a strong live atmosphere", "live atmosphere"),
        Level(0.30, "a studio recording with a touch of live ambience", "roomy recording"),
        Level(NOWHERE, "a clearly produced studio recording with minimal ambient noise", "studio recording"),
    ),
    # On the unit scale of clip((dB + 60) / 60): 0.92 is -4.8 dB, 0.85 is -9 dB, 0.75 is -15 dB.
    "loudness": (
        Level(0.92, "an extremely loud overall sound level and powerful dynamics", "very loud"),
        Level(0.85, "a loud overall sound level", "loud"),
        Level(0.75, "a moderate overall sound level", "even-levelled"),
        Level(0.60, "a soft overall sound level", "soft"),
        Level(NOWHERE, "a very quiet overall sound level, delicate and intimate", "very quiet"),
    ),
    "speechiness": (
        Level(0.66, "almost nothing but spoken words", "spoken word"),
        Level(0.33, "a mix of music and spoken words, as in rap", "rapped verses"),
        Level(0.10, "some spoken words among the music", "half-spoken phrases"),
        Level(NOWHERE, "little to no spoken words", ""),
    ),
    "instrumentalness": (
        Level(0.80, "no vocals at all, carried by the instruments alone", "instrumental"),
        Level(0.50, "hardly any vocals, led by the instruments", "mostly instrumental"),
        Level(0.20, "vocals that share the foreground with long instrumental passages", "sparse vocals"),
        Level(NOWHERE, "vocals in the foreground", "vocals"),
    ),
    "tempo": (
        Level(180, "very fast tempo", "very fast"),
        Level(160, "fast tempo", "fast"),
        Level(140, "upbeat tempo", "upbeat"),
        Level(120, "moderately fast tempo", "moderately fast"),
        Level(100, "moderate tempo", "moderate"),
        Level(80, "slow tempo", "slow"),
        Level(60, "very slow tempo", "very slow"),
        Level(NOWHERE, "extremely slow tempo", "extremely slow"),
    ),
}

ACOUSTIC_ABOVE = 0.4
"""Acousticness above which acoustic instruments play: so are 27 % of the albums in the charts (MusicOSet) and
30 % of those that critics review (P4KxSpotify)."""

_ROCK = ("acoustic guitars, bass and brushed drums", "electric guitars, bass and punchy drums")
_POP = ("piano, acoustic guitar and light percussion", "synths, bass and crisp drums")
_CLUB = ("piano chords and hand percussion", "synth leads, deep bass and a four-on-the-floor kick")
_SOUL = ("piano, warm bass and soft drums", "electric piano, bass guitar, horns and tight drums")
_SWING = ("double bass, piano, saxophone and brushed drums", "electric piano, bass, saxophone and drums")
_STAGE = ("strings, woodwinds and piano", "orchestra, brass and timpani")
_RURAL = ("acoustic guitar, fiddle and upright bass", "twangy electric guitar, pedal steel and drums")

INSTRUMENTS: dict[str, tuple[str, str]] = {
    "adult standards": ("piano, strings and brushed drums", "big band brass, piano and drums"),
    "alternative rock": _ROCK,
    "ambient": ("soft piano and strings", "warm synth pads and drones"),
    "blues": ("acoustic slide guitar and harmonica", "overdriven guitar, organ, bass and shuffling drums"),
    "children's music": ("ukulele, glockenspiel and handclaps", "toy keyboards, bass and bouncy drums"),
    "christian": _ROCK,
    "classic rock": ("acoustic guitars, organ and drums", "electric guitars, organ, bass and big drums"),
    "classical": ("strings and piano", "full orchestra"),
    "comedy": ("acoustic guitar and piano", "keyboards, bass and drums"),
    "country": _RURAL,
    "dance pop": _CLUB,
    "disco": ("strings, piano and congas", "funky guitar, octave bass, strings and a steady kick"),
    "drum and bass": ("piano and breakbeats", "rolling bass, pads and fast breakbeats"),
    "easy listening": ("strings, vibraphone and soft drums", "electric piano, strings and soft drums"),
    "electronic": ("piano, bells and soft beats", "synthesizers, sequenced bass and drum machines"),
    "emo": _ROCK,
    "experimental": ("prepared piano and bowed strings", "processed noise, tape loops and synths"),
    "folk": ("fingerpicked acoustic guitar, banjo and fiddle", "electric guitar, organ and drums"),
    "funk": ("clavinet, upright bass and hand percussion", "slap bass, wah guitar, horns and tight drums"),
    "gospel": ("piano, choir and handclaps", "organ, choir, bass and drums"),
    "hard rock": ("acoustic guitars and big drums", "distorted guitars, bass and pounding drums"),
    "hip hop": ("jazzy piano, upright bass and dusty drums", "deep 808 bass, sampled keys and hard drums"),
    "house": _CLUB,
    "indie pop": ("acoustic guitar, glockenspiel and soft drums", "jangling guitars, synths and light drums"),
    "indie rock": _ROCK,
    "jazz": _SWING,
    "latin": ("nylon guitar, congas and trumpet", "piano montuno, brass, bass and timbales"),
    "metal": ("classical guitars and thunderous drums", "heavy distorted guitars and double-kick drums"),
    "new wave": ("piano, chorus guitar and drums", "chorus guitars, analogue synths and tight drums"),
    "pop": _POP,
    "progressive rock": (
        "twelve-string guitar, flute and mellotron",
        "organ, electric guitars and intricate drums",
    ),
    "psychedelic rock": ("acoustic guitars, sitar and tambourine", "fuzz guitars, organ and swirling drums"),
    "punk": ("strummed acoustic guitars and stomping drums", "distorted power chords and fast drums"),
    "r&b": _SOUL,
    "reggae": ("nyabinghi drums and acoustic guitar", "offbeat guitar skank, organ bubble and heavy bass"),
    "rock": _ROCK,
    "rock and roll": ("upright bass, piano and brushed drums", "twangy guitar, piano and backbeat drums"),
    "show tunes": _STAGE,
    "singer-songwriter": ("acoustic guitar and piano", "clean electric guitar, bass and soft drums"),
    "soft rock": ("acoustic guitars and piano", "electric piano, clean guitars and soft drums"),
    "soul": _SOUL,
    "soundtrack": _STAGE,
    "synth-pop": ("piano and soft synths", "bright synths, arpeggios and drum machine"),
    "techno": ("muted piano and wooden percussion", "hypnotic synths and a pounding kick"),
    "world": ("hand drums, flutes and plucked strings", "kora, electric bass and layered percussion"),
}
"""By genre: what plays when the music is rather acoustic, and what when it is not."""

GENRE_ADJECTIVES = {
    "adult standards": "traditional pop",
    "children's music": "children's",
    "comedy": "comedic",
    "r&b": "R&B",
    "show tunes": "Broadway",
    "soundtrack": "film score",
    "world": "world music",
    "latin": "Latin",
    "christian": "Christian",
}
"""How a genre reads before a noun, where not as it is."""


def level_of(field: str, value: float) -> Level:
    """The level that holds for a value of an attribute or the tempo. Raises KeyError for other fields."""
    levels: Sequence[Level] = LEVELS[field]
    return next((level for level in levels if value > level.above), levels[-1])
