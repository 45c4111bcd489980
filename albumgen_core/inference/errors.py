"""What can go wrong between a request and its clip, each in one sentence for the person who asked."""

from __future__ import annotations

from pathlib import Path

from albumgen_core.errors import AlbumGenError


class InferenceError(AlbumGenError):
    """Base of the errors of the journal, the queue and the workers."""


class AlreadyRunningError(InferenceError):
    """Another process holds the data directory."""

    def __init__(self, directory: Path, owner: str) -> None:
        who = f" (process {owner})" if owner else ""
        super().__init__(
            f"Another AlbumGen{who} is already using {directory}; "
            "stop it first, or choose another data directory."
        )


class JournalCorruptError(InferenceError):
    """The journal cannot be read. The file has not been touched."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"The journal {path} is damaged ({detail}); it was left as it is: "
            "restore it from a backup, or move it away to start with an empty one."
        )
        self.path = path


class JournalVersionError(InferenceError):
    """The journal was written by a newer AlbumGen."""


class JournalBusyError(InferenceError):
    """Another program has kept the journal locked for longer than the busy timeout."""

    def __init__(self) -> None:
        super().__init__("The journal is busy right now; please try again in a moment.")


class DiskFullError(InferenceError):
    """There is too little room to promise a clip."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            "There is not enough disk space left to take new requests; please tell an administrator."
        )
        self.directory = directory


class QueueFullError(InferenceError):
    """A cap on waiting jobs was reached.

    Attributes:
        scope: "member", "group" or "all".
        limit: the cap, in jobs.
    """

    def __init__(self, scope: str, limit: int) -> None:
        clips = "1 clip" if limit == 1 else f"{limit} clips"
        sentence = {
            "member": f"You already have {clips} on the way; wait for one to finish, or cancel one.",
            "group": f"This server already has {clips} on the way; please try again when some are done.",
            "all": "The queue is full at the moment; please try again in a few minutes.",
        }[scope]
        super().__init__(sentence)
        self.scope = scope
        self.limit = limit


class EngineNotReadyError(InferenceError):
    """No worker can run jobs; `reason` says why, in the worker's own words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The engine is not ready: {reason}")
        self.reason = reason


class ClosingError(InferenceError):
    """The client is shutting down and takes no new jobs."""

    def __init__(self) -> None:
        super().__init__("AlbumGen is restarting; please try again in a minute.")


class UnknownJobError(InferenceError):
    """No such job is in the journal."""

    def __init__(self, job_id: str) -> None:
        super().__init__("That clip is no longer known.")
        self.job_id = job_id


class JobFailedError(InferenceError):
    """A job ended in failure; the message is the sentence its member reads."""

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(reason)
        self.job_id = job_id


class JobCancelledError(InferenceError):
    """A job was cancelled by its member."""

    def __init__(self, job_id: str) -> None:
        super().__init__("This clip was cancelled.")
        self.job_id = job_id
