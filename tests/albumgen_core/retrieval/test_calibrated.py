"""The calibrated describer, from the command that calibrates it to the readings it gives."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from albumgen_core.attributes.fields import AUDIO_FEATURES
from albumgen_core.cli.main import app
from tests.albumgen_core.retrieval.helpers import a_row, write_csv

pytestmark = pytest.mark.slow

runner = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
ALBUMS = 240


def collection(folder: Path, *, signal: bool) -> Path:
    """Plain covers from black to white; the lighter, the more energy (or, without signal, at random)."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(3)
    rows = []
    for number, light in enumerate(chance.random(ALBUMS)):
        name = f"{number:03}.png"
        tint = int(20 + 215 * light)
        red, blue = chance.integers(-20, 21, size=2)
        Image.new("RGB", (16, 16), (tint + int(red), tint, tint + int(blue))).save(folder / name)
        energy = light if signal else float(chance.random())
        changes = {"artist": f"Artist {number}", "energy": f"{0.1 + 0.8 * energy:.3f}"}
        rows.append(a_row(name, number, **changes))
    write_csv(folder / "manifest.csv", rows)
    return folder


@pytest.fixture(scope="module", params=[True, False], ids=["signal", "noise"])
def calibrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Path]:
    root = tmp_path_factory.mktemp("calibrated")
    covers = collection(root / "covers", signal=request.param)
    file = root / "calibration.json"
    built = runner.invoke(app, ["index", "build", str(covers), "--index", str(root / "index")])
    assert built.exit_code == 0, built.output
    options = ["--splits", "2", "-o", str(root / "report"), "--save-calibration", str(file)]
    done = runner.invoke(app, ["evaluate", "retrieval", str(covers), *options])
    assert done.exit_code == 0, done.output
    return request.param, root


def settings(root: Path, calibration: str = "calibration.json") -> dict[str, str]:
    return {
        "ALBUMGEN_INDEX__PATH": str(root / "index"),
        "ALBUMGEN_INDEX__CALIBRATION": str(root / calibration),
    }


def describe(path: Path, *options: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    done = runner.invoke(app, ["describe", str(path), "--json", *options], env=env)
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)[0]
    return document


def query(root: Path, shade: int) -> Path:
    """A cover that the index does not hold, and that lies nearest to those of its shade."""
    path = root / f"query-{shade}.png"
    Image.new("RGB", (200, 200), (shade, shade + 8, shade)).save(path)  # greener than any
    return path


def test_where_covers_tell_readings_follow_them_and_elsewhere_they_are_the_usual_values(
    calibrated: tuple[bool, Path],
) -> None:
    signal, root = calibrated
    dark, light = (describe(query(root, shade), env=settings(root)) for shade in (25, 235))
    usual = json.loads((root / "calibration.json").read_text())["medians"]
    apart = light["attributes"]["energy"] - dark["attributes"]["energy"]
    assert (apart > 0.4) is signal
    if not signal:
        assert "the usual values" in str(light["notices"])
        found = {name: light["attributes"][name] for name in AUDIO_FEATURES}
        assert found == pytest.approx(usual, abs=1e-3)


def test_without_retrieval_the_engine_reads_for_itself(calibrated: tuple[bool, Path]) -> None:
    _, root = calibrated
    found = describe(query(root, 128), "--no-rag", env=settings(root))
    assert found["attributes"] == describe(query(root, 128), "--no-rag")["attributes"]


def test_a_cover_of_the_index_gets_its_own_albums_values(calibrated: tuple[bool, Path]) -> None:
    _, root = calibrated
    found = describe(root / "covers" / "007.png", env=settings(root))
    album = found["album"]
    assert album["distance"] < 0.1
    assert album["album_id"] not in {neighbour["album_id"] for neighbour in found["neighbours"]}
    own = int(album["title"].split()[1])
    with (root / "covers" / "manifest.csv").open(encoding="utf-8") as file:
        measured = list(csv.DictReader(file))[own]
    assert found["attributes"]["energy"] == pytest.approx(float(measured["energy"]), abs=1e-3)


def test_a_calibration_that_cannot_be_used_is_one_sentence(calibrated: tuple[bool, Path]) -> None:
    _, root = calibrated
    arguments = ["describe", str(root / "covers" / "007.png")]
    failed = runner.invoke(app, arguments, env=settings(root, "nothing.json"))
    assert failed.exit_code == 2
    assert "index.calibration" in failed.stderr
    assert "nothing.json" in failed.stderr
