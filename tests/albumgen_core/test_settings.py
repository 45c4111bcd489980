"""Settings: the file, the environment on top, and one clear sentence for each mistake."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from albumgen_core.errors import ConfigError
from albumgen_core.settings import Settings, load_settings
from bot.settings import DiscordSettings, load_bot_settings
from tests.paths import EXAMPLE_CONFIG


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.engine.family == "sketch"
    assert settings.data_dir == tmp_path / "data"  # from the environment that the tests set


def test_config_toml_in_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "[clip]\nseconds = 7\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().clip.seconds == 7


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "[engine.musicgen]\ntop_k = 5\ntemperature = 0.5\n")
    monkeypatch.setenv("ALBUMGEN_ENGINE__MUSICGEN__TOP_K", "99")
    musicgen = load_settings(path).engine.musicgen
    assert (musicgen.top_k, musicgen.temperature) == (99, 0.5)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[engine]\nfamily = 'loud'", "engine.family"),
        ("[engine.musicgen]\ntop_k = -1", "engine.musicgen.top_k"),
        ("[engine]\nfamliy = 'sketch'", "engine.famliy"),
        ("[clips]\nseconds = 3", "clips"),
        ("[index]\nk = 'five'", "index.k"),
        ("[clip]\nseconds = 1e9", "clip.seconds"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_its_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, text))
    assert caught.value.key == key
    assert "\n" not in str(caught.value)


def test_a_slip_in_an_environment_variable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBUMGEN_ENGIN__FAMILY", "neural")
    with pytest.raises(ConfigError, match="ALBUMGEN_ENGIN__FAMILY"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("[engine]\nfamliy = 'sketch'", "engine.family"),
        ("[engine.musicgen]\ntopk = 3", "engine.musicgen.top_k"),
        ("[clips]\nseconds = 3", "clip"),
        ("[discord.sessions]\nmax_cover = 3", "discord.sessions.max_covers"),
    ],
)
def test_a_slip_names_the_file_and_the_nearest_setting(tmp_path: Path, text: str, nearest: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=f"did you mean {nearest}\\?") as caught:
        load_bot_settings(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_wrong_value_in_a_variable_names_the_variable_not_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "[engine]\nfamily = 'sketch'\n")
    monkeypatch.setenv("ALBUMGEN_ENGINE__FAMILY", "loud")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.source == "ALBUMGEN_ENGINE__FAMILY"
    assert caught.value.key == "engine.family"
    monkeypatch.setenv("ALBUMGEN_DISCORD__HTTP_PORT", "many")
    monkeypatch.setenv("ALBUMGEN_ENGINE__FAMILY", "sketch")
    with pytest.raises(ConfigError, match=r"^ALBUMGEN_DISCORD__HTTP_PORT: discord\.http_port: "):
        load_bot_settings(path)


def test_a_section_given_as_one_variable_in_something_else_than_json_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALBUMGEN_ENGINE", "tcp://10.0.0.1:80")
    with pytest.raises(ConfigError, match="engine"):
        load_settings()


@pytest.mark.parametrize(
    "variable",
    [
        "ALBUMGEN_PORT",
        "ALBUMGEN_SERVICE_HOST",
        "ALBUMGEN_PORT_80_TCP_ADDR",
        "ALBUMGEN_NATIVE",
        "ALBUMGENERATOR",
    ],
)
def test_variables_that_are_no_settings_stop_nothing(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "0")
    assert load_settings().engine.family == "sketch"


def test_a_slip_without_a_section_is_noticed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBUMGEN_LOGLEVEL", "DEBUG")
    with pytest.raises(ConfigError, match="did you mean ALBUMGEN_LOG_LEVEL"):
        load_settings()


def test_an_unknown_backend_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"engine\.musicgen\.backend"):
        load_settings(write(tmp_path, "[engine.musicgen]\nbackend = 'fast'"))


@pytest.mark.parametrize("content", [b"[engine\n", b"\xff\xfe\x00", b"a = "])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load_settings(path)


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBUMGEN_CONFIG", "/nowhere/config.toml")
    with pytest.raises(ConfigError, match=r"/nowhere/config\.toml"):
        load_settings()


def test_the_discord_section_is_read_by_the_bot_and_left_alone_by_the_core(tmp_path: Path) -> None:
    path = write(tmp_path, "[discord]\ntoken = 'secret'\n[discord.guild_defaults]\nrag = false\n")
    load_settings(path)
    settings = load_bot_settings(path).discord
    assert settings.guild_defaults.rag is False
    assert "secret" not in repr(settings)


def test_the_example_file_shows_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALBUMGEN_DATA_DIR")
    text = EXAMPLE_CONFIG.read_text(encoding="utf-8")
    shown = tomllib.loads(text)
    # What has no default worth showing is there as a comment.
    commented = tomllib.loads(re.sub(r"(?m)^# (data_dir|path|soundfont) =", r"\1 =", text))
    commented = commented | {"inference": {**commented["inference"], "devices": []}}
    for expected, found, every in (
        (Settings(), {k: v for k, v in shown.items() if k != "discord"}, commented),
        (DiscordSettings.read({}, section="discord"), shown["discord"], commented["discord"]),
    ):
        assert_same(expected, found)
        assert_complete(type(expected), every)


def assert_same(settings: BaseModel, shown: dict[str, object]) -> None:
    for name, value in shown.items():
        default = getattr(settings, name)
        if isinstance(value, dict):
            assert_same(default, value)
        else:
            assert default == (tuple(value) if isinstance(value, list) else value), name


def assert_complete(kind: type[BaseModel], shown: dict[str, object]) -> None:
    for name, field in kind.model_fields.items():
        if name == "token":
            continue
        assert name in shown, f"config.example.toml lacks {name}"
        value = shown[name]
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert isinstance(value, dict)
            assert_complete(field.annotation, value)
