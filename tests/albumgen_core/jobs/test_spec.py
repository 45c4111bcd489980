"""The job type on disk: what is written is read back, and what cannot be read is refused with a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.errors import JobSpecError
from albumgen_core.jobs.spec import SPEC_VERSION, JobSpec, new_job_id, read_spec

TEXT = st.text(max_size=20)
SPECS = st.builds(
    JobSpec,
    st.builds(new_job_id),
    TEXT,
    rag=st.booleans(),
    seconds=st.floats(1, 300),
    seed=st.integers(0, 2**31 - 1),
    prompt_style=st.sampled_from(["slides", "concise"]),
    overrides=st.dictionaries(TEXT, st.one_of(TEXT, st.floats(0, 1), st.integers(0, 9), st.booleans())),
    parent_id=st.none() | TEXT,
    group=TEXT,
)


@given(SPECS)
def test_a_job_is_read_as_it_was_written(spec: JobSpec) -> None:
    assert read_spec(spec.to_json()) == spec


def test_the_origin_is_not_part_of_it() -> None:
    spec = JobSpec(new_job_id(), origin={"token": "secret"})
    assert "secret" not in spec.to_json()
    assert spec.to_dict()["origin"] == {"token": "secret"}


def test_rows_of_the_version_before_are_read() -> None:
    row = {
        "job_id": "a",
        "cover_path": "covers/a",
        "rag": False,
        "seconds": 10.0,
        "seed": 7,
        "prompt_style": "slides",
        "name_artist": False,
        "overrides": {"tempo": 90.0},
        "continue_from": None,
        "parent_id": None,
        "root_id": None,
        "bundle_id": None,
        "group": "g",
        "member": "m",
    }
    spec = read_spec(json.dumps(row))
    assert spec.version == SPEC_VERSION
    assert {name: spec.to_dict()[name] for name in row} == row


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ('{"job_id": "a", "version": 2}', "newer AlbumGen"),
        ('{"job_id": "a", "version": 2, "voice": "alto"}', "newer AlbumGen"),
        ('{"job_id": "a", "voice": "alto"}', "voice"),
        ('{"job_id": "a", "seconds": "long"}', "seconds"),
        ('{"job_id": "a", "prompt_style": "haiku"}', "haiku"),
        ("{}", "job_id"),
        ("[]", "object"),
        ("{", "truncated"),
        ("", "truncated"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(row: str, sentence: str) -> None:
    with pytest.raises(JobSpecError, match=sentence) as refused:
        read_spec(row)
    assert str(refused.value).startswith("This request cannot be read: ")
