"""Every setting of the core, typed: config.toml, overridden by ALBUMGEN_… environment variables.

The file is looked for at `$ALBUMGEN_CONFIG`, then `./config.toml`; without one, the defaults hold. An
environment variable names its key with double underscores: `ALBUMGEN_ENGINE__FAMILY=neural`.
A wrong value is one ConfigError that names the key.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from albumgen_core.errors import ConfigError
from albumgen_core.vocabulary import Family, PromptStyle, RagMode

ENV_PREFIX = "ALBUMGEN_"
CONFIG_ENV = "ALBUMGEN_CONFIG"
FRONT_END_SECTIONS = frozenset({"discord"})
"""Sections of config.toml that belong to a front end; the core leaves them to it."""
NOT_SETTINGS = frozenset({"config", "dev_data", "native"})
"""ALBUMGEN_… variables (less the prefix) that are not settings."""
NEAR = 0.75
"""difflib's ratio from which an unknown name is taken for a slip of a known one."""


class Section(BaseModel):
    """A table of config.toml; unknown keys are errors, so that a typing slip is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClipModelSettings(Section):
    """`[engine.clip]`: the model that embeds covers.

    Attributes:
        model: hub id, or a folder with the checkpoint. revision: branch, tag or commit hash on the hub.
    """

    model: str = "openai/clip-vit-base-patch16"
    revision: str = "main"


class InternVLSettings(Section):
    """`[engine.internvl]`: the model that reads attributes from a cover.

    Attributes:
        model, revision: as for CLIP.
        adapter: folder of a LoRA adapter; "" for none. merge_adapter: into the weights, at start.
        max_tiles: most tiles of 448 × 448 pixels that a cover is cut into.
        temperature: of sampling; 0 always takes the likeliest answer.
    """

    model: str = "OpenGVLab/InternVL2-1B"
    revision: str = "main"
    adapter: str = ""
    merge_adapter: bool = True
    max_tiles: int = Field(1, ge=1, le=12)
    temperature: float = Field(0.0, ge=0.0, le=2.0)


class MusicGenSettings(Section):
    """`[engine.musicgen]`: the model that composes.

    Attributes:
        model, revision: as for CLIP.
        backend: "own" (which "auto" takes), "transformers", the slow reference, or "audiocraft".
        guidance_scale: of classifier-free guidance; 1 is none.
        top_k, top_p, temperature: of sampling; top_k = 0 allows all tokens, top_p = 0 is off.
        extend_stride: seconds from one window of a clip beyond 30 s to the next.
    """

    model: str = "facebook/musicgen-small"
    revision: str = "main"
    backend: Literal["auto", "own", "transformers", "audiocraft"] = "auto"
    guidance_scale: float = Field(3.0, ge=1.0, le=10.0)
    top_k: int = Field(250, ge=0, le=2048)
    top_p: float = Field(0.0, ge=0.0, le=1.0)
    temperature: float = Field(1.0, gt=0.0, le=2.0)
    extend_stride: float = Field(18.0, gt=0.0, lt=30.0)


class SketchSettings(Section):
    """`[engine.sketch]`: the band."""

    soundfont: Path | None = None


class EngineSettings(Section):
    """`[engine]`: which family works, and on what.

    Attributes:
        family: which engines work. fallback: what stands in for the neural ones where they cannot start.
        device: "auto", "cpu", "cuda" or "cuda:1". threads: of the CPU; 0 takes those this process may use.
        dtype: number format of the weights; int8 concerns MusicGen on a CPU.
        clip, internvl, musicgen, sketch: the models' own tables.
    """

    family: Family = "sketch"
    fallback: Literal["none", "sketch"] = "none"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8"] = "auto"
    threads: int = Field(0, ge=0, le=1024)
    clip: ClipModelSettings = ClipModelSettings()
    internvl: InternVLSettings = InternVLSettings()
    musicgen: MusicGenSettings = MusicGenSettings()
    sketch: SketchSettings = SketchSettings()


class IndexSettings(Section):
    """`[index]`: the album index that RAG draws on.

    Attributes:
        path: folder of the index; None is `index` in data_dir.
        k: albums retrieved. rag: by look, by name, or both; name_share: of the k, those found by name.
        on_failure: read the cover alone and say so, or refuse, where there is no index.
        calibration: file of `albumgen evaluate retrieval --save-calibration`; "" for none.
    """

    path: Path | None = None
    k: int = Field(5, ge=1, le=50)
    rag: RagMode = "both"
    name_share: float = Field(0.6, ge=0.0, le=1.0)
    on_failure: Literal["without", "refuse"] = "without"
    calibration: str = ""


class CatalogueSettings(Section):
    """`[catalogue]`: the artists and albums that the words on a cover are looked up in.

    Attributes:
        path: the catalogue's file; None is `catalogue.db` in data_dir.
    """

    path: Path | None = None


class PromptSettings(Section):
    """`[prompt]`: how attributes become words.

    Attributes:
        style: short captions, or the slides' template. name_artist: whether it may name the predicted artist.
    """

    style: PromptStyle = "concise"
    name_artist: bool = False


class ClipSettings(Section):
    """`[clip]`: the audio file that is handed over.

    Attributes:
        seconds: length where none is asked for. max_seconds: the longest that may be.
        max_megabytes: of the MP3; the bit rate is lowered until it fits.
        loudness_lufs: integrated loudness every clip is brought to.
    """

    seconds: float = Field(10.0, ge=1.0, le=300.0)
    max_seconds: float = Field(60.0, ge=1.0, le=300.0)
    max_megabytes: float = Field(8.0, gt=0.1, le=100.0)
    loudness_lufs: float = Field(-14.0, ge=-30.0, le=-8.0)


class InferenceSettings(Section):
    """`[inference]`: the queue and the worker processes.

    Attributes:
        workers: processes, each with the models. devices: one for each; () for engine.device.
        max_batch: clips composed together. max_attempts: of a job whose worker dies.
        hang_seconds: without progress, until a worker is killed.
        max_jobs_per_member, max_jobs_per_group, max_jobs: waiting or running.
        min_free_megabytes: below it new jobs are refused. when_not_ready: queue them meanwhile, or refuse.
        grace_seconds: for running jobs, when the program stops.
    """

    workers: int = Field(1, ge=1, le=64)
    devices: tuple[str, ...] = ()
    max_batch: int = Field(4, ge=1, le=64)
    max_attempts: int = Field(3, ge=1, le=10)
    hang_seconds: float = Field(300.0, ge=5.0)
    max_jobs_per_member: int = Field(5, ge=1)
    max_jobs_per_group: int = Field(100, ge=1)
    max_jobs: int = Field(500, ge=1)
    min_free_megabytes: int = Field(512, ge=0)
    when_not_ready: Literal["queue", "refuse"] = "queue"
    grace_seconds: float = Field(30.0, ge=0.0)


class RetentionSettings(Section):
    """`[retention]`: how long results are kept.

    Attributes:
        results_days: after which results are removed.
    """

    results_days: int = Field(90, ge=1, le=3650)


class SettingsSource(BaseSettings):
    """A group of settings read from a file's tables, with the environment on top."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose values arrive as init arguments."""
        return env_settings, init_settings

    @classmethod
    def read(cls, tables: dict[str, Any], *, section: str = "", file: Path | None = None) -> Self:
        """Validate the tables of `file` (`section` of it, or the whole) and the environment together.

        Raises ConfigError naming the first wrong key, and the file or variable that holds it.
        """
        prefix = f"{ENV_PREFIX}{section.upper()}__" if section else ENV_PREFIX
        try:
            return cls(_env_prefix=prefix, **tables)
        except ValidationError as error:
            first = error.errors()[0]
            names = [str(part) for part in first["loc"]]
            key = ".".join([*([section] if section else []), *names])
            source = _variable(prefix, names) or (str(file) if file is not None else "")
            raise ConfigError(key, _plain(first, cls, names, section), source) from error
        except SettingsError as error:  # a section given as a whole, in something other than JSON
            raise ConfigError(f"{prefix}…", f"a variable cannot be read: {error}", "environment") from error


class Settings(SettingsSource):
    """The whole of the core's configuration."""

    data_dir: Path = Path(platformdirs.user_data_dir("albumgen"))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    engine: EngineSettings = EngineSettings()
    index: IndexSettings = IndexSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    prompt: PromptSettings = PromptSettings()
    clip: ClipSettings = ClipSettings()
    inference: InferenceSettings = InferenceSettings()
    retention: RetentionSettings = RetentionSettings()

    @property
    def index_dir(self) -> Path:
        """Where the album index lives."""
        return self.index.path if self.index.path is not None else self.data_dir / "index"

    @property
    def catalogue_path(self) -> Path:
        """The catalogue's file."""
        return self.catalogue.path if self.catalogue.path is not None else self.data_dir / "catalogue.db"


def find_config() -> Path | None:
    """The config file in force: `$ALBUMGEN_CONFIG`, else ./config.toml, else none.

    Raises ConfigError when `$ALBUMGEN_CONFIG` names a file that is not there.
    """
    named = os.environ.get(CONFIG_ENV)
    if named:
        if not Path(named).is_file():
            raise ConfigError(CONFIG_ENV, f"there is no file {named}")
        return Path(named)
    local = Path("config.toml")
    return local if local.is_file() else None


def read_toml(path: Path | None) -> dict[str, Any]:
    """The file's tables, {} for None. Raises ConfigError when it cannot be read or is not TOML."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"the file cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"the file is not valid TOML: {error}") from error


def load_settings(path: Path | None = None) -> Settings:
    """Settings from `path` (None: the file that `find_config` finds) and the environment.

    Raises ConfigError naming the first wrong key.
    """
    file = path if path is not None else find_config()
    tables = read_toml(file)
    own = {name: value for name, value in tables.items() if name not in FRONT_END_SECTIONS}
    _refuse_unknown_variables(Settings)
    return Settings.read(own, file=file)


def _plain(problem: Any, kind: type[BaseModel], names: list[str], section: str) -> str:
    """Pydantic's finding in the words of someone who edits a file."""
    if problem["type"] == "extra_forbidden":
        prefix = f"{section}." if section else ""
        nearest = nearest_of(prefix + ".".join(names), [prefix + name for name in setting_names(kind)])
        return f"there is no such setting; did you mean {nearest}?" if nearest else "there is no such setting"
    message = str(problem["msg"])
    return f"{message[:1].lower()}{message[1:]}, not {problem['input']!r}"


def setting_names(kind: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all settings of `kind`, its sections' names included."""
    names: list[str] = []
    for name, field in kind.model_fields.items():
        names.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += setting_names(field.annotation, f"{prefix}{name}.")
    return names


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a slip of, or None."""
    found = difflib.get_close_matches(name.casefold(), list(known), n=1, cutoff=NEAR)
    return found[0] if found else None


def _variable(prefix: str, names: list[str]) -> str | None:
    """The environment variable that a setting came from, or None: then it came from the file."""
    for count in range(len(names), 0, -1):
        wanted = (prefix + "__".join(names[:count])).upper()
        for variable in os.environ:
            if variable.upper() == wanted:
                return variable
    return None


def _refuse_unknown_variables(kind: type[BaseSettings]) -> None:
    """Notice ALBUMGEN_… variables that were meant as settings: pydantic would pass them over in silence.

    Meant are those with a double underscore, and slips of a setting's name. Others belong to somebody else: a
    Kubernetes Service called `albumgen` puts ALBUMGEN_PORT and the like into every container.
    """
    sections = set(kind.model_fields) | FRONT_END_SECTIONS
    for variable in sorted(os.environ):
        if not variable.upper().startswith(ENV_PREFIX):
            continue
        rest = variable[len(ENV_PREFIX) :].lower()
        first, nested, _ = rest.partition("__")
        nearest = nearest_of(first, sections)
        if first in sections | NOT_SETTINGS or not (nested or nearest):
            continue
        meant = f"; did you mean {ENV_PREFIX}{(nearest + rest[len(first) :]).upper()}?" if nearest else ""
        raise ConfigError(variable, f"there is no such setting (environment variable){meant}")
