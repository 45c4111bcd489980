"""The image's steps, as far as they can be tried without a container engine."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
APP = "/app/"

LOAD = """
import site, sys
sys.path.append(sys.argv[1])  # the dependencies, without the .pth files that lead to this very repository
sys.path.insert(0, sys.argv[2])  # both folders hold a finder of one name: this installation's counts
site.addsitedir(sys.argv[2])
import albumgen_core.pipeline.build, bot.main, cogs.albumgen
print(albumgen_core.__file__, bot.__file__, cogs.__file__, sep="\\n")
"""


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction and its arguments, continued lines joined, comments left out."""
    lines = (REPOSITORY / "Dockerfile").read_text("utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, arguments = line.strip().partition(" ")
            yield name, re.sub(r"\s+", " ", arguments)


INSTRUCTIONS = list(instructions())


def only(name: str) -> str:
    (found,) = [arguments for instruction, arguments in INSTRUCTIONS if instruction == name]
    return found


def copies() -> list[tuple[list[str], str]]:
    """Sources and destination of each COPY."""
    return [
        ([word for word in arguments.split() if not word.startswith("--")][:-1], arguments.split()[-1])
        for instruction, arguments in INSTRUCTIONS
        if instruction == "COPY"
    ]


def ignored() -> list[str]:
    return [line for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines() if line]


def is_ignored(path: Path) -> bool:
    """Whether .dockerignore leaves a file of the repository out; `**/` is any folder."""
    own = path.relative_to(REPOSITORY)
    return any(
        fnmatch.fnmatch(str(each), pattern) or fnmatch.fnmatch(str(each), pattern.removeprefix("**/"))
        for pattern in ignored()
        for each in (own, *own.parents)
    )


def test_every_source_of_a_copy_is_there_and_reaches_the_builder() -> None:
    for sources, _ in copies():
        for source in sources:
            found = list(REPOSITORY.glob(source)) if source != "." else [REPOSITORY / "bot" / "main.py"]
            assert found, source
            assert not any(is_ignored(path) for path in found), source


def test_what_is_made_on_a_developers_machine_stays_out_of_the_image() -> None:
    for name in (".git", ".venv", "data", "out", "config.toml", "bot/__pycache__/main.cpython-311.pyc"):
        assert is_ignored(REPOSITORY / name), name
    assert is_ignored(REPOSITORY / "albumgen_core/engines/neural/musicgen/_native.so")


def test_every_package_of_the_project_has_its_place_before_the_environment_is_made() -> None:
    before = [destination for _, destination in copies()]
    for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]:
        assert f"{pattern.rstrip('*')}/" in before, pattern


def test_the_environment_is_made_by_the_makefile_without_developers_tools() -> None:
    setup = next(a for name, a in INSTRUCTIONS if name == "RUN" and a.startswith("make ")).split()
    assert setup[-1] == 'CPU="$CPU"'

    def steps(cpu: str) -> str:
        command = [setup[0], "--dry-run", "--always-make", *setup[1:-1], f"CPU={cpu}"]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout

    assert "--require-hashes --requirement constraints.txt\n" in steps("")
    assert "constraints-dev" not in steps("")
    assert "--index-url" not in steps("")
    assert re.search(r"--index-url \S+/cpu torch==", steps("1"))


def test_the_bot_is_started_directly_and_signals_reach_it() -> None:
    assert json.loads(only("ENTRYPOINT")) == ["/usr/bin/tini", "--"]
    (command,) = json.loads(only("CMD"))
    assert command.removeprefix("/app/.venv/bin/") in PROJECT["project"]["scripts"]


def test_the_health_check_asks_the_bot_itself() -> None:
    options, _, command = only("HEALTHCHECK").partition("CMD ")
    assert "--timeout=10s" in options
    assert json.loads(command)[1:] == ["-m", "bot.monitoring.healthcheck"]


@pytest.mark.parametrize("package", ["tini", "fonts-noto-color-emoji", "fonts-noto-core", "fonts-noto-cjk"])
def test_system_packages(package: str) -> None:
    assert package in next(a for name, a in INSTRUCTIONS if name == "RUN" and "apt-get" in a).split()


@pytest.mark.slow
def test_the_package_installed_from_the_first_layer_finds_the_whole_code(tmp_path: Path) -> None:
    app, prefix = tmp_path / "app", tmp_path / "prefix"
    *first, last = copies()
    for sources, destination in first:
        target = app / destination
        target.mkdir(parents=True, exist_ok=True)
        for source in sources:
            for path in REPOSITORY.glob(source):
                shutil.copy(path, target)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"),
            # Without --ignore-installed pip takes the package out of the environment that runs the tests.
            *("--ignore-installed", "--prefix", prefix, "--editable", app),
        ],
        check=True,
        capture_output=True,
    )
    assert last == (["."], ".")
    for package in ("albumgen_core", "bot", "cogs"):
        shutil.copytree(
            REPOSITORY / package,
            app / package,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
    (site,) = prefix.glob("lib/python*/site-packages")
    done = subprocess.run(
        [sys.executable, "-S", "-c", LOAD, sysconfig.get_path("purelib"), site],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(Path(line).is_relative_to(app) for line in done.stdout.split()), done.stdout
    assert list((app / "albumgen_core/engines/neural/musicgen").glob("_native.*.so")), "the kernel was built"
