"""The child process of `test_child`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albumgen_core.errors import TaskError
from albumgen_core.tasks.child import serve


def handle(payload: Mapping[str, Any]) -> dict[str, Any]:
    match payload["do"]:
        case "refuse":
            raise TaskError("That is too much.", "too_much")
        case "read":
            Path("/no/such/file").read_bytes()
        case "crash":
            raise ZeroDivisionError
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            Path(payload["mark"]).write_text(str(os.getpid()))
            time.sleep(60)
    return {"path": payload["path"]}


if __name__ == "__main__":
    serve(handle)
