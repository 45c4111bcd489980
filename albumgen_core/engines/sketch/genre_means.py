"""How music of each genre usually is, and the colours its covers lean towards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GenreMean:
    """What is usual in a genre.

    Attributes:
        share: how often the genre is read from a cover that says nothing.
        features: means of acousticness, danceability, energy, instrumentalness, liveness, loudness,
            speechiness and valence, in [0, 1], in the order of `attributes.AUDIO_FEATURES`.
        tempo: mean, beats a minute.
        major: share of pieces in major.
        triple: share of pieces in three or six.
        leaning: how its covers differ from the usual one, in standard deviations of lightness, colourfulness,
            warmth (yellow over blue) and busyness.
    """

    share: float
    features: tuple[float, ...]
    tempo: float
    major: float
    triple: float
    leaning: tuple[float, float, float, float]


# Features, tempo, mode: means over the 16,574 MusicOSet songs whose main artist has a genre of the family
# (Silva et al., 2019; Zenodo 4904639). Dance pop, jazz and classical are moved by hand from the charts'
# version towards the genre's own, and electronic, ambient and soundtrack, too few in the charts, are set by
# hand. Shares are flattened, so that covers do not all play rock. The leanings are this program's own
# reading of cover art, not measurements.
GENRE_MEANS: dict[str, GenreMean] = {
    "rock": GenreMean(
        1.6, (0.201, 0.559, 0.672, 0.03, 0.204, 0.845, 0.047, 0.629), 123.7, 0.76, 0.03, (-0.2, 0.0, 0.1, 0.2)
    ),
    "dance pop": GenreMean(
        1.0, (0.12, 0.667, 0.731, 0.037, 0.187, 0.873, 0.076, 0.622), 121.3, 0.59, 0.02, (0.3, 1.1, 0.0, 0.0)
    ),
    "pop": GenreMean(
        1.6, (0.319, 0.58, 0.616, 0.024, 0.199, 0.851, 0.056, 0.654), 121.6, 0.76, 0.05, (0.7, 0.6, 0.2, -0.2)
    ),
    "easy listening": GenreMean(
        0.6,
        (0.48, 0.515, 0.494, 0.028, 0.198, 0.818, 0.043, 0.562),
        117.4,
        0.82,
        0.11,
        (0.4, -0.2, 0.6, -0.4),
    ),
    "country": GenreMean(
        1.0, (0.264, 0.57, 0.647, 0.006, 0.178, 0.881, 0.04, 0.543), 124.1, 0.92, 0.04, (0.1, 0.0, 1.0, 0.3)
    ),
    "soul": GenreMean(
        1.0,
        (0.369, 0.605, 0.562, 0.029, 0.193, 0.834, 0.06, 0.683),
        117.8,
        0.69,
        0.12,
        (-0.2, 0.3, 0.9, -0.2),
    ),
    "hip hop": GenreMean(
        1.4, (0.131, 0.731, 0.668, 0.01, 0.201, 0.886, 0.206, 0.533), 117.2, 0.57, 0.02, (-0.5, 0.0, 0.0, 0.4)
    ),
    "metal": GenreMean(
        0.8,
        (0.046, 0.487, 0.826, 0.038, 0.19, 0.913, 0.058, 0.442),
        126.4,
        0.68,
        0.04,
        (-1.1, -0.2, 0.0, 0.8),
    ),
    "funk": GenreMean(
        0.6, (0.235, 0.693, 0.625, 0.063, 0.196, 0.846, 0.097, 0.659), 114.2, 0.61, 0.06, (0.1, 0.9, 0.7, 0.4)
    ),
    "folk": GenreMean(
        0.9, (0.396, 0.56, 0.523, 0.028, 0.165, 0.831, 0.044, 0.558), 119.9, 0.85, 0.08, (0.4, -0.4, 0.3, 0.3)
    ),
    "blues": GenreMean(
        0.5,
        (0.371, 0.57, 0.595, 0.089, 0.222, 0.826, 0.058, 0.685),
        121.0,
        0.80,
        0.10,
        (-0.5, 0.0, -0.6, 0.1),
    ),
    "indie rock": GenreMean(
        1.2,
        (0.093, 0.549, 0.757, 0.039, 0.182, 0.888, 0.054, 0.598),
        123.5,
        0.79,
        0.05,
        (0.3, -0.1, -0.2, 0.1),
    ),
    "jazz": GenreMean(
        0.8, (0.45, 0.6, 0.45, 0.3, 0.191, 0.80, 0.053, 0.58), 116.5, 0.58, 0.10, (-0.2, 0.1, -0.3, -0.3)
    ),
    "gospel": GenreMean(
        0.3, (0.491, 0.549, 0.492, 0.01, 0.206, 0.827, 0.059, 0.558), 116.0, 0.90, 0.18, (0.8, 0.1, 0.5, -0.2)
    ),
    "punk": GenreMean(
        0.6, (0.148, 0.58, 0.714, 0.037, 0.211, 0.894, 0.103, 0.495), 131.9, 0.62, 0.02, (0.0, 0.2, 0.0, 0.9)
    ),
    "classical": GenreMean(
        0.5, (0.75, 0.38, 0.30, 0.45, 0.181, 0.74, 0.043, 0.40), 112.0, 0.72, 0.22, (0.3, -0.7, 0.2, -0.6)
    ),
    "reggae": GenreMean(
        0.4, (0.158, 0.723, 0.692, 0.021, 0.161, 0.874, 0.128, 0.711), 113.9, 0.58, 0.02, (0.0, 1.0, 1.0, 0.2)
    ),
    "latin": GenreMean(
        0.5, (0.332, 0.673, 0.66, 0.042, 0.172, 0.867, 0.063, 0.679), 124.6, 0.64, 0.04, (0.2, 0.9, 0.6, 0.1)
    ),
    "world": GenreMean(
        0.3, (0.271, 0.6, 0.646, 0.269, 0.223, 0.848, 0.057, 0.677), 127.8, 0.75, 0.10, (0.1, 0.7, 0.6, 0.5)
    ),
    "electronic": GenreMean(
        1.0, (0.15, 0.65, 0.66, 0.50, 0.17, 0.84, 0.07, 0.45), 122.0, 0.52, 0.02, (-0.1, 0.5, -0.7, -0.3)
    ),
    "ambient": GenreMean(
        0.5, (0.60, 0.37, 0.28, 0.75, 0.14, 0.70, 0.045, 0.22), 106.0, 0.55, 0.10, (0.1, -0.7, -0.7, -0.9)
    ),
    "soundtrack": GenreMean(
        0.3, (0.60, 0.35, 0.36, 0.60, 0.15, 0.73, 0.045, 0.28), 110.0, 0.60, 0.14, (-0.7, -0.3, -0.3, 0.0)
    ),
}

USUAL_FEATURES: tuple[float, ...] = (0.205, 0.56, 0.632, 0.077, 0.158, 0.858, 0.05, 0.517)
"""The eight features of an album of which nothing is known: midway between the medians of 12,741 albums from
the charts (MusicOSet) and of 18,356 that critics reviewed (P4KxSpotify; Pinter et al., ICWSM 2020). Medians,
because they are the constants with the least absolute error."""

SPREADS: tuple[float, ...] = (0.261, 0.151, 0.196, 0.129, 0.165, 0.059, 0.075, 0.235)
"""Standard deviations of the eight features over the same songs."""

TEMPO_SPREAD = 27.7
