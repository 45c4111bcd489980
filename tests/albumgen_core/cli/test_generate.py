"""`albumgen generate`, `describe`, `compare`, `doctor`: typed as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from PIL import Image
from typer.testing import CliRunner

from albumgen_core.audio.encode import decode_mp3
from albumgen_core.cli.main import app
from albumgen_core.result import read_document

pytestmark = pytest.mark.slow

runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_covers_become_folders_with_clip_card_and_json(
    example_covers: list[Path], example_shelf: Path, tmp_path: Path
) -> None:
    built = runner.invoke(app, ["index", "build", str(example_shelf)])
    assert built.exit_code == 0, built.output
    covers = [str(path) for path in example_covers]
    done = runner.invoke(
        app, ["generate", *covers, "--seconds", "3", "--seed", "5", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    for path in example_covers:
        folder = tmp_path / "out" / path.stem
        assert abs(decode_mp3(folder / "clip.mp3").seconds - 3) < 0.1
        with Image.open(folder / "card.png") as card:
            card.load()
            assert card.width >= 1000
        document = read_document(folder)
        assert len(document["neighbours"]) == 5
        assert document["seed"] == 5
        assert str(folder / "clip.mp3") in done.stdout


def test_covers_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    paths = [tmp_path / side / "cover.png" for side in ("a", "b")]
    for shade, path in enumerate(paths):
        path.parent.mkdir()
        Image.new("RGB", (32, 32), (shade * 200, 20, 90)).save(path)
    out = tmp_path / "out"
    done = runner.invoke(app, ["generate", *map(str, paths), "--no-rag", "--seconds", "1", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert sorted(folder.name for folder in out.iterdir()) == ["cover", "cover-2"]


def test_without_an_index_the_result_says_so(example_covers: list[Path], tmp_path: Path) -> None:
    done = runner.invoke(
        app, ["generate", str(example_covers[0]), "--seconds", "1", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert "No retrieval" in done.stdout
    assert "albumgen index build" in done.stdout


@pytest.mark.parametrize("command", ["generate", "describe", "compare"])
def test_a_file_that_is_no_picture_is_one_sentence_and_exit_code_2(command: str, tmp_path: Path) -> None:
    path = tmp_path / "song.jpg"
    path.write_bytes(b"ID3 this is no picture")
    done = runner.invoke(app, [command, str(path)])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "song.jpg" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    done = runner.invoke(app, ["generate", str(tmp_path / "nothing.png")])
    assert done.exit_code == 2
    assert "nothing.png" in done.stderr


def test_a_wrong_setting_is_one_line(tmp_path: Path, example_covers: list[Path]) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[engine]\nfamily = 'loud'\n")
    done = runner.invoke(app, ["generate", str(example_covers[0]), "--config", str(config)])
    assert done.exit_code == 2
    assert "engine.family" in done.stderr


def test_describe_prints_json_that_a_program_can_read(example_covers: list[Path]) -> None:
    done = runner.invoke(app, ["describe", "--json", "--no-rag", *map(str, example_covers)])
    assert done.exit_code == 0, done.output
    documents = json.loads(done.stdout)
    assert [Path(document["cover"]).stem for document in documents] == [path.stem for path in example_covers]
    assert all(document["prompt"] for document in documents)


def test_compare_makes_two_clips_and_one_chart(
    example_covers: list[Path], example_shelf: Path, tmp_path: Path
) -> None:
    runner.invoke(app, ["index", "build", str(example_shelf)])
    done = runner.invoke(
        app, ["compare", str(example_covers[0]), "--seconds", "2", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / f"{example_covers[0].stem}-compared"
    assert read_document(folder / "rag")["neighbours"]
    assert read_document(folder / "no-rag")["neighbours"] == []
    with Image.open(folder / "comparison.png") as chart:
        assert chart.format == "PNG"


def test_doctor_is_content_with_the_sketch_engine_and_notes_the_missing_index() -> None:
    done = runner.invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "albumgen index build" in done.stdout


def test_doctor_names_missing_weights_and_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    done = runner.invoke(app, ["doctor", "--engine", "neural"])
    assert done.exit_code == 2
    for role in ("clip", "internvl", "musicgen"):
        assert f"albumgen weights pull {role}" in done.stdout


def test_every_command_has_a_help_text() -> None:
    listing = runner.invoke(app, ["--help"]).stdout
    for command in (
        "generate",
        "describe",
        "compare",
        "index",
        "dataset",
        "evaluate",
        "doctor",
        "weights",
        "worker",
    ):
        assert command in listing
        shown = runner.invoke(app, [command, "--help"])
        assert shown.exit_code == 0
        assert "Usage" in shown.stdout


def test_the_performance_is_kept_as_midi_and_its_stems_are_written_when_asked_for(
    example_covers: list[Path], tmp_path: Path
) -> None:
    arguments = ["generate", str(example_covers[0]), "--no-rag", "--seconds", "3", "--seed", "5", "--out"]
    done = runner.invoke(app, [*arguments, str(tmp_path / "a"), "--midi", "--stems"])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "a" / example_covers[0].stem
    assert (folder / "clip.mid").read_bytes()[:4] == b"MThd"
    assert str(folder / "clip.mid") in done.stdout
    lengths = {path.stem: soundfile.info(path).duration for path in (folder / "stems").iterdir()}
    assert set(lengths) <= {"drums", "bass", "chords", "lead"}
    assert len(lengths) >= 3
    assert all(abs(length - 3.0) < 0.01 for length in lengths.values())
    plain = runner.invoke(app, [*arguments, str(tmp_path / "b")])
    assert not (tmp_path / "b" / example_covers[0].stem / "stems").exists()
    assert "clip.mid" not in plain.stdout


def test_doctor_names_the_soundfont_and_its_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBUMGEN_ENGINE__FAMILY", "sketch")
    assert "licence" in runner.invoke(app, ["doctor"]).stdout
    broken = tmp_path / "mine.sf2"
    broken.write_bytes(b"no SoundFont")
    monkeypatch.setenv("ALBUMGEN_ENGINE__SKETCH__SOUNDFONT", str(broken))
    told = runner.invoke(app, ["doctor"])
    assert told.exit_code == 2
    assert "mine.sf2 is not a SoundFont" in told.stdout
    refused = runner.invoke(app, ["generate", str(tmp_path / "x.png")])
    assert refused.exit_code != 0
