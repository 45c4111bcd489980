"""constraints*.txt hold a pinned, hashed release of everything that pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
# Installed by itself (the Makefile says why), and left out on purpose (pyproject.toml says why).
NOT_LISTED = {"torch", "kubernetes"}


def pins(name: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Package → its pinned requirement and its hashes."""
    text = (REPOSITORY / name).read_text("utf-8").replace("\\\n", " ")
    entries = [line.split("--hash=") for line in text.splitlines() if line and not line.startswith("#")]
    requirements = [(Requirement(first.strip()), [each.strip() for each in rest]) for first, *rest in entries]
    return {
        canonicalize_name(requirement.name): (requirement, hashes) for requirement, hashes in requirements
    }


RUNTIME, DEVELOPERS = pins("constraints.txt"), pins("constraints-dev.txt")


@pytest.mark.parametrize("listed", [RUNTIME, DEVELOPERS], ids=["runtime", "developers"])
def test_every_entry_is_one_release_with_its_hashes(listed: dict[str, tuple[Requirement, list[str]]]) -> None:
    assert listed
    for name, (requirement, hashes) in listed.items():
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), name


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        (PROJECT["project"]["dependencies"], RUNTIME),
        (
            [
                *PROJECT["project"]["optional-dependencies"]["evaluation"],
                *PROJECT["project"]["optional-dependencies"]["dev"][1:],
            ],
            RUNTIME | DEVELOPERS,
        ),
    ],
    ids=["runtime", "developers"],
)
def test_what_the_project_asks_for_is_listed_in_a_fitting_version(
    wanted: list[str], listed: dict[str, tuple[Requirement, list[str]]]
) -> None:
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name in NOT_LISTED:
            continue
        assert name in listed, f"{name}: run `make constraints`"
        pinned = next(iter(listed[name][0].specifier)).version
        assert requirement.specifier.contains(pinned, prereleases=True), name


def test_nothing_is_listed_twice_and_nothing_heavy_that_is_not_used() -> None:
    assert not set(RUNTIME) & set(DEVELOPERS)
    assert not {"torch", "kubernetes", "numba", "llvmlite"} & set(RUNTIME)
    assert not [name for name in RUNTIME | DEVELOPERS if name.startswith("nvidia-")]


def test_the_lists_name_no_host_and_no_path() -> None:
    for name in ("constraints.txt", "constraints-dev.txt"):
        text = (REPOSITORY / name).read_text("utf-8")
        assert "://" not in text
        assert "index" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
        assert "find-links" not in text


def test_torch_is_pinned_alike_for_the_installation_and_for_the_resolver() -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    found = re.search(r"^TORCH := torch==(\S+)$", makefile, re.MULTILINE)
    assert found is not None
    metadata = {each["name"]: each["version"] for each in PROJECT["tool"]["uv"]["dependency-metadata"]}
    assert metadata["torch"] == found[1]
    assert PROJECT["tool"]["uv"]["constraint-dependencies"] == [f"torch=={found[1]}"]
    wanted = next(each for each in PROJECT["project"]["dependencies"] if each.startswith("torch"))
    assert Requirement(wanted).specifier.contains(found[1])
