"""The typed origin of a job: what is journalled, and what an earlier or later version has written."""

from __future__ import annotations

import time

import msgspec
import pytest

from albumgen_core.jobs.spec import JobSpec, new_job_id
from bot.messages.origin import Origin


def test_it_comes_back_as_it_went_in() -> None:
    origin = Origin(kind="compare", channel_id=5, user_id=7, via="token", token="t", token_until=9.5)
    payload = origin.to_payload()
    assert msgspec.json.decode(msgspec.json.encode(payload)) == payload
    assert "guild_id" not in payload
    assert Origin.of(JobSpec(new_job_id(), origin=payload)) == origin


def test_rows_without_a_version_are_read() -> None:
    origin = Origin.of(JobSpec(new_job_id(), origin={"kind": "take", "channel_id": 5, "rag": False}))
    assert (origin.channel_id, origin.rag, origin.locale, origin.version) == (5, False, "en", 1)


def test_what_a_newer_version_wrote_is_read_as_far_as_it_is_known() -> None:
    newer = {"channel_id": 5, "via": "pigeon", "wings": 2, "version": 9}
    origin = Origin.of(JobSpec(new_job_id(), origin=newer))
    assert (origin.channel_id, origin.via) == (5, "channel")


def test_only_known_fields_can_be_changed() -> None:
    assert Origin.changes(message_id=3, token=None) == {"message_id": 3, "token": None}
    with pytest.raises(TypeError):
        Origin.changes(mesage_id=3)


def test_a_token_works_until_its_time() -> None:
    assert Origin(token="t", token_until=time.time() + 5).has_token
    assert not Origin(token="t", token_until=time.time() - 5).has_token
    assert not Origin(token_until=time.time() + 5).has_token
