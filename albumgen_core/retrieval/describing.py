"""A describer that starts from what the words on a cover predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from albumgen_core.albums import SAME_COVER, Neighbour
from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.attributes.measured import MeasuredAttributes
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.cover.read import Cover
from albumgen_core.engines.base import Describer, FractionCallback, ignore_progress

LIBERTY = 0.4
"""How far a claim follows the reader's difference from the usual album. At 0.4 the claims' error stays
below the median's even where a cover names nobody (docs/evaluation.md)."""


class Reading(Protocol):
    """What was found out about a cover from its words; `cover_words.CoverReading` is one."""

    @property
    def features(self) -> Mapping[str, float]:
        """The eight predicted attributes by name."""
        ...

    @property
    def artist(self) -> str:
        """Whom the cover names, "" where nobody was recognised."""
        ...

    @property
    def album(self) -> MeasuredAttributes | None:
        """Measured attributes of the recognised album, or None."""
        ...


class WordsDescriber:
    """Another describer, with the words of the cover taken into account.

    A recognised album's measured attributes are the answer, as far as they are known. Otherwise, given
    `usual`, the eight attributes are the words' prediction and `LIBERTY` times the other describer's
    difference from `usual`; without, they are the other describer's.

    Args:
        reader: the describer.
        read: what the words on a cover tell.
        usual: the eight attributes that `reader` gives a cover which says nothing; None leaves its answers
            alone.
    """

    def __init__(
        self, reader: Describer, read: Callable[[Cover], Reading], usual: Sequence[float] | None = None
    ) -> None:
        self._reader = reader
        self._read = read
        self._usual = tuple(usual) if usual is not None else None

    @property
    def name(self) -> str:
        """What is shown as the source of the attributes."""
        return self._reader.name

    def describe(
        self,
        cover: Cover,
        neighbours: Sequence[Neighbour] | None,
        *,
        seed: int = 0,
        on_progress: FractionCallback = ignore_progress,
    ) -> MusicalAttributes:
        """Predict the attributes. Raises what the reader raises."""
        answer = self._reader.describe(cover, neighbours, seed=seed, on_progress=on_progress)
        if any(n.distance is not None and n.distance <= SAME_COVER for n in neighbours or ()):
            return answer  # the picture itself is known: better than what is printed on it
        reading = self._read(cover)
        if reading.artist:
            answer = answer.replace_fields({"artist_name": reading.artist})
        if reading.album is not None:
            return answer.replace_fields(_known(reading.album))
        if self._usual is None:
            return answer
        claims: dict[str, Any] = {
            name: round(min(0.99, max(0.01, reading.features[name] + LIBERTY * (own - usual))), 3)
            for name, own, usual in zip(AUDIO_FEATURES, answer.features(), self._usual, strict=True)
        }
        return answer.replace_fields(claims)


def _known(album: MeasuredAttributes) -> dict[str, Any]:
    """The fields of an album that are known and can be an answer."""
    fields = ("album_genre", "key", "mode", "time_signature", "tempo")
    known = {name: value for name in fields if (value := getattr(album, name)) is not None}
    if known.get("time_signature") not in (None, 3, 4, 5, 6, 7):
        del known["time_signature"]
    return {**dict(zip(AUDIO_FEATURES, album.features(), strict=True)), **known}
