"""The pipeline's last stage: composed sound becomes a take, with its MP3, its Ogg-Opus and its card."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from albumgen_core.albums import Neighbour
from albumgen_core.attributes.keys import key_name
from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.audio.encode import ClipTags, begin_clip
from albumgen_core.audio.types import Audio
from albumgen_core.card import CardContent, render_card
from albumgen_core.engines.base import Engine
from albumgen_core.pipeline.request import ClipRequest, Work
from albumgen_core.result import Take
from albumgen_core.retrieval import AlbumIndex
from albumgen_core.settings import ClipSettings


class Finisher:
    """Makes takes; safe for several threads.

    Args:
        engine: what the results name.
        index: where the kindred albums' covers are, or None.
        clip: encoding settings.
    """

    def __init__(self, engine: Engine, index: AlbumIndex | None, clip: ClipSettings) -> None:
        self._engine = engine
        self._index = index
        self._clip = clip

    def finish(self, work: Work) -> Take:
        """The take of a request that was composed. Raises ClipError."""
        if work.attributes is None or work.audio is None:
            raise RuntimeError("encoding comes after composing")
        return self._take(work, work.attributes, work.audio)

    def _take(self, work: Work, attributes: MusicalAttributes, audio: Audio) -> Take:
        started = time.perf_counter()
        draft = self._draft(work, attributes, audio)
        with begin_clip(
            audio,
            self._tags(draft),
            max_bytes=int(self._clip.max_megabytes * 1024 * 1024),
            loudness_lufs=self._clip.loudness_lufs,
        ) as pending:
            # Drawn while the encoders work: they are other processes.
            card = render_card(self.card_content(draft, work.request))
            clip = pending.finish()
        work.timings["encode"] = time.perf_counter() - started
        return replace(draft, mp3=clip.mp3, ogg=clip.ogg, card=card)

    def _draft(self, work: Work, attributes: MusicalAttributes, audio: Audio) -> Take:
        """The take without its encoded files."""
        request, options = work.request, work.request.options
        return Take(
            attributes=attributes,
            neighbours=work.neighbours,
            itself=work.itself,
            rag=options.rag,
            prompt=work.prompt,
            seed=options.seed,
            seconds=audio.seconds,
            audio=audio,
            mp3=b"",
            ogg=b"",
            card=b"",
            cover_jpeg=request.cover.to_jpeg(),
            cover_png=request.cover.to_png(),
            embedding=work.embedding,
            embedder=self._engine.embedder.name,
            cover_sha256=request.cover.sha256,
            family=self._engine.family,
            describer=self._engine.describer.name,
            composer=self._engine.composer.name,
            overridden=sorted(options.overrides) if not request.is_complete else (),
            notices=work.notices,
            timings=work.timings,
            lineage=request.lineage,
            words=work.reading.to_dict() if work.reading is not None else None,
        )

    def _tags(self, draft: Take) -> ClipTags:
        attributes = draft.attributes
        return ClipTags(
            title=_title(attributes),
            engine=draft.family,
            genre=attributes.album_genre,
            tempo=attributes.tempo,
            key=attributes.key,
            mode=attributes.mode,
            cover_jpeg=draft.cover_jpeg,
            prompt=draft.prompt,
            seed=draft.seed,
            album=_reads(draft),
        )

    def card_content(self, take: Take, request: ClipRequest) -> CardContent:
        """What the card of a take shows, with the kindred albums' covers from the index."""
        return CardContent(
            cover=request.cover,
            attributes=take.attributes,
            neighbours=take.neighbours,
            thumbnails=self._thumbnails(take.neighbours),
            audio=take.audio,
            family=take.family,
            seed=take.seed,
            seconds=take.seconds,
            prompt=take.prompt,
            rag=bool(take.neighbours),
            album=take.itself.album if take.itself is not None else None,
            language=request.options.language,
            reads=_reads(take),
        )

    def _thumbnails(self, neighbours: Sequence[Neighbour]) -> list[bytes | None]:
        if self._index is None:
            return [None] * len(neighbours)
        return [self._index.thumbnail(neighbour.album.album_id) for neighbour in neighbours]


def _reads(take: Take) -> str:
    """Artist and title as recognised, with the artist that a member corrected; "" where nobody was."""
    if take.words is None or not take.words["artist"]:
        return ""
    artist = take.attributes.artist_name if "artist_name" in take.overridden else take.words["artist"]
    return ", ".join(filter(None, (artist, take.words["title"])))


def _title(attributes: MusicalAttributes) -> str:
    key = key_name(attributes.key, attributes.mode)
    return f"{attributes.album_genre} in {key}, {attributes.tempo:.0f} BPM"
