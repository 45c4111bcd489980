"""From attributes to the words a composer reads.

Two styles: the slides' template, mended in its grammar, and short captions like the ones MusicGen was
trained on ("genre, mood, instruments, BPM, key").
"""

from __future__ import annotations

from typing import Literal

from albumgen_core.attributes.keys import key_name
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.prompt.words import ACOUSTIC_ABOVE, GENRE_ADJECTIVES, INSTRUMENTS, LEVELS, level_of

PromptStyle = Literal["slides", "concise"]

MAX_CONCISE_WORDS = 60
"""No concise prompt is longer, whatever the attributes (an artist's name apart)."""

_VOWEL_LETTERS = frozenset("AEFHILMNORSX")


def compose_prompt(
    attributes: MusicalAttributes, *, style: PromptStyle = "concise", name_artist: bool = False
) -> str:
    """Write the prompt for a composer.

    Args:
        attributes: what the music is to be like.
        style: "concise" for a caption of at most 60 words, "slides" for the slides' template.
        name_artist: whether to name the artist, when there is one.

    Raises ValueError for another style.
    """
    artist = attributes.artist_name.strip() if name_artist else ""
    if style == "concise":
        return _concise(attributes, artist)
    if style == "slides":
        return _slides(attributes, artist)
    raise ValueError(f"there is no prompt style {style!r}; choose concise or slides")


def describe(field: str, value: float) -> str:
    """One attribute in words, as the slides' template uses them: "moderate tempo (116 BPM)"."""
    phrase = level_of(field, value).phrase
    return f"{phrase} ({round(value)} BPM)" if field == "tempo" else phrase


def with_article(words: str) -> str:
    """Put "a" or "an" before words: "an upbeat tempo", "an R&B song", "a house track"."""
    first = words.split()[0]
    spelled = len(first) > 1 and first[1] == "&"  # said letter by letter
    vowel = first[0] in _VOWEL_LETTERS if spelled else first[0].lower() in "aeiou"
    return f"{'an' if vowel else 'a'} {words}"


def key_words(attributes: MusicalAttributes) -> str:
    """The key in words, with the mode where it is known: "C# minor", "Eb major", "D"."""
    return key_name(attributes.key, attributes.mode)


def _slides(attributes: MusicalAttributes, artist: str) -> str:
    said = {field: describe(field, float(getattr(attributes, field))) for field in LEVELS}
    similar = f", similar to the style of {artist}" if artist else ""
    return (
        f"Compose {with_article(_genre_words(attributes))} song with {with_article(said['tempo'])}{similar}, "
        f"in the key of {key_words(attributes)} and {with_article(_metre(attributes))} time signature. "
        f"The song should have {said['valence']}, featuring {said['danceability']}, with {said['energy']}. "
        f"Create {said['acousticness']}, and ensure it is {said['liveness']}, with {said['loudness']}. "
        f"The song should contain {said['speechiness']} and {said['instrumentalness']}."
    )


def _concise(attributes: MusicalAttributes, artist: str) -> str:
    said = {field: level_of(field, float(getattr(attributes, field))).word for field in LEVELS}
    acoustic, electric = INSTRUMENTS[attributes.album_genre]
    players = acoustic if attributes.acousticness > ACOUSTIC_ABOVE else electric
    voices = [said["instrumentalness"], said["speechiness"]]
    opening = (
        f"{_capitalised(said['valence'])}, {said['energy']} {_genre_words(attributes)} song with {players}"
        + (f", in the style of {artist}" if artist else "")
    )
    sound = [said["danceability"], *voices, said["acousticness"], said["loudness"], said["liveness"]]
    facts = [f"{_capitalised(said['tempo'])} tempo", f"{round(attributes.tempo)} BPM", key_words(attributes)]
    return (
        f"{opening}. {_capitalised(', '.join(word for word in sound if word))}. "
        f"{', '.join([*facts, _metre(attributes)])}."
    )


def _genre_words(attributes: MusicalAttributes) -> str:
    return GENRE_ADJECTIVES.get(attributes.album_genre, attributes.album_genre)


def _metre(attributes: MusicalAttributes) -> str:
    return f"{attributes.time_signature}/4"


def _capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]
