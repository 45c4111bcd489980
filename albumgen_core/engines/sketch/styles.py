"""What is typical of a genre: its progressions, groove, players."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from albumgen_core.attributes.predicted import Mode

Groove = Literal[
    "rock",
    "pop",
    "four",
    "hiphop",
    "funk",
    "swing",
    "train",
    "reggae",
    "latin",
    "metal",
    "breaks",
    "brush",
    "none",
]
Comping = Literal["block", "strum", "arpeggio", "offbeat", "charleston", "chug", "pulse"]
BassLine = Literal["root", "eighths", "walking", "octaves", "fifths", "long", "funk", "tumbao"]
Cadence = Literal["authentic", "plagal", "modal"]

PROGRESSIONS: dict[str, dict[Mode, tuple[str, ...]]] = {
    "pop": {
        "major": ("I V vi IV", "I vi IV V", "I IV vi V", "I iii IV V", "I IV ii V", "I Vsus4 IV I"),
        "minor": ("i VI III VII", "i iv VI V", "i VII VI VII", "i VI iv V", "i v VI VII", "i iv i V"),
    },
    "rock": {
        "major": ("I bVII IV I", "I IV V IV", "I V IV I", "I IV I V", "I vi IV V", "I iii IV I"),
        "minor": ("i VII VI VII", "i iv i VII", "i VI VII i", "i III VII i", "i VI iv V"),
    },
    "metal": {
        "major": ("I5 bVII5 IV5 I5", "I5 V5 IV5 I5", "I5 IV5 bVII5 I5"),
        "minor": ("i5 VI5 VII5 i5", "i5 bII5 i5 VII5", "i5 iv5 VI5 V5", "i5 i5 VI5 VII5", "i5 VII5 iv5 i5"),
    },
    "jazz": {
        "major": ("Imaj7 vi7 ii7 V7", "Imaj7 IVmaj7 ii7 V7", "Imaj9 iii7 ii7 V9", "I6 vi7 ii9 V7"),
        "minor": ("i7 iv7 iim7b5 V7", "i6 VImaj7 iim7b5 V7", "i9 iv7 i9 V7", "i7 VI7 V7 i6"),
    },
    "blues": {
        "major": ("I7 IV7 I7 V7", "I7 I7 IV7 I7", "I7 V7 IV7 I7"),
        "minor": ("i7 iv7 i7 V7", "i7 i7 iv7 i7", "i7 VI7 V7 i7"),
    },
    "soul": {
        "major": ("Imaj7 IVmaj7 Imaj7 V7sus4", "I vi7 ii7 V7", "Imaj7 iii7 IVmaj7 V7", "Imaj9 vi7 IVmaj7 V"),
        "minor": ("i7 iv7 i7 v7", "i9 VImaj7 iv7 V7", "i7 VII VImaj7 V7", "i9 iv9 i9 VII"),
    },
    "country": {
        "major": ("I IV V I", "I I IV V", "I V IV I", "I IV I V7", "I vi IV V"),
        "minor": ("i VII VI V", "i iv V i", "i iv i VII"),
    },
    "folk": {
        "major": ("I V vi IV", "I IV I V", "I iii IV I", "I ii IV I", "I Vsus4 IVadd9 I"),
        "minor": ("i VII i v", "i III VII i", "i VI VII i", "i iv VII i"),
    },
    "classical": {
        "major": ("I IV V7 I", "I vi ii V7", "I ii V7 I", "I V vi V", "I IV ii V"),
        "minor": ("i iv V7 i", "i VI iv V7", "i V7 i iv", "i iim7b5 V7 i"),
    },
    "dance": {
        "major": ("I V vi IV", "I IV vi V", "Iadd9 IV Iadd9 V", "I iii vi IV"),
        "minor": ("i VI III VII", "i iv VI VII", "i v VI iv", "i i VI VII", "i7 iv7 i7 v7"),
    },
    "ambient": {
        "major": ("Imaj7 IVmaj7 Imaj7 vi7", "Iadd9 vi7 IVmaj7 Isus2", "Isus2 V Iadd9 IV"),
        "minor": ("iadd9 VImaj7 iadd9 iv7", "i9 v7 VImaj7 i9", "isus2 iv i9 VII"),
    },
    "hiphop": {
        "major": ("Imaj7 vi7 ii7 Imaj7", "I IV I V", "Imaj7 Imaj7 IVmaj7 V7"),
        "minor": ("i i VI V", "i VI iv i", "i7 iv7 i7 VII", "i i iv VI"),
    },
    "latin": {
        "major": ("I IV V IV", "I vi7 ii7 V7", "I IV I V7"),
        "minor": ("i iv V7 i", "i VII VI V", "i iv i V7"),
    },
    "reggae": {
        "major": ("I IV I V", "I V vi IV", "I ii I V", "I IV V IV"),
        "minor": ("i iv i VII", "i VII i VII", "i VI VII i"),
    },
}
"""Four chords each, one a bar, in the numerals of `harmony.read_chord`."""


@dataclass(frozen=True, slots=True)
class Players:
    """General MIDI programs (from 0) to choose from, role by role."""

    lead: tuple[int, ...]
    chords: tuple[int, ...]
    bass: tuple[int, ...]
    pad: tuple[int, ...]
    kit: int


@dataclass(frozen=True, slots=True)
class Style:
    """How music of a family of genres is written.

    Attributes:
        progressions: a key of PROGRESSIONS.
        grooves: what the drums may play; "none" for music without a kit.
        comping: how chords may be played.
        bass: how the bass may move.
        acoustic, electric: who plays when acousticness is high, or low.
        swing: place of the off-beat eighth in its beat: 0.5 straight, 0.667 triplets.
        pentatonic: whether melodies keep to five notes.
        cadence: how phrases close.
    """

    progressions: str
    grooves: tuple[Groove, ...]
    comping: tuple[Comping, ...]
    bass: tuple[BassLine, ...]
    acoustic: Players
    electric: Players
    swing: float = 0.5
    pentatonic: bool = False
    cadence: Cadence = "authentic"


_BAND = Players((25, 73, 22, 0), (25, 24, 0), (32, 33), (48, 16, 49), 8)
_POP = Players((80, 81, 11, 26), (4, 5, 27, 0), (33, 38, 39), (89, 50, 51), 0)
_ROCK = Players((29, 27, 30, 17), (27, 29, 18), (33, 34), (16, 48, 18), 16)
_METAL = Players((30, 29, 81), (30, 29), (34, 33), (50, 48, 52), 16)
_JAZZ = Players((66, 65, 56, 59, 11, 26), (0, 26, 4), (32,), (49, 17), 40)
_SYNTH = Players((81, 80, 87, 84, 62), (90, 81, 62, 5), (38, 39), (89, 95, 50, 94), 24)
_CHAMBER = Players((40, 73, 68, 71, 42), (0, 46, 45, 6), (43, 42), (48, 49), 48)
_RURAL = Players((110, 105, 22, 25), (25, 105, 24), (32,), (21, 48), 8)
_SOUL = Players((65, 66, 61, 11), (4, 16, 7), (33, 36, 35), (48, 17, 61), 0)
_URBAN = Players((4, 11, 80, 75), (4, 5, 45), (38, 39, 35), (89, 50, 48), 25)
_DREAM = Players((98, 88, 11, 92), (5, 99, 4), (35, 39), (89, 94, 91, 95), 24)
_NATURE = Players((77, 75, 46, 73), (46, 0, 24), (32, 43), (49, 48, 52), 40)
_TROPIC = Players((73, 56, 114, 24), (24, 0, 21), (32, 33), (48, 61), 8)
_GLOBE = Players((104, 107, 75, 111), (15, 108, 24), (32, 35), (49, 52), 0)

STYLES: dict[str, Style] = {
    "pop": Style("pop", ("pop", "four"), ("pulse", "block", "arpeggio"), ("root", "eighths"), _BAND, _POP),
    "rock": Style(
        "rock",
        ("rock",),
        ("strum", "pulse", "chug"),
        ("eighths", "root"),
        _BAND,
        _ROCK,
        pentatonic=True,
        cadence="modal",
    ),
    "punk": Style(
        "rock", ("rock", "metal"), ("chug",), ("eighths",), _BAND, _ROCK, pentatonic=True, cadence="modal"
    ),
    "metal": Style("metal", ("metal", "rock"), ("chug",), ("eighths",), _ROCK, _METAL, cadence="modal"),
    "indie": Style(
        "rock", ("rock", "pop"), ("strum", "arpeggio"), ("eighths", "root"), _BAND, _ROCK, cadence="plagal"
    ),
    "hiphop": Style(
        "hiphop",
        ("hiphop", "breaks"),
        ("block", "offbeat", "pulse"),
        ("long", "root"),
        _SOUL,
        _URBAN,
        0.56,
        True,
    ),
    "soul": Style(
        "soul",
        ("funk", "pop"),
        ("block", "pulse", "offbeat"),
        ("funk", "root"),
        _JAZZ,
        _SOUL,
        0.54,
        True,
        "plagal",
    ),
    "funk": Style("soul", ("funk",), ("offbeat", "pulse"), ("funk", "octaves"), _SOUL, _SOUL, 0.53, True),
    "gospel": Style(
        "soul", ("pop", "swing"), ("block", "pulse"), ("root", "walking"), _BAND, _SOUL, 0.6, cadence="plagal"
    ),
    "house": Style(
        "dance", ("four",), ("offbeat", "pulse"), ("octaves", "eighths"), _POP, _SYNTH, cadence="modal"
    ),
    "breaks": Style(
        "dance", ("breaks",), ("arpeggio", "offbeat"), ("long", "octaves"), _POP, _SYNTH, cadence="modal"
    ),
    "ambient": Style("ambient", ("none",), ("arpeggio",), ("long",), _NATURE, _DREAM, cadence="plagal"),
    "jazz": Style("jazz", ("swing",), ("charleston",), ("walking",), _JAZZ, _JAZZ, 0.64),
    "blues": Style(
        "blues", ("swing", "rock"), ("charleston", "strum"), ("walking", "fifths"), _BAND, _ROCK, 0.65, True
    ),
    "country": Style("country", ("train", "rock"), ("strum",), ("fifths",), _RURAL, _BAND, 0.52),
    "folk": Style(
        "folk", ("brush", "train"), ("strum", "arpeggio"), ("fifths", "root"), _RURAL, _BAND, cadence="plagal"
    ),
    "classical": Style("classical", ("none",), ("arpeggio", "block"), ("root", "fifths"), _CHAMBER, _CHAMBER),
    "screen": Style("pop", ("none", "rock"), ("arpeggio", "pulse"), ("long", "root"), _CHAMBER, _DREAM),
    "latin": Style("latin", ("latin",), ("offbeat", "pulse"), ("tumbao",), _TROPIC, _TROPIC),
    "reggae": Style(
        "reggae", ("reggae",), ("offbeat",), ("root", "funk"), _TROPIC, _SOUL, 0.55, cadence="plagal"
    ),
    "world": Style(
        "folk", ("latin", "brush"), ("arpeggio", "pulse"), ("fifths", "root"), _GLOBE, _GLOBE, cadence="modal"
    ),
    "standards": Style(
        "jazz", ("brush", "swing"), ("block", "arpeggio"), ("root", "walking"), _JAZZ, _JAZZ, 0.6
    ),
}

_WORDS: tuple[tuple[str, str], ...] = (
    # The first word found in the genre's name decides, so that narrow ones stand before wide ones.
    ("latin jazz", "latin"), ("smooth jazz", "jazz"), ("jazz rap", "hiphop"), ("folk rock", "folk"),
    ("country rock", "country"), ("blues rock", "blues"), ("pop punk", "punk"), ("post-punk", "punk"),
    ("drum and bass", "breaks"), ("drum & bass", "breaks"), ("new age", "ambient"), ("new wave", "pop"),
    ("trip hop", "hiphop"), ("trip-hop", "hiphop"), ("singer-songwriter", "folk"), ("synth", "house"),
    ("metal", "metal"), ("hardcore", "punk"), ("punk", "punk"), ("emo", "punk"), ("ska", "reggae"),
    ("grunge", "rock"), ("dancehall", "reggae"), ("dub step", "breaks"), ("dubstep", "breaks"),
    ("reggaeton", "latin"), ("reggae", "reggae"), ("dub", "reggae"), ("hip hop", "hiphop"),
    ("hip-hop", "hiphop"), ("hiphop", "hiphop"), ("rap", "hiphop"), ("trap", "hiphop"), ("drill", "hiphop"),
    ("grime", "hiphop"), ("bounce", "hiphop"), ("gospel", "gospel"), ("christian", "gospel"),
    ("worship", "gospel"), ("ccm", "gospel"), ("funk", "funk"), ("disco", "house"), ("boogie", "funk"),
    ("soul", "soul"), ("motown", "soul"), ("r&b", "soul"), ("r & b", "soul"), ("rnb", "soul"),
    ("quiet storm", "soul"),
    ("swing jack", "soul"), ("bossa", "latin"), ("jazz", "jazz"), ("bebop", "jazz"), ("big band", "jazz"),
    ("swing", "jazz"), ("bluegrass", "country"), ("country", "country"), ("americana", "country"),
    ("blues", "blues"), ("rockabilly", "blues"), ("rock-and-roll", "blues"), ("rock and roll", "blues"),
    ("ambient", "ambient"), ("drone", "ambient"), ("experimental", "ambient"), ("idm", "breaks"),
    ("jungle", "breaks"), ("breakbeat", "breaks"), ("big beat", "breaks"), ("house", "house"),
    ("techno", "house"), ("trance", "house"), ("edm", "house"), ("electro", "house"), ("dance", "house"),
    ("club", "house"), ("indie", "indie"), ("alternative", "indie"), ("shoegaze", "indie"),
    ("classical", "classical"), ("opera", "classical"), ("orchestra", "classical"), ("baroque", "classical"),
    ("piano", "classical"), ("choral", "classical"), ("soundtrack", "screen"), ("score", "screen"),
    ("movie", "screen"), ("show tunes", "standards"), ("broadway", "standards"), ("musical", "standards"),
    ("standards", "standards"), ("lounge", "standards"), ("easy", "standards"), ("crooner", "standards"),
    ("vocal", "standards"), ("christmas", "standards"), ("holiday", "standards"), ("doo-wop", "soul"),
    ("adult", "pop"), ("latin", "latin"), ("salsa", "latin"), ("tropical", "latin"), ("samba", "latin"),
    ("mpb", "latin"), ("mambo", "latin"), ("cumbia", "latin"), ("flamenco", "latin"), ("mexican", "latin"),
    ("regional", "latin"), ("bachata", "latin"), ("mariachi", "latin"), ("afro", "world"), ("world", "world"),
    ("celtic", "world"), ("global", "world"), ("folk", "folk"), ("acoustic", "folk"), ("songwriter", "folk"),
    ("children", "folk"), ("comedy", "standards"), ("spoken", "hiphop"), ("rock", "rock"), ("pop", "pop"),
)  # fmt: skip

FALLBACK = "pop"


def style_name(genre: str) -> str:
    """The family of any genre's name, whatever it is; an unknown one plays pop."""
    words = genre.lower()
    return next((style for word, style in _WORDS if word in words), FALLBACK)


def style_of(genre: str) -> Style:
    """The style of any genre's name."""
    return STYLES[style_name(genre)]
