"""docs/architecture.md lists every package in an order that the imports keep."""

from __future__ import annotations

import re
from functools import cache

from tests.paths import REPOSITORY
from tests.test_imports import import_graph, package_of

ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"


def documented_rows() -> list[set[str]]:
    """The rows of the list, from the top; what is documented as `cogs` are all cogs."""
    found = re.search(r"```packages\n(.*?)```", ARCHITECTURE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return [set(line.split()) for line in found[1].splitlines() if line.strip()]


@cache
def packages() -> dict[str, set[str]]:
    """Each package with those it imports; all cogs as one, the top-level `__init__` files left out."""
    graph: dict[str, set[str]] = {}
    for name, targets in import_graph(package_of).items():
        own = "cogs" if name.startswith("cogs") else name
        graph.setdefault(own, set()).update(
            "cogs" if target.startswith("cogs") else target for target in targets
        )
    for top in ("albumgen_core", "bot"):
        graph.pop(top)
    return {name: targets - {name, "albumgen_core", "bot"} for name, targets in graph.items()}


def test_every_package_has_one_row() -> None:
    listed = [name for row in documented_rows() for name in row]
    assert len(listed) == len(set(listed))
    assert set(listed) ^ set(packages()) == set(), "docs/architecture.md lacks these, or they are gone"


def test_imports_go_to_lower_rows_only() -> None:
    height = {name: -number for number, row in enumerate(documented_rows()) for name in row}
    upwards = [
        f"{name} imports {target}"
        for name, targets in packages().items()
        for target in targets
        if height.get(target, 1) >= height.get(name, 1)
    ]
    assert upwards == []
