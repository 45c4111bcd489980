"""The process that makes a clip quieter, or the joint between two clips. See `albumgen_core.tasks.child`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albumgen_core.audio.opus import decode_opus, encode_opus, joint, quieter
from albumgen_core.files import write_durably
from albumgen_core.tasks.child import serve


def _handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    sound = decode_opus(Path(payload["clip"]))
    if "next" in payload:
        sound = joint(sound, decode_opus(Path(payload["next"])), int(payload["packets"]))
    write_durably(Path(payload["out"]), encode_opus(quieter(sound, float(payload["share"]))))
    return {}


if __name__ == "__main__":
    serve(_handle)
