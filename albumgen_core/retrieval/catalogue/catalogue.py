"""The catalogue in memory: names, titles, and the albums behind them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from albumgen_core.albums import Album
from albumgen_core.retrieval.catalogue.name_index import Ints, NameIndex
from albumgen_core.retrieval.genre_prior import GenrePrior
from albumgen_core.retrieval.text.names import (
    ARTICLES,
    folded,
    joined_names,
    letters,
    name_key,
    plain_title,
    words,
)

LEAST_TITLE = 4
"""Titles of fewer letters are not looked up: they are found everywhere."""

_LEAST_COUNT = 3
"""Words that fewer artists use count as used by so many: one album more or less changes no rarity much."""
_MOST_WORDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """Numbers by number: row i is `members[starts[i]:starts[i + 1]]`."""

    starts: Ints
    members: Ints

    def __getitem__(self, row: int) -> Ints:
        return self.members[self.starts[row] : self.starts[row + 1]]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, rows: Sequence[Iterable[int]]) -> Lists:
        """From one row of numbers each."""
        listed = [list(row) for row in rows]
        starts = np.cumsum([0, *map(len, listed)], dtype=np.int32)
        return cls(starts, np.array([number for row in listed for number in row], np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Names of artists and titles, and which albums they lead to.

    An artist is all spellings of one `name_key`; an album has one artist by its whole credit, and is listed
    under each artist of a joint credit that the catalogue knows otherwise too.

    Attributes:
        names: artists' names, folded; name_artists: the artists of each.
        titles: titles, folded; title_albums: the albums of each.
        artists: each artist's name as most of its albums write it.
        artist_albums: own albums of each artist and those with others, own ones first.
        album_artist: int32 (albums,), the artist of the whole credit.
        album_title: int32 (albums,), position in `titles`, −1 for a title too short to be looked up.
        features: float32 (albums, 8).
        name_rarity, title_rarity: float32, how much information the words of each are, in nats.
        name_in_titles: int32 (names,), how many other artists have a title that holds this name.
        median: float32 (8,), over all albums.
        genre_medians: float32 (genres, 8), drawn towards `median` by how few their albums are.
        album_genre: int32 (albums,), row of `genre_medians`, −1 where the genre is unknown.
    """

    names: NameIndex
    name_artists: Lists
    titles: NameIndex
    title_albums: Lists
    artists: Sequence[str]
    artist_albums: Lists
    album_artist: Ints
    album_title: Ints
    features: NDArray[np.float32]
    name_rarity: NDArray[np.float32]
    title_rarity: NDArray[np.float32]
    name_in_titles: Ints
    median: NDArray[np.float32]
    genre_medians: NDArray[np.float32]
    album_genre: Ints

    @property
    def albums(self) -> int:
        """How many there are."""
        return len(self.album_artist)


def make_catalogue(albums: Sequence[Album]) -> Catalogue:
    """Index albums; their positions are the catalogue's album numbers. Raises ValueError for none."""
    if not albums:
        raise ValueError("a catalogue needs at least one album")
    keys = [name_key(album.artist) for album in albums]
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    album_artist = np.array([number[key] for key in keys], np.int32)
    spelled: list[Counter[str]] = [Counter() for _ in number]
    owned: list[list[int]] = [[] for _ in number]
    shared: list[list[int]] = [[] for _ in number]
    for row, (album, key) in enumerate(zip(albums, keys, strict=True)):
        artist = number[key]
        spelled[artist][album.artist] += 1
        owned[artist].append(row)
        for other in {name_key(name) for name in joined_names(album.artist)} - {key}:
            if other in number:
                shared[number[other]].append(row)
    by_name: dict[str, set[int]] = defaultdict(set)
    for key, artist in number.items():
        if len(folded(key)) >= 2:
            by_name[folded(key)].add(artist)
    title_words = [words(plain_title(album.title)) for album in albums]
    by_title: dict[str, list[int]] = defaultdict(list)
    for row, own in enumerate(title_words):
        if len(text := folded(letters(own))) >= LEAST_TITLE:
            by_title[text].append(row)
    names, titles = NameIndex.of(sorted(by_name)), NameIndex.of(sorted(by_title))
    features = np.array([album.attributes.features() for album in albums], np.float32)
    rarity = _Rarity(albums, album_artist, title_words)
    first_name = {name: next(iter(artists)) for name, artists in by_name.items()}
    return Catalogue(
        names,
        Lists.of([sorted(by_name[name]) for name in names.names]),
        titles,
        Lists.of([by_title[title] for title in titles.names]),
        [spellings.most_common(1)[0][0] for spellings in spelled],
        Lists.of([[*own, *others] for own, others in zip(owned, shared, strict=True)]),
        album_artist,
        np.array([titles.position.get(folded(letters(own)), -1) for own in title_words], np.int32),
        features,
        np.array([rarity.of(words(albums[owned[first_name[n]][0]].artist)) for n in names.names], np.float32),
        np.array([rarity.of(title_words[by_title[title][0]]) for title in titles.names], np.float32),
        np.array(_name_in_titles(names, title_words, album_artist, by_name), np.int32),
        np.median(features, axis=0).astype(np.float32),
        *_genres(albums),
    )


def _genres(albums: Sequence[Album]) -> tuple[NDArray[np.float32], Ints]:
    prior = GenrePrior.from_albums(albums)
    place = {genre: row for row, genre in enumerate(prior.genres)}
    column = [place.get(album.attributes.album_genre or "", -1) for album in albums]
    return prior.centres.astype(np.float32), np.array(column, np.int32)


class _Rarity:
    """Information in words, by how many artists use each in their name or a title."""

    def __init__(self, albums: Sequence[Album], album_artist: Ints, titles: Sequence[Sequence[str]]) -> None:
        used: dict[int, set[str]] = defaultdict(set)
        for album, artist, title in zip(albums, album_artist, titles, strict=True):
            used[int(artist)] |= {*words(album.artist), *title}
        self._counts = Counter(word for own in used.values() for word in own)
        self._all = len(used)

    def of(self, parts: Sequence[str]) -> float:
        kept = [word for word in parts if word not in ARTICLES] or list(parts)
        return sum(
            max(0.0, math.log((self._all + 1) / max(_LEAST_COUNT, self._counts[word]))) for word in kept
        )


def title_pieces(title: Sequence[str]) -> set[str]:
    """Folded letters of every run of up to five words in a title."""
    return {
        folded(letters(title[start:end]))
        for start in range(len(title))
        for end in range(start + 1, min(len(title), start + _MOST_WORDS) + 1)
    }


def _name_in_titles(
    names: NameIndex,
    titles: Sequence[Sequence[str]],
    album_artist: Ints,
    by_name: Mapping[str, set[int]],
) -> list[int]:
    found: dict[str, set[int]] = defaultdict(set)
    for own, artist in zip(titles, album_artist, strict=True):
        for piece in title_pieces(own):
            if piece in names.position and int(artist) not in by_name[piece]:
                found[piece].add(int(artist))
    return [len(found[name]) for name in names.names]
