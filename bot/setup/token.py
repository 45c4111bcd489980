"""The bot's token: what one looks like, and keeping one that was typed."""

from __future__ import annotations

import re
from pathlib import Path

from albumgen_core.files import write_durably

_TOKEN = re.compile(r"[\w-]{10,}\.[\w-]{4,}\.[\w-]{10,}")
_SECTION = re.compile(r"^\[discord\]\s*(#.*)?$", re.MULTILINE)
_KEY = re.compile(r"^token\s*=.*$", re.MULTILINE)


def looks_like_token(token: str) -> bool:
    """Three parts of letters, digits, - and _, joined by dots; only Discord knows whether it is good."""
    return _TOKEN.fullmatch(token) is not None


def save_token(path: Path, token: str) -> None:
    """Put a token into a config.toml, readable by its owner alone; the rest of the file stays as it is.

    Raises OSError.
    """
    words = path.read_text(encoding="utf-8") if path.exists() else ""
    line = f'token = "{token}"'
    section = _SECTION.search(words)
    if section is None:
        words = f"{words.rstrip()}\n\n[discord]\n{line}\n".lstrip()
    else:
        end = words.find("\n[", section.end())
        end = len(words) if end < 0 else end
        body = words[section.end() : end]
        body = _KEY.sub(line, body, count=1) if _KEY.search(body) else f"\n{line}{body}"
        words = words[: section.end()] + body + words[end:]
    write_durably(path, words.encode())
