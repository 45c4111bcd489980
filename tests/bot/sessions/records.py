"""An evening to tell of: covers drawn here, clips that the sketch engine's encoder made, and votes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.sessions.state.model import Clip, Entry, EntryState, Session, SessionRecord, SessionState, Vote

SESSION = "5e" * 16
ANA, BO, CY, DI = 11, 22, 33, 44
NAMES = {ANA: "Ana", BO: "Bo", CY: "Cy", DI: "Di"}


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {
        "session_id": SESSION,
        "guild_id": 1,
        "voice_channel_id": 2,
        "text_channel_id": 3,
        "host_id": ANA,
        "title": "Friday covers",
        "state": SessionState.ENDED,
        "started_at": 1_790_000_000.0,
        "ended_at": 1_790_003_600.0,
    }
    return Session(**values | changes)


def job_of(entry: int, take: int = 0) -> str:
    return f"{entry:030x}{take:02x}"


def entry(
    number: int,
    submitter: int = ANA,
    *,
    versus: bool = False,
    folder: Path | None = None,
    folders: Sequence[Path] = (),
    **changes: Any,
) -> Entry:
    places = list(folders) or [folder or Path("/nowhere")] * (2 if versus else 1)
    clips = tuple(
        Clip(job_of(number, take), rag=take == 0, result_dir=place, seconds=12.0)
        for take, place in enumerate(places)
    )
    values: dict[str, Any] = {
        "entry_id": number,
        "session_id": SESSION,
        "submitter_id": submitter,
        "submitter_name": NAMES[submitter],
        "title": f"Cover {number}",
        "clips": clips,
        "state": EntryState.PLAYED,
        "submitted_at": 1_790_000_000.0 + number,
        "played_at": 1_790_000_100.0 + number,
    }
    return Entry(**values | changes)


def votes(
    given: Mapping[tuple[int, int], Mapping[int, int]], stars: Sequence[tuple[int, int]] = ()
) -> list[Vote]:
    """From {(entry, take): {user: score}}; stars are (entry, user) and go to the first take."""
    cast = [
        Vote(
            SESSION, number, job_of(number, take), user, score, starred=take == 0 and (number, user) in stars
        )
        for (number, take), scores in given.items()
        for user, score in scores.items()
    ]
    scored = {(vote.entry_id, vote.user_id) for vote in cast}
    cast += [
        Vote(SESSION, number, job_of(number), user, None, starred=True)
        for number, user in stars
        if (number, user) not in scored
    ]
    return cast


def record(entries: Sequence[Entry], cast: Sequence[Vote] = (), **changes: Any) -> SessionRecord:
    return SessionRecord(session(**changes), tuple(entries), tuple(cast), NAMES)


def change_document(folder: Path, **changes: Any) -> None:
    """Overwrite fields of a result.json."""
    path = folder / "result.json"
    document = json.loads(path.read_text("utf-8"))
    document.update(changes)
    path.write_text(json.dumps(document), "utf-8")
