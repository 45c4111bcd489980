"""CLIP: unit vectors that depend on nothing but the picture."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from albumgen_core.engines.neural.clip import ClipEmbedder, load_embedder
from albumgen_core.errors import EngineUnavailableError
from tests.albumgen_core.engines.neural.conftest import picture
from tests.checkpoints import clip

COVERS = [picture(i, 60 + 17 * i, 130 - 9 * i) for i in range(7)]
TEXTS = ["jazz", "an energetic dance track", "a calm acoustic ballad, a picture of the sea at night"]


@pytest.fixture(scope="module")
def embedder(clip_folder: Path) -> ClipEmbedder:
    return ClipEmbedder(clip_folder, device="cpu", batch=3)


def test_rows_have_unit_norm(embedder: ClipEmbedder) -> None:
    vectors = embedder.embed(COVERS)
    assert vectors.shape == (7, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_cover_embeds_alike_in_any_company(embedder: ClipEmbedder) -> None:
    alone = np.concatenate([embedder.embed([cover]) for cover in COVERS])
    np.testing.assert_allclose(embedder.embed(COVERS), alone, atol=2e-6)
    np.testing.assert_allclose(embedder.embed(COVERS[::-1])[::-1], alone, atol=2e-6)


def test_different_covers_differ(embedder: ClipEmbedder) -> None:
    vectors = embedder.embed(COVERS)
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    assert distances[~np.eye(7, dtype=bool)].min() > 1e-3


def test_nothing_embeds_to_nothing(embedder: ClipEmbedder) -> None:
    assert embedder.embed([]).shape == (0, 512)
    assert embedder.embed_texts([]).shape == (0, 512)


def test_agrees_with_the_whole_model(embedder: ClipEmbedder, clip_folder: Path) -> None:
    whole = CLIPModel.from_pretrained(clip_folder).eval()
    pixels = CLIPImageProcessorPil.from_pretrained(clip_folder)(
        [cover.image for cover in COVERS], return_tensors="pt"
    )
    tokens = CLIPTokenizer.from_pretrained(clip_folder)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        images = whole.get_image_features(**pixels).pooler_output
        texts = whole.get_text_features(**tokens).pooler_output
    for ours, theirs in ((embedder.embed(COVERS), images), (embedder.embed_texts(TEXTS), texts)):
        expected = torch.nn.functional.normalize(theirs, dim=-1).numpy()
        np.testing.assert_allclose(ours, expected, atol=2e-6)


def test_texts_embed_alike_in_any_company(embedder: ClipEmbedder) -> None:
    alone = np.concatenate([embedder.embed_texts([text]) for text in TEXTS])
    np.testing.assert_allclose(embedder.embed_texts(TEXTS), alone, atol=2e-6)


def test_a_very_long_text_is_cut(embedder: ClipEmbedder) -> None:
    assert embedder.embed_texts(["guitar " * 500]).shape == (1, 512)


def test_pytorchs_own_format_gives_the_same_space(embedder: ClipEmbedder, tmp_path: Path) -> None:
    other = load_embedder(str(clip.build(tmp_path / "elsewhere", pickled=True)), device="cpu")
    assert other.name == embedder.name
    np.testing.assert_allclose(other.embed(COVERS), embedder.embed(COVERS), atol=2e-6)


def test_other_weights_are_another_space(embedder: ClipEmbedder, tmp_path: Path) -> None:
    assert load_embedder(str(clip.build(tmp_path / "b", seed=1)), device="cpu").name != embedder.name


def test_code_in_a_pickle_is_not_run(clip_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    shutil.copytree(clip_folder, folder)
    (folder / "model.safetensors").unlink()
    torch.save({"x": _Touch(tmp_path / "touched")}, folder / "pytorch_model.bin")
    with pytest.raises(EngineUnavailableError, match=r"pytorch_model\.bin is damaged"):
        ClipEmbedder(folder, device="cpu")
    assert not (tmp_path / "touched").exists()


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", '{"model_type": "bert"}', "config.json describes a model of type 'bert'"),
        ("config.json", "{", "config.json is damaged"),
        ("config.json", '{"model_type": "clip", "projection_dim": 768}', "768 wide"),
        ("model.safetensors", "nonsense", "model.safetensors is damaged"),
        ("preprocessor_config.json", "[", "preprocessor_config.json is damaged"),
    ],
)
def test_a_damaged_file_is_named(
    clip_folder: Path, tmp_path: Path, name: str, content: str, words: str
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(clip_folder, folder)
    (folder / name).write_text(content)
    with pytest.raises(EngineUnavailableError) as caught:
        ClipEmbedder(folder, device="cpu")
    assert words in str(caught.value)
    assert "albumgen weights pull clip" in str(caught.value)
