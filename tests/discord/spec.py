"""Discord's published OpenAPI document, where a developer has it: a second opinion on every request body.

The document is development data and not part of this repository; without it the check is off.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from tests.paths import DEVELOPMENT


def document_path() -> Path | None:
    """Where it lies; None where there is none."""
    path = DEVELOPMENT / "discord" / "openapi.json"
    return path if path.is_file() else None


def relax(node: Any) -> Any:
    """Turns ``oneOf`` into ``anyOf``: the document's alternatives overlap, and Discord takes either."""
    if isinstance(node, dict):
        return {("anyOf" if key == "oneOf" else key): relax(value) for key, value in node.items()}
    return [relax(item) for item in node] if isinstance(node, list) else node


def shape(template: str) -> str:
    """A path template without the names of its parameters."""
    return re.sub(r"\{\w+\}", "{}", template)


class Specification:
    """Validates request bodies against the document's schemas."""

    def __init__(self, document: dict[str, Any]) -> None:
        schemas = relax(document["components"])
        # Snowflakes may be sent as numbers: Discord accepts both, the document names the string only.
        schemas["schemas"]["SnowflakeType"] = {"type": ["string", "integer"]}
        self._components = schemas
        self._schemas: dict[tuple[str, str], Any] = {}
        self._validators: dict[tuple[str, str], Any] = {}
        for template, item in document["paths"].items():
            for method, operation in item.items():
                if not isinstance(operation, dict) or "requestBody" not in operation:
                    continue
                content = operation["requestBody"].get("content", {})
                if "application/json" in content:
                    self._schemas[(method.upper(), shape(template))] = relax(
                        content["application/json"]["schema"]
                    )

    @classmethod
    @cache
    def in_development(cls) -> Specification | None:
        """The document if it is there and ``jsonschema`` is installed, else None."""
        path = document_path()
        try:
            import jsonschema  # type: ignore[import-untyped]  # noqa: F401
        except ImportError:
            return None
        return cls(json.loads(path.read_text("utf-8"))) if path else None

    def problems(self, method: str, template: str, body: Any) -> list[str]:
        """What is wrong with ``body``, one line each; empty for a route the document has no body for."""
        key = (method, shape(template))
        if key not in self._schemas:
            return []
        if key not in self._validators:
            from jsonschema import Draft202012Validator

            schema = {"components": self._components, "allOf": [self._schemas[key]]}
            self._validators[key] = Draft202012Validator(schema)
        return [describe(error) for error in self._validators[key].iter_errors(body)]


def describe(error: Any) -> str:
    """Where and why, following the alternative that came closest."""
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

    closest = best_match([error]) or error
    while closest.context:
        closest = max(closest.context, key=lambda inner: len(inner.absolute_path))
    return f"{'.'.join(str(part) for part in closest.absolute_path)}: {closest.message[:300]}"
