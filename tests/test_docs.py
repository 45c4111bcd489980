"""What the documentation points at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
OWN = ("albumgen_core", "benchmarks", "bot", "cogs", "docs", "examples", "tests")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text("utf-8"))
    targets = [first or second for first, second in links]
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_are_there(page: Path) -> None:
    files = re.findall(rf"(?:`|python )((?:{'|'.join(OWN)})/[\w./-]*)", page.read_text("utf-8"))
    assert [file for file in files if not (REPOSITORY / file).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_modules(page: Path) -> None:
    modules = re.findall(r"python -m ((?:benchmarks|bot|tests|albumgen_core)[\w.]*)", page.read_text("utf-8"))
    missing = [
        module
        for module in modules
        if not (REPOSITORY / module.replace(".", "/")).with_suffix(".py").is_file()
        and not (REPOSITORY / module.replace(".", "/") / "__main__.py").is_file()
    ]
    assert missing == []
