"""From any genre's name to a style."""

from __future__ import annotations

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.engines.sketch.style import Style
from albumgen_core.engines.sketch.styles import STYLES

_WORDS: tuple[tuple[str, str], ...] = (
    # The first word found in the genre's name decides, so that narrow ones stand before wide ones.
    ("latin jazz", "latin"), ("smooth jazz", "jazz"), ("jazz rap", "hiphop"), ("folk rock", "folk"),
    ("country rock", "country"), ("blues rock", "blues"), ("pop punk", "punk"), ("post-punk", "punk"),
    ("drum and bass", "breaks"), ("drum & bass", "breaks"), ("new age", "ambient"),
    ("new wave", "synthpop"), ("trip hop", "lofi"), ("trip-hop", "lofi"), ("lo-fi", "lofi"),
    ("lofi", "lofi"), ("chill", "lofi"), ("singer-songwriter", "folk"), ("synth", "synthpop"),
    ("metal", "metal"), ("hardcore", "punk"), ("punk", "punk"), ("emo", "punk"), ("ska", "ska"),
    ("grunge", "rock"), ("dancehall", "reggaeton"), ("reggaeton", "reggaeton"), ("dub step", "breaks"),
    ("dubstep", "breaks"), ("reggae", "reggae"), ("dub", "reggae"), ("trap", "trap"), ("drill", "trap"),
    ("hip hop", "hiphop"), ("hip-hop", "hiphop"), ("hiphop", "hiphop"), ("rap", "hiphop"),
    ("hyphy", "trap"), ("grime", "hiphop"), ("bounce", "hiphop"), ("gospel", "gospel"),
    ("christian", "gospel"), ("worship", "gospel"), ("ccm", "gospel"), ("funk", "funk"), ("disco", "disco"),
    ("boogie", "funk"), ("soul", "soul"), ("motown", "soul"), ("r&b", "rnb"), ("r & b", "rnb"),
    ("rnb", "rnb"), ("quiet storm", "soul"), ("swing jack", "soul"), ("bossa", "bossa"), ("jazz", "jazz"),
    ("bebop", "jazz"), ("big band", "jazz"), ("swing", "jazz"), ("bluegrass", "country"),
    ("country", "country"), ("americana", "country"), ("blues", "blues"), ("rockabilly", "blues"),
    ("rock-and-roll", "blues"), ("rock and roll", "blues"), ("ambient", "ambient"), ("drone", "ambient"),
    ("experimental", "ambient"), ("idm", "breaks"), ("jungle", "breaks"), ("breakbeat", "breaks"),
    ("big beat", "breaks"), ("house", "house"), ("techno", "techno"), ("trance", "trance"),
    ("edm", "house"), ("electroclash", "techno"), ("electronic", "house"), ("electro", "synthpop"),
    ("dance pop", "synthpop"), ("dance", "house"), ("club", "house"), ("indie", "indie"),
    ("alternative", "indie"), ("shoegaze", "indie"), ("classical", "classical"), ("opera", "classical"),
    ("orchestra", "classical"), ("baroque", "classical"), ("piano", "classical"), ("choral", "classical"),
    ("soundtrack", "screen"), ("score", "screen"), ("movie", "screen"), ("show tunes", "standards"),
    ("broadway", "standards"), ("musical", "standards"), ("standards", "standards"),
    ("lounge", "standards"), ("easy", "standards"), ("crooner", "standards"), ("vocal", "standards"),
    ("christmas", "standards"), ("holiday", "standards"), ("doo-wop", "soul"), ("adult", "pop"),
    ("latin", "latin"), ("salsa", "latin"), ("tropical", "latin"), ("samba", "bossa"), ("mpb", "bossa"),
    ("mambo", "latin"), ("cumbia", "latin"), ("flamenco", "latin"), ("mexican", "latin"),
    ("regional", "latin"), ("bachata", "latin"), ("mariachi", "latin"), ("afro", "world"),
    ("world", "world"), ("celtic", "world"), ("global", "world"), ("folk", "folk"), ("acoustic", "folk"),
    ("songwriter", "folk"), ("children", "folk"), ("comedy", "standards"), ("spoken", "hiphop"),
    ("rock", "rock"), ("pop", "pop"),
)  # fmt: skip

FALLBACK = "pop"


def style_name(genre: str) -> str:
    """The family of any genre's name, whatever it is; an unknown one plays pop."""
    words = genre.lower()
    return next((style for word, style in _WORDS if word in words), FALLBACK)


def style_of(genre: str) -> Style:
    """The style of any genre's name."""
    return STYLES[style_name(genre)]


def style_for(attributes: MusicalAttributes) -> str:
    """The style of an album: its own word for the genre where it names a style, else the genre.

    Genres that are wide are told apart by their attributes.
    """
    raw = attributes.raw_genre.lower() if attributes.raw_genre else ""
    if any(word in raw for word, _ in _WORDS):
        return style_name(raw)
    name, a = style_name(attributes.album_genre), attributes
    calm, electric = a.energy < 0.55, a.acousticness < 0.3
    if name == "hiphop":
        return "lofi" if calm and not electric else "trap" if electric and a.valence < 0.5 else name
    if name == "house":
        if a.instrumentalness > 0.35 and a.valence < 0.42:
            return "techno"
        return "trance" if a.danceability < 0.6 and not calm else name
    if name == "latin":
        return "bossa" if calm else "reggaeton" if electric and a.danceability > 0.62 else name
    if name == "reggae" and a.energy > 0.68 and a.valence > 0.6:
        return "ska"
    return name
