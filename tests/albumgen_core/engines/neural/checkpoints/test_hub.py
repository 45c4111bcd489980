"""Weights: found offline, fetched only when asked, and every gap one sentence that says the fix."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from albumgen_core.engines.neural.checkpoints.hub import (
    SPECS,
    PullProgress,
    display_name,
    is_hub_id,
    locate,
    pull,
)
from albumgen_core.engines.neural.checkpoints.inspection import check, read_safetensors_header
from albumgen_core.engines.neural.clip import load_embedder
from albumgen_core.errors import EngineUnavailableError
from tests.albumgen_core.engines.neural.conftest import picture
from tests.albumgen_core.engines.neural.hub import Hub, serving
from tests.checkpoints import clip, internvl

CLIP, INTERNVL = SPECS["clip"], SPECS["internvl"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def hub(clip_folder: Path, tmp_path: Path) -> Iterator[Hub]:
    root = tmp_path / "served"
    shutil.copytree(clip_folder, root)
    (root / "flax_model.msgpack").write_bytes(b"x" * 1000)
    (root / "README.md").write_text("words")
    with serving(root, "someone/tiny-clip") as running:
        yield running


def test_a_local_folder_is_used_as_it_is(clip_folder: Path) -> None:
    assert locate(CLIP, str(clip_folder)) == clip_folder


@pytest.mark.parametrize("model", ["openai/clip-vit-base-patch16", "/nowhere/at/all", "./weights", "~/w"])
def test_what_is_not_here_is_one_sentence_with_the_fix(model: str) -> None:
    with pytest.raises(EngineUnavailableError) as caught:
        locate(CLIP, model)
    message = str(caught.value)
    assert model in message
    assert "albumgen weights pull clip" in message
    assert "engine.clip.model" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "preprocessor_config.json", "merges.txt"]
)
def test_a_missing_file_is_named(clip_folder: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "partial"
    shutil.copytree(clip_folder, folder)
    (folder / name).unlink()
    with pytest.raises(EngineUnavailableError) as caught:
        locate(CLIP, str(folder))
    expected = "tokenizer.json" if name == "merges.txt" else name  # the first of the files that would do
    assert f"{folder / expected} is missing" in str(caught.value)


def test_a_missing_shard_is_named(internvl_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    shutil.copytree(internvl_folder, folder)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"a": "model-00001-of-00002.safetensors", "b": "../model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    with pytest.raises(EngineUnavailableError) as caught:
        locate(INTERNVL, str(folder))
    assert f"{folder / 'model-00002-of-00002.safetensors'} is missing" in str(caught.value)


def test_pull_fetches_what_the_engine_reads_and_no_more(hub: Hub) -> None:
    seen: list[PullProgress] = []
    folder = pull(CLIP, "someone/tiny-clip", on_progress=seen.append, endpoint=hub.url)
    assert {name for name, _ in hub.requested} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "special_tokens_map.json",
    }
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total == sum(f.stat().st_size for f in folder.iterdir())
    assert locate(CLIP, "someone/tiny-clip") == folder  # from now on, offline
    assert display_name(folder) == "tiny-clip"
    assert load_embedder("someone/tiny-clip", device="cpu").embed([picture(1)]).shape == (1, 512)


def test_pulling_again_fetches_nothing(hub: Hub) -> None:
    pull(CLIP, "someone/tiny-clip", endpoint=hub.url)
    hub.requested.clear()
    pull(CLIP, "someone/tiny-clip", endpoint=hub.url)
    assert hub.requested == []


def test_pulling_again_mends_a_file_that_was_cut_short(hub: Hub) -> None:
    folder = pull(CLIP, "someone/tiny-clip", endpoint=hub.url)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.resolve().write_bytes(whole[:1000])
    with pytest.raises(EngineUnavailableError, match="is damaged"):
        load_embedder("someone/tiny-clip", device="cpu")
    assert pull(CLIP, "someone/tiny-clip", endpoint=hub.url) == folder
    assert weights.read_bytes() == whole


def test_a_repository_without_safetensors_gives_pytorchs_format(hub: Hub) -> None:
    (hub.root / "model.safetensors").unlink()
    clip.build(hub.root, pickled=True)
    folder = pull(CLIP, "someone/tiny-clip", endpoint=hub.url)
    assert (folder / "pytorch_model.bin").is_file()


def test_internvl_is_never_taken_from_a_pickle(hub: Hub) -> None:
    shutil.rmtree(hub.root)
    internvl.build(hub.root)
    (hub.root / "model.safetensors").rename(hub.root / "pytorch_model.bin")
    with pytest.raises(EngineUnavailableError, match=r"model\.safetensors is not in that repository"):
        pull(INTERNVL, "someone/tiny-clip", endpoint=hub.url)


def test_a_dropped_connection_is_survived(hub: Hub) -> None:
    half = (hub.root / "model.safetensors").stat().st_size // 2  # no other file is as long
    hub.cut_after = half
    pull(CLIP, "someone/tiny-clip", endpoint=hub.url)
    assert [name for name, _ in hub.requested].count("model.safetensors") == 2
    folder = locate(CLIP, "someone/tiny-clip")
    assert (folder / "model.safetensors").read_bytes() == (hub.root / "model.safetensors").read_bytes()


def test_an_unknown_repository_is_one_sentence(hub: Hub) -> None:
    with pytest.raises(EngineUnavailableError) as caught:
        pull(CLIP, "someone/else", endpoint=hub.url)
    assert "someone/else" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_hub_at_all_is_one_sentence() -> None:
    with pytest.raises(EngineUnavailableError, match="check the name and the connection"):
        pull(CLIP, "someone/tiny-clip", endpoint="http://127.0.0.1:9")


def test_check_finds_no_fault_with_whole_files(
    clip_folder: Path, internvl_folder: Path, tmp_path: Path
) -> None:
    for spec, folder in (
        (CLIP, clip_folder),
        (CLIP, clip.build(tmp_path / "pickled", pickled=True)),
        (INTERNVL, internvl_folder),
    ):
        findings = check(spec, str(folder))
        assert [finding.ok for finding in findings] == [True, True]
        assert findings[-1].size == next(
            f.stat().st_size for f in folder.iterdir() if f.suffix in (".safetensors", ".bin")
        )


def test_the_header_is_read_without_torch(clip_folder: Path) -> None:
    header = read_safetensors_header(clip_folder / "model.safetensors")
    assert header["visual_projection.weight"]["shape"] == [512, 32]


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 5000, -1])
def test_check_notices_every_truncation(clip_folder: Path, tmp_path: Path, keep: int) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(clip_folder, folder)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    bad = [finding for finding in check(CLIP, str(folder)) if not finding.ok]
    assert [finding.subject for finding in bad] == [str(path)]
    assert "albumgen weights pull clip" in bad[0].message


def test_check_notices_another_architecture(clip_folder: Path) -> None:
    bad = [finding for finding in check(INTERNVL, str(clip_folder)) if not finding.ok]
    assert ["type 'clip', not internvl" in finding.message for finding in bad] == [True]


def test_check_of_what_is_not_here_is_a_finding_not_an_error() -> None:
    findings = check(INTERNVL)
    assert [finding.ok for finding in findings] == [False]
    assert "OpenGVLab/InternVL2-1B" in findings[0].message


def test_paths_are_not_taken_for_names_on_the_hub() -> None:
    assert is_hub_id("openai/clip-vit-base-patch16")
    assert not any(is_hub_id(path) for path in ("/tmp/x", "./x", "../x", "~/x", "a/b/c", "clip"))


def test_looking_after_weights_does_not_load_torch() -> None:
    program = (
        "import sys;"
        "from albumgen_core.engines.neural.checkpoints.inspection import check;"
        "from albumgen_core.engines.neural.checkpoints.hub import SPECS;"
        "check(SPECS['clip'], 'no/where');"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
