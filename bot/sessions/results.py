"""The result documents of a session's takes, those that are still kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from albumgen_core.attributes.predicted import MusicalAttributes
from albumgen_core.errors import AttributeRangeError
from albumgen_core.result import read_document
from albumgen_core.vocabulary import Family
from bot.sessions.state.model import SessionRecord


def read_results(record: SessionRecord) -> dict[str, Mapping[str, Any]]:
    """The document of each take by job id (blocking); a take whose result is gone or broken has none."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in record.entries:
        for clip in entry.clips:
            document = read_result(clip.result_dir)
            if document is not None:
                found[clip.job_id] = document
    return found


def read_result(folder: Path | None) -> Mapping[str, Any] | None:
    """The document of one result folder (blocking), None unless it is there and in order."""
    if folder is None:
        return None
    try:
        document = read_document(folder)
        MusicalAttributes.from_dict(document["attributes"])
        if document["engine"]["family"] not in get_args(Family):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeRangeError):
        return None
    return document
