"""The sketch family's Describer: colours to music, as listeners match them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from albumgen_core.albums import SAME_COVER, Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES, KEYS
from albumgen_core.attributes.genres import GENRES
from albumgen_core.attributes.predicted import Mode, MusicalAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import FractionCallback, ignore_progress
from albumgen_core.engines.sketch.genre_means import (
    GENRE_MEANS,
    SPREADS,
    TEMPO_SPREAD,
    USUAL_FEATURES,
    GenreMean,
)
from albumgen_core.engines.sketch.picture import PictureStatistics, statistics_of
from albumgen_core.engines.sketch.score import dice

UNKNOWN_ARTIST = "Unknown artist"
"""Statistics cannot read a name."""

METRES = (3, 4, 5, 6, 7)

SLOWEST, FASTEST = 56.0, 190.0
"""Tempo is held between these, in beats a minute."""

DOUBT = 4.0
"""How many perfect neighbours weigh as much as the picture's own reading."""

NAMED = 1.0
"""Votes of an album by the artist whom the cover names: those of a perfect neighbour."""

KNOWN = 36.0
"""Votes of an album whose cover is the very picture: its measured values count nine parts in ten."""

BELIEF: dict[str, tuple[float, float]] = {
    "acousticness": (0.6, 0.4),
    "danceability": (0.45, 0.3),
    "energy": (0.75, 0.5),
    "instrumentalness": (0.3, 0.2),
    "liveness": (0.4, 0.3),
    "loudness": (0.4, 0.3),
    "speechiness": (0.35, 0.2),
    "valence": (0.4, 0.55),
}
"""How far a reading follows its genre's difference from the usual album, and the picture's effect in standard
deviations. Neither foretells how an album sounds (docs/evaluation.md), so that the least error would be to
follow neither, and every cover would sound alike. These leave music its variety at a fifth of the error that
full differences cost; skewed features, where leaving the usual value costs most, are held tightest."""

_AVERAGE_GENRE = tuple(
    sum(genre.share * genre.features[column] for genre in GENRE_MEANS.values())
    / sum(genre.share for genre in GENRE_MEANS.values())
    for column in range(len(AUDIO_FEATURES))
)

_TEMPO_ZONE = 0.02
"""Share of the tempo that is left to the seed."""

_CHANCE = 0.05
"""What is left open by the picture, in standard deviations, and drawn from its checksum."""

_GENRE_CHANCE = 0.6
"""Scale of the Gumbel noise in the choice of a genre: below 1, the picture's leaning counts for more."""

_Vote = TypeVar("_Vote", bound=Hashable)


class PaletteDescriber:
    """Reads attributes from picture statistics.

    Palmer, Schloss, Xu and Prado-Leon (PNAS 110(22), 2013) found that people match faster and major-mode
    music with more saturated, lighter, yellower colours, and slower and minor music with desaturated,
    darker, bluer ones, by way of the feelings that both share. Those signs are used here; the sizes of the
    effects are this program's own (`BELIEF`), kept small around the usual album, because neither colour nor a
    genre guessed from it predicts real albums' features.

    With neighbours, each weighs w = c², where c = max(0, 1 - d²/2) is the cosine of the embeddings at L2
    distance d. A number becomes

        (1 - t) · reading + t · Σ w·value / Σ w,   with trust t = Σ w / (Σ w + 4),

    over the neighbours that know the value, so that five perfect ones outweigh the picture slightly and
    distant ones hardly touch it. Genre, key, mode and metre are put to the vote with the same weights,
    where the picture's own reading counts as one perfect neighbour. Nearer than `SAME_COVER`, the album is
    the cover's own: it weighs `KNOWN`.
    """

    @property
    def name(self) -> str:
        """What is shown as the source of the attributes."""
        return "sketch-palette-v3"

    def describe(
        self,
        cover: Cover,
        neighbours: Sequence[Neighbour] | None,
        *,
        seed: int = 0,
        on_progress: FractionCallback = ignore_progress,
    ) -> MusicalAttributes:
        """Predict the attributes. The cover decides them; a seed moves the tempo by up to 2 % and no more."""
        on_progress(0.0)
        reading = read_picture(statistics_of(cover), cover.sha256)
        tempo = reading.tempo * (1 + dice(cover.sha256, "tempo", seed).uniform(-_TEMPO_ZONE, _TEMPO_ZONE))
        reading = replace(reading, tempo=round(min(FASTEST, max(SLOWEST, tempo)), 1))
        answer = with_neighbours(reading, neighbours) if neighbours else reading
        on_progress(1.0)
        return answer


def read_picture(picture: PictureStatistics, entropy: str) -> MusicalAttributes:
    """Attributes of a picture with these statistics. `entropy` decides what the picture leaves open."""
    picture = _tempered(picture)
    genre = _genre(picture, entropy)
    usual = GENRE_MEANS[genre]
    mood = 0.35 * picture.colourfulness + 0.45 * picture.lightness + 0.20 * picture.warmth
    mode = _mode(usual, mood, entropy)
    features = _features(picture, usual, mood, entropy)
    chance = dice(entropy, "tempo")
    pace = 0.45 * mood + 0.35 * picture.busyness
    tempo = usual.tempo + TEMPO_SPREAD * (pace + chance.gauss(0.0, 0.3))
    return MusicalAttributes(
        artist_name=UNKNOWN_ARTIST,
        album_genre=genre,
        key=_key(picture, entropy),
        time_signature=_metre(usual, picture, entropy),
        tempo=round(min(FASTEST, max(SLOWEST, tempo)), 1),
        mode=mode,
        **features,
    )


def _tempered(picture: PictureStatistics) -> PictureStatistics:
    # A drawing with no detail at all is calm, but not three times as calm as a calm photograph.
    return PictureStatistics(*(1.4 * math.tanh(getattr(picture, name) / 1.4) for name in picture.__slots__))


def _genre(picture: PictureStatistics, entropy: str) -> str:
    # The largest of log-odds plus Gumbel noise is a draw from the softmax of the log-odds.
    chance = dice(entropy, "genre")
    seen = (picture.lightness, picture.colourfulness, picture.warmth, picture.busyness)

    def score(genre: str) -> float:
        usual = GENRE_MEANS[genre]
        fit = sum(a * b for a, b in zip(seen, usual.leaning, strict=True))
        fit -= 0.5 * sum(b * b for b in usual.leaning)
        noise = -math.log(-math.log(chance.uniform(1e-9, 1 - 1e-9)))
        return math.log(usual.share) + 0.9 * fit + _GENRE_CHANCE * noise

    return max(GENRE_MEANS, key=score)


def _mode(usual: GenreMean, mood: float, entropy: str) -> Mode:
    odds = math.log(usual.major / (1 - usual.major)) - 0.4 + 1.3 * mood
    return "major" if dice(entropy, "mode").random() < 1 / (1 + math.exp(-odds)) else "minor"


def _features(picture: PictureStatistics, usual: GenreMean, mood: float, entropy: str) -> dict[str, Any]:
    stir = 0.35 * picture.contrast + 0.35 * picture.busyness + 0.3 * picture.colourfulness
    pull = {
        "acousticness": 0.75 * picture.warmth - 0.15 * stir,
        "danceability": 0.3 * mood + 0.3 * picture.colourfulness,
        "energy": 0.6 * picture.busyness + 0.2 * picture.contrast + 0.25 * mood,
        "instrumentalness": -0.2 * picture.warmth - 0.2 * picture.redness - 0.2 * picture.busyness,
        "liveness": 0.2 * picture.busyness,
        "loudness": 0.35 * stir,
        "speechiness": 0.25 * picture.contrast + 0.15 * picture.busyness,
        "valence": 0.8 * mood,
    }
    found: dict[str, Any] = {}
    for column, (name, spread) in enumerate(zip(AUDIO_FEATURES, SPREADS, strict=True)):
        by_genre, by_picture = BELIEF[name]
        special = usual.features[column] - _AVERAGE_GENRE[column]
        effect = spread * (by_picture * pull[name] + dice(entropy, name).gauss(0.0, _CHANCE))
        value = USUAL_FEATURES[column] + by_genre * special + effect
        found[name] = round(min(0.99, max(0.01, value)), 3)
    return found


def _key(picture: PictureStatistics, entropy: str) -> str:
    # Hue runs around the circle of fifths, as Scriabin had it: red is C, then a fifth every 30 degrees.
    # Grey covers have no hue to speak of, and their key is left to chance.
    chance = dice(entropy, "key")
    hue = math.atan2(picture.warmth, picture.redness) / (2 * math.pi) * 12
    doubt = 1.2 if math.hypot(picture.warmth, picture.redness) > 0.5 else 4.0
    return KEYS[round(hue + chance.gauss(0.0, doubt)) * 7 % 12]


def _metre(usual: GenreMean, picture: PictureStatistics, entropy: str) -> int:
    draw = dice(entropy, "metre").random()
    odd = 0.015 + 0.015 * max(0.0, picture.variety)
    # Calm pictures waltz a little more often.
    triple = usual.triple * (1.4 if picture.busyness < 0 else 0.8)
    for metre, share in ((3, triple * 0.7), (6, triple * 0.3 + 0.02), (5, odd), (7, odd)):
        if draw < share:
            return metre
        draw -= share
    return 4


def with_neighbours(reading: MusicalAttributes, neighbours: Sequence[Neighbour]) -> MusicalAttributes:
    """Bring the neighbours' measured attributes into a reading, by the formula of PaletteDescriber."""
    weighed = [(_weight(n.distance), n.attributes) for n in neighbours]
    numbers: dict[str, Any] = {}
    for field in (*AUDIO_FEATURES, "tempo"):
        known = [(w, float(v)) for w, a in weighed if (v := getattr(a, field)) is not None]
        numbers[field] = round(_shrunk(float(getattr(reading, field)), known), 3 if field != "tempo" else 1)

    numbers["tempo"] = min(FASTEST, max(SLOWEST, numbers["tempo"]))

    def poll(own: _Vote, read: Callable[[object], _Vote | None]) -> _Vote:
        return _elected(own, [(w, v) for w, a in weighed if (v := read(a)) is not None])

    return MusicalAttributes(
        artist_name=reading.artist_name,
        album_genre=poll(reading.album_genre, _playable("album_genre", GENRES)),
        key=poll(reading.key, _playable("key", KEYS)),
        time_signature=poll(reading.time_signature, _playable("time_signature", METRES)),
        mode=poll(reading.mode, _playable("mode", ("major", "minor"))),
        **numbers,
    )


def _weight(distance: float | None) -> float:
    if distance is None:  # found by the artist's name
        return NAMED
    return KNOWN if distance <= SAME_COVER else max(0.0, 1 - distance**2 / 2) ** 2


def _playable(field: str, allowed: Container[Any]) -> Callable[[object], Any]:
    # Data sets hold metres of one beat and genres of their own; what cannot be an answer is no vote.
    def read(attributes: object) -> Any:
        value = getattr(attributes, field)
        return value if value in allowed else None

    return read


def _shrunk(own: float, known: Sequence[tuple[float, float]]) -> float:
    total = sum(weight for weight, _ in known)
    if total <= 0:
        return own
    mean = sum(weight * value for weight, value in known) / total
    trust = total / (total + DOUBT)
    return (1 - trust) * own + trust * mean


def _elected(own: _Vote, votes: Sequence[tuple[float, _Vote]]) -> _Vote:
    ballot: dict[_Vote, float] = defaultdict(float)
    ballot[own] += 1.0
    for weight, choice in votes:
        ballot[choice] += weight
    # The picture's own reading stands first in the ballot, and wins a tie.
    return max(ballot, key=lambda choice: ballot[choice])
