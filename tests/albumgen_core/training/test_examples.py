"""Examples: no answer leaks through the neighbours, and the prompt is the one the bot asks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from albumgen_core.albums import Album
from albumgen_core.dataset.records import AlbumRecord
from albumgen_core.engines.neural.internvl.chat import Chat
from albumgen_core.engines.neural.internvl.checkpoint import load_model, open_checkpoint
from albumgen_core.engines.neural.internvl.question import build_question
from albumgen_core.engines.neural.internvl.tiling import IMAGENET_MEAN, IMAGENET_STD
from albumgen_core.retrieval.leak_free import LeakFreeNeighbours
from albumgen_core.training.encoding import IGNORED, Collator, Examples, encode_target
from albumgen_core.training.examples import build_examples
from albumgen_core.training.target import Target, target_of
from tests.albumgen_core.retrieval.helpers import random_vectors


def test_neighbours_leave_out_the_album_and_its_artists(albums: list[AlbumRecord]) -> None:
    vectors = random_vectors(len(albums))
    together = AlbumRecord(
        Album("duet", "Duet", "Artist 0 feat. Artist 3", albums[0].album.attributes), albums[0].cover
    )
    shelf = LeakFreeNeighbours([*albums, together], np.concatenate([vectors, vectors[:1]]))
    near = shelf.neighbours(albums[0], vectors[0], 100)
    assert {n.album.artist for n in near} == {f"Artist {n}" for n in range(1, 13)}
    assert {n.album.artist for n in shelf.neighbours(together, vectors[0], 100)}.isdisjoint(
        {"Artist 0", "Artist 3"}
    )
    example = build_examples([together], contexts="rag", shelf=shelf, vectors=vectors[:1], k=3)[0]
    assert example.with_neighbours
    assert "Artist 0" not in example.question
    assert "Title" in example.question


def test_contexts(albums: list[AlbumRecord]) -> None:
    vectors = random_vectors(len(albums))
    shelf = LeakFreeNeighbours(albums, vectors)

    def kinds(contexts: str, records: list[AlbumRecord]) -> list[bool]:
        found = build_examples(records, contexts=contexts, shelf=shelf, vectors=vectors)  # type: ignore[arg-type]
        return [example.with_neighbours for example in found]

    mixed = kinds("mixed", albums)
    assert 5 < sum(mixed) < len(albums) - 5
    assert kinds("mixed", albums[:10]) == mixed[:10]
    assert kinds("both", albums[:2]) == [False, True] * 2
    assert kinds("rag", albums[:2]) == [True] * 2
    plain = build_examples(albums[:2], contexts="plain")
    assert [example.question for example in plain] == [build_question(None)] * 2
    with pytest.raises(ValueError, match="mixed examples need neighbours"):
        build_examples(albums, contexts="mixed")


def test_only_the_known_answer_is_labelled(tiny_internvl: Path, albums: list[AlbumRecord]) -> None:
    checkpoint = open_checkpoint(tiny_internvl)
    chat = Chat(checkpoint)
    item = encoded(checkpoint, chat, albums)[0]
    labelled = item["labels"] != IGNORED
    text = target_of(albums[0].album).text
    known = text
    for start, end in reversed(target_of(albums[0].album).unknown):
        known = known[:start] + known[end:]
    ids = item["labels"][labelled].tolist()
    # A token may join an unknown value to the comma or space beside it; those go with it.
    assert re.sub("[ ,]", "", chat.decode(ids[:-1])) == re.sub("[ ,]", "", known)
    assert ids[-1] == chat.turn_end
    prompt = chat.encode(build_question(None), 1)
    assert item["input_ids"][: len(prompt)].tolist() == prompt
    assert not labelled[: len(prompt)].any()
    assert chat.decode(item["input_ids"][len(prompt) :].tolist()) == text


def test_a_token_that_straddles_an_unknown_value_is_ignored(tiny_internvl: Path) -> None:
    chat = Chat(open_checkpoint(tiny_internvl))
    ids, labels = encode_target(chat, Target('{"key": "C"}', ((8, 11),)))
    dropped = [token for token, label in zip(ids, labels, strict=True) if label == IGNORED]
    assert '"C"' in chat.decode(dropped)


def test_a_padded_micro_batch_has_the_loss_of_its_examples(
    tiny_internvl: Path, albums: list[AlbumRecord]
) -> None:
    checkpoint = open_checkpoint(tiny_internvl)
    chat = Chat(checkpoint)
    model = load_model(
        checkpoint, image_token=chat.image_token, device=torch.device("cpu"), dtype=torch.float32
    )
    vectors = random_vectors(len(albums))
    mixed = build_examples(
        albums[:4], contexts="both", shelf=LeakFreeNeighbours(albums, vectors), vectors=vectors
    )
    data = encoded(checkpoint, chat, albums, mixed)
    items = [data[0], data[1]]
    collate = Collator(chat.tokenizer.pad_token_id)
    with torch.inference_mode():
        together = model(**collate(items)).loss
        alone = [model(**collate([item])).loss for item in items]
        whole = model(**{k: v[None] if k != "pixel_values" else v for k, v in items[0].items()}).loss
    weights = [int((item["labels"] != IGNORED).sum()) for item in items]
    expected = sum(loss * weight for loss, weight in zip(alone, weights, strict=True)) / sum(weights)
    assert len(items[0]["input_ids"]) != len(items[1]["input_ids"])
    assert float(together) == pytest.approx(float(expected), rel=1e-5)
    assert float(alone[0]) == pytest.approx(float(whole), rel=1e-5)  # fewer logits, the same loss


def encoded(checkpoint: object, chat: Chat, albums: list[AlbumRecord], examples: object = None) -> Examples:
    made = examples or build_examples(albums[:2], contexts="plain")
    return Examples(made, chat, checkpoint, max_tiles=1, mean=IMAGENET_MEAN, std=IMAGENET_STD)  # type: ignore[arg-type]
