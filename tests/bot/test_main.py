"""What keeps the bot from starting is said in one sentence, with the right exit status."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from bot.main import FAILED, MISCONFIGURED, STOPPED, run
from bot.setup.token import looks_like_token, save_token
from tests.discord.driver import LoopbackDiscord

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALBUMGEN_DATA_DIR", str(tmp_path / "data"))
    for name in ("DISCORD_TOKEN", "ALBUMGEN_DISCORD__TOKEN", "ALBUMGEN_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def test_a_missing_token_names_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == MISCONFIGURED
    told = capsys.readouterr().err
    assert "discord.token" in told
    assert told.count("\n") == 1


def test_what_is_no_token_is_not_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "hunter2")
    assert run([]) == MISCONFIGURED
    told = capsys.readouterr().err
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("[discord]\nhttp_port = 99999\n", "discord.http_port"),
        ("[engine]\nfamily = 'loud'\n", "engine.family"),
        ("[discord]\ntokn = 'x'\n", "discord.tokn"),
        ("[discord\n", "TOML"),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, key: str
) -> None:
    (tmp_path / "config.toml").write_text(words)
    assert run([]) == MISCONFIGURED
    told = capsys.readouterr().err
    assert key in told
    assert told.count("\n") == 1


async def _served(loopback: LoopbackDiscord, arguments: list[str], token: str, home: Path) -> tuple[int, str]:
    environment = {"ALBUMGEN_DISCORD__TOKEN": token, "ALBUMGEN_DATA_DIR": str(home / "data")}
    bot = await loopback.start_bot(arguments, environment=environment)
    return await bot.wait(), bot.text


@pytest.mark.slow
async def test_check_tries_the_token_and_starts_nothing(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        status, told = await _served(loopback, ["--check"], loopback.token, tmp_path)
        assert status == STOPPED
        assert "Settings are valid" in told
        status, told = await _served(loopback, [], TOKEN, tmp_path)
        assert status == MISCONFIGURED
        assert "does not accept this token" in told
        assert "Traceback" not in told
        assert TOKEN not in told


async def test_a_damaged_journal_is_said_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    journal = tmp_path / "data" / "journal.sqlite3"
    journal.write_bytes(b"not a database at all, whatever its name says" * 100)
    before = journal.read_bytes()
    async with LoopbackDiscord() as loopback:
        status, told = await _served(loopback, [], loopback.token, tmp_path)
    assert status == FAILED
    assert "damaged" in told
    assert "Traceback" not in told
    assert journal.read_bytes() == before


async def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file stands where the folder should be")
    async with LoopbackDiscord() as loopback:
        status, told = await _served(loopback, [], loopback.token, tmp_path)
    assert status == FAILED
    assert str(tmp_path / "data") in told
    assert "data_dir" in told
    assert "Discord cannot be reached" not in told
    assert "Traceback" not in told


@pytest.mark.slow
async def test_a_token_that_is_reset_while_the_bot_runs_is_said(tmp_path: Path) -> None:
    async with LoopbackDiscord() as loopback:
        environment = {"ALBUMGEN_DISCORD__TOKEN": loopback.token, "ALBUMGEN_DATA_DIR": str(tmp_path / "data")}
        bot = await loopback.start_bot(["--config", "/dev/null"], environment=environment)
        await loopback.gateway.wait_connected()
        loopback.gateway.token = "another since the reset"
        await loopback.gateway.close(4004)
        assert await bot.wait() == MISCONFIGURED
    assert "does not accept this token any more" in bot.text
    assert "Traceback" not in bot.text


def test_a_token_is_kept_in_place_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('data_dir = "d"\n\n[discord]\nhttp_port = 1 # mine\n\n[engine]\nfamily = "sketch"\n')
    save_token(path, TOKEN)
    save_token(path, TOKEN)
    kept = tomllib.loads(path.read_text())
    assert kept == {
        "data_dir": "d",
        "discord": {"token": TOKEN, "http_port": 1},
        "engine": {"family": "sketch"},
    }
    assert "# mine" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    fresh = tmp_path / "new.toml"
    save_token(fresh, TOKEN)
    assert tomllib.loads(fresh.read_text()) == {"discord": {"token": TOKEN}}


def test_tokens_look_like_tokens() -> None:
    assert looks_like_token(TOKEN)
    assert not looks_like_token("abc")
    assert not looks_like_token(TOKEN + "\n[discord]")
