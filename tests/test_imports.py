"""Which package may know which: cogs → bot → albumgen_core, no cycles; no torch in the Discord process."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

HEAVY = {
    "torch",
    "transformers",
    "peft",
    "chromadb",
    "scipy",
    "librosa",
    "midirenderer",
    "onnxruntime",
    "rapidocr",
    "cv2",
}

LOAD_AND_TELL = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({module.partition(".")[0] for module in sys.modules})))
"""


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages in a fresh interpreter after it has imported `modules`."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD_AND_TELL, *modules],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def modules_of(package: str) -> list[str]:
    names = [
        ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
        for file in sorted((REPOSITORY / package).rglob("*.py"))
    ]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def imports_in(file: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def offenders(package: str, forbidden: set[str]) -> list[str]:
    return [
        f"{file.relative_to(REPOSITORY)} imports {name}"
        for file in sorted((REPOSITORY / package).rglob("*.py"))
        for name in imports_in(file)
        if name.partition(".")[0] in forbidden
    ]


def test_the_discord_process_loads_neither_torch_nor_any_engine() -> None:
    loaded = loaded_by("bot.main", *modules_of("bot"), *modules_of("cogs"))
    assert "discord" in loaded, "the check itself works"
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("albumgen_core", {"discord", "bot", "cogs"}),
        ("bot", {"cogs", *HEAVY}),
        ("cogs", HEAVY),
    ],
)
def test_each_part_imports_only_from_the_parts_to_its_right(package: str, forbidden: set[str]) -> None:
    assert offenders(package, forbidden) == []


def test_help_loads_no_command_and_none_of_what_commands_need() -> None:
    """`albumgen --help` answers at once: what each command imports is left until that command runs."""
    show_help = "import sys; from albumgen_core.cli.main import main; sys.argv = ['albumgen', '--help']"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{show_help}\ntry: main()\nexcept SystemExit: print(sorted(sys.modules), file=sys.stderr)",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "generate" in done.stdout
    loaded = set(ast.literal_eval(done.stderr.strip().splitlines()[-1]))
    assert {name for name in loaded if name.startswith("albumgen_core.")} <= {
        "albumgen_core.cli",
        "albumgen_core.cli.main",
        "albumgen_core.cli.interrupt",
        "albumgen_core.cli.lazy",
        "albumgen_core.version",
    }
    assert loaded & (HEAVY | {"numpy", "PIL", "aiohttp", "pydantic", "huggingface_hub"}) == set()


@pytest.mark.slow
def test_the_command_line_and_the_worker_run_without_discord() -> None:
    loaded = loaded_by(
        "albumgen_core.cli.main", "albumgen_core.inference.client", "albumgen_core.worker.runner"
    )
    assert "discord" not in loaded
    assert "torch" not in loaded, "torch loads with the neural engine only"


def module_files() -> dict[str, Path]:
    """Every module of the product with its file; packages under their own name."""
    found = {}
    for part in ("albumgen_core", "bot", "cogs"):
        for file in sorted((REPOSITORY / part).rglob("*.py")):
            found[".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")] = (
                file
            )
    return found


def imported_modules(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The product's modules that a file imports: for types only, inside functions and relatively, too."""
    here = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = here if file.name == "__init__.py" else here.rpartition(".")[0]
                for _ in range(node.level - 1):
                    package = package.rpartition(".")[0]
                base = f"{package}.{base}".rstrip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base
                if name in known:
                    yield name


def package_of(module: str, known: dict[str, Path]) -> str:
    """The package or lone module directly in `albumgen_core`, `bot` or `cogs`: `bot.sessions`, `bot.bot`."""
    return ".".join(module.split(".")[:2])


def import_graph(unit: Callable[[str, dict[str, Path]], str]) -> dict[str, set[str]]:
    known = module_files()
    graph: dict[str, set[str]] = {}
    for module, file in known.items():
        targets = graph.setdefault(unit(module, known), set())
        targets |= {unit(name, known) for name in imported_modules(file, known)}
    return {name: targets - {name} for name, targets in graph.items()}


def module_of(module: str, known: dict[str, Path]) -> str:
    """The module itself."""
    return module


@pytest.mark.slow
@pytest.mark.parametrize("unit", [package_of, module_of])
def test_imports_form_no_cycle(unit: Callable[[str, dict[str, Path]], str]) -> None:
    graph = import_graph(unit)
    assert set(graph) >= {"bot.bot", "albumgen_core.errors"}, "the check itself works"
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the cycle
    assert order.index("bot.bot") > order.index("albumgen_core.errors")


def test_no_cog_imports_another_and_nothing_looks_a_cog_up() -> None:
    for module, file in module_files().items():
        if module.startswith("cogs."):
            others = [name for name in imported_modules(file, module_files()) if name.startswith("cogs")]
            assert others == [], module
        calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        names = [node.func.attr for node in calls if isinstance(node.func, ast.Attribute)]
        assert "get_cog" not in names, module


def test_only_the_start_and_the_cogs_know_the_bot() -> None:
    known = module_files()
    users = {
        module
        for module, file in known.items()
        if "bot.bot" in imported_modules(file, known) and not module.startswith("cogs.")
    }
    assert users == {"bot.main"}
