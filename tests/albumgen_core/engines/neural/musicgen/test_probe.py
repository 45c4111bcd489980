from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from albumgen_core.engines.neural.musicgen import load_composer, probe
from albumgen_core.engines.neural.musicgen.threads import available_cores, set_threads
from albumgen_core.errors import ConfigError, EngineUnavailableError


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    races: list[int] = []
    run = probe._race

    def counting(width: int, candidates: tuple[probe.Format, ...]) -> dict[probe.Format, float]:
        races.append(width)
        return run(width, candidates)

    monkeypatch.setattr(probe, "_race", counting)
    monkeypatch.setattr(probe, "COLD_BYTES", 2**20)
    return races


def test_the_fastest_format_is_measured_once_and_remembered(tmp_path: Path, counted: list[int]) -> None:
    cache = tmp_path / "deep" / "probe.json"
    first = probe.fastest_format(64, cache=cache)
    assert first in probe.CANDIDATES
    assert probe.fastest_format(64, cache=cache) == first
    assert counted == [64]
    probe.fastest_format(32, cache=cache)
    assert counted == [64, 32]
    assert len(json.loads(cache.read_text())) == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}'])
def test_a_spoilt_memory_is_measured_again(tmp_path: Path, counted: list[int], content: str) -> None:
    cache = tmp_path / "probe.json"
    cache.write_text(content)
    assert probe.fastest_format(32, cache=cache, candidates=("float32",)) == "float32"
    assert counted == [32]


def test_a_memory_that_cannot_be_kept_is_no_obstacle(tmp_path: Path, counted: list[int]) -> None:
    (tmp_path / "file").write_text("")
    assert probe.fastest_format(32, cache=tmp_path / "file" / "probe.json", candidates=("int8",)) == "int8"


def test_small_decoders_stay_in_float32_without_a_measurement(mono: Path, counted: list[int]) -> None:
    composer = load_composer(mono)
    assert composer.decoder.name == "albumgen float32"  # type: ignore[attr-defined]
    assert counted == []


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("150000 100000", 2), ("max 100000", 99)])
def test_a_containers_quota_limits_the_threads(tmp_path: Path, quota: str, cores: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert available_cores(file) == min(cores, available_cores(tmp_path / "none"))


def test_threads_can_be_set() -> None:
    before = torch.get_num_threads()
    try:
        assert set_threads(1) == torch.get_num_threads() == 1
        assert set_threads(0) <= available_cores()
    finally:
        torch.set_num_threads(before)


def test_a_device_that_is_not_there_is_refused_with_the_fix(mono: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(ConfigError, match=r"engine\.device: the device 'cuda' cannot be used here"):
        load_composer(mono, device="cuda")


def test_int8_with_the_reference_backend_is_refused(mono: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="int8"):
        load_composer(mono, dtype="int8", backend="transformers")


@pytest.mark.parametrize("wrong", [{"dtype": "int4"}, {"backend": "magic"}])
def test_unknown_choices_are_refused(mono: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        load_composer(mono, **wrong)  # type: ignore[arg-type]
