"""The errors AlbumGen raises on purpose.

Every message is one plain sentence, fit to be read by the person who caused it; technical detail goes
to the log and to `__cause__`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType


class AlbumGenError(Exception):
    """Base of every deliberate error. `str(error)` is one sentence a person understands.

    Attributes:
        code: which sentence it is, for saying it in another language; "" where only the text says it.
        params: what stands in the sentence's placeholders.
    """

    code: str = ""
    params: Mapping[str, str | int | float] = MappingProxyType({})


class CodedError(AlbumGenError):
    """An error whose sentence has a code.

    Args:
        message: the sentence in English.
        code: a key of the front end's catalogue. params: values for the sentence's placeholders.
    """

    def __init__(self, message: str, code: str = "", **params: str | int | float) -> None:
        super().__init__(message)
        self.code = code
        self.params = params


class ConfigError(AlbumGenError):
    """A setting is wrong.

    Attributes:
        key: its dotted name, as written in config.toml (`engine.family`).
        problem: the rest of the sentence.
        source: the file or environment variable that holds it, or "" where neither is known.
    """

    def __init__(self, key: str, problem: str, source: str = "") -> None:
        super().__init__(f"{source}: {key}: {problem}" if source else f"{key}: {problem}")
        self.key = key
        self.problem = problem
        self.source = source


class EngineUnavailableError(AlbumGenError):
    """An engine cannot start: a weight is missing or damaged, or a package is not installed.

    The message names the file or package and the command that mends it.
    """


class IndexUnavailableError(AlbumGenError):
    """The album index cannot be read: missing, corrupt, locked, or built by another embedder."""

    code = "core.index_unavailable"


class CatalogueError(AlbumGenError):
    """The catalogue of artists and albums cannot be read or built; the message is one sentence."""


class AttributeRangeError(AlbumGenError, ValueError):
    """A value that a field cannot take.

    Attributes:
        field: the field's name. problem: the rest of the sentence.
        code, params: which problem, and its particulars, for saying it in other languages; "" has no other.
    """

    def __init__(self, field: str, problem: str, code: str = "", **params: str | float) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
        self.code = code
        self.params = params


class FfmpegError(AlbumGenError):
    """There is no ffmpeg, or it failed; the message is one plain sentence."""


class OpusError(AlbumGenError):
    """A file is no Ogg-Opus that can be read; the message is one plain sentence."""


class ClipError(CodedError):
    """Sound cannot become a clip, or a clip cannot be read; the message is one plain sentence."""


class TaskError(AlbumGenError):
    """The child died, was too slow, or could not do what was asked.

    Attributes:
        code: "died", "timeout", or what the child named.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class MixtapeError(AlbumGenError):
    """A mixtape cannot be made; the message is one plain sentence.

    Attributes:
        code: "empty" (nothing to join), "encoder", "disk", "timeout", "died" or "too_long".
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class MixtapeTooLongError(MixtapeError):
    """Even at the lowest bit rate it would be larger than allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "too_long")

    @classmethod
    def of(cls, seconds: float, max_bytes: int) -> MixtapeTooLongError:
        """For so much music, and so little room."""
        return cls(f"A mixtape of {seconds / 60:.0f} minutes does not fit into {max_bytes / 2**20:.3g} MB.")


class DatasetError(AlbumGenError):
    """A data set cannot be read at all; the message is one sentence."""


class FetchError(DatasetError):
    """Something could not be fetched, and asking again right away is pointless."""


class GoneError(FetchError):
    """The server has it no longer, or will not give it."""


class CalibrationError(AlbumGenError):
    """A saved calibration cannot be used; the message is one sentence."""


class ProtocolError(Exception):
    """A line that is not a message of this protocol."""


class EvaluationError(AlbumGenError):
    """There is nothing to evaluate; the message is one sentence."""


class TrainingError(AlbumGenError):
    """Training cannot start, go on, or be of use; the message is one sentence."""


class ForeignFolderError(AlbumGenError):
    """A take would replace something that is not a take."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} is there already and is not a take that AlbumGen made, so it is left alone; "
            "move it, or choose another folder."
        )
        self.folder = folder


class DamagedFileError(ValueError):
    """A weight file whose own bookkeeping does not hold; the message says what."""


COVER_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "empty": "This file is empty; please send the picture again.",
        "too_large_bytes": (
            "This file has {megabytes} MB, more than the {limit} MB that a cover may have; "
            "please send a smaller copy."
        ),
        "too_many_pixels": (
            "This picture has {width} × {height} pixels, more than the {limit} million that a cover may "
            "have; please send a smaller copy."
        ),
        "svg": "SVG drawings cannot be read here; please save the cover as PNG and send that.",
        "other_format": (
            "{format} pictures cannot be read here; please save the cover as PNG, JPEG, WebP or GIF."
        ),
        "web_page": "This is a web page, not a picture; please save the picture itself and send that.",
        "pdf": "This is a PDF document; please save the cover in it as a PNG or JPEG picture.",
        "archive": "This is an archive; please unpack it and send the cover picture itself.",
        "audio_or_video": "This is a sound or a film; please send the album's cover as a picture.",
        "not_a_picture": "This is not a picture; please send the cover as PNG, JPEG, WebP or GIF.",
        "truncated": "The end of this picture is missing; please download it again and send it once more.",
        "damaged": "This picture is damaged; please open it, save a fresh copy as PNG and send that.",
        "transparent": (
            "This picture is completely transparent, so there is nothing to see; please send another."
        ),
        "too_many_scans": (
            "This JPEG is stored in {scans} passes, more than the {limit} that are read here; "
            "please save it as an ordinary JPEG or PNG."
        ),
        "too_slow": "This picture takes too long to read; please save it as an ordinary PNG or JPEG.",
        "too_much_memory": "This picture needs too much memory to read; please send a smaller copy.",
        "crashed": "This picture could not be read; please save a fresh copy as PNG and send that.",
        "unavailable": "Pictures cannot be read just now; please try again in a few minutes.",
        "gone": "The cover of this clip is no longer kept; please send the picture again.",
        "stored_damaged": "The stored cover of this clip is damaged; please send the picture again.",
    }
)


class CoverError(AlbumGenError):
    """A picture was refused; the message is one sentence a member understands, with what to do.

    Attributes:
        code: why, as a stable word for catalogues of translations: a key of `COVER_MESSAGES`, or
            "unreadable" where only a message was given.
        params: the values that the sentence names: plain strings and numbers.
    """

    def __init__(
        self, message: str, *, code: str = "unreadable", params: Mapping[str, str | int] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.params: Mapping[str, str | int] = dict(params or {})

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by their positional arguments; keyword-only ones would be lost.
        return (_rebuild_cover_error, (str(self), self.code, dict(self.params)))


class InferenceError(AlbumGenError):
    """Base of the errors of the journal, the queue and the workers."""


class DataDirectoryError(InferenceError):
    """The data directory, or a file in it, cannot be written."""

    def __init__(self, directory: Path, detail: str) -> None:
        super().__init__(
            f"The data directory {directory} cannot be written ({detail}); make it writable for the user "
            "that AlbumGen runs as, or set `data_dir` to another folder."
        )
        self.directory = directory


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


class JobSpecError(InferenceError):
    """A journalled job cannot be read: it is damaged, or a newer AlbumGen wrote it."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"This request cannot be read: {problem}.")
        self.problem = problem


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


class JobError(CodedError):
    """Why a job fails; the message is the sentence its member reads."""


class JobFailedError(InferenceError):
    """A job ended in failure; the message is the sentence its member reads."""

    def __init__(
        self, job_id: str, reason: str, code: str = "", params: Mapping[str, str | int | float] | None = None
    ) -> None:
        super().__init__(reason)
        self.job_id = job_id
        self.code = code
        self.params = dict(params or {})


class JobCancelledError(InferenceError):
    """A job was cancelled by its member."""

    def __init__(self, job_id: str) -> None:
        super().__init__("This clip was cancelled.")
        self.job_id = job_id


def _rebuild_cover_error(message: str, code: str, params: Mapping[str, str | int]) -> CoverError:
    return CoverError(message, code=code, params=params)
