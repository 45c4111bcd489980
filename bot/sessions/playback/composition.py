"""A session's covers become clips: through the same journal and the same fair queue as everybody's."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiofiles

from albumgen_core.errors import AlbumGenError, UnknownJobError
from albumgen_core.files import write_durably
from albumgen_core.inference.client import InferenceClient
from albumgen_core.inference.records import JobRecord
from albumgen_core.jobs.spec import new_job_id
from bot.i18n.catalogue import text
from bot.requests.intake import SEEDS, Requests
from bot.sessions.state.model import Clip, Entry, EntryState, Session

log = logging.getLogger(__name__)

KIND = "session"
"""`origin["kind"]` of a session's jobs: no message answers them, the session itself does."""


def new_clips(*, versus: bool, rag: bool) -> tuple[Clip, ...]:
    """The takes of a new cover; in `versus`, with RAG and without, in an order drawn by lot."""
    if not versus:
        return (Clip(new_job_id(), rag),)
    order = [True, False]
    secrets.SystemRandom().shuffle(order)
    return tuple(Clip(new_job_id(), which) for which in order)


class Composition:
    """Keeps covers, queues their jobs and says what became of them.

    Args:
        data_dir: where files are kept.
    """

    def __init__(self, inference: InferenceClient, requests: Requests, data_dir: Path) -> None:
        self._inference, self._requests, self._data_dir = inference, requests, data_dir

    def session_folder(self, session_id: str) -> Path:
        """Where a session keeps its files."""
        return self._data_dir / "sessions" / session_id

    async def store_cover(self, session_id: str, cover: bytes) -> Path:
        """Keep a checked cover until its clip is made, and for the board; returns where."""
        ending = "png" if cover.startswith(b"\x89PNG") else "jpg"
        path = self.session_folder(session_id) / "covers" / f"{secrets.token_hex(8)}.{ending}"
        await asyncio.to_thread(write_durably, path, cover)
        return path

    async def submit(self, session: Session, entry: Entry) -> None:
        """Queue an entry's jobs.

        Harmless when repeated. Raises what `InferenceClient.submit_bundle` does, Refusal, and OSError where
        the stored cover is gone.
        """
        if entry.cover_path is None:
            raise FileNotFoundError("the cover was not kept")
        async with aiofiles.open(entry.cover_path, "rb") as file:
            cover = await file.read()
        context = await self._requests.context_of(
            entry.submitter_id, session.text_channel_id, session.guild_id, session.locale
        )
        shared: dict[str, Any] = {
            "seed": secrets.randbelow(SEEDS),
            "bundle_id": new_job_id() if entry.versus else None,
            "origin": {
                "kind": KIND,
                "session_id": session.session_id,
                "entry_id": entry.entry_id,
                "guild_id": session.guild_id,
                "channel_id": session.text_channel_id,
                "user_id": entry.submitter_id,
                "locale": session.locale,
            },
        }
        specs = [
            self._requests.new_spec(context, job_id=clip.job_id, rag=clip.rag, **shared)
            for clip in entry.clips
        ]
        key = f"session {session.session_id} {entry.clips[0].job_id}"
        await self._inference.submit_bundle(specs, cover, request_key=key)

    async def settled(self, entry: Entry, locale: str) -> tuple[Entry, bool]:
        """A composing entry as the journal has it now, and whether its jobs are known there at all.

        When every job has ended, it is ready, with the takes that succeeded, or failed with their sentence.
        """
        records: dict[str, JobRecord] = {}
        for clip in entry.clips:
            with contextlib.suppress(UnknownJobError):
                records[clip.job_id] = await self._inference.record(clip.job_id)
        if not records:
            return entry, False
        if len(records) < len(entry.clips):  # one of the two was deleted
            return _failed(entry, text(locale, "session_core.clip_gone")), True
        if not all(record.is_terminal for record in records.values()):
            return entry, True
        return _ended(entry, records, locale), True

    async def cancel(self, entry: Entry) -> None:
        """Take back an entry's jobs that have not ended."""
        for clip in entry.clips:
            try:
                await self._inference.cancel(clip.job_id)
            except AlbumGenError as error:
                log.info("job %s could not be cancelled: %s", clip.job_id, error)


def _ended(entry: Entry, records: Mapping[str, JobRecord], locale: str) -> Entry:
    made: list[Clip] = []
    for clip in entry.clips:
        record = records[clip.job_id]
        if record.result_dir is not None:
            made.append(replace(clip, result_dir=Path(record.result_dir), seconds=record.spec.seconds))
    if made:
        return replace(entry, clips=tuple(made), state=EntryState.READY)
    return _failed(entry, _reason(list(records.values()), locale))


def _reason(records: Sequence[JobRecord], locale: str) -> str:
    for record in records:
        if record.error:
            return record.error
    cancelled = any(record.state == "cancelled" for record in records)
    return text(locale, "session_core.cancelled" if cancelled else "session_core.clip_gone")


def _failed(entry: Entry, sentence: str) -> Entry:
    return replace(entry, state=EntryState.FAILED, error=sentence)
